"""Changes of size of a batch, as products with the weights of degrade_batch/weights.py."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given, half_up, padded, scalar, stacked

_PARTS = 5  # inputs of each stage: starts and weights of rows, of columns, and how to round (weights.py)
_FIRST = 1 << 13


def resize(levels: Tensor, given: Given) -> Tensor:
    """Through one size or several. Where the small pictures of samples differ in size, they lie in the corner
    of the largest, and the way back sees no more of it."""
    for first in range(0, len(given.inputs[0]), _PARTS):
        levels = _resized(levels, given, first)
    return levels


def _resized(levels: Tensor, given: Given, first: int) -> Tensor:
    height, width = levels.shape[2:]
    rows = _matrix(padded(given, first), padded(given, first + 1), height)
    columns = _matrix(padded(given, first + 2), padded(given, first + 3), width)
    columns, rows = columns.transpose(1, 2)[:, None], rows[:, None]
    if not given.whole:
        return torch.matmul(rows, torch.matmul(levels, columns)).clamp(0, 255)
    by_pillow, halves_up = stacked(given, first + 4).bool().view(-1, 2, 1, 1, 1).unbind(1)
    high, low = (torch.matmul(levels, part) for part in _split(columns))
    across = torch.where(by_pillow, _whole(high, low), high + low)
    high, low = (torch.matmul(part, across) for part in _split(rows))
    made = (high + low).clamp(0, 255)
    made = torch.where(halves_up, torch.floor(made + 0.5), made.round())
    return torch.where(by_pillow, _whole(high, low), made)


def _split(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Their first 13 bits and what is left: of Pillow's 22 bits, times whole levels, float32 sums either
    exactly (the rest up to 128 taps)."""
    coarse = torch.floor(weights * _FIRST) / _FIRST
    return coarse, weights - coarse


def _whole(coarse: Tensor, rest: Tensor) -> Tensor:
    """Pillow's whole-number sum, half a level added, and cut to levels."""
    return torch.floor(coarse + torch.floor(rest * _FIRST) / _FIRST + 0.5).clamp(0, 255)


def _matrix(starts: Tensor, weights: Tensor, before: int) -> Tensor:
    """(n, after, before) from windows: each row's weights where they belong, 0 elsewhere."""
    taps = weights.shape[2]
    place = torch.arange(before, device=starts.device) - starts[..., None]
    found = weights.gather(2, place.clamp(0, taps - 1).long())
    return found * ((place >= 0) & (place < taps))


def mosaic(levels: Tensor, given: Given) -> Tensor:
    """Every block of so many pixels a side its mean; sums of whole levels are exact."""
    block = scalar(given, 0)[:, 0]
    rows, columns = (_together(size, block, levels.device) for size in levels.shape[2:])
    sums = torch.matmul(torch.matmul(rows[:, None], levels), columns[:, None])
    counts = rows.sum(2)[:, None, :, None] * columns.sum(2)[:, None, None, :]
    return half_up(sums / counts, given.whole)


def _together(size: int, block: Tensor, device: torch.device) -> Tensor:
    """(n, size, size), 1 where two places lie in one block."""
    number = torch.arange(size, device=device).view(1, size, 1) // block
    return (number == number.transpose(1, 2)).float()
