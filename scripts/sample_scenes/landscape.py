"""Open country: mountains by the time of day, a wood, a lake, a meadow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import WIDE, Canvas
from .texture import Colour, as_array, lit, mix, pick, profile, ramp, relief, rgb, smoothstep, vary
from .water import mirror, ripple


@dataclass(frozen=True)
class Hour:
    """The colours of one time of day, sky from the zenith down, the sun's place in shares of the frame."""

    sky: tuple[Colour, ...]
    haze: Colour
    rock: Colour
    ground: tuple[Colour, Colour]
    sun: tuple[float, float]
    glow: Colour
    cloud: Colour
    lake: bool
    blossom: tuple[Colour, ...]


DAWN = Hour(
    (rgb("34558f"), rgb("7f8fc0"), rgb("f0b6a0"), rgb("ffe0a8")),
    rgb("e3b3aa"), rgb("39415f"), (rgb("26341f"), rgb("7c8a3c")),
    (0.68, 0.44), rgb("ffe6ae"), rgb("f7c3b4"), True, (rgb("c05bb0"), rgb("e8d6ef")),
)  # fmt: skip
NOON = Hour(
    (rgb("1f63b8"), rgb("5a9be0"), rgb("a5d0f2"), rgb("dcefF9")),
    rgb("a9c6de"), rgb("4e5a63"), (rgb("2f5a1c"), rgb("8fb444")),
    (0.15, 0.02), rgb("ffffff"), rgb("fdfdfd"), False, (rgb("f2d21f"), rgb("fff6f0"), rgb("d8343a")),
)  # fmt: skip
DUSK = Hour(
    (rgb("1c1f4d"), rgb("5b3474"), rgb("c9506b"), rgb("ffac55")),
    rgb("b2606f"), rgb("2c2442"), (rgb("141a1c"), rgb("4a4a34")),
    (0.3, 0.5), rgb("ffd27a"), rgb("e2717c"), True, (rgb("d69b62"), rgb("8c5a86")),
)  # fmt: skip
AUTUMN = Hour(
    (rgb("5f84a8"), rgb("a6c0d2"), rgb("dfe6e4"), rgb("f3ead6")),
    rgb("c6ccd0"), rgb("58514f"), (rgb("5c3d1c"), rgb("c9983f")),
    (0.85, 0.12), rgb("fff4d8"), rgb("f6f4ef"), False, (rgb("b5451f"), rgb("efe2b4")),
)  # fmt: skip
HOURS = (DAWN, NOON, DUSK, AUTUMN)


def landscape(rng: np.random.Generator, number: int) -> Image.Image:
    """Ridges fading into the haze, a wood, now and then a lake, and a meadow at one's feet."""
    hour = HOURS[(number - 1) % len(HOURS)]
    canvas = Canvas(*WIDE)
    sky(canvas, rng, hour)
    shore = canvas.height * (0.7 if hour.lake else 0.775)
    for step in range(4):
        near = step / 3
        crest = shore - canvas.height * (0.4 - 0.3 * near)
        ridge(canvas, rng, hour, near, crest, shore)
    _wood(canvas, rng, hour, shore)
    if hour.lake:
        mirror(canvas, shore, mix(hour.rock, hour.sky[1], 0.4), 0.4)
        ripple(canvas, rng, shore, 0.5, 0.2, hour.sky[-1])
    _meadow(canvas, rng, hour, canvas.height * (0.84 if hour.lake else 0.76))
    return canvas.finish(rng)


def sky(canvas: Canvas, rng: np.random.Generator, hour: Hour) -> None:
    """The gradient, the sun with its glow, and streaked clouds lit from the sun's side."""
    canvas.wash(1.0, ramp(canvas.y / (canvas.height * 0.68), hour.sky))
    x, y = hour.sun[0] * canvas.width, hour.sun[1] * canvas.height
    away = np.hypot(canvas.x - x, canvas.y - y)
    canvas.wash(0.75 * np.exp(-away / 38), hour.glow)
    canvas.ellipse((x, y), (8, 8), mix(hour.glow, (1, 1, 1), 0.5), soften=0.6)
    shape = canvas.noise(rng, 44, 6, gain=0.55, stretch=2.6)
    thick = smoothstep(0.5, 0.78, shape) * smoothstep(0.75, 0.15, canvas.y / canvas.height)
    shadow = mix(hour.cloud, hour.sky[0], 0.45)
    canvas.wash(thick, ramp(np.clip(relief(shape, 26) - 0.5, 0, 1), [shadow, hour.cloud]), 0.9)


