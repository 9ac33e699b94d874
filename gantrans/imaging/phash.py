"""A fingerprint that pictures share which look alike: pHash (Zauner, Implementation and Benchmarking of
Perceptual Image Hash Functions, 2010, section 3.2.1).

Saved again, scaled, or a little brighter, a picture keeps all but a few bits; cut, turned or mirrored not.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.imaging import colour

BITS = 64
_SIDE, _KEPT = 32, 8  # pixels; frequencies kept along each side, without the constant ones


def phash(pixels: np.ndarray) -> int:
    """64 bits of (H, W, 1 or 3) uint8 or uint16: which of the low frequencies of a 32 x 32 grey copy are
    above their median. Of flat pictures they mean nothing."""
    grey = colour.to_grey(pixels)[..., 0]
    if grey.dtype != np.uint8:
        grey = (grey >> 8).astype(np.uint8)
    small = Image.fromarray(np.ascontiguousarray(grey)).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    low = _DCT @ np.asarray(small, np.float64) @ _DCT.T
    bits = low.ravel() > np.median(low)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _cosines() -> np.ndarray:
    """Rows 1 to 8 of the DCT-II of 32 samples: cos(pi k (2 n + 1) / 64)."""
    frequency, sample = np.arange(1, _KEPT + 1)[:, None], np.arange(_SIDE)[None, :]
    return np.cos(np.pi * frequency * (2 * sample + 1) / (2 * _SIDE))


_DCT = _cosines()
