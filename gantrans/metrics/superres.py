"""PSNR and SSIM as tables of super-resolution state them: of rounded pixels, without a border.

Images are rounded to 8 bits; `shave` pixels, as many as the scale, are cut from each side; L = 255. Two ways:

psnr_y, ssim_y  on BT.601 Y in studio range (16 to 235, MATLAB's rgb2ycbcr), rounded again: Dong et al. 2016
                (SRCNN), and all that compare with it
psnr_rgb        on R, G and B: one mean squared error over the three channels, as NTIRE's (Agustsson & Timofte
                2017; DIV2K in Lim et al. 2017, EDSR); psnr_r, psnr_g and psnr_b of each channel by itself

Of whole images that are not rounded it is `psnr` of pairwise.py.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.metrics.pairwise import psnr, ssim

STUDIO = (65.481, 128.553, 24.966)  # ITU-R BT.601-7, section 2.5.1, times 219; of R, G, B in [0, 1]
FOOT = 16  # black


def psnr_y(output_x01: Tensor, target_x01: Tensor, shave: int) -> Tensor:
    """PSNR in dB of (N, 1 or 3, H, W) -> (N,), capped at 100; NaN where nothing is left of an image."""
    output, target = luma_x01(output_x01, shave), luma_x01(target_x01, shave)
    return psnr(output, target) if output.numel() else _nothing(output)


def ssim_y(output_x01: Tensor, target_x01: Tensor, shave: int) -> Tensor:
    """SSIM (11 x 11 Gaussian windows that lie inside, sigma 1.5) of (N, 1 or 3, H, W) -> (N,)."""
    output, target = luma_x01(output_x01, shave), luma_x01(target_x01, shave)
    return ssim(output, target) if output.numel() else _nothing(output)


def psnr_rgb(output_x01: Tensor, target_x01: Tensor, shave: int, channel: int | None = None) -> Tensor:
    """PSNR in dB of (N, 1 or 3, H, W) -> (N,) over all channels, or `channel` (0 to 2) of three alone.

    Capped at 100; NaN where nothing is left of an image, or a grey one is asked for one channel of three.
    """
    output, target = (_shaved(_levels(x01), shave) / 255 for x01 in (output_x01, target_x01))
    if channel is not None and output.shape[1] == 3:
        output, target = output[:, channel : channel + 1], target[:, channel : channel + 1]
    elif channel is not None:
        return _nothing(output)
    return psnr(output, target) if output.numel() else _nothing(output)


def luma_x01(x01: Tensor, shave: int) -> Tensor:
    """Y / 255 of (N, 1 or 3, H, W), without the border: (N, 1, H - 2 shave, W - 2 shave) float64. Grey is its
    own luma."""
    levels = _levels(x01)
    if x01.shape[1] == 3:
        weights = torch.tensor(STUDIO, dtype=torch.float64, device=x01.device).view(1, 3, 1, 1)
        levels = _rounded((levels * weights).sum(1, keepdim=True) / 255 + FOOT)
    return _shaved(levels, shave) / 255


def _levels(x01: Tensor) -> Tensor:
    """0 to 255 in whole steps, float64."""
    return _rounded(x01.double().clamp(0, 1) * 255)


def _shaved(levels: Tensor, shave: int) -> Tensor:
    if shave < 0:
        raise ValueError(f"shave={shave}: needed: 0 or more pixels")
    height, width = levels.shape[2:]
    return levels[..., shave : max(height - shave, shave), shave : max(width - shave, shave)]


def _rounded(levels: Tensor) -> Tensor:
    """To the nearest, halves up, as MATLAB does."""
    return torch.floor(levels + 0.5)


def _nothing(images: Tensor) -> Tensor:
    return torch.full((len(images),), torch.nan, dtype=images.dtype, device=images.device)
