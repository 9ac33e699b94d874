"""Fabric close enough to see its threads: tartan, knitting, a kilim; cross-stitch is in sampler.py."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .canvas import WIDE, Canvas, Point
from .sampler import sampler
from .texture import Colour, lit, relief, rgb, thread

Grid = tuple[np.ndarray, np.ndarray]


def fabric(rng: np.random.Generator, number: int) -> Image.Image:
    """In turn tartan with a sewn label, a knitted jumper, a kilim, an embroidered sampler."""
    return (_tartan, _jumper, _kilim, sampler)[(number - 1) % 4](rng)


def _draped(
    canvas: Canvas, rng: np.random.Generator, deep: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cloth coordinates over soft folds, and the light on them."""
    height = canvas.noise(rng, 75, 3, gain=0.45, stretch=0.7)
    light = np.clip(relief(height, 60 * deep), 0.45, 1.5)
    down, across = np.gradient(height)
    return canvas.x + 480 * deep * across + 16 * deep * height, canvas.y + 480 * deep * down, light


def _tartan(rng: np.random.Generator) -> Image.Image:
    canvas = Canvas(*WIDE)
    x, y, light = _draped(canvas, rng, 1.0)
    setts = (
        ("8c1c24", 16),
        ("123a2c", 8),
        ("1a2c5a", 6),
        ("f2e8c8", 1),
        ("123a2c", 8),
        ("e0b02f", 2),
        ("8c1c24", 5),
    )
    stripes = np.concatenate([np.tile(rgb(code), (count, 1)) for code, count in setts])
    stripes = np.concatenate([stripes, stripes[::-1]])
    pitch = 1.25
    warp, weft = (np.floor(at / pitch).astype(int) for at in (x, y))
    over = ((warp + weft) % 4 < 2)[..., None]  # a two-over-two twill
    colour = np.where(over, stripes[warp % len(stripes)], stripes[weft % len(stripes)])
    round_light = np.where(over[..., 0], thread(x / pitch), thread(y / pitch))
    fuzz = 0.9 + 0.2 * canvas.noise(rng, 8, 3)
    canvas.wash(1.0, np.clip(colour * ((0.62 + 0.5 * round_light) * fuzz * light)[..., None], 0, 1))
    _label(canvas, rng, (canvas.width * 0.3, canvas.height * 0.6))
    _pin(canvas, (canvas.width * 0.72, canvas.height * 0.3))
    return canvas.finish(rng)


def _label(canvas: Canvas, rng: np.random.Generator, centre: Point) -> None:
    """A woven maker's label with stitched edges."""
    x, y = centre
    canvas.box(x - 40, y - 19, x + 42, y + 23, (0.02, 0.02, 0.02), 0.5)
    weave = 0.86 + 0.16 * thread(canvas.y / 0.9) + 0.06 * canvas.noise(rng, 12, 3)
    canvas.box(x - 42, y - 22, x + 41, y + 21, lit(rgb("efe6cf"), weave))
    canvas.text((x, y - 10), "GLEN MORA", 12, rgb("7d1a22"), bold=0.3, fit=70)
    canvas.text((x, y + 3), "PURE NEW WOOL", 9, rgb("26324f"), fit=70)
    canvas.text((x, y + 14), f"No. {int(rng.integers(1000, 9999))} size M", 8.5, rgb("4a4038"), fit=70)
    for along in np.arange(x - 40, x + 39, 4.2):
        for edge in (y - 20, y + 19):
            canvas.line([(along, edge), (along + 2.4, edge)], 0.9, rgb("7d1a22"))


def _pin(canvas: Canvas, centre: Point) -> None:
    """A steel kilt pin across a fold."""
    x, y = centre
    path = [(x - 24, y + 12), (x + 22, y - 12)]
    canvas.line([(u + 1.2, v + 2.2) for u, v in path], 2.4, (0, 0, 0), 0.5, soften=0.8)
    canvas.line(path, 2.4, rgb("8b9299"))
    canvas.line([(u, v - 0.5) for u, v in path], 0.8, rgb("f7f9fb"))
    for end, radius in ((path[0], 4.2), (path[1], 3.4)):
        canvas.ellipse((end[0] + 1, end[1] + 1.6), (radius, radius), (0, 0, 0), 0.45, soften=0.8)
        canvas.ellipse(
            end, (radius, radius), lambda u, v, e=end: lit(rgb("b9c0c6"), 1 - 0.12 * (u - e[0] + v - e[1]))
        )
        canvas.ellipse(end, (radius * 0.45, radius * 0.45), rgb("3a1a1e"))


