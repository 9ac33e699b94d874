"""Enlarging a coarse map by the edges of a fine picture: the fast guided filter (He & Sun 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def guided_upsample(coarse: Tensor, guide: Tensor, radius: int = 4, eps: float = 1e-3) -> Tensor:
    """`coarse` (N, C, h, w) at the size of `guide` (N, 1, H, W), its edges moved to those of the guide.

    In every window of 2 radius + 1 pixels at the coarse size the map is taken for a linear function of the
    guide (He, Sun & Tang 2013, equations 5 and 6); its two coefficients are smoothed and enlarged, not the
    map. eps: the variance of the guide, in its own unit squared, below which a window counts as flat. Range:
    that of `coarse`.
    """
    small = F.interpolate(guide, coarse.shape[-2:], mode="bilinear", antialias=True)
    mean_guide, mean_map = _mean(small, radius), _mean(coarse, radius)
    covariance = _mean(small * coarse, radius) - mean_guide * mean_map
    variance = _mean(small * small, radius) - mean_guide * mean_guide
    slope = covariance / (variance + eps)
    offset = mean_map - slope * mean_guide
    slope, offset = (
        F.interpolate(_mean(x, radius), guide.shape[-2:], mode="bilinear", align_corners=False)
        for x in (slope, offset)
    )
    return slope * guide + offset


def _mean(x: Tensor, radius: int) -> Tensor:
    """Over the part of each window that lies in the picture."""
    side = 2 * radius + 1
    return F.avg_pool2d(x, side, 1, radius, count_include_pad=False)
