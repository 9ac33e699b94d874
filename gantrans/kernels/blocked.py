"""Convolutions to very few channels, such as the last layer of a generator, several pixels at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def conv2d_blocked(x: Tensor, weight: Tensor, bias: Tensor | None, block: int = 2) -> Tensor:
    """F.conv2d with stride 1: (N, C, H, W) with (K, C, side, side) -> (N, K, H - side + 1, W - side + 1), of
    which both must be multiples of `block`.

    Convolution libraries compute 16 output channels at a time, so that 3 leave 13 idle. Here the pixels of a
    block are channels of one larger kernel with that stride: each its own copy of the weights, shifted, with
    zeros around.
    """
    shifts = [(y, x) for y in range(block) for x in range(block)]
    far = block - 1
    enlarged = torch.stack([F.pad(weight, (x, far - x, y, far - y)) for y, x in shifts], 1).flatten(0, 1)
    spread = None if bias is None else bias.repeat_interleave(block**2)
    return F.pixel_shuffle(F.conv2d(x, enlarged, spread, stride=block), block)