def _jumper(rng: np.random.Generator) -> Image.Image:
    """Stocking stitch: V-shaped loops, a band of stars and diamonds, buttons down the edge."""
    canvas = Canvas(*WIDE)
    x, y, light = _draped(canvas, rng, 0.6)
    wide, tall = 4.2, 3.6
    column = np.floor(x / wide).astype(int)
    inside = x / wide - column - 0.5
    row_at = y / tall + np.abs(inside) * 1.5
    row = np.floor(row_at).astype(int)
    colours = np.array([rgb(code) for code in ("23395b", "f1ece0", "b8322f", "d9a441")])
    pattern = _nordic(rng)
    colour = colours[pattern[row % pattern.shape[0], column % pattern.shape[1]]]
    loop = thread(row_at) * np.sqrt(np.clip(1 - (4 * np.abs(inside) - 1) ** 2 * 0.85, 0, 1))
    twist = 0.9 + 0.14 * np.sin((row_at * 3 + inside * 9) * 2 * np.pi)
    fuzz = 0.9 + 0.2 * canvas.noise(rng, 8, 3, gain=0.45)
    canvas.wash(1.0, np.clip(colour * ((0.3 + 0.8 * loop) * twist * fuzz * light)[..., None], 0, 1))
    for index in range(4):
        _button(canvas, (canvas.width * 0.86, canvas.height * (0.14 + 0.25 * index)), rgb("8a5a30"))
    return canvas.finish(rng)


def _nordic(rng: np.random.Generator) -> np.ndarray:
    """Colour numbers (rows, columns) of a Nordic chart: stars between bands of diamonds and lice."""
    star = (
        "....#...#....",
        "....##.##....",
        "#...##.##...#",
        "##..##.##..##",
        "###.#...#.###",
        ".###.#.#.###.",
        "......#......",
    )
    upper = np.array([[cell == "#" for cell in line] for line in star])
    block = np.concatenate([upper, upper[-2::-1]])
    chart = np.zeros((48, 16), int)
    chart[4:17, 1:14][block] = 1
    for centre, inner in ((24, 2), (42, 3)):
        for row in range(-4, 5):
            for column in range(16):
                reach = abs(row) + abs(column % 8 - 4)
                chart[centre + row, column] = (
                    inner if reach == 4 else 1 if reach < 3 else chart[centre + row, column]
                )
    for row in (1, 19, 29, 37, 47):
        chart[row, row % 2 :: 2] = 1
    chart[31:36:2, ::4] = 1
    return np.roll(chart, int(rng.integers(48)), axis=0)


def _button(canvas: Canvas, centre: Point, horn: Colour) -> None:
    x, y = centre
    canvas.ellipse((x + 1.5, y + 2.5), (10.5, 10.5), (0, 0, 0), 0.6, soften=1.6)
    canvas.ellipse(centre, (10, 10), lambda u, v: lit(horn, 1.0 - 0.035 * (u - x + v - y)))
    canvas.ellipse(
        centre,
        (7.4, 7.4),
        lambda u, v: lit(horn, 0.85 + 0.05 * (u - x + v - y) + 0.1 * np.sin(u * 1.9 + np.sin(v))),
    )
    for side in ((-2, -2), (2, -2), (-2, 2), (2, 2)):
        canvas.ellipse((x + side[0], y + side[1]), (1.2, 1.2), rgb("1d1008"))
    for slope in (-1, 1):
        canvas.line([(x - 2, y - 2 * slope), (x + 2, y + 2 * slope)], 0.9, rgb("efe6d0"))
    canvas.ellipse((x - 4.5, y - 5), (2.2, 1.4), (1, 1, 1), 0.5, soften=0.7, turn=-0.7)


def _kilim(rng: np.random.Generator) -> Image.Image:
    """A flat-woven rug: stepped medallions, borders of hooks, knotted fringe over floor boards."""
    canvas = Canvas(*WIDE)
    x, y, light = _draped(canvas, rng, 0.45)
    column, row = np.floor(x / 2.1).astype(int), np.floor(y / 1.5).astype(int)
    inks = np.array([rgb(code) for code in ("9c2b26", "1f3350", "e8d9b4", "c9812f", "3f6b57", "2a1a17")])
    u = np.abs((column + 2) % 36 - 18)
    v = np.abs((row * 3 // 4) % 36 - 18) // 2 * 2
    ring = u + v
    motif = np.select([ring < 4, ring < 8, ring < 11, ring < 15, ring < 17, ring < 22], [3, 1, 2, 4, 2, 5], 0)
    hooks = ((u // 2 + v // 2) % 4 == 0) & (ring > 22) & (ring < 28)
    motif = np.where(hooks, 2, motif)
    edge = np.minimum(row - 3, 109 - row)
    border = np.select(
        [edge < 2, edge < 4, edge < 10, edge < 12],
        [5, 2, np.where((column // 3 + row // 3) % 3 == 0, 3, 1), 2],
        motif,
    )
    weave = thread(y / 1.5) * (0.8 + 0.2 * thread(x / 2.1 + 0.5 * (row % 2)))
    abrash = 0.78 + 0.4 * canvas.noise(rng, 40, 5, gain=0.65, stretch=5)  # dye lots differ from row to row
    canvas.wash(1.0, np.clip(inks[border] * ((0.45 + 0.65 * weave) * abrash * light)[..., None], 0, 1))
    lamp = np.clip(1.2 - 0.75 * np.hypot(canvas.x - 50, canvas.y - 20) / 230, 0.4, 1.2)
    canvas.wash(1.0, canvas.pixels * lamp[..., None])
    return canvas.finish(rng)
