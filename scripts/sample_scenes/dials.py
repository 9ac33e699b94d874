"""Clocks and gauges: ticks, numerals, hands, metal rims and the glare of their glass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import TALL, WIDE, Canvas
from .dial_parts import BRASS, STEEL, brushed, drop_shadow, face, glass, hand, polar, rim, screw, ticks
from .texture import Colour, ramp, rgb, smoothstep, wood

ROMAN = ("XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")


@dataclass(frozen=True)
class Gauge:
    """A scale: what it measures, where it ends, how it is divided, and where its red sector begins."""

    name: str
    unit: str
    top: int
    step: int
    red: float


GAUGES = (
    Gauge("SPEED", "km/h", 120, 20, 0.82), Gauge("STEAM", "bar", 16, 4, 0.75),
    Gauge("FUEL", "litres", 60, 20, 1.1), Gauge("VOLTS", "V DC", 30, 10, 0.84),
    Gauge("ENGINE", "x100 rpm", 50, 10, 0.8), Gauge("ALTITUDE", "x100 m", 40, 10, 1.1),
    Gauge("OIL", "deg C", 150, 50, 0.75), Gauge("DEPTH", "metres", 80, 20, 0.7),
)  # fmt: skip


def dials(rng: np.random.Generator, number: int) -> Image.Image:
    """In turn a wall clock, an instrument panel, a compass and a row of gauges on wood."""
    return (_wall_clock, _panel, _compass, _cabin)[(number - 1) % 4](rng)


def _wall_clock(rng: np.random.Generator) -> Image.Image:
    canvas = Canvas(*TALL)
    stripe = smoothstep(0.3, 0.34, np.abs((canvas.x / 14) % 1 - 0.5))
    canvas.wash(1.0, ramp(stripe * 0.6 + 0.25 * canvas.noise(rng, 30, 4), (rgb("3f6b66"), rgb("a8c2a8"))))
    for row, y in enumerate(np.arange(8, canvas.height, 21.0)):
        for x in np.arange(7 + 7 * (row % 2), canvas.width, 14.0):
            for petal in range(5):
                turn = petal * 2 * np.pi / 5
                canvas.ellipse(
                    (x + 1.8 * np.sin(turn), y + 1.8 * np.cos(turn)), (1.2, 1.2), rgb("f0d9a8"), 0.8
                )
    centre, radius = (canvas.width / 2, canvas.height * 0.45), 66.0
    drop_shadow(canvas, centre, radius + 10)
    canvas.ellipse(
        centre, (radius + 11, radius + 11), wood(rng, canvas.x.shape, 40, rgb("4a2412"), rgb("a8602c"))
    )
    rim(canvas, centre, radius + 2.5, BRASS, 5)
    face(canvas, rng, centre, radius, rgb("f6efdc"))
    ink = rgb("231c18")
    ticks(canvas, centre, radius * 0.94, 60, 0, 360, ink)
    for hour, word in enumerate(ROMAN):
        canvas.text(
            polar(centre, radius * 0.74, hour * 30),
            word,
            12,
            ink,
            angle_deg=-hour * 30,
            bold=0.15,
            stretch=0.85,
        )
    canvas.text((centre[0], centre[1] - radius * 0.36), "Lindqvist", 9.5, ink)
    canvas.text((centre[0], centre[1] + radius * 0.38), "EIGHT DAYS", 8.5, rgb("7a2f22"), fit=44)
    hour = uniform(rng, 0, 12)
    hand(canvas, centre, radius * 0.5, hour * 30, 3.4, ink)
    hand(canvas, centre, radius * 0.78, hour % 1 * 360, 2.2, ink)
    hand(canvas, centre, radius * 0.8, uniform(rng, 0, 360), 0.8, rgb("b3261e"))
    canvas.ellipse(centre, (3, 3), rgb("b8893a"))
    glass(canvas, centre, radius)
    return canvas.finish(rng)


def _panel(rng: np.random.Generator) -> Image.Image:
    """Six black instruments in crackle-painted metal."""
    canvas = Canvas(*WIDE)
    crackle = canvas.noise(rng, 3, 3, gain=0.7)
    canvas.wash(1.0, ramp(crackle, (rgb("3d4a48"), rgb("7d8c86"))))
    order = rng.permutation(len(GAUGES))
    for slot in range(6):
        centre = canvas.width * (0.18 + 0.32 * (slot % 3)), canvas.height * (0.27 + 0.47 * (slot // 3))
        _gauge(canvas, rng, centre, 31, GAUGES[order[slot]], True, STEEL)
    for x in (0.02, 0.34, 0.66, 0.98):
        for y in (0.035, 0.5, 0.965):
            screw(canvas, rng, (canvas.width * x, canvas.height * y))
    return canvas.finish(rng)


def _cabin(rng: np.random.Generator) -> Image.Image:
    """One large and two small brass gauges on planks, with engraved plates."""
    canvas = Canvas(*WIDE)
    canvas.wash(1.0, wood(rng, canvas.x.shape, 50, rgb("3f1f10"), rgb("a45f2f")))
    for joint in (0.31, 0.66):
        canvas.box(
            0, canvas.height * joint, canvas.width, canvas.height * joint + 1.2, (0.06, 0.03, 0.02), 0.8
        )
    order = rng.permutation(len(GAUGES))
    for slot, (x, y, radius) in enumerate(((0.33, 0.46, 60), (0.79, 0.28, 36), (0.79, 0.73, 31))):
        centre = canvas.width * x, canvas.height * y
        _gauge(canvas, rng, centre, radius, GAUGES[order[slot]], False, BRASS)
    plate = canvas.width * 0.33, canvas.height * 0.91
    canvas.box(plate[0] - 50, plate[1] - 8, plate[0] + 52, plate[1] + 9.5, (0.05, 0.02, 0.01), 0.5)
    canvas.box(plate[0] - 51, plate[1] - 9, plate[0] + 51, plate[1] + 8, brushed(canvas, rng, BRASS))
    canvas.text(plate, "BOILER No. 3 - 1911", 9.5, rgb("2a1a08"), fit=92, bold=0.1)
    return canvas.finish(rng)


def _compass(rng: np.random.Generator) -> Image.Image:
    """A ship's compass in a brass bowl on a chart."""
    canvas = Canvas(*WIDE)
    paper = ramp(canvas.noise(rng, 40, 5, gain=0.6), (rgb("c9b083"), rgb("f3e6c4")))
    canvas.wash(1.0, paper)
    depth = canvas.noise(rng, 70, 4)
    canvas.wash(smoothstep(0.5, 0.505, depth), ramp(depth, (rgb("cfe0dc"), rgb("7fb0b8"))), 0.75)
    for level in np.linspace(0.25, 0.85, 9):
        canvas.wash(smoothstep(0.006, 0.003, np.abs(depth - level)), rgb("5d6f74"), 0.6)
    for _ in range(60):
        place = uniform(rng, 4, canvas.width - 4), uniform(rng, 4, canvas.height - 4)
        canvas.text(place, str(int(rng.integers(2, 90))), 8.0, rgb("42525a"), 0.85)
    centre, radius = (canvas.width * 0.52, canvas.height * 0.5), 58.0
    drop_shadow(canvas, centre, radius + 15)
    rim(canvas, centre, radius + 15, BRASS, 16)
    face(canvas, rng, centre, radius, rgb("12202e"))
    ink = rgb("f2ead2")
    ticks(canvas, centre, radius * 0.98, 72, 0, 360, ink)
    north = uniform(rng, -35, 35)
    for mark in range(0, 360, 30):
        canvas.text(polar(centre, radius * 0.8, mark + north), str(mark), 8.5, ink, angle_deg=-mark - north)
    for point, word in enumerate(("N", "E", "S", "W")):
        canvas.text(
            polar(centre, radius * 0.57, point * 90 + north),
            word,
            14,
            rgb("e8b04a"),
            angle_deg=-point * 90 - north,
            bold=0.4,
        )
    for spike in range(16):
        long = radius * (0.45, 0.2, 0.3, 0.2)[spike % 4]
        for side, colour in ((-1, rgb("e8d9a8")), (1, rgb("a33327"))):
            turn = spike * 22.5 + north
            canvas.polygon(
                [centre, polar(centre, long, turn), polar(centre, radius * 0.09, turn + side * 22)], colour
            )
    canvas.ellipse(centre, (3, 3), rgb("b8893a"))
    glass(canvas, centre, radius)
    return canvas.finish(rng)


