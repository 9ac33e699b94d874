"""What operations on batches share: their signature, and inputs of unequal sizes side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Given:
    """What the samples that are done together bring: each its `inputs`, on the device; `alike` of all of them
    (see Call); `whole`: their pictures are in whole 8-bit levels."""

    inputs: Sequence[tuple[Tensor, ...]]
    alike: tuple[Any, ...]
    whole: bool


Op = Callable[[Tensor, Given], Tensor]  # levels (n, C, H, W) float32 -> the same


def stacked(given: Given, place: int) -> Tensor:
    """One of the inputs of all samples, (n, ...); they have one shape."""
    return torch.stack([each[place] for each in given.inputs])


def scalar(given: Given, place: int) -> Tensor:
    """One number of each sample, (n, 1, 1, 1)."""
    return stacked(given, place).view(-1, 1, 1, 1)


def padded(given: Given, place: int) -> Tensor:
    """The same of unequal shapes, with zeros behind them."""
    parts = [each[place] for each in given.inputs]
    shape = (max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True))
    out = parts[0].new_zeros((len(parts), *shape))
    for part, room in zip(parts, out, strict=True):
        room[tuple(slice(size) for size in part.shape)].copy_(part)
    return out


def reflected(levels: Tensor, rows: int, columns: int) -> Tensor:
    """With so many pixels more on each side, mirrored about the middle of the outermost ones, however small
    the picture is."""
    for axis, reach in ((2, rows), (3, columns)):
        if reach:
            levels = levels.index_select(axis, _mirror(levels.shape[axis], reach, levels.device))
    return levels


def _mirror(size: int, reach: int, device: torch.device) -> Tensor:
    places = torch.arange(-reach, size + reach, device=device).abs()
    if size == 1:
        return torch.zeros_like(places)
    period = 2 * (size - 1)
    places = places % period
    return torch.minimum(places, period - places)


def half_up(levels: Tensor, whole: bool) -> Tensor:
    """Rounded as imaging/ranges.py does, where OpenCV would take the even one of two."""
    return torch.floor(levels + 0.5) if whole else levels
