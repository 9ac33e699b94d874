"""Fruit as bodies of revolution under one lamp at the upper left, each with its own skin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gantrans.draws import uniform

from .canvas import Canvas, Point
from .texture import lit, mix, pick, ramp, rgb, smoothstep, vary

Skin = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (across, down) in -1..1 -> x01 colours


def _ball(
    canvas: Canvas, centre: Point, radius: float, skin: Skin, gloss: float = 0.7, squash: float = 1.0
) -> None:
    """A body of revolution: soft shadow, diffuse light, bounce from the table, highlight."""
    x, y = centre
    canvas.ellipse(
        (x + radius * 0.55, y + radius * 0.86),
        (radius * 1.15, radius * 0.32),
        (0.03, 0.01, 0),
        0.6,
        soften=radius * 0.16,
    )
    canvas.ellipse(
        (x + radius * 0.1, y + radius * 0.93),
        (radius * 0.6, radius * 0.14),
        (0.02, 0.01, 0),
        0.75,
        soften=1.0,
    )

    def shaded(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        across, down = (u - x) / radius, (v - y) / (radius * squash)
        toward = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
        diffuse = np.clip(-0.55 * across - 0.6 * down + 0.58 * toward, 0, 1)
        bounce = 0.16 * np.clip(down, 0, 1) * (1 - toward)
        light = 0.2 + 0.95 * diffuse + bounce
        near = (across + 0.38) ** 2 + (down + 0.42) ** 2
        colour = skin(across, down) * light[..., None].astype(np.float32)
        shine = gloss * np.exp(-near * 38) + 0.18 * gloss * np.exp(-near * 7)
        return np.clip(colour + shine[..., None].astype(np.float32), 0, 1)

    canvas.ellipse(centre, (radius, radius * squash), shaded)


def _stem(canvas: Canvas, at: Point, length: float, lean: float) -> None:
    x, y = at
    canvas.line([(x, y), (x + lean * 0.3, y - length * 0.6), (x + lean, y - length)], 1.5, rgb("4a3018"))
    canvas.line([(x - 0.3, y), (x + lean * 0.3 - 0.3, y - length * 0.6)], 0.5, rgb("8a6a3c"))


def apple(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """Streaks run from the stem over a paler ground."""
    ripe, pale = pick(
        rng, ((rgb("c21f2b"), rgb("e9b44a")), (rgb("8fae2e"), rgb("d8d86a")), (rgb("d63a2c"), rgb("d9c24a")))
    )
    phase = rng.random(5) * 6.28

    def skin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        angle = np.arctan2(u, v + 1.25)
        streak = sum(np.sin(angle * k + p) for k, p in zip((9, 23, 41, 63, 87), phase, strict=True)) / 5
        share = smoothstep(-0.5, 0.35, streak + 0.5 * u + 0.35 * (v + 0.5))
        dots = (np.sin(u * 46) * np.sin(v * 46) > 0.97) * 0.1
        return ramp(np.clip(1 - share + dots, 0, 1), (ripe, mix(ripe, pale, 0.5), pale))

    _ball(canvas, centre, radius, skin, 0.75, 0.94)
    x, y = centre
    canvas.ellipse((x, y - radius * 0.74), (radius * 0.3, radius * 0.1), rgb("3d2410"), 0.7, soften=0.8)
    _stem(canvas, (x, y - radius * 0.72), radius * 0.5, uniform(rng, -4, 4))
    if rng.random() < 0.6:
        _leaf(canvas, (x + 1, y - radius * 1.02), radius * 0.8, uniform(rng, -0.5, 0.3))


def orange(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """Dimpled peel."""
    dimples = canvas.noise(rng, 1.7, 1)
    peel = vary(rng, rgb("f08a1d"), 0.04)

    def skin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        spots = canvas.look_up(dimples, centre[0] + u * radius, centre[1] + v * radius)
        return lit(peel, 0.8 + 0.34 * spots)

    _ball(canvas, centre, radius, skin, 0.5, 0.97)
    canvas.ellipse((centre[0] + radius * 0.1, centre[1] - radius * 0.7), (1.6, 1.0), rgb("5f6b22"))


def plum(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """A dark skin under bloom, with its seam."""
    bloom = rng.random(3) * 6.28
    colour = pick(rng, (rgb("4b1e52"), rgb("5e1f3a"), rgb("2f2a66")))

    def skin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        frost = 0.5 + 0.5 * np.sin(3 * u + bloom[0]) * np.sin(4 * v + bloom[1])
        seam = np.exp(-(((u - 0.25 + 0.25 * v * v) / 0.05) ** 2))
        return (
            ramp(np.clip(0.45 * frost + 0.05, 0, 1), (colour, rgb("a79ac2"))) * (1 - 0.45 * seam)[..., None]
        )

    _ball(canvas, centre, radius * 0.9, skin, 0.45, 1.03)
    _stem(canvas, (centre[0] + 1, centre[1] - radius * 0.84), radius * 0.4, uniform(rng, -3, 3))


def lemon(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """A long body with its nipple, pored."""
    x, y = centre
    pores = canvas.noise(rng, 2.2, 2)
    canvas.ellipse((x + radius * 1.0, y + radius * 0.22), (radius * 0.26, radius * 0.2), rgb("c99a14"))

    def skin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        spots = canvas.look_up(pores, x + u * radius, y + v * radius)
        return lit(rgb("f4cf2a"), 0.82 + 0.3 * spots)

    _ball(canvas, (x, y + radius * 0.2), radius * 1.08, skin, 0.5, 0.76)


def pear(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """Two bodies run together, freckled, blushing on one side."""
    x, y = centre
    freckles = smoothstep(0.68, 0.8, canvas.noise(rng, 2.4, 1))

    def skin(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        spots = canvas.look_up(freckles, x + u * radius, y + v * radius)
        blush = smoothstep(0.0, 1.0, u + 0.2)
        colour = ramp(0.6 * blush, (rgb("c9c24a"), rgb("c98a3a"), rgb("b8502c")))
        return colour * (1 - 0.35 * spots)[..., None]

    _ball(canvas, (x, y + radius * 0.05), radius * 0.95, skin, 0.4, 0.98)
    left = [(x - radius * w, y - radius * h) for w, h in ((0.7, 0.5), (0.35, 1.1), (0.26, 1.45))]
    outline = left + [(2 * x - u, v) for u, v in left[::-1]]

    def neck(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        across = (u - x) / radius
        return skin(across, (v - y) / radius) * np.clip(0.96 - 0.75 * across, 0.3, 1.15)[..., None]

    canvas.polygon(outline, neck, soften=0.9)
    canvas.ellipse((x - radius * 0.2, y - radius * 0.9), (1.4, 4.0), (1, 1, 0.9), 0.4, soften=1.2)
    _stem(canvas, (x, y - radius * 1.4), radius * 0.5, uniform(rng, -5, 5))


def grapes(canvas: Canvas, rng: np.random.Generator, centre: Point, radius: float) -> None:
    """A bunch lying down, wide at its back and narrow at its front."""
    colour = pick(rng, (rgb("7a1f4a"), rgb("9fb84a"), rgb("4a3278")))
    x, y = centre
    canvas.ellipse((x + 6, y + radius * 0.75), (radius * 1.5, radius * 0.45), (0.03, 0.01, 0), 0.6, soften=3)
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for index in range(count):
            place = x + (index - (count - 1) / 2) * 6.4 + rng.normal(0, 0.7), y - radius * 0.55 + row * 4.3
            tint = vary(rng, colour, 0.05)
            _ball(canvas, place, 4.3, lambda u, v, c=tint: lit(c, np.ones_like(u + v)), 0.7)
    _stem(canvas, (x, y - radius * 0.7), 9, 5)


def _leaf(canvas: Canvas, base: Point, length: float, turn: float) -> None:
    along = np.linspace(0, 1, 14)
    half = 0.26 * np.sin(np.pi * along) ** 0.8
    cos, sin = np.cos(turn), np.sin(turn)

    def at(u: float, v: float) -> Point:
        return base[0] + length * (u * cos - v * sin), base[1] + length * (u * sin + v * cos)

    upper = [at(u, -h) for u, h in zip(along, half, strict=True)]
    lower = [at(u, h) for u, h in zip(along, half, strict=True)]
    canvas.polygon([*upper, at(1, 0), at(0, 0)], rgb("6a9a3c"))
    canvas.polygon([*lower, at(1, 0), at(0, 0)], rgb("3f6b26"))
    canvas.line([at(0, 0), at(1, 0)], 0.6, rgb("b5cf7a"))
