"""Parts of clocks and gauges: ticks, hands, enamel, turned and brushed metal, glass, screws."""

from __future__ import annotations

import numpy as np

from gantrans.draws import uniform

from .canvas import Canvas
from .texture import Colour, fractal, lit, ramp, rgb, smoothstep

BRASS = (rgb("4a3312"), rgb("b8893a"), rgb("fff0bc"), rgb("8a6424"))
STEEL = (rgb("23272c"), rgb("7d8790"), rgb("f4f7f9"), rgb("565f68"))


def polar(centre: tuple[float, float], radius: float, angle_deg: float) -> tuple[float, float]:
    """A point by its angle, clockwise from twelve o'clock."""
    turn = np.radians(angle_deg)
    return float(centre[0] + radius * np.sin(turn)), float(centre[1] - radius * np.cos(turn))


def ticks(
    canvas: Canvas,
    centre: tuple[float, float],
    radius: float,
    count: int,
    start: float,
    sweep: float,
    ink: Colour,
) -> None:
    for tick in range(count + 1):
        main = tick % 5 == 0
        turn = start + sweep * tick / count
        inner = polar(centre, radius * (0.87 if main else 0.93), turn)
        canvas.line([inner, polar(centre, radius, turn)], 1.2 if main else 0.55, ink)


def hand(
    canvas: Canvas, centre: tuple[float, float], length: float, turn: float, wide: float, colour: Colour
) -> None:
    """A tapering hand, its tail and its shadow on the face."""
    tip, tail = polar(centre, length, turn), polar(centre, -length * 0.22, turn)
    sides = [polar(centre, wide * s, turn + 90) for s in (-0.7, 0.7)]
    shape = [tip, sides[0], tail, sides[1]]
    canvas.polygon([(x + 1.5, y + 2) for x, y in shape], (0, 0, 0), 0.35, soften=0.7)
    canvas.polygon(shape, colour)


def face(
    canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float], radius: float, colour: Colour
) -> None:
    """Enamel with faint stains, in the shadow of its rim."""
    stain = 0.9 + 0.14 * canvas.noise(rng, radius * 0.5, 4)
    away = np.hypot(canvas.x - centre[0] - 1.5, canvas.y - centre[1] - 2) / radius
    canvas.ellipse(centre, (radius, radius), lit(colour, stain * (1 - 0.4 * smoothstep(0.82, 1.02, away))))


def rim(
    canvas: Canvas, centre: tuple[float, float], radius: float, metal: tuple[Colour, ...], thick: float
) -> None:
    """Turned metal: bright where its slope faces the lamps, the inner bevel the other way round."""
    for bevel, (outer, turn) in enumerate(((radius, 0.9), (radius - thick * 0.55, 0.9 + np.pi))):
        angle = np.arctan2(canvas.y - centre[1], canvas.x - centre[0])
        shine = 0.5 + 0.32 * np.cos(angle + turn + 1.3) + 0.18 * np.cos(3 * angle + bevel)
        canvas.ellipse(centre, (outer, outer), ramp(np.clip(shine, 0, 1), metal))


def drop_shadow(canvas: Canvas, centre: tuple[float, float], radius: float) -> None:
    canvas.ellipse((centre[0] + 3, centre[1] + 5), (radius + 1, radius + 1), (0, 0, 0), 0.6, soften=3.5)


def glass(canvas: Canvas, centre: tuple[float, float], radius: float) -> None:
    """The window's reflection: a soft crescent above."""
    lens = np.hypot((canvas.x - centre[0] - radius * 0.16) / 1.1, canvas.y - centre[1] - radius * 0.42)
    glare = smoothstep(radius * 0.9, radius * 1.2, lens)
    inside = smoothstep(radius * 0.94, radius * 0.92, np.hypot(canvas.x - centre[0], canvas.y - centre[1]))
    canvas.wash(glare * inside, (1, 1, 1), 0.3)


def screw(canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float]) -> None:
    canvas.ellipse((centre[0] + 0.8, centre[1] + 1), (3.4, 3.4), (0, 0, 0), 0.5, soften=0.6)
    canvas.ellipse(centre, (3, 3), lambda x, y: lit(rgb("b9bfc4"), 1 - 0.1 * (x - centre[0] + y - centre[1])))
    turn = uniform(rng, 0, 180)
    canvas.line([polar(centre, 2.6, turn), polar(centre, -2.6, turn)], 0.9, rgb("2a2d30"))


def brushed(canvas: Canvas, rng: np.random.Generator, metal: tuple[Colour, ...]) -> np.ndarray:
    """Brushed sheet metal (H, W, 3)."""
    lines = fractal(rng, canvas.x.shape, 4, 2, stretch=60)
    return ramp(0.3 + 0.3 * lines + 0.1 * np.sin(canvas.x / 9), metal[:3])
