"""Losses between an output and its target, pixel by pixel or feature by feature."""

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


def covered(source: Tensor) -> Tensor:
    """Where the mask that is the last channel of x11 `source` is above 0, (N, 1, H, W) bool; the rest is
    known (data/masks.py)."""
    return source[:, -1:] > -1  # x11 of a mask's 0


def pasted(output: Tensor, source: Tensor) -> Tensor:
    """The output where the mask in `source` covers anything, however little, and the source's own pixels
    elsewhere: what data.outside=copy gives (inference/source.py). source (N, C + 1, H, W), output of C."""
    return torch.where(covered(source), output, source[:, :-1])


def weighted_l1(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """mean of weight * |output - target| over everything, 0-d; weight (N, 1, H, W), of 1: `l1`."""
    if output.shape != target.shape or weight.shape != (len(output), 1, *output.shape[2:]):
        raise ValueError(
            f"weighted_l1: output {tuple(output.shape)}, target {tuple(target.shape)} and weight "
            f"{tuple(weight.shape)} do not go together"
        )
    return ((wide(output) - wide(target)).abs() * weight).mean()


def feature_matching(fake: list[list[Tensor]], real: list[list[Tensor]]) -> Tensor:
    """How far a discriminator's features of the output are from those of the target, 0-d.

    `fake` and `real`: for each scale the features of its layers, the logits excepted. The mean over scales of
    the sum over layers of l1, times 4 / layers (Wang et al. 2018, equation 4; weighed as its authors' code).
    No gradient flows into `real`.
    """
    total = fake[0][0].new_zeros((), dtype=torch.float32)
    for ours, theirs in zip(fake, real, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            total = total + l1(a, b.detach()) * (4 / len(ours))
    return total / len(fake)
