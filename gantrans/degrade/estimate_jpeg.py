"""How strongly a picture was JPEG compressed: from its file's tables, or from the comb that they leave.

Qualities are those of libjpeg (1..100), whose tables are Annex K of ITU-T T.81 scaled.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gantrans.imaging.colour import BT601

_LUMA = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)  # ITU-T T.81, table K.1
_SPREAD = 0.35  # levels; what rounding to 8-bit RGB does to a luma coefficient, with some reserve
_STRAY = 0.02  # share of coefficients that may lie off the comb, as clipped blocks do
_LEAST = 1.5  # levels; smaller coefficients were quantised to 0, which fits every step
_ENOUGH, _MOST = 300, 300  # coefficients: of a picture at least; of each frequency at most
_SURE_GAIN = 0.5  # nats a coefficient over no comb at all; pictures that were never JPEGs stay below 0.1
_ORDER = np.add.outer(np.arange(8), np.arange(8))  # of a coefficient: 0 the mean, 14 the finest


@dataclass(frozen=True)
class JpegFound:
    """`quality` 1..100; `luma` its (8, 8) steps; `exact` where the file itself tells; `gain` else says how
    sure, in nats a coefficient; `corner` (row, column) of the first whole block."""

    quality: int
    luma: np.ndarray
    exact: bool
    gain: float = 0.0
    corner: tuple[int, int] = (0, 0)


@functools.cache
def luma_steps(quality: int) -> np.ndarray:
    """The (8, 8) float64 steps that libjpeg uses for that quality (jcparam.c, jpeg_quality_scaling)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.reshape(_LUMA, (8, 8)) * percent + 50) // 100, 1, 255).astype(np.float64)


def of_tables(zigzag_free: Sequence[int]) -> JpegFound:
    """The nearest quality to a file's own luma table, 64 numbers row by row, as Pillow's `quantization`."""
    table = np.reshape(np.asarray(zigzag_free, np.float64), (8, 8))
    distances = [np.abs(np.log(table / luma_steps(q))).mean() for q in range(1, 101)]
    return JpegFound(int(np.argmin(distances)) + 1, table, True)


def luma(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) -> (H, W) float64, not rounded."""
    return pixels.astype(np.float64) @ np.asarray(BT601) if pixels.shape[2] == 3 else pixels[..., 0] * 1.0


def blocks_of(plane: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(H, W) -> (blocks, 8, 8), the whole blocks from `corner` on."""
    rows, columns = ((side - at) // 8 for side, at in zip(plane.shape, corner, strict=True))
    cut = plane[corner[0] : corner[0] + rows * 8, corner[1] : corner[1] + columns * 8]
    return cut.reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)


def coefficients(plane: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(H, W) levels -> (blocks, 8, 8), the orthonormal DCT-II of `blocks_of` it."""
    basis = dct_basis()
    return basis @ blocks_of(plane, corner).astype(np.float64) @ basis.T


@functools.cache
def dct_basis() -> np.ndarray:
    """(8, 8), rows are frequencies."""
    k, x = np.mgrid[:8, :8]
    return np.cos(np.pi * (2 * x + 1) * k / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)


def from_comb(pixels: np.ndarray) -> JpegFound | None:
    """The quality whose steps the DCT coefficients of (H, W, C) uint8 keep to (after Fan and de Queiroz 2003,
    with whole tables); None where none is sure, as after noise or resizing, and above quality 95.

    Log likelihood against a smooth histogram: a coefficient lies N(0, s^2) from a multiple of its step, or
    anywhere with a small chance. A finer comb that also fits earns less: log(step) is the reward.
    """
    light = luma(pixels)
    sound = (pixels.min(axis=2) > 0) & (pixels.max(axis=2) < 255)  # what was clipped has left the comb
    best = None
    for corner in _corners(light):
        blocks = coefficients(light, corner)[blocks_of(sound, corner).all(axis=(1, 2))]
        found = _best(blocks, corner)
        if found and (best is None or found.gain > best.gain):
            best = found
    return best


def _corners(light: np.ndarray) -> list[tuple[int, int]]:
    """Where blocks may begin: at the picture's own corner, and where steps between pixels are highest."""
    places = []
    for axis in (0, 1):
        bends = np.abs(np.diff(light, 2, axis=axis)).mean(axis=1 - axis)
        heights = [bends[i::8].mean() + bends[(i + 1) % 8 :: 8].mean() for i in range(8)]
        places.append((int(np.argmax(heights)) + 2) % 8)
    return list(dict.fromkeys([(0, 0), (places[0], places[1])]))


def _best(blocks: np.ndarray, corner: tuple[int, int]) -> JpegFound | None:
    used = list(zip(*np.nonzero((_ORDER > 0) & (_ORDER < 8)), strict=True))
    values = [v[np.abs(v) > _LEAST] for v in (blocks[:, u, v] for u, v in used)]
    values = [v[:: -(-len(v) // _MOST)] if len(v) else v for v in values]
    count = sum(map(len, values))
    if count < _ENOUGH:
        return None
    tables = np.array([luma_steps(q) for q in range(1, 96)])
    gains = np.zeros(len(tables))
    for at, found in zip(used, values, strict=True):
        steps, places = np.unique(tables[:, *at], return_inverse=True)
        gains += _gain(found, steps)[places] / count
    quality = int(np.argmax(gains)) + 1
    gain = float(gains[quality - 1])
    return JpegFound(quality, luma_steps(quality), False, gain, corner) if gain > _SURE_GAIN else None


def _gain(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(steps,): by how many nats each step explains the coefficients better than no comb does."""
    step = steps[:, None]
    rest = (values - step * np.round(values / step)) / _SPREAD
    comb = np.exp(-0.5 * rest**2) / (_SPREAD * np.sqrt(2 * np.pi))
    return np.log((1 - _STRAY) * step * comb + _STRAY).sum(axis=1)
