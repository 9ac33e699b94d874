"""Pieces that the networks share: named layers in a row, and room for pictures of any size."""

from __future__ import annotations

from types import EllipsisType

from torch import Tensor, nn
from torch.nn import functional as F

Window = tuple[EllipsisType, slice, slice]


def chain(**layers: nn.Module) -> nn.Sequential:
    """The layers one after another, each under its name: a weight is then `conv.weight`, not `1.weight`."""
    row = nn.Sequential()
    for name, layer in layers.items():
        row.add_module(name, layer)
    return row


def zero(layer: nn.Module) -> None:
    """Set every parameter of a layer to zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def pad_to_grid(x: Tensor, cell: int, least: int = 1) -> tuple[Tensor, Window]:
    """Pad (N, C, H, W) on all sides to multiples of `cell` pixels, at least `least`; `y[window]` crops back.

    The picture is mirrored at its edges; along a side too short for that, its last row or column is repeated.
    """
    height, width = x.shape[-2:]
    top, bottom = _margins(height, cell, least)
    left, right = _margins(width, cell, least)
    x = _pad(x, (0, 0, top, bottom), mirror=max(top, bottom) < height)
    x = _pad(x, (left, right, 0, 0), mirror=max(left, right) < width)
    return x, (..., slice(top, top + height), slice(left, left + width))


def _margins(side: int, cell: int, least: int) -> tuple[int, int]:
    missing = -(-max(side, least) // cell) * cell - side
    return missing // 2, missing - missing // 2


def _pad(x: Tensor, margins: tuple[int, int, int, int], *, mirror: bool) -> Tensor:
    if not any(margins):
        return x
    return F.pad(x, margins, mode="reflect" if mirror else "replicate")
