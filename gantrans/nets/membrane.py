"""Carrying what is known smoothly across what is not: the membrane of Poisson image editing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_RELAXATIONS = (
    2  # at each level: averages with the neighbours, which take the steps of the coarser level away
)
_LONGEST = 4  # at the coarsest level: how many of its pixels far known ones are carried into the unknown
_TINY = 1e-6


def smooth_fill(x: Tensor, known: Tensor, levels: int) -> Tensor:
    """x (N, C, H, W) as it is where `known` (N, 1, H, W; 1 or 0) is 1, and elsewhere a smooth surface that
    meets it at every border; H and W multiples of 2**levels. Range: that of x.

    Near a solution of Laplace's equation (a membrane, Perez et al. 2003, section 2): within 5 % of the range
    inside a smooth picture, 13 % in its corners; by a pyramid of averages of known pixels (pull-push, Gortler
    et al. 1996, section 3.4) that is relaxed at each level on the way back. Away from all that is known it
    fades to 0, from 2 * 2**levels pixels on and to the half at twice as many.
    """
    pyramid = [(x * known, known)]
    for _ in range(levels):
        values, weights = (F.avg_pool2d(part, 2) for part in pyramid[-1])
        some = (weights > 0).to(x.dtype)
        pyramid.append((values / (weights + _TINY * (1 - some)), some))
    values, some = pyramid.pop()
    y = _spread(values, some)
    while pyramid:
        values, some = pyramid.pop()
        y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        for _ in range(_RELAXATIONS):
            y = values + (1 - some) * _mean(y)
        y = values + (1 - some) * y
    return y


def _spread(values: Tensor, some: Tensor) -> Tensor:
    """From pixel to pixel into what is unknown, for as far as it goes."""
    y, reached = values, some
    for _ in range(_LONGEST):
        weights = _mean(reached)
        y = values + (1 - some) * _mean(y * reached) / (weights + _TINY)
        reached = torch.maximum(some, (weights > 0).to(y.dtype))
    return y


def _mean(x: Tensor) -> Tensor:
    """Of each pixel and its neighbours in the picture."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
