"""How near an output is to its target, image by image: PSNR, SSIM, MS-SSIM of x01 (N, C, H, W) -> (N,).

All run in the images' own precision, at least float32, and use no convolution, which TF32 would blur.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

PSNR_CAP_DB = 100.0
WINDOW_PX = 11
SIGMA_PX = 1.5
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents, fine to coarse (Wang et al. 2003, section 3.2)
SMALLEST = 2 ** (len(SCALES) - 1)  # pixels a side, so that one is left on the coarsest scale


def psnr(output_x01: Tensor, target_x01: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, -10 log10(mean squared difference over all pixels and channels).

    Capped at 100 dB, what identical images get, so that means over images stay finite.
    """
    output, target = _wide_pair(output_x01, target_x01)
    mse = (output - target).square().mean((1, 2, 3))
    return (-10 * torch.log10(mse)).clamp(max=PSNR_CAP_DB)


def psnr_where(output_x01: Tensor, target_x01: Tensor, where: Tensor) -> Tensor:
    """`psnr` over those pixels alone where `where` (N, 1, H, W) is true; NaN for an image that has none."""
    output, target = _wide_pair(output_x01, target_x01)
    if where.shape != (len(output), 1, *output.shape[2:]) or where.dtype != torch.bool:
        raise ValueError(f"where {where.dtype} {tuple(where.shape)} must be bool (N, 1, H, W), as the images")
    squares = (output - target).square().mean(1, keepdim=True)
    mse = torch.where(where, squares, 0).sum((1, 2, 3)) / where.sum((1, 2, 3))
    return (-10 * torch.log10(mse)).clamp(max=PSNR_CAP_DB)


def ssim(output_x01: Tensor, target_x01: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), at most 1: the mean over channels and all whole windows.

    Windows of 11 x 11 pixels weighted by a Gaussian of sigma 1.5 pixels, K1 = 0.01, K2 = 0.03, data range 1.
    In images with a side shorter than 11 the window is the largest odd square that fits.
    """
    luminance, structure = _similarity(*_wide_pair(output_x01, target_x01))
    return (luminance * structure).mean((1, 2, 3))


def ms_ssim(output_x01: Tensor, target_x01: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003), 0 to 1, over five scales.

    Each halves the last by means of 2 x 2 pixels. Contrast and structure count on every scale, luminance on
    the coarsest, with the paper's exponents; means over channels and windows, 0 where one is negative. Where
    a side is shorter than 176 pixels the coarse scales have smaller windows, as in `ssim`, which those of
    published figures have not; below 16 pixels there is nothing to measure: NaN.
    """
    x, y = _wide_pair(output_x01, target_x01)
    if min(x.shape[-2:]) < SMALLEST:
        return x.new_full((len(x),), math.nan)
    result = x.new_ones(len(x))
    for number, exponent in enumerate(SCALES):
        if number:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        luminance, structure = _similarity(x, y)
        last = number == len(SCALES) - 1
        mean = (luminance * structure if last else structure).mean((1, 2, 3))
        result = result * mean.clamp(min=0) ** exponent
    return result


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, of every window (Wang et al. 2004, equations 6 and 13)."""
    side = min(WINDOW_PX, *x.shape[-2:])
    weights = _gaussian(side - 1 + side % 2)
    mean_x, mean_y = _smooth(x, weights), _smooth(y, weights)
    var_x = _smooth(x * x, weights) - mean_x * mean_x
    var_y = _smooth(y * y, weights) - mean_y * mean_y
    cov = _smooth(x * y, weights) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * cov + c2) / (var_x + var_y + c2)


def _wide_pair(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if output.shape != target.shape or output.dim() != 4 or output.numel() == 0:
        raise ValueError(
            f"output {tuple(output.shape)} and target {tuple(target.shape)} must be (N, C, H, W) and equal"
        )
    dtype = torch.promote_types(torch.promote_types(output.dtype, target.dtype), torch.float32)
    return output.to(dtype), target.to(dtype)


def _gaussian(side: int) -> list[float]:
    """`side` samples of a Gaussian around its middle one, with sum 1."""
    values = [math.exp(-(((i - side // 2) / SIGMA_PX) ** 2) / 2) for i in range(side)]
    return [value / sum(values) for value in values]


def _smooth(x: Tensor, weights: list[float]) -> Tensor:
    """The weighted mean over every window that lies inside, down and then across: sides shrink by len - 1.

    Shifted sums of the whole image: ten times as fast on a CPU as a convolution of single channels.
    """
    for dim in (2, 3):
        length = x.shape[dim] - len(weights) + 1
        total = x.narrow(dim, 0, length) * weights[0]
        for offset, weight in enumerate(weights[1:], start=1):
            total.add_(x.narrow(dim, offset, length), alpha=weight)
        x = total
    return x
