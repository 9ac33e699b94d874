"""Things on shelves and walls: books with titled spines, clocks and gauges."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import TALL, WIDE, Canvas, Point
from .texture import lit, mix, palette, pick, ramp, rgb, shuffled, smoothstep, vary, wood

SPINES = palette("7a1f2b 1f3d5c 2f5d46 c9962e e6dcc3 3b2f4a b5532d 20242c 6b7f8c 8c3f5d d9c7a0 456b3a")
TITLES = (
    "ATLAS OF CLOUDS", "THE LONG RIVER", "BIRDS", "NIGHT TRAINS", "ON LIGHT", "GARDENS", "SALT", "POEMS",
    "A HISTORY OF GLASS", "WINTER", "BREAD", "STARS", "THE QUIET SEA", "MAPS", "WOODCUTS", "LETTERS HOME",
    "COLOUR", "HARBOURS", "TEA", "MOSSES", "THE CLOCKMAKER", "SONATAS", "ISLANDS", "RED HOUSES", "MOTHS",
    "GEOMETRY", "FIELD NOTES", "ORCHARDS", "PAPER BOATS", "KITES", "ECHO", "NORTH", "THE BLUE DOOR", "FOXES",
)  # fmt: skip
WOODS = [palette(codes) for codes in ("4a2a16 9c6535", "6b4a2c c79a63", "33221a 6f4a34", "7a6a58 c9b99f")]
Ornament = Callable[[Canvas, np.random.Generator, Point, float], float]


def books(rng: np.random.Generator, number: int) -> Image.Image:
    """Shelves of books, some leaning, between them an ornament or two."""
    canvas = Canvas(*(TALL if number % 2 == 0 else WIDE))
    dark, light = WOODS[(number - 1) % len(WOODS)]
    planks = wood(rng, canvas.x.shape, 60, dark, light)
    canvas.wash(1.0, planks * 0.42)
    rows = 3 if number % 2 == 0 else 2
    step = canvas.height / rows
    titles = iter(shuffled(rng, TITLES))
    ornaments = [_globe, _vase] * (rows - 1)
    for row in range(rows):
        base = (row + 1) * step - 8
        canvas.wash(
            smoothstep(14, 0, canvas.y - base + step - 8) * (canvas.y > base - step + 8), (0, 0, 0), 0.6
        )
        _row(canvas, rng, base, step - 13, titles, ornaments)
        board = smoothstep(-0.3, 0.3, canvas.y - base) * smoothstep(0.3, -0.3, canvas.y - base - 8)
        canvas.wash(board, np.clip(planks * (1.15 - 0.07 * (canvas.y - base))[..., None], 0, 1))
        canvas.box(0, base + 8, canvas.width, base + 11, (0, 0, 0), 0.4)
    canvas.wash(smoothstep(0.2, 1.2, canvas.x / canvas.width), (0.06, 0.03, 0.02), 0.45)
    return canvas.finish(rng)


def _row(
    canvas: Canvas,
    rng: np.random.Generator,
    base: float,
    room: float,
    titles: Iterator[str],
    ornaments: list[Ornament],
) -> None:
    """Books from left to right, here and there the next ornament of those that are left."""
    x = uniform(rng, 2, 6)
    while x < canvas.width - 8:
        if ornaments and rng.random() < 0.12 and 30 < x < canvas.width - 34:
            x += ornaments.pop()(canvas, rng, (x, base), room)
            continue
        wide, tall = uniform(rng, 10, 17), room * uniform(rng, 0.7, 0.97)
        lean = uniform(rng, 3, 8) if rng.random() < 0.1 else 0.0
        _book(canvas, rng, (x + lean, base), wide, tall, lean, next(titles, "NOTES"))
        x += wide + lean + uniform(rng, 0.3, 0.9)


def _book(
    canvas: Canvas,
    rng: np.random.Generator,
    foot: Point,
    wide: float,
    tall: float,
    lean: float,
    title: str,
) -> None:
    """One spine: cloth or leather, rounded light, bands, title along it and a printer's mark."""
    x, base = foot
    cloth = vary(rng, pick(rng, SPINES), 0.05)
    pale = sum(cloth) / 3 > 0.55
    ink = rgb("3a2418") if pale else pick(rng, (rgb("f3d98b"), rgb("f6efe0"), rgb("ffffff")))
    weave = canvas.noise(rng, pick(rng, (1.3, 4.0, 9.0)), 3, gain=0.7)

    def round_light(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        across = (u - x + lean * (base - v) / tall) / wide
        return 1.12 - 1.5 * (across - 0.4) ** 2 - 0.35 * smoothstep(0.9, 1.0, across)

    def at(u: float, v: float) -> tuple[float, float]:
        return x + u * wide - lean * v, base - v * tall

    body = [at(0, 0), at(1, 0), at(1, 1), at(0, 1)]
    shaded = np.clip(lit(cloth, 0.8 + 0.35 * weave) * round_light(canvas.x, canvas.y)[..., None], 0, 1)
    canvas.polygon(body, shaded)
    style = int(rng.integers(4))
    for v in ((0.06, 0.09, 0.86, 0.89), (0.1, 0.9), (0.03, 0.06, 0.09, 0.94), (0.08, 0.11))[style]:
        canvas.line([at(0.02, v), at(0.98, v)], 0.9, lambda u, w: lit(ink, round_light(u, w)), 0.9)
    length, angle = len(title) * 5.6 + 8, 90 + np.degrees(np.arctan2(lean, tall))
    if style == 1 and length < tall * 0.75:
        plate = [at(0.06, 0.16), at(0.94, 0.16), at(0.94, 0.84), at(0.06, 0.84)]
        canvas.polygon(plate, mix(cloth, (0.03, 0.03, 0.05), 0.65))
        ink = rgb("f3d98b")
    size = min(9.0, wide * 0.78)
    canvas.text(at(0.5, 0.5), title, size, ink, 0.95, angle_deg=angle, fit=tall * 0.72, bold=0.05)
    if style == 3:
        canvas.ellipse(at(0.5, 0.92), (wide * 0.2, wide * 0.2), ink, 0.9)


def _globe(canvas: Canvas, rng: np.random.Generator, foot: Point, _room: float) -> float:
    """A desk globe with seas, lands and a brass meridian; gives the width it takes."""
    x, base = foot[0] + 15.5, foot[1]
    y, radius = base - 26, 13.0
    canvas.ellipse((x, base - 1.5), (8, 2), rgb("5a3b1e"))
    canvas.line([(x, base - 2), (x, base - 12)], 2.2, rgb("b58a3c"))
    canvas.ellipse((x, y), (radius + 1.6, radius + 1.6), rgb("c79a48"))
    lands = smoothstep(0.52, 0.56, canvas.noise(rng, 11, 4))
    away = ((canvas.x - x + 4) ** 2 + (canvas.y - y + 4) ** 2) / radius**2
    grid = 1 - 0.18 * (np.abs((canvas.y - y) % 5 - 2.5) < 0.25)
    map_colour = ramp(lands, (rgb("3f7fa8"), rgb("c9b36a")))
    canvas.ellipse(
        (x, y), (radius, radius), map_colour * (np.clip(1.25 - 0.42 * away, 0.2, 1.3) * grid)[..., None]
    )
    canvas.ellipse((x - 4.5, y - 5), (2.4, 1.7), (1, 1, 1), 0.6, soften=0.8)
    return 32.0


def _vase(canvas: Canvas, rng: np.random.Generator, foot: Point, room: float) -> float:
    """A glazed vase with dried twigs; gives the width it takes."""
    x, base, tall = foot[0] + 11, foot[1], room * 0.55
    glaze = pick(rng, (rgb("2f6f7a"), rgb("e8e2d2"), rgb("b8532f")))
    for _ in range(9):
        tip = x + rng.normal(0, 6), base - tall * uniform(rng, 1.15, 1.6)
        canvas.line([(x, base - tall), tip], 0.6, rgb("6b5a34"))
        canvas.ellipse(tip, (1.5, 2.0), vary(rng, rgb("d9a45a"), 0.12))
    sides = np.linspace(0, 1, 24)
    half = 3.2 + 5.6 * np.sin(np.pi * np.clip(sides * 1.12, 0, 1)) ** 1.3
    outline = [(x - h, base - tall * s) for h, s in zip(half, sides, strict=True)]
    outline += [(x + h, base - tall * s) for h, s in zip(half[::-1], sides[::-1], strict=True)]
    canvas.polygon(outline, lambda u, _: lit(glaze, np.clip(1.15 - 0.016 * (u - x + 3) ** 2, 0.25, 1.2)))
    canvas.line(
        [(x - 3.4, base - tall * 0.72), (x - 4.4, base - tall * 0.35)], 1.2, (1, 1, 1), 0.6, soften=0.4
    )
    canvas.box(x - 7.5, base - tall * 0.45, x + 7.5, base - tall * 0.41, mix(glaze, (0, 0, 0), 0.5), 0.6)
    return 22.0
