"""Pen strokes: a ball pen's scrawl, underlines, circles and crosses; a marker's broad dye."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer

PENS = ("ball", "marker")
FIGURES = ("scrawl", "ring", "cross", "lines", "arrow")
_BALL = ((0.10, 0.14, 0.48), (0.06, 0.06, 0.08), (0.70, 0.08, 0.10), (0.05, 0.36, 0.16))
_MARKER = ((0.98, 0.93, 0.15), (0.95, 0.32, 0.58), (0.35, 0.85, 0.30), (0.08, 0.08, 0.10), (0.80, 0.08, 0.08))


class PenStrokes(Mark):
    """`count` figures by one of `pens`: a ball pen covers with thin ink, a marker stains with a broad dye.

    `size` of a figure is relative to the shorter side.
    """

    def __init__(
        self,
        count: Amount = (1, 3),
        size: Amount = (0.15, 0.5),
        opacity: Amount = (0.75, 1.0),
        pens: Choice = PENS,
    ) -> None:
        self.count = interval("count", count, 1, 1000, whole=True)
        self.size = interval("size", size, 0.01, 2)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.pens = choices("pens", pens, PENS)

    def sample(self, rng: np.random.Generator) -> Params:
        pen = draw_choice(rng, self.pens)
        inks = _BALL if pen == "ball" else _MARKER
        figures = [
            {
                "figure": draw_choice(rng, FIGURES if pen == "ball" else FIGURES[1:]),
                "at": [draws.uniform(rng, 0.05, 0.95), draws.uniform(rng, 0.05, 0.95)],
                "size": self.size.draw(rng),
            }
            for _ in range(self.count.draw_whole(rng))
        ]
        return {
            "pen": pen,
            "figures": figures,
            "ink": list(inks[draws.integer(rng, 0, len(inks) - 1)]),
            "width": draws.uniform(rng, 0.004, 0.007) if pen == "ball" else draws.uniform(rng, 0.018, 0.045),
            "opacity": self.opacity.draw(rng),
            "seed": draw_seed(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        canvas, short = drawing.sheet(height, width), min(height, width)
        ball = params["pen"] == "ball"
        for index, each in enumerate(params["figures"]):
            rng = draws.generator("pen_strokes", params["seed"], index)
            centre = np.array([each["at"][0] * width, each["at"][1] * height])
            for stroke in _FIGURES[each["figure"]](rng):
                points = centre + _shaken(rng, stroke) * each["size"] * short / 2
                draw = _ball if ball else _felt
                draw(rng, canvas, points, max(1.0, params["width"] * short))
        size, opacity = (height, width), params["opacity"]
        dark = max(params["ink"]) < 0.5
        if ball or dark:
            return [layer(size, canvas, params["ink"], opacity=opacity)]
        # A bright dye passes light of its own colour; what it scatters lightens dark parts too.
        return [
            layer(size, canvas, params["ink"], opacity=0.35 * opacity),
            layer(
                size,
                canvas,
                _dye(params["ink"]),
                opacity=0.6 * opacity,
                dye=True,
            ),
        ]


def _dye(ink: list[float]) -> list[float]:
    """Dark enough that grey pictures change visibly under it as well."""
    darkest = min(ink)
    return [0.3 if channel == darkest else channel * 0.85 for channel in ink]


def _ball(rng: np.random.Generator, canvas: np.ndarray, points: np.ndarray, width_px: float) -> None:
    """The pressure changes along the way; the ink thins with it and skips at times."""
    pressure = drawing.noise_along(rng, len(points), max(4, len(points) // 12), 2)
    skips = rng.random(len(points)) < 0.01
    for start in range(0, len(points) - 1, 3):
        stop = min(start + 4, len(points))
        if skips[start]:
            continue
        force = float(pressure[start:stop].mean())
        drawing.line(canvas, points[start:stop], width_px * (0.7 + 0.5 * force), 255 * (0.72 + 0.28 * force))


def _felt(rng: np.random.Generator, canvas: np.ndarray, points: np.ndarray, width_px: float) -> None:
    """Even and broad; where the pen was set down it left more."""
    drawing.line(canvas, points, width_px, 215)
    for end in (points[:4], points[-3:]):
        drawing.line(canvas, end, width_px * 1.04, 255)
    drawing.line(canvas, points, width_px * 0.5, 225 + 20 * rng.random())


def _shaken(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """As by a hand: off by a hundredth or two, smoothly."""
    cells = max(3, len(points) // 14)
    shake = [drawing.noise_along(rng, len(points), cells, 2) - 0.5 for _ in range(2)]
    return points + 0.06 * np.stack(shake, 1)


def _scrawl(rng: np.random.Generator) -> list[np.ndarray]:
    """A signature: loops that move on, of changing height."""
    count = 240
    t = np.linspace(0, 1, count)
    loops = rng.uniform(5, 10)
    phase = 2 * math.pi * loops * t + 1.5 * drawing.noise_along(rng, count, 8)
    tall = 0.12 + 0.5 * drawing.noise_along(rng, count, 7) ** 2 * (1.1 - 0.6 * t)
    x = 2 * t - 1 + 0.5 * tall * np.cos(phase)
    y = tall * np.sin(phase + rng.uniform(-0.5, 0.5)) - 0.15 * t
    strokes = [np.stack([x, y], 1)]
    if rng.random() < 0.6:
        u = np.linspace(-0.9, 0.95, 60)
        strokes.append(np.stack([u, 0.3 + 0.06 * np.sin(3 * u) - 0.1 * u], 1))
    return strokes


def _ring(rng: np.random.Generator) -> list[np.ndarray]:
    """Around something: an oval whose end misses its start."""
    turns = rng.uniform(0, 6) + np.linspace(0, 2 * math.pi * rng.uniform(1.02, 1.6), 140)
    drift = 1 + 0.07 * np.linspace(-1, 1, 140)
    return [np.stack([drift * np.cos(turns), 0.6 * drift * np.sin(turns)], 1)]


def _cross(rng: np.random.Generator) -> list[np.ndarray]:
    t, tilt = np.linspace(-1, 1, 60), rng.uniform(0.5, 0.9)
    bow = 0.06 * rng.normal() * (1 - t**2)
    return [np.stack([t, tilt * t + bow], 1), np.stack([-t * 0.95, tilt * t - bow], 1)]


def _lines(rng: np.random.Generator) -> list[np.ndarray]:
    """One to three strokes below each other, as one underlines or strikes out."""
    t, slope = np.linspace(-1, 1, 70), rng.uniform(-0.1, 0.1)
    return [
        np.stack([t * rng.uniform(0.85, 1), 0.13 * index + slope * t + 0.02 * np.sin(4 * t)], 1)
        for index in range(int(rng.integers(1, 4)))
    ]


def _arrow(rng: np.random.Generator) -> list[np.ndarray]:
    t, bow = np.linspace(0, 1, 70), rng.normal(0, 0.25)
    turn = rng.uniform(0, 2 * math.pi)
    shaft = np.stack([2 * t - 1, bow * 4 * t * (1 - t)], 1)
    back = math.atan2(4 * bow, -2)
    head = [
        np.linspace(0, 0.35, 20)[:, None] * [math.cos(back + a), math.sin(back + a)] + [1, 0]
        for a in (0.45, -0.45)
    ]
    rotate = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return [shaft @ rotate, head[0] @ rotate, head[1] @ rotate]


_FIGURES = {"scrawl": _scrawl, "ring": _ring, "cross": _cross, "lines": _lines, "arrow": _arrow}
