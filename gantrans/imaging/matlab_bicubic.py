"""MATLAB's `imresize(..., 'bicubic')`, with which the published tables of super-resolution are made.

Keys' cubic kernel (IEEE TASSP 1981), a = -0.5, widened only where the picture shrinks (antialiasing), borders
mirrored with their edge pixel twice ("symmetric"), all in float64 and rounded once at the end. Elsewhere in
this package `filters.resize` serves, which leaves out what lies beyond the border instead.
"""

from __future__ import annotations

import numpy as np


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, C) -> (height, width, C). uint8 and uint16 are rounded to nearest, halves up, and clipped to
    their range; anything else is answered as float64, neither rounded nor clipped. Raises ValueError."""
    if pixels.ndim != 3 or pixels.size == 0 or min(height, width) < 1:
        raise ValueError(f"{pixels.shape} -> {height}x{width}: needed are (H, W, C) and sizes of 1 or more")
    total = pixels.astype(np.float64)
    # MATLAB takes the axis with the smaller scale first; in float64 the order is of no account.
    for axis, size in enumerate((height, width)):
        total = _along(total, size, axis)
    if not np.issubdtype(pixels.dtype, np.integer):
        return total
    return np.clip(np.floor(total + 0.5), 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def kernel(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5; 0 from 2 on."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _along(pixels: np.ndarray, size: int, axis: int) -> np.ndarray:
    before = pixels.shape[axis]
    if before == size:
        return pixels
    scale = size / before
    stretch = min(scale, 1.0)
    centre = (np.arange(size) + 0.5) / scale - 0.5
    taps = int(np.ceil(4 / stretch)) + 2
    places = np.floor(centre - 2 / stretch).astype(int)[:, None] + np.arange(taps)
    weights = kernel((centre[:, None] - places) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    places = np.mod(places, 2 * before)
    places = np.where(places < before, places, 2 * before - 1 - places)
    shape = [size if i == axis else 1 for i in range(pixels.ndim)]
    total = np.zeros((*pixels.shape[:axis], size, *pixels.shape[axis + 1 :]))
    for tap in range(taps):
        total += weights[:, tap].reshape(shape) * pixels.take(places[:, tap], axis)
    return total
