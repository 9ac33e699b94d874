"""The one place where value ranges are converted. u8, u16, x01 and x11 are defined in gantrans/types.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # arithmetic alone is needed of tensors, so that reading images never imports torch
    from torch import Tensor


def to_x01(pixels: np.ndarray) -> np.ndarray:
    """u8 or u16 of any shape -> x01 float32. Raises TypeError for another dtype."""
    return pixels.astype(np.float32) / np.float32(_maximum(pixels.dtype))


def from_x01(x01: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """x01 -> uint8 or uint16: clipped, then rounded to the nearest level, halves up; never truncated."""
    levels = np.clip(x01, 0, 1).astype(np.float32, copy=False) * np.float32(_maximum(dtype))
    return np.floor(levels + np.float32(0.5)).astype(dtype)


def _maximum(dtype: np.dtype | type) -> int:
    dtype = np.dtype(dtype)
    if dtype not in (np.uint8, np.uint16):
        raise TypeError(f"pixels are uint8 or uint16, not {dtype}")
    return int(np.iinfo(dtype).max)


def x11_from_u8(u8: Tensor) -> Tensor:
    """A uint8 tensor -> x11 float32."""
    return u8.float() / 127.5 - 1


def x11_from_x01(x01: Tensor) -> Tensor:
    """[0, 1] -> [-1, 1]."""
    return x01 * 2 - 1


def x01_from_x11(x11: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1]; not clipped."""
    return (x11 + 1) / 2
