"""What happens to an image's pixels between its file and the network, apart from augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gantrans.imaging import colour, filters, ranges
from gantrans.imaging.read import read

MODES = {"rgb": 3, "grey": 1}


def opaque(path: Path) -> np.ndarray:
    """The pixels of a file; what is transparent is laid over white, as `gantrans pairs` does."""
    picture = read(path)
    return colour.over_white(picture.pixels, picture.alpha)


def to_mode(pixels: np.ndarray, mode: str) -> np.ndarray:
    """(H, W, C) in the channels of `mode`, "rgb" or "grey"."""
    return colour.to_rgb(pixels) if mode == "rgb" else colour.to_grey(pixels)


def enlarged(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source at its target's size, bicubic, as the network sees it (see Predictor)."""
    height, width = target.shape[:2]
    return source if source.shape[:2] == (height, width) else resized(source, height, width)


def shorter_side(pixels: np.ndarray, side: int) -> np.ndarray:
    """Brought to `side` pixels on the shorter side, proportions kept."""
    height, width = pixels.shape[:2]
    if min(height, width) == side:
        return pixels
    factor = side / min(height, width)
    return resized(pixels, max(side, round(height * factor)), max(side, round(width * factor)))


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic, dtype kept."""
    changed = filters.resize(ranges.to_x01(pixels), height, width, "bicubic")
    return ranges.from_x01(changed, pixels.dtype)
