"""How much white noise a picture has, also behind JPEG whose steps are known."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from gantrans.degrade.estimate_jpeg import JpegFound, coefficients, luma

_ORDER = np.add.outer(np.arange(8), np.arange(8))
_COARSE = (_ORDER >= 1) & (_ORDER <= 3)  # tells smooth blocks; noise there says nothing of noise elsewhere
_MIDDLE = (_ORDER >= 6) & (_ORDER <= 8)
_FINE = _ORDER >= 9
_SHARE, _LEAST_BLOCKS = 0.06, 24  # of the blocks, the smoothest
_DARK, _BRIGHT = 16, 239  # levels; means beyond are cut off by black or white
_WHITE = 1.45  # content falls with frequency, noise does not
_SEEN = 5.0  # standard deviations to a step: below, next to nothing is left of noise
_SIGMAS = np.geomspace(0.2, 80, 160)  # levels
_STRAY = 0.01  # share of coefficients that are not of noise


@dataclass(frozen=True)
class NoiseFound:
    """`sigma` in 8-bit levels, of luma; None where texture hides it. Below `floor` compression wipes it out.

    `colour`: the same noise in each channel (0) or one of its own (1); None behind JPEG, which blurs colour.
    """

    sigma: float | None
    floor: float
    colour: float | None = None


def noise(pixels: np.ndarray, jpeg: JpegFound | None) -> NoiseFound:
    """White noise of (H, W, C) uint8, from fine DCT coefficients of its smoothest blocks.

    Smoothness is judged by coarse coefficients, which in white noise are independent of the fine ones, so
    that choosing does not bias (after Ponomarenko et al. 2007). Behind JPEG: the most likely sigma, given in
    which bins of the known steps they lie.
    """
    light = luma(pixels)
    corner = jpeg.corner if jpeg else (0, 0)
    blocks = coefficients(light, corner)
    chosen = _smoothest(blocks)
    if len(chosen) < _LEAST_BLOCKS:
        return NoiseFound(None, 0.0)
    if jpeg:
        return _behind(blocks[chosen], jpeg.luma)
    fine, middle = (_robust(blocks[chosen][:, band]) for band in (_FINE, _MIDDLE))
    sigma = fine if middle <= _WHITE * fine + 0.3 else None
    return NoiseFound(sigma, 0.0, _colour(pixels, chosen) if pixels.shape[2] == 3 else None)


def _smoothest(blocks: np.ndarray) -> np.ndarray:
    """Indices of the smoothest blocks that neither black nor white cuts off, smoothest first."""
    means = blocks[:, 0, 0] / 8
    usable = np.flatnonzero((means > _DARK) & (means < _BRIGHT))
    count = max(_LEAST_BLOCKS, round(_SHARE * len(usable)))
    energy = (blocks[usable][:, _COARSE] ** 2).sum(axis=1)
    return usable[np.argsort(energy, kind="stable")[:count]]


def _robust(values: np.ndarray) -> float:
    return float(np.median(np.abs(values))) / 0.6745  # of a normal distribution


def _colour(pixels: np.ndarray, chosen: np.ndarray) -> float:
    """Noise of red minus blue, relative to what it would be were they independent; 0..1."""
    red, blue = (pixels[..., i].astype(np.float64) for i in (0, 2))
    own = [_robust(coefficients(plane)[chosen][:, _FINE]) for plane in (red, blue, red - blue)]
    return min(1.0, own[2] / max(1e-6, math.hypot(own[0], own[1])))


def _behind(blocks: np.ndarray, steps: np.ndarray) -> NoiseFound:
    used = _MIDDLE | _FINE
    floor = float(steps[used].min()) / _SEEN
    parts = [_most_likely(blocks[part], steps, used) for part in (slice(0, None, 2), slice(1, None, 2))]
    sigma = math.sqrt(parts[0] * parts[1])
    calm, busy = np.array_split(blocks, 2)
    apart = _most_likely(busy, steps, used) / _most_likely(calm, steps, used)
    if sigma < floor:
        return NoiseFound(0.0, floor)
    return NoiseFound(sigma if apart < _WHITE else None, floor)


def _most_likely(blocks: np.ndarray, steps: np.ndarray, used: np.ndarray) -> float:
    total = np.zeros(len(_SIGMAS))
    for u, v in zip(*np.nonzero(used), strict=True):
        bins = np.minimum(np.abs(np.round(blocks[:, u, v] / steps[u, v])), 4).astype(int)
        total += _chances(float(steps[u, v])) @ np.bincount(bins, minlength=5)
    return float(_SIGMAS[int(np.argmax(total))])


@functools.cache
def _chances(step: float) -> np.ndarray:
    """(sigmas, 5) log of the chance that N(0, sigma^2) rounds to 0, 1, 2, 3, or 4 and more steps."""
    inside = np.array([[math.erf((n + 0.5) * step / (math.sqrt(2) * s)) for n in range(4)] for s in _SIGMAS])
    edges = np.hstack([np.zeros((len(_SIGMAS), 1)), inside, np.ones((len(_SIGMAS), 1))])
    return np.log((1 - _STRAY) * np.diff(edges, axis=1) + _STRAY / 5)
