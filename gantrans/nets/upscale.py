"""Layers that enlarge feature maps, (N, C, H, W) -> (N, C, sH, sW)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d

WAYS = ("pixelshuffle", "resize")


class PixelShuffleUp(nn.Module):
    """A convolution to s^2 times the channels, laid out as s x s pixels (Shi et al. 2016, section 3.2).

    It starts as nearest-neighbour enlargement of one convolution (ICNR, Aitken et al. 2017): weights drawn
    one by one would start as a checkerboard.
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = Conv2d(channels, channels * factor**2, 3, padding=1)
        self.icnr()

    def icnr(self) -> None:
        """Give the s^2 channels that become one block of pixels the same weights: those of the first."""
        with torch.no_grad():
            for drawn in (self.conv.weight, self.conv.bias):
                assert drawn is not None
                first = drawn[:: self.factor**2]
                drawn.copy_(first.repeat_interleave(self.factor**2, dim=0))

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), self.factor)


class ResizeUp(nn.Module):
    """Nearest-neighbour enlargement, then a convolution (Odena et al. 2016): no checkerboard at any time, for
    as many operations."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=self.factor, mode="nearest"))


def stages(channels: int, scale: int, way: str) -> list[nn.Module]:
    """The layers that enlarge by `scale` (1, 2, 3, 4 or 8) in steps of 2, or of 3; none for 1."""
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    kind = {"pixelshuffle": PixelShuffleUp, "resize": ResizeUp}[way]
    return [kind(channels, factor) for factor in factors]


def bicubic(x: Tensor, scale: int) -> Tensor:
    """(N, C, H, W) enlarged by a whole factor, bicubic (a = -0.75, PyTorch's); not clamped."""
    return x if scale == 1 else F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
