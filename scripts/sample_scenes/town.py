"""A street of old houses: plaster, tiles, shutters, shop signs and cobbles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import WIDE, Canvas
from .landscape import HOURS, sky
from .texture import Colour, lit, mix, palette, pick, ramp, relief, rgb, smoothstep, vary

PLASTER = palette("e9c46a d98b5f c9d3c0 9fb8c8 e8dcc8 c7626a b6a2c4 f0e6b8")
TILES = palette("a4472f 8a3b2c b86a45 5b5f6b 6d4a3a")
PAINTS = palette("2f5d50 7a2230 23405f 5a4632 3d6a3a 40363c")
SIGNS = (
    "BAKERY", "BOOKS", "CAFE ROMA", "TEA & CAKE", "FLOWERS", "HATTER", "CHEESE", "PIANOS", "CLOCKS",
    "LAMPS", "WINE BAR", "TOYS", "PAPER CO", "BARBER", "OLD MAPS", "SHOES",
)  # fmt: skip
GLASS = (rgb("18242e"), rgb("4d6a80"), rgb("b9d2de"))


@dataclass(frozen=True)
class House:
    """One front: its left and right edge, eaves and pavement line, and colours."""

    left: float
    right: float
    eaves: float
    ground: float
    wall: Colour
    roof: Colour
    trim: Colour

    @property
    def width(self) -> float:
        return self.right - self.left


def street(rng: np.random.Generator, number: int) -> Image.Image:
    """A row of fronts in the sun, the cobbled street before them."""
    canvas = Canvas(*WIDE)
    sky(canvas, rng, (HOURS[1], HOURS[0], HOURS[3], HOURS[1])[number % 4])
    ground = canvas.height * 0.84
    walls, signs = rng.permutation(len(PLASTER)), rng.permutation(len(SIGNS))
    edge, index, corners = -uniform(rng, 0, 26), 0, []
    while edge < canvas.width:
        width = uniform(rng, 48, 66)
        colours = PLASTER[walls[index]], pick(rng, TILES), PAINTS[int(rng.integers(len(PAINTS)))]
        house = House(edge, edge + width, uniform(rng, 0.24, 0.4) * canvas.height, ground, *colours)
        _roof(canvas, rng, house)
        _front(canvas, rng, house)
        _windows(canvas, rng, house)
        _shop(canvas, rng, house, SIGNS[signs[index]])
        edge, index = house.right, index + 1
        corners.append(edge)
    _cobbles(canvas, rng, ground)
    _lamp(canvas, pick(rng, corners[:-1]), ground + 6)
    return canvas.finish(rng)


def _roof(canvas: Canvas, rng: np.random.Generator, house: House) -> None:
    """A tiled roof, gable or hipped, with its chimney."""
    ridge = house.eaves - uniform(rng, 16, 26)
    chimney = house.left + house.width * uniform(rng, 0.2, 0.7)
    canvas.box(
        chimney,
        ridge - 6,
        chimney + 7,
        ridge + 14,
        lambda x, _: lit(rgb("8d5a45"), 1.15 - 0.08 * (x - chimney)),
    )
    canvas.box(chimney - 1, ridge - 7.5, chimney + 8, ridge - 5, rgb("55423c"))
    tones = canvas.noise(rng, 3.2, 2)

    def tiles(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        row = np.floor((y - ridge) / 2.6)
        across = ((x - house.left) / 2.8 + 0.5 * (row % 2)) % 1 - 0.5
        down = ((y - ridge) / 2.6) % 1 + 0.9 * across**2
        tone = 0.75 + 0.5 * canvas.look_up(tones, x, y)
        return lit(house.roof, (1.12 - 0.5 * smoothstep(0.6, 1.1, down)) * tone)

    inset = house.width * pick(rng, (0.06, 0.24, 0.47))
    outline = [(house.left - 1.5, house.eaves + 1), (house.left + inset, ridge)]
    outline += [(house.right - inset, ridge), (house.right + 1.5, house.eaves + 1)]
    canvas.polygon(outline, tiles)


def _front(canvas: Canvas, rng: np.random.Generator, house: House) -> None:
    """The plastered wall: stains, the shadow of the eaves and of the next house, a cornice and a plinth."""
    stain = canvas.noise(rng, 22, 5, gain=0.6)
    grit = canvas.noise(rng, 3, 2)
    light = 0.8 + 0.22 * stain + 0.1 * grit
    light -= 0.34 * smoothstep(7, 2, canvas.y - house.eaves) + 0.2 * smoothstep(6, 0, canvas.x - house.left)
    canvas.box(house.left, house.eaves, house.right, house.ground, lit(house.wall, light))
    canvas.box(
        house.left,
        house.ground - 7,
        house.right,
        house.ground,
        lit(mix(house.wall, (0.3, 0.3, 0.32), 0.7), light),
    )
    canvas.box(
        house.left - 0.7,
        house.eaves - 0.5,
        house.right + 0.7,
        house.eaves + 1.6,
        mix(house.wall, (1, 1, 1), 0.55),
    )


def _windows(canvas: Canvas, rng: np.random.Generator, house: House) -> None:
    """Two upper floors of shuttered windows, some with a flower box."""
    columns = 2 if house.width < 58 else 3
    shopfront = house.ground - 40
    floors = max(1, int((shopfront - house.eaves) // 21))
    step = (shopfront - house.eaves - 3) / floors
    flowers = rng.random() < 0.6
    for floor in range(floors):
        for column in range(columns):
            x = house.left + house.width * (column + 0.5) / columns
            _window(canvas, rng, house, (x, house.eaves + 5 + floor * step), flowers and floor == floors - 1)


def _window(
    canvas: Canvas, rng: np.random.Generator, house: House, at: tuple[float, float], flowers: bool
) -> None:
    """One window from its top centre: glass that mirrors the sky, bars, shutters of slats, a sill."""
    x, top = at
    half, tall = 4.2, 14.0
    frame = rgb("f4f0e6")
    canvas.box(x - half - 1, top - 1, x + half + 1, top + tall + 1, frame)
    tilt = uniform(rng, -0.4, 0.4)
    canvas.box(
        x - half,
        top,
        x + half,
        top + tall,
        lambda u, v: ramp(1.1 - (v - top) / tall + tilt * (u - x) / half, GLASS),
    )
    canvas.box(x - half, top, x, top + tall, mix(frame, house.wall, 0.6), 0.35 * (rng.random() < 0.5))
    canvas.box(x - 0.45, top, x + 0.45, top + tall, frame)
    for bar in (0.36, 0.68):
        canvas.box(x - half, top + bar * tall - 0.3, x + half, top + bar * tall + 0.3, frame)

    def slats(_: np.ndarray, v: np.ndarray) -> np.ndarray:
        return lit(house.trim, 0.8 + 0.5 * ((v - top) / 1.6 % 1))

    for side in (-1, 1):
        near, far = sorted((x + side * (half + 1), x + side * (half + 4.6)))
        canvas.box(near + 0.8, top, far + 0.8, top + tall + 1, (0, 0, 0), 0.3)
        canvas.box(near, top - 0.7, far, top + tall + 0.7, slats)
    canvas.box(
        x - half - 2, top + tall + 0.8, x + half + 2, top + tall + 2.4, mix(frame, (0.5, 0.5, 0.5), 0.3)
    )
    if flowers:
        canvas.box(x - half - 1, top + tall - 0.6, x + half + 1, top + tall + 3, rgb("6b4226"))
        for _ in range(26):
            place = x + uniform(rng, -half - 1.4, half + 1.4), top + tall + uniform(rng, -3, 0.6)
            colour = pick(rng, (rgb("3f7d2c"), rgb("5d9a3a"), rgb("d8264f"), rgb("f06a8a")))
            canvas.ellipse(place, (0.9, 0.8), vary(rng, colour, 0.1))


def _shop(canvas: Canvas, rng: np.random.Generator, house: House, name: str) -> None:
    """Sign board, striped awning, shop window with goods, and a door."""
    left, right = house.left + 4, house.right - 4
    top, base = house.ground - 38, house.ground
    wood = house.trim
    canvas.box(left, top, right, base, lit(wood, 0.85 + 0.25 * canvas.noise(rng, 2.5, 2, stretch=0.3)))
    canvas.box(left - 1, top, right + 1, top + 11.5, mix(wood, (0, 0, 0), 0.3))
    canvas.box(left, top + 0.8, right, top + 10.6, mix(wood, (1, 1, 1), 0.08))
    canvas.text(((left + right) / 2, top + 5.7), name, 9.0, rgb("fff2cc"), bold=0.12, fit=right - left - 4)
    door_left = pick(rng, (True, False))
    door = (left + 2, left + 13) if door_left else (right - 13, right - 2)
    pane = (left + 15, right - 2) if door_left else (left + 2, right - 15)

    def inside(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        warmth = 0.75 - (v - top - 12) / 26 + 0.01 * (u - left)
        return ramp(warmth, (rgb("33261d"), rgb("8a6a44"), rgb("e8d6a8")))

    for low, high, foot in ((*pane, base - 6), (*door, base - 9)):
        canvas.box(low, top + 13, high, foot, inside)
    for _ in range(int((pane[1] - pane[0]) * 0.9)):
        goods = (
            uniform(rng, pane[0] + 1.5, pane[1] - 1.5),
            base - 7.5 - pick(rng, (0, 7.5)) - uniform(rng, 0, 1),
        )
        canvas.ellipse(goods, (1.5, uniform(rng, 1, 2.2)), vary(rng, pick(rng, PLASTER), 0.15))
    canvas.box(pane[0], base - 14.6, pane[1], base - 13.8, mix(wood, (1, 1, 1), 0.35))
    canvas.line([(pane[0] + 2, base - 9), (pane[0] + 12, top + 15)], 2.2, (1, 1, 1), 0.22)
    canvas.ellipse((door[1] - 2, base - 13), (0.8, 0.8), rgb("e6c35a"))
    _awning(canvas, pane, top + 12, pick(rng, (rgb("c0392b"), rgb("2f6f5e"), rgb("2c5aa0"), rgb("d98e2b"))))


def _awning(canvas: Canvas, span: tuple[float, float], top: float, colour: Colour) -> None:
    low, high = span[0] - 1.5, span[1] + 1.5
    canvas.box(low, top + 7, high, top + 11, (0, 0, 0), 0.35)

    def stripes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        which = np.floor((x - low) / 3.2) % 2
        cloth = ramp(which, (colour, rgb("f7f1e3")))
        return cloth * (1.05 - 0.035 * (y - top))[..., None]

    canvas.polygon([(low + 2, top), (high - 2, top), (high, top + 7), (low, top + 7)], stripes)
    for scallop in np.arange(low + 1.6, high, 3.2):
        canvas.ellipse((scallop, top + 7), (1.6, 1.8), stripes)


def _cobbles(canvas: Canvas, rng: np.random.Generator, ground: float) -> None:
    """A kerb and rows of rounded stones that grow towards the viewer."""
    canvas.box(0, ground, canvas.width, canvas.height, rgb("2f2b2a"))
    canvas.box(
        0, ground, canvas.width, ground + 3, ramp(canvas.noise(rng, 5, 3), [rgb("8b867e"), rgb("c2bcae")])
    )
    y = ground + 4.2
    while y < canvas.height + 3:
        size = 2.4 + (y - ground) * 0.13
        x = -uniform(rng, 0, 6)
        while x < canvas.width + 4:
            wide = size * uniform(rng, 1.5, 2.2)
            stone = vary(rng, pick(rng, (rgb("7d7770"), rgb("8c8478"), rgb("6a6a70"), rgb("968b7a"))), 0.05)
            canvas.ellipse((x + wide / 2, y), (wide / 2, size * 0.52), mix(stone, (0, 0, 0), 0.3))
            canvas.ellipse((x + wide / 2 - 0.3, y - 0.35), (wide * 0.4, size * 0.36), stone, soften=0.25)
            x += wide + 0.35
        y += size * 1.02
    wet = relief(canvas.noise(rng, 30, 3, stretch=3), 20)
    canvas.wash(smoothstep(ground, ground + 2, canvas.y) * smoothstep(1.0, 0.5, wet), (0, 0, 0), 0.4)


def _lamp(canvas: Canvas, x: float, foot: float) -> None:
    """A cast-iron street lamp."""
    iron = rgb("1d2226")
    canvas.line([(x, foot), (x, foot - 68)], 1.5, iron)
    canvas.line([(x + 0.4, foot), (x + 0.4, foot - 68)], 0.4, rgb("717c84"))
    canvas.ellipse((x, foot), (3.4, 1.6), iron)
    canvas.box(x - 1.6, foot - 10, x + 1.6, foot, iron)
    canvas.line([(x - 4.5, foot - 60), (x + 4.5, foot - 60)], 1.0, iron)
    canvas.polygon(
        [(x - 2.4, foot - 68), (x + 2.4, foot - 68), (x + 3.8, foot - 77), (x - 3.8, foot - 77)],
        rgb("f7e8b0"),
    )
    for edge in (-3.8, 0, 3.8):
        canvas.line([(x + edge * 0.63, foot - 68), (x + edge, foot - 77)], 0.6, iron)
    canvas.polygon([(x - 4.6, foot - 77), (x + 4.6, foot - 77), (x, foot - 82)], iron)
