"""Curves and colour matrices on (H, W, C) uint8 or x01 float32, answered in the same type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gantrans import lab
from gantrans.imaging import opencv, ranges
from gantrans.imaging.colour import BT601

Curve = Callable[[np.ndarray], np.ndarray]
LUMA = np.asarray(BT601, np.float32)


def curve(pixels: np.ndarray, function: Curve) -> np.ndarray:
    """Each value x in [0, 1] replaced by `function` of it, clipped; exactly alike for uint8.

    The function answers (..., 1) values with (..., 1), or with (..., 3): one curve a channel of (H, W, 3).
    """
    if pixels.dtype == np.uint8:
        levels = np.arange(256, dtype=np.uint8)[:, None]
        table = ranges.from_x01(function(ranges.to_x01(levels)), np.uint8)
        if table.shape[1] == 1:
            table = table[:, 0]
        return opencv.look_up(pixels, table)
    return np.clip(function(pixels), 0, 1).astype(np.float32)


def matrix(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours times a (3, 3) matrix, clipped; grey is left as it is."""
    if pixels.shape[2] == 1:
        return pixels
    if pixels.dtype == np.uint8:
        return opencv.mixed(pixels, rows)
    return np.clip(pixels @ rows.astype(np.float32).T, 0, 1)


def saturation(amount: float) -> np.ndarray:
    """The matrix that leaves `amount` of the distance from grey: 1 the picture, 0 its BT.601 luma."""
    return np.eye(3, dtype=np.float32) * amount + (1 - amount) * LUMA[None, :]


def same_lightness(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) colours -> (H, W, 1), the grey of the same L of CIELAB; exactly alike for uint8."""
    if pixels.dtype != np.uint8:
        return lab.grey_of_lightness(pixels).astype(np.float32)
    light, greys = lab.lightness_tables()
    parts = opencv.look_up(pixels, np.ascontiguousarray(light.T))
    return opencv.look_up(parts[..., 0] + parts[..., 1] + parts[..., 2], greys)[..., None]


def linear_from_srgb(x01: np.ndarray) -> np.ndarray:
    """Light from what is stored (IEC 61966-2-1, section 5.2)."""
    return np.where(x01 <= 0.04045, x01 / 12.92, ((np.maximum(x01, 0) + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: np.ndarray) -> np.ndarray:
    """What is stored from light, of 0 or more."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)