def _gauge(
    canvas: Canvas,
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    gauge: Gauge,
    dark: bool,
    metal: tuple[Colour, ...],
) -> None:
    """A round gauge whose scale runs clockwise from 225 to 495 degrees."""
    ground, ink = (rgb("14171a"), rgb("f3f3ea")) if dark else (rgb("f4ead0"), rgb("2a1d14"))
    drop_shadow(canvas, centre, radius)
    rim(canvas, centre, radius, metal, radius * 0.12)
    inner = radius * 0.88
    face(canvas, rng, centre, inner, ground)
    if gauge.red < 1:
        arc = [polar(centre, inner * 0.93, 225 + 270 * t) for t in np.linspace(gauge.red, 1, 30)]
        canvas.line(arc, inner * 0.09, rgb("d2352a"))
    ticks(canvas, centre, inner * 0.97, gauge.top // gauge.step * 5, 225, 270, ink)
    marks = gauge.top // gauge.step
    for mark in range(marks + 1):
        place = polar(centre, inner * 0.66, 225 + 270 * mark / marks)
        canvas.text(place, str(mark * gauge.step), max(8.5, inner * 0.2), ink, fit=inner * 0.42, bold=0.08)
    canvas.text(
        (centre[0], centre[1] + inner * 0.76), gauge.name, max(7.5, inner * 0.15), ink, fit=inner * 0.85
    )
    if radius > 40:
        canvas.text((centre[0], centre[1] - inner * 0.3), gauge.unit, max(8.5, inner * 0.16), ink)
    hand(
        canvas,
        centre,
        inner * 0.8,
        225 + 270 * uniform(rng, 0.1, 0.95),
        max(1.8, radius * 0.05),
        rgb("e8542f") if dark else rgb("7a1f16"),
    )
    canvas.ellipse(centre, (inner * 0.1, inner * 0.1), metal[1])
    glass(canvas, centre, inner)
