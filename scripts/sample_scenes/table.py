"""A still life: fruit, a bowl and a bottle on a wooden table, modelled by one lamp from the upper left."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .canvas import TALL, WIDE, Canvas, Point
from .fruit import apple, grapes, lemon, orange, pear, plum
from .texture import Colour, lit, mix, palette, ramp, rgb, shuffled, wood

WALLS = [palette(codes) for codes in ("2b3a3a 6e8a82", "3d2f3a a07f8a", "4a3c28 c9a878", "1e2836 5a7390")]
WOODS = [palette(codes) for codes in ("3a2114 8a5630", "5a3c22 c0935c", "2c1a14 6d432c", "6a5138 d0ac78")]
GLAZES = palette("e9e4d6 3f6f9a c98a4a 7fa89a")


def still_life(rng: np.random.Generator, number: int) -> Image.Image:
    """The table before a wall, things from the back to the front, each with its soft shadow."""
    canvas = Canvas(*(TALL if number % 4 == 3 else WIDE))
    back = canvas.height * 0.56
    dark, light = WALLS[(number - 1) % len(WALLS)]
    plaster = canvas.noise(rng, 34, 6, gain=0.62)
    lamp = np.exp(
        -np.hypot(canvas.x - canvas.width * 0.2, canvas.y - canvas.height * 0.1) / (canvas.width * 0.6)
    )
    canvas.wash(
        1.0, ramp(np.clip(0.95 * lamp + 0.2 * plaster, 0, 1), (mix(dark, (0, 0, 0), 0.3), dark, light))
    )
    boards = wood(rng, canvas.x.shape, 46, *WOODS[(number - 1) % len(WOODS)])
    fall = np.clip(1.25 - 0.8 * (canvas.x / canvas.width) + 0.3 * (canvas.y - back) / canvas.height, 0.3, 1.3)
    canvas.box(0, back, canvas.width, canvas.height, np.clip(boards * fall[..., None], 0, 1))
    for share in (0.12, 0.42):
        y = back + share * (canvas.height - back) * 1.4
        canvas.box(0, y, canvas.width, y + 0.9, (0.05, 0.03, 0.02), 0.7)
    canvas.box(0, back, canvas.width, back + 1.4, (1, 1, 1), 0.16)
    sides = (0.2, 0.78) if rng.random() < 0.5 else (0.8, 0.24)
    _bottle(canvas, number % 4, (canvas.width * sides[0], back + 14), canvas.height * 0.62)
    _bowl(
        canvas,
        rng,
        GLAZES[number % len(GLAZES)],
        (canvas.width * (0.5 + 0.3 * (sides[1] - 0.5)), back + 26),
        canvas.width * 0.25,
    )
    _foreground(canvas, rng, back)
    return canvas.finish(rng, vignette=0.35)


def _foreground(canvas: Canvas, rng: np.random.Generator, back: float) -> None:
    """Single fruits and bunches of grapes along the front edge."""
    kinds = shuffled(rng, [apple, orange, plum, lemon, pear, grapes, grapes])
    for slot in range(3 if canvas.width < canvas.height else 4):
        step = canvas.width / (3 if canvas.width < canvas.height else 4)
        radius = uniform(rng, 15, 18)
        foot = back + (canvas.height - back) * uniform(rng, 0.72, 0.92)
        kinds[slot](canvas, rng, (step * (slot + 0.5 + uniform(rng, -0.14, 0.14)), foot - radius), radius)


def _bottle(canvas: Canvas, kind: int, foot: Point, tall: float) -> None:
    """Glass lit through from behind, with a label and a wax cap."""
    x, base = foot
    half = tall * 0.16
    glass = (rgb("1f4a2e"), rgb("5a3212"), rgb("1d3a55"), rgb("3d4a1c"))[kind]
    heights = np.array([0, 0.02, 0.55, 0.66, 0.74, 0.97, 0.975, 1.0])
    widths = np.array([0.93, 1, 1, 0.75, 0.36, 0.3, 0.37, 0.37]) * half
    outline = [(x - w, base - tall * h) for w, h in zip(widths, heights, strict=True)]
    outline += [(2 * x - u, v) for u, v in outline[::-1]]
    canvas.ellipse((x + half * 0.9, base + 1), (half * 2, half * 0.4), (0.02, 0.01, 0), 0.55, soften=2.5)

    def body(u: np.ndarray, _: np.ndarray) -> np.ndarray:
        across = (u - x) / half
        return lit(glass, 0.5 + 0.9 * across**2 + 0.5 * np.exp(-(((across - 0.55) / 0.25) ** 2)))

    def wax(u: np.ndarray, _: np.ndarray) -> np.ndarray:
        return lit(rgb("7a1c22"), 1.2 - 0.9 * np.abs((u - x) / half + 0.1))

    canvas.polygon(outline, body)
    belly = [(x - half * 0.62, base - 5), (x - half * 0.62, base - tall * 0.52)]
    neck = [(x - half * 0.18, base - tall * 0.76), (x - half * 0.16, base - tall * 0.94)]
    canvas.line(belly, 2.2, (1, 1, 1), 0.5, soften=0.7)
    canvas.line(neck, 1.2, (1, 1, 1), 0.55, soften=0.4)
    canvas.box(x - half * 0.34, base - tall, x + half * 0.34, base - tall * 0.86, wax)
    _label(canvas, kind, x, half, base - tall * 0.46, base - tall * 0.12)


def _label(canvas: Canvas, kind: int, x: float, half: float, high: float, low: float) -> None:
    """Paper about a bottle: what it holds, its year or measure, between two red lines."""

    def paper(u: np.ndarray, _: np.ndarray) -> np.ndarray:
        return lit(rgb("f1e6c8"), 1.08 - 0.55 * np.abs((u - x) / half + 0.2) ** 1.6)

    red, ink = rgb("8a1f22"), rgb("3a1a14")
    words, small = (("ROSSO", "1987"), ("OLIO", "75 cl"), ("CIDRE", "No. 12"), ("MADERA", "1994"))[kind]
    canvas.box(x - half, high, x + half, low, paper)
    for line in (high + 2, low - 2.8):
        canvas.box(x - half, line, x + half, line + 0.8, red)
    canvas.text((x, high + (low - high) * 0.34), words, 10, red, fit=half * 1.7, bold=0.2)
    canvas.text((x, high + (low - high) * 0.66), small, 8.5, ink, fit=half * 1.5)


def _bowl(canvas: Canvas, rng: np.random.Generator, glaze: Colour, foot: Point, half: float) -> None:
    """A glazed bowl with a painted border, heaped with fruit."""
    x, base = foot
    rim = base - half * 0.62
    canvas.ellipse((x + half * 0.4, base), (half * 1.15, half * 0.2), (0.02, 0.01, 0), 0.6, soften=3)
    canvas.ellipse((x, rim), (half, half * 0.2), mix(glaze, (0, 0, 0), 0.55))
    heap = shuffled(rng, [apple, orange, plum, orange, apple])
    places = ((-0.45, 0.34), (0.48, 0.3), (0.02, 0.5), (-0.2, 0.12), (0.26, 0.1))
    for kind, (u, v) in zip(heap, places, strict=True):
        kind(canvas, rng, (x + half * u, rim - half * v), half * 0.33)
    turn = np.linspace(0, np.pi, 40)
    front = [(x + half * np.cos(t), rim + half * 0.2 * np.sin(t)) for t in turn]
    narrow = 1 - 0.12 * np.sin(turn)
    belly = [*zip(x - half * np.cos(turn) * narrow, rim + half * 0.66 * np.sin(turn) ** 0.7, strict=True)]

    def shell(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        across = (u - x) / half
        light = np.clip(1.1 - 0.55 * (across + 0.45) ** 2 - 0.25 * (v - rim) / half, 0.2, 1.2)
        level = (v - rim - half * 0.2 * np.sqrt(np.clip(1 - across**2, 0, 1))) / half
        band = (np.abs(level - 0.14) < 0.07) & (np.sin(np.arcsin(np.clip(across, -1, 1)) * 22) > 0)
        line = np.abs(np.abs(level - 0.14) - 0.09) < 0.012
        painted = ramp(np.where(band | line, 0.7, 0.0), (glaze, rgb("1d3557")))
        return painted * light[..., None]

    canvas.polygon([*front, *belly], shell)
    canvas.line(front, 1.1, mix(glaze, (1, 1, 1), 0.6))
    glint = x - half * 0.55, rim + half * 0.33
    canvas.ellipse(glint, (half * 0.06, half * 0.1), (1, 1, 1), 0.6, soften=1.0, turn=0.4)
