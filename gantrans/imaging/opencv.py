"""OpenCV on (H, W, C) arrays: loaded at first use, on one thread, borders reflected, C kept where it is 1.

Uint8 goes in whole and comes out rounded to nearest. Results do not depend on the number of threads.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

_DIRECT_AREA = 129  # above it OpenCV's filter2D goes through a Fourier transform, however few taps there are
_TILE = 11
_SPARSE_TAPS = 150  # up to here the sum over tiles was the faster way


@functools.cache
def cv() -> Any:
    """The module `cv2`: slow to load, so never at the top of a file."""
    import cv2

    cv2.setNumThreads(1)  # images are shared among processes, not their rows among threads
    return cv2


def gaussian(u8: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blurred by a Gaussian out to 4 sigma, within 1.1 levels of the exact sum.

    By OpenCV's whole-number kernel, the same bits on every machine, where a tap is worth some 1/256; wider
    ones in floating point.
    """
    side = 2 * math.ceil(4 * sigma_px) + 1
    border = cv().BORDER_REFLECT_101
    if side == 1:
        return u8.copy()
    if sigma_px > 10:
        kernel = cv().getGaussianKernel(side, sigma_px)
        return separable(u8, kernel.ravel(), kernel.ravel())
    blurred = cv().GaussianBlur(np.ascontiguousarray(u8), (side, side), sigma_px, borderType=border)
    return blurred.reshape(u8.shape)


def separable(pixels: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Symmetric kernels (odd length) along both axes, uint8 or float32."""
    border = cv().BORDER_REFLECT_101
    filtered = cv().sepFilter2D(np.ascontiguousarray(pixels), -1, row, column, borderType=border)
    return filtered.reshape(pixels.shape)


def convolve(u8: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolved with `kernel` (odd sides)."""
    kernel = _trimmed(np.ascontiguousarray(kernel[::-1, ::-1], np.float32))  # OpenCV's sum is a correlation
    if kernel.size > _DIRECT_AREA and np.count_nonzero(kernel) <= _SPARSE_TAPS:
        return _sparse(u8, kernel)
    border = cv().BORDER_REFLECT_101
    return cv().filter2D(np.ascontiguousarray(u8), -1, kernel, borderType=border).reshape(u8.shape)


def _trimmed(kernel: np.ndarray) -> np.ndarray:
    """Without the outer rows and columns that are 0 on both sides, so that the middle stays the middle."""
    for axis in (0, 1):
        used = np.flatnonzero(kernel.any(axis=1 - axis))
        spare = min(used[0], kernel.shape[axis] - 1 - used[-1])
        kernel = kernel.take(range(spare, kernel.shape[axis] - spare), axis)
    return np.ascontiguousarray(kernel)


def _sparse(u8: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The sum over those tiles of the kernel that are not empty, each small enough for the direct way."""
    height, width = u8.shape[:2]
    ry, rx = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = cv().copyMakeBorder(u8.astype(np.float32), ry, ry, rx, rx, cv().BORDER_REFLECT_101)
    total = np.zeros(u8.shape[:2] if u8.shape[2] == 1 else u8.shape, np.float32)
    for top in range(0, kernel.shape[0], _TILE):
        for left in range(0, kernel.shape[1], _TILE):
            tile = kernel[top : top + _TILE, left : left + _TILE]
            if tile.any():
                rows, columns = height + tile.shape[0] - 1, width + tile.shape[1] - 1
                view = np.ascontiguousarray(padded[top : top + rows, left : left + columns])
                part = cv().filter2D(view, cv().CV_32F, tile, anchor=(0, 0), borderType=cv().BORDER_CONSTANT)
                total += part[:height, :width]
    return rounded(total.reshape(u8.shape))


def rounded(levels: np.ndarray) -> np.ndarray:
    """float32 or int16 levels -> uint8, to nearest, beyond 0 and 255 cut off."""
    return cv().add(levels, np.zeros(1, levels.dtype), dtype=cv().CV_8U).reshape(levels.shape)


def area(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each new pixel the mean of the area it covers, parts of pixels by their part; uint8 or float32."""
    resized = cv().resize(np.ascontiguousarray(pixels), (width, height), interpolation=cv().INTER_AREA)
    return resized.reshape(height, width, pixels.shape[2])


def enlarge_bilinear(u8: np.ndarray, height: int, width: int) -> np.ndarray:
    """To a size no smaller on either side; in whole numbers, the same bits on every machine."""
    way = cv().INTER_LINEAR_EXACT
    resized = cv().resize(np.ascontiguousarray(u8), (width, height), interpolation=way)
    return resized.reshape(height, width, u8.shape[2])


def mipmap(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means of the largest k x k blocks that fill the picture, none coarser than the new size, then bilinear
    samples of those; uint8 or float32. Where no blocks fill it, `area`."""
    shape = pixels.shape
    coarsest = min(shape[0] // height, shape[1] // width)
    for k in range(coarsest, 1, -1):
        if not shape[0] % k and not shape[1] % k:
            pixels = area(pixels, shape[0] // k, shape[1] // k)
            break
    if max(pixels.shape[0] / height, pixels.shape[1] / width) >= 2:
        return area(pixels, height, width)
    way = cv().INTER_LINEAR_EXACT if pixels.dtype == np.uint8 else cv().INTER_LINEAR
    resized = cv().resize(np.ascontiguousarray(pixels), (width, height), interpolation=way)
    return resized.reshape(height, width, shape[2])


def look_up(index: np.ndarray, table: np.ndarray) -> np.ndarray:
    """table[index] for uint8 or uint16 indices of any shape; `table` has 256 or 65536 entries of one number,
    or (256, 3) for one curve a channel of (H, W, 3)."""
    flat = np.ascontiguousarray(index)
    if table.ndim == 2:
        return cv().LUT(flat, table[None])
    return cv().LUT(flat.reshape(-1, 1), table).reshape(index.shape)


def plus(u8: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """u8 + levels (int16 or float32; of the same shape), rounded and cut off at 0 and 255."""
    return cv().add(u8, levels, dtype=cv().CV_8U).reshape(u8.shape)


def times(u8: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """u8 * gain (float32, of the same shape), rounded and cut off at 0 and 255."""
    return cv().multiply(u8, gain, dtype=cv().CV_8U).reshape(u8.shape)


def mixed(u8: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours times a (3, 3) matrix, rounded and cut off."""
    return cv().transform(np.ascontiguousarray(u8), matrix.astype(np.float32))


def scaled(levels: np.ndarray, factor: float) -> np.ndarray:
    """levels (int16 or float32, none below 0) * factor -> uint8, rounded and cut off at 255."""
    return cv().convertScaleAbs(levels, alpha=factor).reshape(levels.shape)


def channel_means(pixels: np.ndarray) -> np.ndarray:
    """(C,) float64, in levels for uint8, summed in double precision."""
    return np.array(cv().mean(np.ascontiguousarray(pixels))[: pixels.shape[2]])
