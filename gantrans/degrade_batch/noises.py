"""Noise of a batch, from the random bits that the worker engine would have looked up (imaging/grain.py)."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from gantrans.degrade_batch.packed import bits16
from gantrans.degrade_batch.stacks import Given, scalar, stacked
from gantrans.imaging import grain


@functools.cache
def _normal(device: torch.device) -> Tensor:
    return torch.from_numpy(grain.normal_table()).to(device)


def _bits(given: Given) -> Tensor:
    return bits16(stacked(given, 0)).permute(0, 3, 1, 2)


def normal(levels: Tensor, given: Given) -> Tensor:
    return levels + _normal(levels.device)[_bits(given)] * scalar(given, 1)


def speckle(levels: Tensor, given: Given) -> Tensor:
    return levels * (1 + _normal(levels.device)[_bits(given)] * scalar(given, 1))


def dead_samples(levels: Tensor, given: Given) -> Tensor:
    """So many of 65536 die: the first half of them black, the others white."""
    bits, dead = _bits(given), scalar(given, 1)
    white, black = bits < dead, bits < torch.floor(dead / 2)
    return torch.where(black, 0.0, torch.where(white, 255.0, levels))


def lines(levels: Tensor, given: Given) -> Tensor:
    """Offsets (C, H, 1) or (C, 1, W)."""
    return torch.stack([picture + each[0] for picture, each in zip(levels, given.inputs, strict=True)])


def poisson(levels: Tensor, given: Given) -> Tensor:
    """Two draws of half the mean each; between two levels the same quantile of both, mixed."""
    bits, tables = _bits(given).flatten(1).long(), stacked(given, 1).flatten(1)
    flat = levels.flatten(1)
    low, high = bits & 255, bits >> 8
    if given.whole:  # in 1/64 of a level
        tables = torch.floor(tables.clamp(max=2) * (255 * 64 / 2) + 0.5)
        row = flat.long() << 8
        return ((tables.gather(1, row | low) + tables.gather(1, row | high)) / 64).view_as(levels)
    row = flat.long().clamp(max=254)
    share, row = flat - row, row << 8
    found = [
        tables.gather(1, row | u) * (1 - share) + tables.gather(1, (row + 256) | u) * share
        for u in (low, high)
    ]
    return ((found[0] + found[1]) * (255 / 2)).view_as(levels)