def ridge(
    canvas: Canvas, rng: np.random.Generator, hour: Hour, near: float, crest: float, foot: float
) -> None:
    """One mountain chain: rock lit from the side, snow on the far heights, mist about its foot."""
    line = profile(rng, canvas.x.shape[1], 260 - 90 * near, 7, 0.5)
    top = crest + (foot - crest) * (0.95 - 0.55 * near) * (1 - line)[None, :]
    inside = smoothstep(-0.2, 0.2, canvas.y - top)
    folds = canvas.noise(rng, 34 - 8 * near, 6, gain=0.62)
    light = relief(folds, 34)
    colour = mix(hour.haze, mix(hour.rock, hour.ground[0], near * 0.7), 0.38 + 0.6 * near)
    paint = lit(colour, 0.62 + 0.42 * light)
    if near < 0.5:
        height = 1 - (canvas.y - crest) / (foot - crest)
        snow = smoothstep(0.55, 0.75, height + 0.5 * (folds - 0.5)) * smoothstep(0.85, 1.15, light + 0.15)
        paint += (lit(mix(hour.haze, (1, 1, 1), 0.6), 0.55 + 0.45 * light) - paint) * snow[..., None]
    mist = smoothstep(0.45, 1.1, (canvas.y - top) / (foot - top + 1e-3)) * (0.75 - 0.35 * near)
    paint += (as_array(hour.haze) - paint) * mist[..., None]
    canvas.wash(inside, paint)


def _wood(canvas: Canvas, rng: np.random.Generator, hour: Hour, foot: float) -> None:
    """Two belts of trees along the foot of the mountains."""
    for depth, count in ((0.0, 46), (1.0, 22)):
        for at in np.sort(rng.random(count)):
            height = uniform(rng, 9, 16) * (1 + 0.9 * depth)
            base = foot + 1 + depth * (0 if hour.lake else 3)
            colour = vary(rng, mix(hour.ground[0], hour.haze, 0.24 - 0.16 * depth), 0.05)
            x = at * canvas.width * 1.05
            if hour is AUTUMN and rng.random() < 0.6:
                colour = vary(
                    rng, mix(pick(rng, (rgb("b5571c"), rgb("d29a2a"), rgb("8c2f1b"))), hour.haze, 0.2)
                )
                _broadleaf(canvas, rng, (x, base), height * 0.8, colour)
            else:
                _conifer(canvas, rng, (x, base), height, colour)


def _conifer(
    canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float], height: float, colour: Colour
) -> None:
    """A fir of ragged tiers, its right side in shade."""
    x, base = foot
    for side, light in ((-1, 1.3), (1, 0.75)):
        edge = [(x, base - height)]
        for tier in range(1, 8):
            reach = height * 0.24 * tier / 7 * uniform(rng, 0.8, 1.15)
            level = base - height * (1 - tier / 7.6)
            edge += [(x + side * reach, level + 0.6), (x + side * reach * 0.5, level - 0.3)]
        canvas.polygon([*edge, (x, base)], mix((0, 0, 0), colour, min(light, 1.3)))


def _broadleaf(
    canvas: Canvas, rng: np.random.Generator, foot: tuple[float, float], height: float, colour: Colour
) -> None:
    """A round crown of leaf clumps, the lighter ones on top."""
    x, base = foot
    canvas.line([(x, base), (x, base - height * 0.5)], 1.0, mix(colour, (0.1, 0.07, 0.05), 0.8))
    for clump in range(44):
        lift = clump / 43
        across = rng.normal(0, 0.2) * np.sin(np.pi * (0.2 + 0.7 * lift))
        radius = height * uniform(rng, 0.06, 0.11)
        light = 0.55 + 0.6 * lift - 0.5 * across
        place = x + height * across, base - height * (0.4 + 0.5 * lift)
        canvas.ellipse(place, (radius, radius * 0.8), vary(rng, mix((0, 0, 0), colour, light), 0.05))


def _meadow(canvas: Canvas, rng: np.random.Generator, hour: Hour, top: float) -> None:
    """Rolling ground, blades of grass that grow towards the viewer, and blossoms among them."""
    edge = top + 9 * (profile(rng, canvas.x.shape[1], 300, 4) - 0.5)[None, :]
    soil = canvas.noise(rng, 16, 5, gain=0.65, stretch=2.5)
    canvas.wash(smoothstep(-0.2, 0.2, canvas.y - edge), ramp(soil, [*hour.ground]))
    for near in np.sort(rng.random(620)):
        x = uniform(rng, -4, canvas.width + 4)
        column = int(np.clip(x / canvas.width, 0, 0.999) * edge.shape[1])
        base = edge[0, column] + 1 + near * (canvas.height - edge[0, column] + 6)
        blade = (3 + 11 * near) * uniform(rng, 0.6, 1.3)
        lean = rng.normal(0.15, 0.3) * blade
        colour = vary(rng, mix(hour.ground[0], hour.ground[1], rng.random() * 1.15), 0.05)
        bend = (x + lean * 0.3, base - blade * 0.6)
        canvas.line([(x, base), bend, (x + lean, base - blade)], 0.45 + 0.6 * near, colour)
        if rng.random() < 0.1:
            size = 0.7 + 1.5 * near
            canvas.ellipse((x + lean, base - blade), (size, size * 0.8), vary(rng, pick(rng, hour.blossom)))
