"""Blur kernels, convolution, resizing of (H, W, C) x01 float32 or uint8, answered in the same type.

Kernels sum to 1; borders are reflected. Floating point is computed here and by Pillow, and is the twin that
tests compare uint8 with, which goes through OpenCV where that is faster.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from gantrans.imaging import opencv

_METHODS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
METHODS = (*_METHODS, "area", "mipmap")
_DIRECT_TAPS = 49  # kernels up to 7x7 are faster summed tap by tap than through an FFT


def gaussian_kernel_1d(sigma_px: float) -> np.ndarray:
    """Samples of a Gaussian out to 4 sigma, odd in number, float64; [1] for sigma 0."""
    if sigma_px < 0:
        raise ValueError(f"sigma_px={sigma_px}: needed: 0 or more")
    radius = math.ceil(4 * sigma_px)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    kernel = np.exp(-0.5 * (x / max(sigma_px, 1e-6)) ** 2)
    return kernel / kernel.sum()


def disk_kernel(radius_px: float) -> np.ndarray:
    """The blur disk of a defocused lens: the share of each pixel under a circle, (2r+1, 2r+1), float64."""
    if radius_px < 0:
        raise ValueError(f"radius_px={radius_px}: needed: 0 or more")
    reach, fine = math.ceil(radius_px), 16  # 16x16 points a pixel: coverage to 1/256
    points = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
    inside = points[:, None] ** 2 + points[None, :] ** 2 <= max(radius_px, 0.5) ** 2
    side = 2 * reach + 1
    kernel = inside.reshape(side, fine, side, fine).sum(axis=(1, 3)).astype(np.float64)
    return kernel / kernel.sum()


def motion_kernel(length_px: float, angle_deg: float) -> np.ndarray:
    """The trail of a point that moves `length_px` along a straight line, at `angle_deg` counter-clockwise.

    Points along the line, eight a pixel, are each shared among the four nearest pixels. Square, odd, float64.
    """
    if length_px < 0:
        raise ValueError(f"length_px={length_px}: needed: 0 or more")
    reach = math.ceil(length_px / 2)
    count = max(1, math.ceil(length_px * 8))
    along = ((np.arange(count) + 0.5) / count - 0.5) * length_px
    angle = math.radians(angle_deg)
    x, y = along * math.cos(angle) + reach, -along * math.sin(angle) + reach  # rows count downwards
    kernel = np.zeros((2 * reach + 2, 2 * reach + 2))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            np.add.at(kernel, (top + dy, left + dx), share)
    kernel = kernel[:-1, :-1]  # the last row and column only ever receive a share of zero
    return kernel / kernel.sum()


def gaussian_blur(pixels: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blur by a Gaussian of `sigma_px` pixels, rows then columns."""
    if pixels.dtype == np.uint8:
        return opencv.gaussian(pixels, sigma_px)
    kernel = gaussian_kernel_1d(sigma_px)
    if len(kernel) == 1:
        return pixels.astype(np.float32)
    return convolve(convolve(pixels, kernel[None, :]), kernel[:, None])


