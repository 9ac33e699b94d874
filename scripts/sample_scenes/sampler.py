"""An embroidered sampler: cross-stitch on linen."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import WIDE, Canvas, Point
from .texture import Colour, lit, mix, pick, rgb, smoothstep, thread

Chart = dict[tuple[int, int], str]  # (column, row) of a stitch -> its thread
THREADS = {
    code: rgb(colour)
    for code, colour in zip("rbgyk", ("b5262e", "27477a", "2f6b3c", "d9992b", "4a2f22"), strict=True)
}


def sampler(rng: np.random.Generator) -> Image.Image:
    """Letters, a house, trees, hearts and a border on linen."""
    canvas = Canvas(*WIDE)
    weave = 0.3 * thread(canvas.x / 1.55) + 0.3 * thread(canvas.y / 1.55)
    slub = canvas.noise(rng, 3, 3, stretch=2)
    canvas.wash(1.0, np.clip(lit(rgb("d9cbb0"), 0.5 + weave + 0.25 * slub), 0, 1))
    for (column, row), code in (_border() | _chart_of(rng)).items():
        _cross(canvas, rng, (4 + column * 2.9, 4.5 + row * 2.9), THREADS[code])
    middle = canvas.width / 2
    canvas.text((middle, 27), "HOME SWEET HOME", 17, rgb("2a1c14"), 0.35, bold=0.9, fit=178)
    canvas.text((middle, 26), "HOME SWEET HOME", 17, rgb("a3232b"), bold=0.7, fit=178)
    signed = f"stitched by Ada, {int(rng.integers(1871, 1932))}"
    canvas.text((middle, 143), signed, 9.5, THREADS["b"], bold=0.12, fit=150)
    dusk = smoothstep(0.2, 1.0, canvas.x / canvas.width * 0.6 + canvas.y / canvas.height * 0.5)
    canvas.wash(dusk, (0.1, 0.06, 0.03), 0.35)
    return canvas.finish(rng)


def _border() -> Chart:
    """A wavering frame in two colours."""
    chart: Chart = {}
    for column in range(1, 71):
        for row, shift in ((1, 0), (51, 2)):
            chart[column, row + (column + shift) % 4 // 2] = "b" if column % 8 < 4 else "r"
    for row in range(4, 51):
        for column in (1, 69):
            chart[column + row % 4 // 2, row] = "b" if row % 8 < 4 else "r"
    return chart


def _chart_of(rng: np.random.Generator) -> Chart:
    """A cottage between two trees, hearts above."""
    chart: Chart = {}
    for row in range(17, 29):
        reach = row - 15
        chart.update({(column, row): "r" for column in range(36 - reach, 37 + reach)})
    for row in range(29, 43):
        chart.update({(column, row): "y" for column in range(26, 47)})
    for left, top, wide, tall, code in (
        (34, 34, 5, 9, "k"),
        (28, 32, 4, 5, "b"),
        (41, 32, 4, 5, "b"),
        (42, 15, 3, 7, "k"),
    ):
        chart.update({(u, v): code for u in range(left, left + wide) for v in range(top, top + tall)})
    for middle in (13, 59):
        for row in range(18, 40):
            reach = (row - 16) // 3 + (row % 4) // 2
            chart.update({(column, row): "g" for column in range(middle - reach, middle + reach + 1)})
        chart.update({(middle + u, row): "k" for u in (-1, 0, 1) for row in range(40, 43)})
    heart = (".##.##.", "#######", "#######", ".#####.", "..###..", "...#...")
    for left in (22, 48):
        for row, line in enumerate(heart):
            chart.update(
                {(left - 2 + column, 15 + row): "r" for column, cell in enumerate(line) if cell == "#"}
            )
    chart.update({(column, 43 + int(rng.integers(2))): "g" for column in range(5, 68)})
    return chart


def _cross(canvas: Canvas, rng: np.random.Generator, centre: Point, colour: Colour) -> None:
    """One stitch: two short threads over each other."""
    x, y = centre
    tone = mix((0, 0, 0), colour, uniform(rng, 0.88, 1.12))
    canvas.line([(x - 1.1, y + 1.1), (x + 1.1, y - 1.1)], 1.1, mix((0, 0, 0), tone, 0.72))
    canvas.line([(x - 1.1, y - 1.1), (x + 1.1, y + 1.1)], 1.1, mix(tone, (1, 1, 1), pick(rng, (0.1, 0.18))))
