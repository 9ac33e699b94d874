"""Sail boats on rippled water before a coast with a lighthouse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import WIDE, Canvas
from .landscape import HOURS, Hour, ridge, sky
from .texture import Colour, lit, mix, pick, rgb, smoothstep
from .water import mirror, ripple


@dataclass(frozen=True)
class Boat:
    """A sail boat: where its water line is, its length in pixels, +1 or -1 for its heading, its colours."""

    x: float
    y: float
    size: float
    heading: int
    hull: Colour
    sail: Colour
    mark: str


def harbour(rng: np.random.Generator, number: int) -> Image.Image:
    """Sail boats on rippled water before a wooded coast with a lighthouse."""
    hour = HOURS[number % len(HOURS)]
    canvas = Canvas(*WIDE)
    sky(canvas, rng, hour)
    shore = canvas.height * uniform(rng, 0.5, 0.58)
    ridge(canvas, rng, hour, 0.1, shore - 34, shore + 4)
    ridge(canvas, rng, hour, 0.55, shore - 16, shore + 2)
    left = rng.random() < 0.5
    _lighthouse(canvas, (canvas.width * (0.1 if left else 0.9), shore), 44, hour)
    water = mix(mix(hour.sky[0], rgb("1d5a6e"), 0.5), (0, 0, 0), 0.15)
    mirror(canvas, shore, water)
    boats = _fleet(canvas, rng, shore, 0.27 if left else 0.08, hour.haze)
    for boat in boats:
        _boat(canvas, boat, -1, water)
    ripple(canvas, rng, shore, 1.0, 0.3, mix(hour.sky[-1], (1, 1, 1), 0.3))
    for boat in boats:
        _boat(canvas, boat, 1, water)
    _gulls(canvas, rng, shore)
    return canvas.finish(rng)


def _fleet(canvas: Canvas, rng: np.random.Generator, shore: float, start: float, haze: Colour) -> list[Boat]:
    """Boats side by side from `start` (a share of the width) on, listed from the farthest to the nearest."""
    hulls = [rgb(code) for code in ("b3202c", "f4f1e8", "1f3f77", "20685c", "d8942b", "3b2a25")]
    sails = [rgb(code) for code in ("f7f2e4", "fdfbf5", "d1502f", "e9c64c", "f3e3c7")]
    hull_order, sail_order = rng.permutation(len(hulls)), rng.permutation(len(sails))
    count = int(rng.integers(3, 5))
    places = (rng.permutation(count) + 0.5) / count
    boats = []
    for index, place in enumerate(places):
        near = (index + uniform(rng, 0.1, 0.9)) / count
        x = canvas.width * (start + 0.65 * place + uniform(rng, -0.02, 0.02))
        y = shore + 4 + near * (canvas.height - shore) * 0.6
        mark = f"{pick(rng, 'KNSGF')}{int(rng.integers(10, 99))}"
        hull, sail = mix(hulls[hull_order[index]], haze, 0.2), mix(sails[sail_order[index]], haze, 0.2)
        boats.append(Boat(x, y, 22 + 44 * near, pick(rng, (-1, 1)), hull, sail, mark))
    return boats


def _boat(canvas: Canvas, boat: Boat, up: int, water: Colour) -> None:
    """One boat, or with up = -1 its image in the water."""

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(boat.x + boat.heading * boat.size * x, boat.y - up * boat.size * y) for x, y in points]

    def cloth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # Light falls off across the belly of the sail; seams run across it.
        across = boat.heading * (x - boat.x) / boat.size
        seam = np.abs((up * (boat.y - y) / boat.size * 8 + across) % 1 - 0.5) < 0.06
        return lit(boat.sail, 0.98 - 0.5 * np.abs(across - 0.12) - 0.12 * seam)

    dim, shade = (0.0, 1.0) if up > 0 else (0.35, 0.75)
    hull, trim = mix(boat.hull, water, dim), mix(mix(boat.hull, (1, 1, 1), 0.65), water, dim)
    canvas.line(at((0.03, 0.1), (0.03, 1.32)), max(0.8, boat.size * 0.02), mix(rgb("5d4630"), water, dim))
    canvas.polygon(at((0.0, 1.27), (-0.08, 0.9), (-0.36, 0.27), (0.0, 0.22)), cloth, shade)
    canvas.polygon(at((0.06, 1.18), (0.2, 0.7), (0.47, 0.22), (0.06, 0.26)), cloth, shade)
    canvas.line(at((-0.42, 0.21), (0.03, 0.19)), max(0.7, boat.size * 0.018), mix(rgb("5d4630"), water, dim))
    body = at((-0.5, 0.17), (0.56, 0.2), (0.42, 0.05), (0.34, -0.03), (-0.4, -0.03))
    canvas.polygon(body, lambda _, y: lit(hull, 1.1 - 0.8 * np.abs(y - boat.y) / boat.size))
    canvas.line(at((-0.5, 0.165), (0.56, 0.195)), max(0.8, boat.size * 0.03), trim)
    canvas.line(at((-0.42, 0.02), (0.38, 0.02)), max(0.5, boat.size * 0.012), trim)
    if up > 0 and boat.size > 36:
        ink = (0.1, 0.12, 0.25)
        canvas.text(at((-0.17, 0.42))[0], boat.mark, 9.0, ink, 0.9, fit=boat.size * 0.26)


def _lighthouse(canvas: Canvas, foot: tuple[float, float], height: float, hour: Hour) -> None:
    """A banded tower on a rock, light on its left."""
    x, base = foot
    wide = height * 0.1
    canvas.polygon(
        [(x - 26, base + 1), (x - 12, base - 6), (x - 4, base - 8), (x + 9, base - 7), (x + 28, base + 1)],
        mix(hour.rock, hour.ground[0], 0.5),
    )
    for band in range(5):
        low, high = 6 + (height - 6) * band / 5, 6 + (height - 6) * (band + 1) / 5
        left, right = wide * (1 - 0.07 * band), wide * (1 - 0.07 * (band + 1))
        paint = mix((rgb("c8332d"), rgb("f6f1e7"))[band % 2], hour.haze, 0.12)
        outline = [
            (x - left, base - low),
            (x + left, base - low),
            (x + right, base - high),
            (x - right, base - high),
        ]
        canvas.polygon(
            outline, lambda u, _, c=paint: lit(c, 1.0 - 0.5 * smoothstep(-0.2, 1.1, (u - x) / wide))
        )
    canvas.box(x - wide * 0.9, base - height - 1.2, x + wide * 0.9, base - height, rgb("2b2b33"))
    canvas.box(x - wide * 0.45, base - height - 5, x + wide * 0.45, base - height - 1.2, rgb("ffe9a0"))
    canvas.polygon(
        [(x - wide * 0.7, base - height - 5), (x + wide * 0.7, base - height - 5), (x, base - height - 9)],
        rgb("8c2622"),
    )


def _gulls(canvas: Canvas, rng: np.random.Generator, shore: float) -> None:
    for _ in range(int(rng.integers(4, 8))):
        x, y = uniform(rng, 20, canvas.width - 20), uniform(rng, 14, shore - 40)
        span = uniform(rng, 3, 6)
        wing = [(x - span, y - span * 0.35), (x - span * 0.45, y - span * 0.55), (x, y)]
        canvas.line(wing, 0.7, rgb("3a3f4a"), 0.9)
        canvas.line([(2 * x - u, v) for u, v in wing], 0.7, rgb("f2f2f2"), 0.9)
