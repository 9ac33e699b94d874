"""A bed of daisies, poppies and tulips before dim foliage."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import TALL, WIDE, Canvas, Point
from .texture import Colour, lit, mix, pick, ramp, rgb, smoothstep, vary

BEDS = (
    (
        (rgb("10210f"), rgb("3f6a2c"), rgb("a9bf5a")),
        (rgb("e8395c"), rgb("f7a6b4"), rgb("ffffff"), rgb("f2b632")),
    ),
    (
        (rgb("0f1d26"), rgb("2f5a5c"), rgb("9ac2a6")),
        (rgb("5b4fc4"), rgb("a78be0"), rgb("f4eefc"), rgb("e86aa8")),
    ),
    (
        (rgb("231a0c"), rgb("6a5a22"), rgb("d9b65a")),
        (rgb("f07a1d"), rgb("f7c52e"), rgb("c92f24"), rgb("fff0c9")),
    ),
    (
        (rgb("0f2414"), rgb("2f6b3c"), rgb("b9d98a")),
        (rgb("ffffff"), rgb("f9d5e3"), rgb("e0447a"), rgb("ffe14d")),
    ),
)


def flowers(rng: np.random.Generator, number: int) -> Image.Image:
    """Foliage out of focus, then stems, leaves and blossoms from the back to the front."""
    canvas = Canvas(*(TALL if number % 4 == 2 else WIDE))
    greens, blooms = BEDS[(number - 1) % len(BEDS)]
    thicket(canvas, rng, greens)
    for _ in range(60):
        foot = uniform(rng, -10, canvas.width + 10), canvas.height * uniform(rng, 0.75, 1.15)
        blade(
            canvas,
            rng,
            foot,
            uniform(rng, 30, 70),
            vary(rng, mix(greens[0], greens[1], uniform(rng, 0.4, 1.3))),
        )
    count = 20
    for index in range(count):
        near = index / (count - 1)
        column = (index * 0.618 + uniform(rng, -0.07, 0.07)) % 1.0
        head = (
            canvas.width * (0.04 + 0.92 * column),
            canvas.height * (0.2 + 0.56 * near + uniform(rng, -0.07, 0.07)),
        )
        size = 11 + 13 * near
        stem = vary(rng, mix(greens[1], greens[2], 0.25))
        _stalk(canvas, rng, head, size, stem)
        colour = vary(rng, pick(rng, blooms), 0.05)
        pick(rng, (_daisy, _daisy, _poppy, _tulip))(
            canvas, rng, head, size, mix(colour, greens[0], 0.4 * (1 - near) ** 2)
        )
    sun = np.exp(-np.hypot(canvas.x, canvas.y) / (canvas.width * 0.5))
    canvas.wash(0.3 * sun, rgb("fff2c0"))
    return canvas.finish(rng, vignette=0.35)


def thicket(canvas: Canvas, rng: np.random.Generator, greens: tuple[Colour, ...]) -> None:
    """Dim leaves and points of light far behind."""
    canvas.wash(1.0, ramp(canvas.noise(rng, 40, 5, gain=0.6), (greens[0], mix(greens[0], greens[1], 0.8))))
    for _ in range(40):
        place = uniform(rng, 0, canvas.width), uniform(rng, 0, canvas.height * 0.7)
        radius = uniform(rng, 2.5, 8)
        canvas.ellipse(
            place, (radius, radius), vary(rng, greens[2], 0.1), uniform(rng, 0.08, 0.3), soften=0.8
        )


def blade(canvas: Canvas, rng: np.random.Generator, foot: Point, length: float, colour: Colour) -> None:
    """A bent leaf: dark and light half, veins between."""
    lean, bend = rng.normal(0, 0.35), rng.normal(0, 0.5)
    along = np.linspace(0, 1, 16)
    turn = lean + bend * along
    x = foot[0] + length * np.cumsum(np.sin(turn)) / 16
    y = foot[1] - length * np.cumsum(np.cos(turn)) / 16
    half = length * 0.1 * np.sin(np.pi * np.clip(along * 0.9 + 0.1, 0, 1)) ** 0.8
    spine = [*zip(x, y, strict=True)]
    for side, light in ((-1, 1.2), (1, 0.75)):
        edge = [*zip(x + side * half * np.cos(turn), y + side * half * np.sin(turn), strict=True)]
        canvas.polygon([*spine, *edge[::-1]], mix((0, 0, 0), colour, light))
        for at in range(2, 14, 2):
            canvas.line([spine[at], edge[min(at + 2, 15)]], 0.4, mix(colour, (1, 1, 0.8), 0.25), 0.5)
    canvas.line(spine, 0.6, mix(colour, (1, 1, 0.8), 0.35))


def _stalk(canvas: Canvas, rng: np.random.Generator, head: Point, size: float, colour: Colour) -> None:
    sway = rng.normal(0, 8)
    path = [
        (head[0] + sway * t * t, head[1] + (canvas.height + 6 - head[1]) * t) for t in np.linspace(0, 1, 10)
    ]
    canvas.line([(x + 0.9, y) for x, y in path], size * 0.13, mix(colour, (0, 0, 0), 0.5))
    canvas.line(path, size * 0.1, colour)


def _petal(
    canvas: Canvas, centre: Point, turn: float, length: float, wide: float, colour: Colour, flat: float
) -> None:
    """One petal: darker at its root, streaked along, its edge lighter; `flat` foreshortens the flower."""
    along = np.linspace(0, 1, 14)
    half = wide * np.sin(np.pi * along**0.75) ** 0.7
    cos, sin = np.cos(turn), np.sin(turn)

    def at(u: np.ndarray, v: np.ndarray) -> list[Point]:
        return [*zip(centre[0] + u * cos - v * sin, centre[1] + flat * (u * sin + v * cos), strict=True)]

    def streaks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        u, v = x - centre[0], (y - centre[1]) / flat
        far, off = u * cos + v * sin, -u * sin + v * cos
        light = 0.62 + 0.42 * smoothstep(0.1, 0.8, far / length) + 0.1 * np.sin(off * 14 / wide)
        return lit(colour, light * (1.0 - 0.18 * off / wide - 0.12 * sin))

    outline = [*at(along * length, half), *at(along[::-1] * length, -half[::-1])]
    canvas.polygon([(x + 0.7, y + 1.1) for x, y in outline], (0, 0, 0), 0.28, soften=0.6)
    canvas.polygon(outline, streaks)


def _daisy(canvas: Canvas, rng: np.random.Generator, head: Point, size: float, colour: Colour) -> None:
    """Two whorls of petals about a seeded disc."""
    flat, start = uniform(rng, 0.65, 0.95), uniform(rng, 0, 1)
    petals = int(rng.integers(9, 15))
    for whorl, shade in ((0, 0.85), (1, 1.0)):
        for index in range(petals):
            turn = start + (index + 0.5 * whorl) * 2 * np.pi / petals
            tint = vary(rng, mix((0, 0, 0), colour, shade), 0.03)
            _petal(canvas, head, turn, size * uniform(rng, 0.88, 1.0), size * 1.7 / petals, tint, flat)
    core = size * 0.3
    canvas.ellipse(
        (head[0] + 0.6, head[1] + 1), (core * 1.08, core * flat * 1.08), (0, 0, 0), 0.35, soften=0.6
    )
    canvas.ellipse(head, (core, core * flat), rgb("c98a12"))
    # Seeds stand on a golden-angle spiral (Vogel 1979).
    for seed in range(46):
        radius, turn = core * 0.95 * np.sqrt(seed / 46), seed * 2.39996
        place = head[0] + radius * np.cos(turn), head[1] + flat * radius * np.sin(turn)
        tone = mix(rgb("ffd84a"), rgb("7a4308"), 0.75 * seed / 46 + 0.1)
        canvas.ellipse(place, (core * 0.1, core * 0.1), vary(rng, tone, 0.06))


def _poppy(canvas: Canvas, rng: np.random.Generator, head: Point, size: float, colour: Colour) -> None:
    """Four broad crumpled petals with dark blotches about a ring of stamens."""
    flat, start = uniform(rng, 0.7, 0.95), uniform(rng, 0, 2)
    for index in (0, 2, 1, 3):
        turn = start + index * np.pi / 2
        _petal(canvas, head, turn, size, size * 0.66, vary(rng, colour, 0.04), flat)
    dark = mix(colour, rgb("1a0a16"), 0.9)
    for index in range(4):
        turn = start + index * np.pi / 2
        spot = head[0] + size * 0.3 * np.cos(turn), head[1] + flat * size * 0.3 * np.sin(turn)
        canvas.ellipse(spot, (size * 0.16, size * 0.13), dark, 0.8, soften=0.5)
    for _ in range(34):
        turn, radius = uniform(rng, 0, 6.28), size * uniform(rng, 0.18, 0.36)
        tip = head[0] + radius * np.cos(turn), head[1] + flat * radius * np.sin(turn)
        canvas.line([head, tip], 0.4, dark)
        canvas.ellipse(tip, (0.8, 0.8), rgb("e6cf7a"))
    canvas.ellipse(head, (size * 0.14, size * 0.13), rgb("8fa85a"))
    for ray in range(8):
        turn = ray * np.pi / 4
        canvas.line(
            [head, (head[0] + size * 0.12 * np.cos(turn), head[1] + size * 0.12 * np.sin(turn))],
            0.4,
            rgb("3f4a24"),
        )


def _tulip(canvas: Canvas, rng: np.random.Generator, head: Point, size: float, colour: Colour) -> None:
    """A cup of pointed petals seen from the side."""
    x, y = head
    for shift, wide, shade in (
        (-0.2, 0.4, 0.66),
        (0.2, 0.4, 0.6),
        (-0.4, 0.36, 0.98),
        (0.4, 0.36, 0.8),
        (0, 0.46, 1.08),
    ):
        centre, tint = x + size * shift, vary(rng, mix((0, 0, 0), colour, shade), 0.03)
        rows = np.linspace(0, 1, 14)
        half = size * wide * np.sin(np.pi * rows**0.8) ** 0.62 * (1.08 - 0.3 * rows)
        drift = -size * shift * 0.3 * rows
        left = [
            (centre + d - h, y + size * (0.75 - 1.5 * r)) for d, h, r in zip(drift, half, rows, strict=True)
        ]
        right = [
            (centre + d + h, y + size * (0.75 - 1.5 * r)) for d, h, r in zip(drift, half, rows, strict=True)
        ]

        def cup(u: np.ndarray, v: np.ndarray, c=centre, w=wide, s=tint) -> np.ndarray:
            across = (u - c) / (size * w)
            vein = 0.04 * np.sin(across * 12) + 0.2 * (y - v) / size
            return lit(s, 0.9 + vein - 0.3 * np.abs(across + 0.25))

        canvas.polygon([*left, *right[::-1]], cup)
