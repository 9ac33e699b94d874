"""A printed town map: relief, river, parks, streets with their names, a compass rose, folds in the paper."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import OVER, TALL, WIDE, Canvas, Point
from .map_words import PRINTS, Labels, Print, write_names
from .texture import mix, pick, ramp, relief, rgb, smoothstep, vary


def town_map(rng: np.random.Generator, number: int) -> Image.Image:
    """Drawn as it is printed: ground, water, blocks, streets, words; folded last."""
    canvas = Canvas(*(TALL if number % 4 == 2 else WIDE))
    inks = PRINTS[(number - 1) % len(PRINTS)]
    _ground(canvas, rng, inks)
    turn = uniform(rng, -0.3, 0.3)
    parks = _parks(canvas, rng, inks)
    _blocks(canvas, rng, inks, turn, parks)
    river = _river(canvas, rng, inks)
    _railway(canvas, rng, inks)
    labels = Labels()
    rose, bar = (canvas.width - 21.0, 24.0), (10.0, canvas.height - 11.0)
    labels.claim(rose, 40, 46)
    labels.claim((bar[0] + 36, bar[1] - 4), 84, 26)
    _main_roads(canvas, rng, inks, labels)
    _furniture(canvas, inks, rose, bar)
    write_names(canvas, rng, inks, labels, turn, parks, river)
    _folds(canvas, rng)
    return canvas.finish(rng, vignette=0.2)


def _ground(canvas: Canvas, rng: np.random.Generator, inks: Print) -> None:
    """Hills shaded from the upper left, with contour lines."""
    height = canvas.noise(rng, 80, 4, gain=0.4)
    light = np.clip(relief(height, 42), 0.5, 1.3)[..., None]
    canvas.wash(1.0, np.clip(ramp(height, (inks.paper, inks.paper, inks.hill)) * (0.75 + 0.25 * light), 0, 1))
    down, across = np.gradient(height)
    slope = np.hypot(down, across) * OVER + 1e-4
    for level in np.arange(0.1, 1.0, 0.07):
        canvas.wash(
            smoothstep(0.6, 0.25, np.abs(height - level) / slope), mix(inks.hill, inks.ink, 0.35), 0.6
        )


def _parks(canvas: Canvas, rng: np.random.Generator, inks: Print) -> list[Point]:
    """Greens with trees and paths; gives their centres."""
    centres = []
    for x, y in ((0.26, 0.3), (0.74, 0.72)):
        centre = (
            canvas.width * (x + uniform(rng, -0.08, 0.08)),
            canvas.height * (y + uniform(rng, -0.08, 0.08)),
        )
        radii = rng.uniform(0.85, 1.15, 14)
        around = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        edge = [
            (centre[0] + 33 * r * np.cos(t), centre[1] + 24 * r * np.sin(t))
            for r, t in zip(radii, around, strict=True)
        ]
        canvas.polygon(edge, inks.park)
        canvas.line([*edge, edge[0]], 0.6, mix(inks.park, inks.ink, 0.4))
        for _ in range(44):
            turn, far = uniform(rng, 0, 6.28), np.sqrt(rng.random()) * 0.8
            place = centre[0] + 31 * far * np.cos(turn), centre[1] + 22 * far * np.sin(turn)
            canvas.ellipse(place, (1.7, 1.7), mix(inks.park, (0.1, 0.3, 0.1), 0.35))
            canvas.ellipse((place[0] - 0.4, place[1] - 0.5), (1.0, 1.0), mix(inks.park, (1, 1, 0.8), 0.12))
        centres.append(centre)
    return centres


def _blocks(canvas: Canvas, rng: np.random.Generator, inks: Print, turn: float, parks: list[Point]) -> None:
    """A tilted, slightly bent grid: houses fill the blocks, the gaps are the streets."""
    cos, sin = np.cos(turn), np.sin(turn)
    middle = canvas.width / 2, canvas.height / 2
    columns = np.cumsum(rng.uniform(22, 38, 20)) - 290
    rows = np.cumsum(rng.uniform(18, 29, 20)) - 240
    bend = uniform(rng, 0.0004, 0.0012)

    def at(u: float, v: float) -> Point:
        v += bend * u * u
        return middle[0] + u * cos - v * sin, middle[1] + u * sin + v * cos

    for left, right in pairwise(columns):
        for top, bottom in pairwise(rows):
            x, y = at((left + right) / 2, (top + bottom) / 2)
            green = any(((x - u) / 36) ** 2 + ((y - v) / 27) ** 2 < 1 for u, v in parks)
            if green or not (-30 < x < canvas.width + 30 and -30 < y < canvas.height + 30):
                continue
            outer = [at(left, top), at(right, top), at(right, bottom), at(left, bottom)]
            canvas.line([*outer, outer[0]], 4.8, mix(inks.street, inks.ink, 0.45))
            canvas.line([*outer, outer[0]], 3.6, inks.street)
            _houses(canvas, rng, inks, at, (left + 2.6, top + 2.6, right - 2.6, bottom - 2.6))


def _houses(
    canvas: Canvas,
    rng: np.random.Generator,
    inks: Print,
    at: Callable[[float, float], Point],
    frame: tuple[float, float, float, float],
) -> None:
    """Two rows of plots back to back, a few left open."""
    left, top, right, bottom = frame
    canvas.polygon(
        [at(left, top), at(right, top), at(right, bottom), at(left, bottom)],
        mix(inks.block, inks.paper, 0.55),
    )
    half = (bottom - top) / 2
    x = left + 0.6
    while x < right - 4:
        wide = min(uniform(rng, 4, 8), right - x - 0.6)
        for low, high in (
            (top + 0.6, top + half * uniform(rng, 0.55, 0.85)),
            (bottom - half * uniform(rng, 0.55, 0.85), bottom - 0.6),
        ):
            if rng.random() < 0.86:
                corners = [at(x, low), at(x + wide, low), at(x + wide, high), at(x, high)]
                canvas.polygon(corners, vary(rng, mix(inks.block, inks.ink, 0.1), 0.05))
                canvas.line([*corners, corners[0]], 0.35, mix(inks.block, inks.ink, 0.55))
        x += wide + 0.6


def _river(canvas: Canvas, rng: np.random.Generator, inks: Print) -> list[Point]:
    """A winding river with lighter banks; gives its course."""
    t = np.linspace(-0.1, 1.1, 60)
    phase, swing = uniform(rng, 0, 6.28), uniform(rng, 0.07, 0.12)
    x = canvas.width * t
    rise = pick(rng, (-0.34, 0.34))
    y = canvas.height * (
        0.5 + rise * (t - 0.5) + swing * np.sin(t * 6.5 + phase) + 0.03 * np.sin(t * 15 + phase)
    )
    course = [*zip(x, y, strict=True)]
    canvas.line(course, 19, mix(inks.water, inks.ink, 0.5))
    canvas.line(course, 17.5, mix(inks.water, inks.paper, 0.35))
    canvas.line(course, 13.5, inks.water)
    for shift in (-3.5, 0.0, 3.0):
        for start in range(int(rng.integers(0, 4)), 56, 6):
            canvas.line(
                [(u, v + shift) for u, v in course[start : start + 3]],
                0.45,
                mix(inks.water, inks.ink, 0.35),
                0.8,
            )
    return course


def _railway(canvas: Canvas, rng: np.random.Generator, inks: Print) -> None:
    """Black and white dashes along a gentle curve."""
    start, end = (
        (canvas.width * uniform(rng, 0.55, 0.7), -6),
        (canvas.width * uniform(rng, 0.3, 0.5), canvas.height + 6),
    )
    t = np.linspace(0, 1, 90)
    bend = 22 * np.sin(np.pi * t)
    path = [*zip(start[0] + (end[0] - start[0]) * t + bend, start[1] + (end[1] - start[1]) * t, strict=True)]
    canvas.line(path, 2.8, inks.ink)
    for at in range(0, 88, 4):
        canvas.line(path[at : at + 3], 1.5, inks.paper)


def _main_roads(canvas: Canvas, rng: np.random.Generator, inks: Print, labels: Labels) -> None:
    """Two cased arteries that cross by a roundabout, each with its number shield."""
    hub = canvas.width * uniform(rng, 0.4, 0.6), canvas.height * uniform(rng, 0.42, 0.58)
    ends = [
        (-8, canvas.height * uniform(rng, 0.1, 0.4)),
        (canvas.width + 8, canvas.height * uniform(rng, 0.6, 0.9)),
    ]
    ends += [
        (canvas.width * uniform(rng, 0.1, 0.3), canvas.height + 8),
        (canvas.width * uniform(rng, 0.7, 0.95), -8),
    ]
    arms = []
    for end in ends:
        knee = (hub[0] + end[0]) / 2 + uniform(rng, -14, 14), (hub[1] + end[1]) / 2 + uniform(rng, -14, 14)
        t = np.linspace(0, 1, 24)[:, None]
        curve = (1 - t) ** 2 * np.array(hub) + 2 * t * (1 - t) * np.array(knee) + t**2 * np.array(end)
        arms.append([(float(u), float(v)) for u, v in curve])
    for wide, paint in ((6.6, mix(inks.main, inks.ink, 0.6)), (5.0, inks.main)):
        for arm in arms:
            canvas.line(arm, wide, paint)
        canvas.ellipse(hub, (wide * 1.15, wide * 1.15), paint)
    canvas.ellipse(hub, (2.6, 2.6), inks.park)
    for index, arm in enumerate(arms[::2]):
        place = arm[13]
        if labels.claim(place, 22, 13):
            canvas.box(place[0] - 9.5, place[1] - 5.8, place[0] + 9.5, place[1] + 5.8, inks.paper)
            canvas.box(
                place[0] - 8.8,
                place[1] - 5.1,
                place[0] + 8.8,
                place[1] + 5.1,
                rgb("2a6a3f") if index else rgb("b3262a"),
            )
            canvas.text(place, f"{'AB'[index]}{int(rng.integers(2, 98))}", 8.5, (1, 1, 1), bold=0.1)


def _furniture(canvas: Canvas, inks: Print, rose: Point, bar: Point) -> None:
    """The compass rose and the scale bar, in a corner each."""
    canvas.ellipse(rose, (15.5, 15.5), inks.paper, 0.85)
    canvas.line(
        [(rose[0] + 13 * np.cos(t), rose[1] + 13 * np.sin(t)) for t in np.linspace(0, 6.3, 60)], 0.6, inks.ink
    )
    for spike in range(8):
        long, turn = (14.5, 7.5)[spike % 2], spike * np.pi / 4
        tip = rose[0] + long * np.sin(turn), rose[1] - long * np.cos(turn)
        for side, paint in ((-1, inks.ink), (1, inks.paper)):
            root = rose[0] + 3 * np.sin(turn + side * 0.7), rose[1] - 3 * np.cos(turn + side * 0.7)
            canvas.polygon([rose, tip, root], paint)
            canvas.line([rose, tip, root], 0.3, inks.ink)
    canvas.box(bar[0] - 5, bar[1] - 14, bar[0] + 70, bar[1] + 6, inks.paper, 0.85)
    canvas.box(bar[0] - 0.5, bar[1] - 0.5, bar[0] + 48.5, bar[1] + 3.1, inks.ink)
    for piece in range(4):
        canvas.box(
            bar[0] + 12 * piece,
            bar[1],
            bar[0] + 12 * piece + 12,
            bar[1] + 2.6,
            (inks.ink, inks.paper)[piece % 2],
        )
    for mark, words in enumerate(("0", "200", "400 m")):
        canvas.text((bar[0] + 24 * mark + 4 * (mark == 2), bar[1] - 6.5), words, 8.5, inks.ink)


def _folds(canvas: Canvas, rng: np.random.Generator) -> None:
    """Each panel of the folded sheet takes the light a little differently; the creases are worn."""
    for at, size, coordinate in (
        (1 / 3, canvas.width, canvas.x),
        (2 / 3, canvas.width, canvas.x),
        (0.5, canvas.height, canvas.y),
    ):
        away = coordinate - size * (at + uniform(rng, -0.02, 0.02))
        canvas.wash(np.exp(-np.abs(away) / 5) * (away > 0), (0, 0, 0), 0.28)
        canvas.wash(np.exp(-np.abs(away) / 7) * (away < 0), (1, 1, 1), 0.2)
        worn = smoothstep(0.5, 0.8, canvas.noise(rng, 6, 3))
        canvas.wash(np.exp(-np.abs(away) / 0.5) * worn, (1, 1, 1), 0.5)
    stain = smoothstep(0.55, 0.95, canvas.noise(rng, 55, 5, gain=0.6))
    canvas.wash(stain, rgb("6b4a22"), 0.28)
