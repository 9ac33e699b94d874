"""Which parts a picture is cut into, so that each fits memory and all of them make the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gantrans.inference.receptive import Reach


@dataclass(frozen=True)
class Span:
    """Along one side, in pixels: `begin` to `end` is what the network is given, `first` to `last` the part
    of it that no other span covers, and `keep_first` to `keep_last` that part with the ramps it shares."""

    begin: int
    end: int
    first: int
    last: int
    keep_first: int
    keep_last: int

    @property
    def length(self) -> int:
        return self.end - self.begin

    def weights(self) -> np.ndarray:
        """(keep_last - keep_first,) float32: ramps at the shared ends that sum to 1 with the neighbour's."""
        at = np.arange(self.keep_first, self.keep_last, dtype=np.float32) + 0.5
        rise, fall = self.first - self.keep_first, self.keep_last - self.last
        up = (at - self.keep_first) / (2 * rise) if rise else np.ones_like(at)
        down = (self.keep_last - at) / (2 * fall) if fall else np.ones_like(at)
        return np.minimum(1, up) * np.minimum(1, down)


@dataclass(frozen=True)
class Tile:
    """What one call of the network is given and what is kept of it."""

    rows: Span
    cols: Span


@dataclass(frozen=True)
class Layout:
    """All tiles of a picture (height, width), row by row. `halo` is what each has around it; `exact`: as much
    as the network looks at; else the tiles fade into each other."""

    rows: tuple[Span, ...]
    cols: tuple[Span, ...]
    halo: int
    exact: bool

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        return tuple(Tile(rows, cols) for rows in self.rows for cols in self.cols)

    @property
    def largest_px(self) -> int:
        return max(span.length for span in self.rows) * max(span.length for span in self.cols)

    @property
    def total_px(self) -> int:
        return sum(span.length for span in self.rows) * sum(span.length for span in self.cols)


def whole(height: int, width: int) -> Layout:
    """One tile."""
    return Layout(spans(height, height, 0), spans(width, width, 0), 0, exact=True)


def fixed(height: int, width: int, side: int, reach: Reach) -> Layout:
    """Tiles of which about `side` x `side` pixels are kept, with all the halo that the network looks at."""
    assert reach.halo is not None
    inner = -(-side // reach.step) * reach.step
    rows, cols = (spans(n, inner, reach.halo) for n in (height, width))
    return Layout(rows, cols, reach.halo, exact=True)


def fitting(height: int, width: int, most_px: int, reach: Reach) -> Layout:
    """The tiles of at most `most_px` pixels each, halo included, that cost the fewest pixels altogether.

    Where not even the halo fits, half the side of a tile is kept and a quarter is halo on each side. Never
    smaller than one step of the network's grid.
    """
    if height * width <= most_px:
        return whole(height, width)
    assert reach.halo is not None
    halo, step = reach.halo, reach.step
    best: Layout | None = None
    for count in range(1, -(-height // step) + 1):
        rows = spans(height, _inner(height, count, step), halo)
        room = most_px // max(span.length for span in rows)
        inner = (room - 2 * halo) // step * step
        if room < width and inner < step:
            continue
        count_cols = 1 if room >= width else -(-width // inner)
        cols = spans(width, _inner(width, count_cols, step), halo)
        made = Layout(rows, cols, halo, exact=True)
        if made.largest_px <= most_px and (best is None or made.total_px < best.total_px):
            best = made
    return best or _faded(height, width, most_px, step, halo)


def _faded(height: int, width: int, most_px: int, step: int, most_halo: int) -> Layout:
    side = max(math.isqrt(most_px) // step, 1)  # in steps
    halo = min(side // 4 * step, most_halo)
    inner = max(side * step - 2 * halo, step)
    inners = [_inner(n, -(-n // inner), step) for n in (height, width)]
    rows, cols = (_fading(n, i, halo) for n, i in zip((height, width), inners, strict=True))
    return Layout(rows, cols, halo, exact=False)


def _fading(length: int, inner: int, halo: int) -> tuple[Span, ...]:
    """Ramps of as many pixels as the halo, in its inner half: what lies farther out sees too little."""
    smallest = length % inner or inner
    return spans(length, inner, halo, blend=min(halo, smallest) // 2)


def _inner(length: int, count: int, step: int) -> int:
    """The smallest whole number of steps of which `count` cover the length."""
    return -(-length // (count * step)) * step


def scattered(height: int, width: int, layout: Layout, reach: Reach) -> list[tuple[Span, Span]]:
    """Equal parts of a picture, spread over it, that together take as much room as the largest tile."""
    room = math.isqrt(layout.largest_px)
    count = min(4, max(1 if room < 2 * reach.step else 2, room // max(1, 2 * layout.halo)))
    side = max(reach.step, room // count // reach.step * reach.step)
    rows, cols = (_spread(n, side, count, reach.step) for n in (height, width))
    return [(down, along) for down in rows for along in cols]


def _spread(length: int, side: int, count: int, step: int) -> list[Span]:
    side = min(side, length)
    begins = {int(at) // step * step for at in np.linspace(0, length - side, count)}
    return [Span(at, at + side, at, at + side, at, at + side) for at in sorted(begins)]


def spans(length: int, inner: int, halo: int, *, blend: int = 0) -> tuple[Span, ...]:
    """`length` pixels in parts of `inner`, each with `halo` more on both sides where there are as many."""
    made = []
    for first in range(0, length, inner):
        last = min(first + inner, length)
        begin, end = max(0, first - halo), min(length, last + halo)
        keep_first, keep_last = max(0, first - blend), min(length, last + blend)
        made.append(Span(begin, end, first, last, keep_first, keep_last))
    return tuple(made)


def margins(side: int, reach: Reach) -> tuple[int, int]:
    """Pixels that the network adds before and behind a side, as `pad_to_grid` does."""
    missing = -(-max(side, reach.least) // reach.cell) * reach.cell - side
    return missing // 2, missing - missing // 2


def mirrored(begin: int, end: int, length: int, margins: tuple[int, int]) -> np.ndarray:
    """The rows `begin` to `end` of a padded side, as rows of the side itself: mirrored at its ends, or the
    last one repeated where it is too short for that, as `pad_to_grid` has it."""
    at = np.arange(begin - margins[0], end - margins[0])
    if max(margins) < length:
        at = np.abs(at)
        return np.where(at >= length, 2 * (length - 1) - at, at)
    return np.clip(at, 0, length - 1)
