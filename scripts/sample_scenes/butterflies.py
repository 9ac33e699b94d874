"""Butterflies at rest among broad leaves, their wings patterned alike on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import TALL, WIDE, Canvas, Point
from .garden import BEDS, blade, thicket
from .texture import Colour, mix, pick, rgb, vary

Placing = Callable[[float, float], Point]


@dataclass(frozen=True)
class Wing:
    """The colours of a species, from the root of the wing to its margin, and its eye spots."""

    inner: Colour
    outer: Colour
    margin: Colour
    spot: Colour
    eye: Colour


SPECIES = (
    Wing(rgb("f2a33a"), rgb("d9541e"), rgb("1a1210"), rgb("fff4dc"), rgb("3f6fb5")),
    Wing(rgb("7fd0f0"), rgb("1f5fc0"), rgb("0b1222"), rgb("e8f6ff"), rgb("f0b93a")),
    Wing(rgb("fbf3c4"), rgb("f0c63a"), rgb("2a2118"), rgb("5a8fd0"), rgb("c8342b")),
    Wing(rgb("e86a9a"), rgb("7a2a6b"), rgb("1c0f1e"), rgb("f9d9e8"), rgb("5fc0b0")),
    Wing(rgb("a9d86a"), rgb("2f8a5a"), rgb("0f1f18"), rgb("f2f7d0"), rgb("e87a2f")),
    Wing(rgb("c9a27a"), rgb("7a4a2a"), rgb("24150d"), rgb("f4e3c4"), rgb("2f6f8a")),
)


def butterflies(rng: np.random.Generator, number: int) -> Image.Image:
    """One large butterfly and two small ones over broad veined leaves."""
    canvas = Canvas(*(TALL if number % 4 == 0 else WIDE))
    greens = BEDS[number % len(BEDS)][0]
    thicket(canvas, rng, greens)
    for _ in range(26):
        foot = uniform(rng, -20, canvas.width + 20), canvas.height * uniform(rng, 0.5, 1.3)
        blade(
            canvas,
            rng,
            foot,
            uniform(rng, 60, 130),
            vary(rng, mix(greens[0], greens[1], uniform(rng, 0.35, 1.35))),
        )
    species = (*(1 + rng.permutation(len(SPECIES) - 1)[:2]), 0)  # the large one is another in each picture
    short = min(canvas.width, canvas.height)
    side = pick(rng, (-1, 1))
    spots = ((0.5 + side * 0.31, 0.24, 0.2), (0.5 + side * 0.33, 0.78, 0.17), (0.5 - side * 0.1, 0.52, 0.43))
    if canvas.height > canvas.width:
        spots = ((0.5 + side * 0.22, 0.16, 0.21), (0.5 - side * 0.2, 0.86, 0.2), (0.5, 0.5, 0.45))
    for index, (x, y, size) in enumerate(spots):
        place = canvas.width * x, canvas.height * y
        kind = SPECIES[(number + species[index]) % len(SPECIES)]
        _butterfly(canvas, rng, place, short * size, uniform(rng, -0.5, 0.5), kind)
    return canvas.finish(rng, vignette=0.32)


# Outlines (across, along) of the right wings in units of the half span; the body is the y axis, head at -y.
FORE = (
    (0.03, -0.12),
    (0.3, -0.5),
    (0.66, -0.78),
    (0.95, -0.86),
    (1.02, -0.74),
    (0.93, -0.5),
    (0.86, -0.22),
    (0.6, 0.0),
    (0.05, 0.05),
)
HIND = (
    (0.03, 0.0),
    (0.5, -0.04),
    (0.78, 0.1),
    (0.8, 0.36),
    (0.66, 0.6),
    (0.5, 0.68),
    (0.44, 0.86),
    (0.36, 0.68),
    (0.16, 0.5),
    (0.03, 0.2),
)


def _butterfly(
    canvas: Canvas, rng: np.random.Generator, centre: Point, span: float, turn: float, wing: Wing
) -> None:
    """Both wing pairs mirrored about the body, their shadow on the leaves, feelers."""
    cos, sin = np.cos(turn), np.sin(turn)

    def at(u: float, v: float) -> Point:
        return float(centre[0] + span * (u * cos - v * sin)), float(centre[1] + span * (u * sin + v * cos))

    for side in (-1, 1):
        for shape in (HIND, FORE):
            shadow = [at(side * u, v) for u, v in _rounded(shape)]
            canvas.polygon(
                [(x + span * 0.06, y + span * 0.09) for x, y in shadow], (0, 0, 0), 0.5, soften=span * 0.035
            )
    pattern = rng.random(4)
    for shape, root in ((HIND, (0.03, 0.08)), (FORE, (0.03, -0.05))):
        for side in (-1, 1):
            _wing(canvas, at, side, shape, root, wing, pattern, span)
    _body(canvas, at, span, wing)


def _wing(
    canvas: Canvas,
    at: Placing,
    side: int,
    shape: tuple[Point, ...],
    root: Point,
    wing: Wing,
    pattern: np.ndarray,
    span: float,
) -> None:
    """One wing: dark border, scales shaded from root to margin in bands, veins, an eye spot."""
    edge = np.array(_rounded(shape))

    def towards(points: np.ndarray, share: float) -> np.ndarray:
        return root + (points - root) * share

    def mirrored(points: np.ndarray) -> list[Point]:
        return [at(side * u, v) for u, v in points]

    canvas.polygon(mirrored(edge), wing.margin)
    for share in np.linspace(0.9, 0.15, 16):
        band = np.sin(share * (9 + 9 * pattern[0]) + 6 * pattern[1])
        tone = mix(wing.inner, wing.outer, float(np.clip(share**1.5 * 1.1 + 0.25 * band, 0, 1)))
        canvas.polygon(mirrored(towards(edge, share)), mix(tone, (1, 1, 1), 0.06 * (side < 0)))
    for tip in edge[3:-2:5]:
        vein = np.array([root, towards(tip, 0.5) + np.array((0.02, -0.02)), tip])
        canvas.line(mirrored(vein), max(0.5, span * 0.012), wing.margin, 0.85)
    along = np.roll(edge, -1, axis=0) - np.roll(edge, 1, axis=0)
    inward = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
    dots = wing.margin if pattern[2] < 0.5 else wing.spot
    for pearl in mirrored((edge + 0.05 * inward)[5:-5:4]):
        canvas.ellipse(pearl, (span * 0.018, span * 0.018), wing.spot, 0.95)
    for dot in mirrored(towards(edge, 0.76)[5:-5:4]):
        canvas.ellipse(dot, (span * 0.032, span * 0.032), dots)
    eye = mirrored(towards(edge, 0.58))[len(edge) // 2]
    for size, colour in ((0.1, wing.margin), (0.075, wing.eye), (0.035, wing.margin)):
        canvas.ellipse(eye, (span * size, span * size), colour)
    canvas.ellipse((eye[0] - 1, eye[1] - 1), (span * 0.016, span * 0.016), (1, 1, 1))


def _body(canvas: Canvas, at: Placing, span: float, wing: Wing) -> None:
    fur = mix(wing.margin, wing.outer, 0.25)
    for u, v, wide, tall in ((0, 0.2, 0.035, 0.3), (0, -0.08, 0.055, 0.14), (0, -0.25, 0.045, 0.05)):
        outline = [at(u + wide * np.cos(t), v + tall * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 40)]
        canvas.polygon(outline, fur)
        canvas.polygon(
            [
                at(u - 0.012 + wide * 0.35 * np.cos(t), v + tall * 0.8 * np.sin(t))
                for t in np.linspace(0, 6.28, 30)
            ],
            mix(fur, (1, 1, 1), 0.35),
        )
    for ring in np.linspace(0.06, 0.44, 8):
        canvas.line([at(-0.033, ring), at(0.033, ring)], max(0.4, span * 0.01), wing.spot, 0.6)
    for side in (-1, 1):
        canvas.line(
            [at(0, -0.28), at(side * 0.1, -0.46), at(side * 0.24, -0.62)], max(0.5, span * 0.012), wing.margin
        )
        canvas.ellipse(at(side * 0.24, -0.62), (span * 0.02, span * 0.02), wing.spot)


def _rounded(shape: tuple[Point, ...], rounds: int = 2) -> list[Point]:
    """The outline with its corners cut twice (Chaikin 1974)."""
    points = np.array(shape)
    for _ in range(rounds):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(
            -1, 2
        )
    return [(float(x), float(y)) for x, y in points]
