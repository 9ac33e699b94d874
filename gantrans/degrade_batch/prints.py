"""Halftone of a batch: imaging/screen.py on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given, half_up, scalar, stacked
from gantrans.imaging.screen import BLACK_SHARE


def halftone(levels: Tensor, given: Given) -> Tensor:
    """Dots of four inks, or of black alone where there is one channel."""
    x01, hard = levels / 255, scalar(given, 2)
    screens = _thresholds(given)
    if levels.shape[1] == 1:
        return half_up((1 - _dots(1 - x01, screens[:, 3:], hard)) * 255, given.whole)
    black = BLACK_SHARE * (1 - x01.amax(dim=1, keepdim=True))
    paper = 1 - _dots(black, screens[:, 3:], hard)
    inks = 1 - x01 / (1 - black)
    return half_up((1 - _dots(inks, screens[:, :3], hard)) * paper * 255, given.whole)


def _dots(ink: Tensor, thresholds: Tensor, hard: Tensor) -> Tensor:
    soft = 0.5 / hard
    low = torch.sqrt(ink.clamp(min=0).minimum(soft) * (4 * soft)) - soft
    high = 1 + soft - torch.sqrt((1 - ink).clamp(min=0).minimum(soft) * (4 * soft))
    cut = torch.where(ink < soft, low, torch.where(ink > 1 - soft, high, ink))
    return ((cut - thresholds) * hard + 0.5).clamp(0, 1)


def _thresholds(given: Given) -> Tensor:
    """(n, 4, H, W) from the waves of each screen."""
    across, down = stacked(given, 0), stacked(given, 1)  # (n, inks, waves, cosine and sine, side)
    crests = down[..., 0, :, None] * across[..., 0, None, :] - down[..., 1, :, None] * across[..., 1, None, :]
    spot = (crests[:, :, 0] + crests[:, :, 1]) * 63.75 + 128
    ranks = stacked(given, 3)
    return ranks.gather(1, spot.flatten(1).long()).view_as(spot)
