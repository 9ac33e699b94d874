"""Marks and cut-outs of a batch: layers that the host has drawn, laid over the pictures on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given
from gantrans.imaging.colour import BT601

OPAQUE = 255


def marks(levels: Tensor, given: Given) -> Tensor:
    """Each sample's layers, lowest first, in the arithmetic of degrade/marks/canvas.py; outside of them not a
    bit changes. given.alike: (top, left, dye) of each layer."""
    for picture, layers in zip(levels, given.inputs, strict=True):
        means = picture.mean(dim=(1, 2), dtype=torch.float64).round().float()
        for place, alpha, ink in zip(given.alike, layers[::2], layers[1::2], strict=True):
            top, left, dye = place
            box = picture[:, top : top + alpha.shape[0], left : left + alpha.shape[1]]
            colour = _colour(ink, means) if ink.numel() else means.view(-1, 1, 1)
            box.copy_(_blend(box, alpha.float(), colour, dye, given.whole))
    return levels


def _colour(ink: Tensor, means: Tensor) -> Tensor:
    """(3,) or (h, w, 3) uint8 as (C, 1, 1) or (C, h, w)."""
    planes = ink.float().view(1, 1, 3).permute(2, 0, 1) if ink.dim() == 1 else ink.float().permute(2, 0, 1)
    if len(means) == 3:
        return planes
    red, green, blue = planes
    return torch.round(BT601[0] * red + BT601[1] * green + BT601[2] * blue)[None]


def _blend(box: Tensor, alpha: Tensor, ink: Tensor, dye: bool, whole: bool) -> Tensor:
    """Whole levels are rounded where the 8-bit arithmetic of the worker engine rounds."""
    rounded = torch.round if whole else torch.Tensor.clone
    if dye:
        kept = rounded(OPAQUE - alpha * (OPAQUE - ink) / OPAQUE)
        return rounded(box * kept / OPAQUE)
    laid = rounded(box * (OPAQUE - alpha) / OPAQUE) + rounded(ink * alpha / OPAQUE)
    return laid.clamp(max=OPAQUE)
