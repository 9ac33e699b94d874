"""Halving and doubling a picture's size with a blur, so that detail leaves no patterns (Zhang 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Downsample(nn.Module):
    """(N, channels, H, W) -> (N, channels, ceil(H / 2), ceil(W / 2)): blur by [1 2 1], keep every second."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _kernel([1.0, 2.0, 1.0], channels))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.filt, stride=2, groups=x.shape[1])


class Upsample(nn.Module):
    """(N, channels, H, W) -> (N, channels, 2H, 2W): spread out, then blurred by [1 3 3 1]."""

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", _kernel([1.0, 3.0, 3.0, 1.0], channels, total=4.0))

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=3, groups=x.shape[1])


def _kernel(taps: list[float], channels: int, total: float = 1.0) -> Tensor:
    """(channels, 1, K, K), each kernel the outer product of the taps, summing to `total`."""
    # In numbers, not tensors: arithmetic on the meta device would import torch._dynamo, for seconds.
    square = torch.tensor([[total * a * b / sum(taps) ** 2 for b in taps] for a in taps])
    return square.repeat(channels, 1, 1, 1)
