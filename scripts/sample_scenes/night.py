"""A city by night: lit windows, stars, neon letters and their image in the water."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import WIDE, Canvas
from .texture import Colour, lit, mix, pick, ramp, rgb, shuffled, smoothstep, vary
from .water import mirror, ripple

EVENINGS = (
    ((rgb("05081c"), rgb("14224f"), rgb("3a4f92"), rgb("c98a8a")), rgb("ffd98a")),
    ((rgb("0a0618"), rgb("2a1650"), rgb("7a2f7e"), rgb("f08a6a")), rgb("ffc9a0")),
    ((rgb("03121c"), rgb("0b3444"), rgb("1f6a70"), rgb("d9c98a")), rgb("ffe6a6")),
    ((rgb("070a14"), rgb("1b2440"), rgb("4d5a80"), rgb("e0a060")), rgb("ffd27a")),
)
NEON = (rgb("ff4d6d"), rgb("4de3ff"), rgb("ffd24d"), rgb("8dff70"))
NAMES = ("HOTEL", "GRAND", "JAZZ", "RADIO", "CINEMA", "OPERA", "LUNA", "METRO", "PALACE", "ROXY")


def skyline(rng: np.random.Generator, number: int) -> Image.Image:
    """Three rows of towers over a river, under a moon."""
    heaven, warm = EVENINGS[(number - 1) % len(EVENINGS)]
    canvas = Canvas(*WIDE)
    shore = canvas.height * 0.72
    _heaven(canvas, rng, heaven, shore)
    names = iter(shuffled(rng, NAMES))
    signs = []
    for depth in (0.0, 0.5, 1.0):
        edge, since = -uniform(rng, 0, 14), -40.0
        while edge < canvas.width:
            wide = uniform(rng, 15, 27) * (0.8 + 0.4 * depth)
            tall = uniform(rng, 0.3, 1.0) * (86 - 38 * depth) + 12
            dark = vary(rng, mix(rgb("10131f"), heaven[2], 0.42 - 0.36 * depth), 0.02)
            shows = (
                depth == 1.0 and wide > 24 and edge > max(since + 40, 4) and edge + wide < canvas.width - 4
            )
            if shows:
                signs.append((edge + wide / 2, shore - tall - 5, wide + 8))
                since = edge
            _tower(canvas, rng, (edge, shore - tall, edge + wide, shore), dark, warm, depth)
            edge += wide + uniform(rng, -2, 5)
    for x, y, room in signs:
        _neon(canvas, (x, y), next(names), pick(rng, NEON), room)
    _quay(canvas, shore, warm)
    mirror(canvas, shore, mix(heaven[0], (0, 0, 0), 0.2), 0.5)
    ripple(canvas, rng, shore, 0.9, 0.1, warm)
    return canvas.finish(rng, vignette=0.15)


def _heaven(canvas: Canvas, rng: np.random.Generator, heaven: tuple[Colour, ...], shore: float) -> None:
    """The last light, thin clouds, stars of many magnitudes and the moon with its maria."""
    canvas.wash(1.0, ramp(canvas.y / (shore * 0.72), heaven))
    for _ in range(170):
        place = uniform(rng, 0, canvas.width), shore * rng.random() ** 1.6
        size = 0.28 + 0.9 * rng.random() ** 6
        tint = pick(rng, ((1, 1, 1), rgb("cfe0ff"), rgb("ffe9c9")))
        canvas.ellipse(place, (size, size), tint, 0.35 + 0.65 * rng.random())
    moon = canvas.width * uniform(rng, 0.1, 0.9), canvas.height * uniform(rng, 0.1, 0.2)
    away = np.hypot(canvas.x - moon[0], canvas.y - moon[1])
    canvas.wash(0.45 * np.exp(-away / 20), rgb("dfe6ff"))
    maria = canvas.noise(rng, 8, 4)
    canvas.ellipse(moon, (11, 11), ramp(maria, [rgb("a9a79c"), rgb("fffbe8")]))
    shade = smoothstep(-0.2, 0.9, (canvas.x - moon[0] + 0.4 * (canvas.y - moon[1])) / 11)
    canvas.wash(shade * (away < 11.2), heaven[1], 0.7)
    cloud = smoothstep(0.55, 0.9, canvas.noise(rng, 50, 5, stretch=4)) * smoothstep(
        0.1, 0.6, canvas.y / shore
    )
    canvas.wash(cloud, mix(heaven[3], heaven[1], 0.5), 0.55)


def _tower(
    canvas: Canvas,
    rng: np.random.Generator,
    frame: tuple[float, float, float, float],
    dark: Colour,
    warm: Colour,
    depth: float,
) -> None:
    """One building: body lit from the street, top, windows by the grid."""
    left, top, right, foot = frame
    canvas.box(
        left,
        top,
        right,
        foot,
        lambda x, y: lit(
            dark, 0.75 + 0.9 * (y - top) / (foot - top) - 0.4 * (x > left + 0.7 * (right - left))
        ),
    )
    middle = (left + right) / 2
    crown = int(rng.integers(4))
    if crown == 0:
        canvas.line([(middle, top), (middle, top - uniform(rng, 8, 20))], 0.8, dark)
    elif crown == 1:
        canvas.polygon(
            [(left, top), (middle, top - (right - left) * 0.45), (right, top)], mix(dark, (1, 1, 1), 0.05)
        )
    elif crown == 2:
        for step in (1, 2, 3):
            inset = (right - left) * 0.12 * step
            canvas.box(left + inset, top - 3.5 * step, right - inset, top, mix(dark, (1, 1, 1), 0.03 * step))
    pitch_x, pitch_y = 2.6 + depth * 1.1, 3.6 + depth * 1.2
    busy = uniform(rng, 0.3, 0.75)
    tint = pick(rng, (warm, mix(warm, (1, 1, 1), 0.4), rgb("cfe4ff")))
    for y in np.arange(top + 3, foot - 4, pitch_y):
        for x in np.arange(left + 2, right - pitch_x + 0.6, pitch_x):
            on = rng.random() < busy
            light = vary(rng, mix(dark, tint, uniform(rng, 0.45, 1) if on else 0.08), 0.06)
            canvas.box(x, y, x + pitch_x * 0.58, y + pitch_y * 0.6, light)


def _neon(canvas: Canvas, centre: tuple[float, float], name: str, colour: Colour, room: float) -> None:
    """Letters on a roof with their glow."""
    away = np.hypot((canvas.x - centre[0]) / 1.8, canvas.y - centre[1])
    canvas.wash(0.5 * np.exp(-away / 5), colour)
    for post in (-0.3, 0.3):
        canvas.line(
            [(centre[0] + post * room, centre[1]), (centre[0] + post * room, centre[1] + 6)],
            0.7,
            rgb("0c0e16"),
        )
    canvas.text(centre, name, 10.0, mix(colour, (1, 1, 1), 0.45), bold=0.2, fit=room)


def _quay(canvas: Canvas, shore: float, warm: Colour) -> None:
    """The wall by the water and its lamps."""
    canvas.box(0, shore - 4, canvas.width, shore, rgb("1a1a22"))
    canvas.box(0, shore - 4.4, canvas.width, shore - 3.7, rgb("5d5a60"))
    for x in np.arange(9, canvas.width, 19.0):
        away = np.hypot(canvas.x - x, canvas.y - (shore - 11))
        canvas.wash(0.75 * np.exp(-away / 3.2), warm)
        canvas.line([(x, shore - 4), (x, shore - 11)], 0.7, rgb("0d0f16"))
        canvas.ellipse((x, shore - 11.5), (1.4, 1.4), mix(warm, (1, 1, 1), 0.7))
