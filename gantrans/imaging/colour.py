"""Grey and RGB, on arrays (H, W, C) of uint8, uint16 or x01 float."""

from __future__ import annotations

import numpy as np

from gantrans.imaging import ranges

BT601 = (0.299, 0.587, 0.114)  # ITU-R BT.601-7, section 2.5.1: E'Y of R', G', B'


def luma(pixels: np.ndarray) -> np.ndarray:
    """BT.601 luma, (H, W), of the same dtype (integers rounded to nearest) and range."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    y = BT601[0] * red + BT601[1] * green + BT601[2] * blue
    if np.issubdtype(pixels.dtype, np.integer):
        y = np.floor(y + np.float32(0.5))
    return y.astype(pixels.dtype)


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) -> (H, W, 1)."""
    return pixels if pixels.shape[2] == 1 else luma(pixels)[..., None]


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) -> (H, W, 3); grey is repeated."""
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def over_white(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """uint8 or uint16 pixels without their alpha (H, W): what is transparent shows white, as on a page.

    The colour that lies below it is arbitrary, often black, and was not meant to be seen.
    """
    if alpha is None:
        return pixels
    opacity = ranges.to_x01(alpha)[..., None]
    return ranges.from_x01(ranges.to_x01(pixels) * opacity + (1 - opacity), pixels.dtype)
