"""The inks of a town map and the names on it, none lying on another."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gantrans.draws import uniform

from .canvas import Canvas, Point
from .texture import Colour, mix, palette, pick, shuffled


@dataclass(frozen=True)
class Print:
    """The inks of one publisher."""

    paper: Colour
    hill: Colour
    block: Colour
    park: Colour
    water: Colour
    street: Colour
    main: Colour
    ink: Colour


PRINTS = (
    Print(*palette("f2ead3 d9c49a dbc3a5 b7cf93 8fc1d6 ffffff f0b24a 4a3b30")),
    Print(*palette("ecefe6 c3cdb8 c9c5d2 9fcf9f 6fa8dc ffffff f28b6b 2f3650")),
    Print(*palette("e4d3a8 bf9f68 b98a63 a3a865 8aa9a0 f4e8c6 b5482f 3a2415")),
    Print(*palette("232a33 38424d 323c4a 2f5a48 1b4a73 5d6b7c e0a64a eef2f5")),
)
STREETS = (
    "Elm Street", "Mill Road", "Station Road", "Quay Side", "Abbey Lane", "Orchard Way", "Canal Street",
    "High Street", "Chapel Hill", "Garden Row", "Market Street", "Bridge Road", "Tower Lane", "Hill Rise",
)  # fmt: skip
PLACES = ("OLD TOWN", "NORTHGATE", "HARBOUR", "ST ANNE", "WESTFIELD", "MILLBROOK", "THE HEATH", "KINGSHOLM")
PARKS = ("City Park", "Rose Garden", "Castle Green", "Oak Common")
RIVERS = ("River Arne", "River Lune", "Sill Water")


@dataclass
class Labels:
    """Where words already stand, so that none lies on another."""

    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def claim(self, centre: Point, wide: float, tall: float) -> bool:
        left, top, right, bottom = (
            centre[0] - wide / 2,
            centre[1] - tall / 2,
            centre[0] + wide / 2,
            centre[1] + tall / 2,
        )
        if any(left < r and l < right and top < b and t < bottom for l, t, r, b in self.taken):  # noqa: E741
            return False
        self.taken.append((left, top, right, bottom))
        return True


def write_names(
    canvas: Canvas,
    rng: np.random.Generator,
    inks: Print,
    labels: Labels,
    turn: float,
    parks: list[Point],
    river: list[Point],
) -> None:
    """Names of quarters, parks, the river and streets, each with a halo, wherever there is room."""
    for park, name in zip(parks, shuffled(rng, PARKS), strict=False):
        _word(canvas, labels, park, name, 9, mix(inks.ink, inks.park, 0.15), inks.park)
    spot = river[pick(rng, (14, 44))]
    slope = (
        np.degrees(np.arctan2(river[46][1] - river[42][1], river[46][0] - river[42][0]))
        if spot == river[44]
        else 0.0
    )
    _word(canvas, labels, spot, pick(rng, RIVERS), 9, mix(inks.ink, inks.water, 0.12), inks.water, -slope)
    for name in shuffled(rng, PLACES)[:5]:
        place = uniform(rng, 34, canvas.width - 34), uniform(rng, 12, canvas.height - 14)
        _word(canvas, labels, place, name, 10, inks.ink, inks.paper, bold=0.15)
    for name in shuffled(rng, STREETS):
        place = uniform(rng, 26, canvas.width - 26), uniform(rng, 10, canvas.height - 10)
        _word(canvas, labels, place, name, 8, inks.ink, inks.street, -np.degrees(turn))


def _word(
    canvas: Canvas,
    labels: Labels,
    place: Point,
    name: str,
    size: float,
    ink: Colour,
    halo: Colour,
    angle_deg: float = 0.0,
    bold: float = 0.0,
) -> None:
    wide = len(name) * size * 0.56
    lean = abs(np.sin(np.radians(angle_deg)))
    if labels.claim(place, wide * np.sqrt(1 - lean**2) + 4, size * 1.25 + wide * lean):
        canvas.text(place, name, size, halo, 0.8, angle_deg=angle_deg, bold=bold + 1.1)
        canvas.text(place, name, size, ink, angle_deg=angle_deg, bold=bold)
