"""Resizing as sums: where each new pixel's window begins and how its pixels are weighted, along one axis.

Those of imaging/filters.py, of Pillow and OpenCV: tests/test_engines.py holds the two against each other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

Sides = tuple[int, int]  # height and width
Band = tuple[
    np.ndarray, np.ndarray
]  # starts (out,) int32; weights (out, taps) float32, each row summing to 1
BY_PILLOW = ("box", "bilinear", "bicubic", "lanczos")
_PILLOWS_ONE = 1 << 22  # its weights of 8-bit pixels are whole numbers; float32 holds them
METHODS = ("nearest", *BY_PILLOW, "area", "mipmap")


@functools.lru_cache(maxsize=256)
def band(before: int, after: int, method: str) -> Band:
    """From `before` pixels to `after`, by a method of `stages`."""
    if before == after:
        return np.arange(after, dtype=np.int32), np.ones((after, 1), np.float32)
    if method == "nearest":
        steps = np.full(after, before / after)
        steps[0] /= 2
        starts = np.cumsum(steps)  # Pillow adds up too, which decides where a place lies between two pixels
        return np.minimum(starts, before - 1).astype(np.int32), np.ones((after, 1), np.float32)
    if method == "area":
        return _area(before, after) if after < before else _area_enlarged(before, after)
    if method.startswith("linear"):
        return _linear(before, after, 256 if method == "linear256" else 0)
    return _pillow(before, after, method)


def stages(size: Sides, after: Sides, method: str, *, whole: bool) -> list[tuple[Sides, str]]:
    """The sizes that a picture goes through, and the bands that bring it there: one, but for mipmap, which
    takes means of the largest blocks that fill it, and then pairs of those. `whole`: 8-bit levels."""
    pairs = "linear256" if whole else "linear"
    if size == after:
        return [(after, "nearest")]
    if method == "bilinear" and whole and after[0] >= size[0] and after[1] >= size[1]:
        return [(after, pairs)]
    if method != "mipmap":
        return [(after, method)]
    found = []
    for k in range(min(size[0] // after[0], size[1] // after[1]), 1, -1):
        if not size[0] % k and not size[1] % k:
            size = size[0] // k, size[1] // k
            found = [(size, "area")]
            break
    coarse = max(size[0] / after[0], size[1] / after[1]) >= 2
    return [*found, (after, "area" if coarse else pairs)]


def rounding(method: str, before: Sides, after: Sides) -> np.ndarray:
    """(2,) uint8. Whether 8-bit rows are rounded before columns are made: Pillow does, OpenCV does not. And
    whether halves go up: they do in Pillow, in OpenCV's means of 2 x 2 and its exact bilinear, elsewhere to
    the even one of two.
    """
    by_area = method == "area" or (
        method == "box" and before[0] % after[0] == 0 and before[1] % after[1] == 0
    )
    by_pillow = method in BY_PILLOW and not by_area
    halves = method == "linear256" or before == (2 * after[0], 2 * after[1])
    return np.array([by_pillow, by_pillow or halves], np.uint8)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys 1981, a = -0.5."""
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


_FILTERS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {  # of the distance, and its reach
    "bilinear": (1.0, lambda x: np.maximum(1 - x, 0)),
    "bicubic": (2.0, _cubic),
    "lanczos": (3.0, lambda x: np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0)),
}


def _pillow(before: int, after: int, method: str) -> Band:
    scale = before / after
    wide = max(scale, 1.0)
    support = wide * (0.5 if method == "box" else _FILTERS[method][0])
    centre = (np.arange(after) + 0.5) * scale
    low = np.maximum(np.trunc(centre - support + 0.5), 0).astype(np.int64)
    high = np.minimum(np.trunc(centre + support + 0.5), before).astype(np.int64)
    taps = np.arange(int((high - low).max()))
    x = (taps + low[:, None] - centre[:, None] + 0.5) / wide
    if method == "box":
        values = ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    else:
        values = _FILTERS[method][1](np.abs(x))
    values = np.where(taps < (high - low)[:, None], values, 0)
    share = values / values.sum(axis=1, keepdims=True)
    return low.astype(np.int32), (np.round(share * _PILLOWS_ONE) / _PILLOWS_ONE).astype(np.float32)


def _area(before: int, after: int) -> Band:
    edges = np.arange(after + 1) * (before / after)
    starts = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    places = starts[:, None] + np.arange(math.ceil(before / after) + 1)
    covered = np.minimum(places + 1, edges[1:, None]) - np.maximum(places, edges[:-1, None])
    covered = np.where(places < before, np.clip(covered, 0, None), 0)
    return starts.astype(np.int32), (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)


def _area_enlarged(before: int, after: int) -> Band:
    """What OpenCV does where the picture grows: even inside a pixel, a slope where a new one lies on two."""
    places = np.arange(after)
    starts = np.floor(places * (1 / (after / before)))  # OpenCV's own double, a hair below some whole ones
    share = (places + 1 - (starts + 1) * (after / before)).astype(np.float32)
    share = np.where(share <= 0, 0, share - np.floor(share))
    return _pairs(starts, share, before)


def _linear(before: int, after: int, units: int) -> Band:
    """The two nearest pixels, however much the picture shrinks; OpenCV's exact way has weights in 1/256."""
    at = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
    share = at - np.floor(at)
    return _pairs(np.floor(at), np.round(share * units) / units if units else share, before)


def _pairs(starts: np.ndarray, share: np.ndarray, before: int) -> Band:
    """Two taps each, the second with `share`; at the end the one pixel that there is."""
    share = np.where(starts >= before - 1, 0, share)
    weights = np.stack([1 - share, share], axis=1)
    return starts.astype(np.int32), weights.astype(np.float32)
