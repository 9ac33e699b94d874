"""Blurs of a batch: each sample's kernel, all of one size, over its own channels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gantrans.degrade_batch.stacks import Given, reflected, stacked

_DIRECT_SIDE = 15  # larger kernels go through an FFT


def separable(levels: Tensor, given: Given) -> Tensor:
    """One symmetric kernel (odd) along rows and columns."""
    taps = stacked(given, 0)
    return _direct(_direct(levels, taps[:, None, :]), taps[:, :, None])


def kernel(levels: Tensor, given: Given) -> Tensor:
    """A kernel (odd, odd), turned half way round already: a correlation."""
    kernels = stacked(given, 0)
    if max(kernels.shape[1:]) <= _DIRECT_SIDE:
        return _direct(levels, kernels)
    return _by_fft(levels, kernels)


def _direct(levels: Tensor, kernels: Tensor) -> Tensor:
    n, channels, height, width = levels.shape
    if n * channels == 1:  # PyTorch sums a lone channel in another order than the same one among others
        return _direct(levels.expand(2, -1, -1, -1), kernels.expand(2, -1, -1))[:1]
    rows, columns = kernels.shape[1:]
    wide = reflected(levels, rows // 2, columns // 2)
    wide = wide.reshape(1, n * channels, *wide.shape[2:])
    each = kernels.repeat_interleave(channels, 0)[:, None]
    return functional.conv2d(wide, each, groups=n * channels).view(n, channels, height, width)


def _by_fft(levels: Tensor, kernels: Tensor) -> Tensor:
    height, width = levels.shape[2:]
    wide = reflected(levels, kernels.shape[1] // 2, kernels.shape[2] // 2)
    size = [-(-side // 16) * 16 for side in wide.shape[2:]]
    response = torch.fft.rfft2(kernels, size).conj()[:, None]
    return torch.fft.irfft2(torch.fft.rfft2(wide, size) * response, size)[..., :height, :width]
