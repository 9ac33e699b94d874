"""PSNR and SSIM as tables of super-resolution state them: on rounded luma, without a border.

Images are rounded to 8 bits, turned to BT.601 Y in studio range (16 to 235, MATLAB's rgb2ycbcr) and rounded
again; `shave` pixels, as many as the scale, are cut from each side; L = 255. So do Dong et al. 2016 (SRCNN),
and all that compare with it. Over R, G and B of whole images it is `psnr` of pairwise.py.
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


def luma_x01(x01: Tensor, shave: int) -> Tensor:
    """Y / 255 of (N, 1 or 3, H, W), without the border: (N, 1, H - 2 shave, W - 2 shave) float64. Grey is its
    own luma."""
    if shave < 0:
        raise ValueError(f"shave={shave}: needed: 0 or more pixels")
    levels = _rounded(x01.double().clamp(0, 1) * 255)
    if x01.shape[1] == 3:
        weights = torch.tensor(STUDIO, dtype=torch.float64, device=x01.device).view(1, 3, 1, 1)
        levels = _rounded((levels * weights).sum(1, keepdim=True) / 255 + FOOT)
    height, width = levels.shape[2:]
    return levels[..., shave : max(height - shave, shave), shave : max(width - shave, shave)] / 255


def _rounded(levels: Tensor) -> Tensor:
    """To the nearest, halves up, as MATLAB does."""
    return torch.floor(levels + 0.5)


def _nothing(images: Tensor) -> Tensor:
    return torch.full((len(images),), torch.nan, dtype=images.dtype, device=images.device)
