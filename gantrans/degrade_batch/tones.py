"""Colour and tone of a batch, and few levels."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given, half_up, scalar, stacked
from gantrans.imaging.colour import BT601
from gantrans.lab import grey_of_lightness


def curve(levels: Tensor, given: Given) -> Tensor:
    """A table (C, places) of levels for each channel; between two places a straight line."""
    tables, flat = stacked(given, 0), levels.flatten(2)
    if given.whole:
        return tables.gather(2, flat.long()).view_as(levels)
    last = tables.shape[2] - 1
    at = flat * (last / 255)
    below = at.long().clamp(max=last - 1)
    share = at - below
    return (tables.gather(2, below) * (1 - share) + tables.gather(2, below + 1) * share).view_as(levels)


def matrix(levels: Tensor, given: Given) -> Tensor:
    """Colours times a (3, 3) matrix; by sums, which are the same however many samples there are."""
    rows = stacked(given, 0)
    parts = [rows[:, :, c, None, None] * levels[:, c, None] for c in range(3)]
    return parts[0] + parts[1] + parts[2]


def luma(levels: Tensor, given: Given) -> Tensor:
    """BT.601 luma, in as many channels as asked."""
    red, green, blue = levels.unbind(1)
    y = half_up(BT601[0] * red + BT601[1] * green + BT601[2] * blue, given.whole)[:, None]
    (channels,) = given.alike
    return y.expand(-1, channels, -1, -1)


def lightness(levels: Tensor, given: Given) -> Tensor:
    """The grey of the same L of CIELAB, in three channels; for whole levels by lab.py's tables."""
    if not given.whole:
        return (grey_of_lightness(levels / 255, axis=1) * 255).expand(-1, 3, -1, -1)
    light, greys = stacked(given, 0), stacked(given, 1)
    y = light.gather(2, levels.flatten(2).long()).sum(1)
    return greys.gather(1, y).float().view_as(levels[:, :1]).expand(-1, 3, -1, -1)


def contrast(levels: Tensor, given: Given) -> Tensor:
    """That much of the distance from the picture's mean luma."""
    means = levels.mean(dim=(2, 3), dtype=torch.float64)
    middle = (means * stacked(given, 1)).sum(dim=1).view(-1, 1, 1, 1).float()
    return half_up((middle + (levels - middle) * scalar(given, 0)).clamp(min=0), given.whole)


def quantise(levels: Tensor, given: Given) -> Tensor:
    """A level goes up where the rest of it, in 64ths, exceeds the threshold of its place (8, 8)."""
    height, width = levels.shape[2:]
    steps, order = scalar(given, 0), stacked(given, 1).to(torch.int32)
    order = order.repeat(1, -(-height // 8), -(-width // 8))[:, None, :height, :width]
    if not given.whole:
        lifted = levels * steps / 255 + (63.5 - order) / 64
        return torch.floor(lifted.clamp(min=0).minimum(steps)) * 255 / steps
    exact = levels.to(torch.int32) * steps
    floor, rest = exact // 255, (exact % 255 * 128 + 255) // 510
    step = (floor + (rest > order)).flatten(1).long()
    return stacked(given, 2).gather(1, step).view_as(levels).float()
