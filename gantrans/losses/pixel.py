"""Losses between an output and its target, pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """Half precision as float32, exact enough for means over many pixels; anything wider as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def l1(output: Tensor, target: Tensor) -> Tensor:
    """mean |output - target| over everything, 0-d. Shapes must be equal. Range: that of the images."""
    if output.shape != target.shape:
        raise ValueError(f"l1: output {tuple(output.shape)} and target {tuple(target.shape)} differ in shape")
    return (wide(output) - wide(target)).abs().mean()