def separable_blur(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve with the same symmetric kernel (1-D, odd) along rows and columns."""
    if pixels.dtype == np.uint8:
        return opencv.separable(pixels, kernel, kernel)
    return convolve(convolve(pixels, kernel[None, :]), kernel[:, None])


def convolve(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve each channel with `kernel` (odd sides, float), same size out; any image size works.

    Not clipped, but for uint8. Raises ValueError for a kernel with an even side.
    """
    if kernel.ndim != 2 or not (kernel.shape[0] % 2 and kernel.shape[1] % 2):
        raise ValueError(f"kernel {kernel.shape}: needed: two odd sides")
    if pixels.dtype == np.uint8:
        return opencv.convolve(pixels, kernel)
    ry, rx = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(pixels.astype(np.float32, copy=False), ((ry, ry), (rx, rx), (0, 0)), mode="reflect")
    if min(kernel.shape) == 1 or kernel.size <= _DIRECT_TAPS:
        return _convolve_direct(padded, kernel, pixels.shape)
    return _convolve_fft(padded, kernel, pixels.shape)


def _convolve_direct(padded: np.ndarray, kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape[:2]
    total = np.zeros(shape, np.float32)
    for (dy, dx), weight in np.ndenumerate(kernel[::-1, ::-1]):
        if weight:
            total += np.float32(weight) * padded[dy : dy + height, dx : dx + width]
    return total


def _convolve_fft(padded: np.ndarray, kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Channel by channel in float64, for memory and so that results agree with the direct sum to 1e-6."""
    size = tuple(_fast_length(n) for n in padded.shape[:2])
    response = np.fft.rfft2(kernel, size)
    top, left = kernel.shape[0] - 1, kernel.shape[1] - 1  # the first output that no wrapped sample reaches
    result = np.empty(shape, np.float32)
    for channel in range(shape[2]):
        product = np.fft.rfft2(padded[..., channel].astype(np.float64), size) * response
        full = np.fft.irfft2(product, size)
        result[..., channel] = full[top : top + shape[0], left : left + shape[1]]
    return result


def _fast_length(n: int) -> int:
    """The least m >= n with no prime factor above 5, for which FFTs are fast."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def resize(pixels: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """Resize to (height, width, C), antialiased when it shrinks (but for nearest); float is never quantised.

    `method` is one of METHODS. `area` weights pixels by how much of them a new one covers, `box` takes them
    whole or not at all; the two are one where sizes divide. `mipmap` takes means of whole blocks as far as
    blocks of one size fill the picture, and bilinear samples of those: to the eye `area`, in a seventh of its
    time (Williams 1983, Pyramidal Parametrics). The overshoot of bicubic (a = -0.5) and lanczos
    is clipped. Raises ValueError.
    """
    _check_resize(height, width, method)
    if pixels.shape[:2] == (height, width):
        return pixels.copy() if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    if method == "area":
        return opencv.area(pixels, height, width)
    if method == "mipmap":
        return opencv.mipmap(pixels, height, width)
    if pixels.dtype == np.uint8:
        return _resize_u8(pixels, height, width, method)
    planes = [
        Image.fromarray(np.ascontiguousarray(pixels[..., i], np.float32)) for i in range(pixels.shape[2])
    ]
    resized = [np.asarray(plane.resize((width, height), _METHODS[method])) for plane in planes]
    return np.clip(np.stack(resized, axis=2), 0, 1)


def mosaic(pixels: np.ndarray, block: int) -> np.ndarray:
    """Every `block` x `block` pixels their mean, counted from the top left; (H, W, C) in the same type."""
    height, width = pixels.shape[:2]
    rows, columns = np.arange(0, height, block), np.arange(0, width, block)
    sums = np.add.reduceat(pixels, rows, axis=0, dtype=np.float32)
    means = np.add.reduceat(sums, columns, axis=1)
    means /= np.outer(np.diff(rows, append=height), np.diff(columns, append=width))[..., None]
    if pixels.dtype == np.uint8:
        means = np.floor(means + np.float32(0.5)).astype(np.uint8)
    return means.repeat(block, axis=0)[:height].repeat(block, axis=1)[:, :width]


def _resize_u8(u8: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """By OpenCV where its result means the same."""
    if method == "bilinear" and height >= u8.shape[0] and width >= u8.shape[1]:
        return opencv.enlarge_bilinear(u8, height, width)
    if method == "box" and u8.shape[0] % height == 0 and u8.shape[1] % width == 0:
        return opencv.area(u8, height, width)
    return resize_u8(u8, height, width, method)


def resize_u8(u8: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """The same of uint8 (H, W, 1 or 3) -> uint8, by Pillow's integers (so not for `area` and `mipmap`): the
    pixels of other suites. Raises ValueError. Rows are rounded before columns are made, which Pillow 13 may
    do in the other order: 0.1 to 0.3 levels from `resize` on average, several where edges overshoot."""
    _check_resize(height, width, method)
    image = Image.fromarray(u8[..., 0] if u8.shape[2] == 1 else u8)
    if method != "nearest":  # which rounds nothing, so has no order
        image = image.resize((width, image.height), _METHODS[method])
    resized = np.asarray(image.resize((width, height), _METHODS[method]))
    return resized[..., None] if resized.ndim == 2 else resized


def _check_resize(height: int, width: int, method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r}: accepted are {', '.join(METHODS)}")
    if height < 1 or width < 1:
        raise ValueError(f"size {width}x{height}: needed: 1x1 or more")
