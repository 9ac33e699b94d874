"""A brick wall with a pasted poster: headlines, small print, a picture, creases and torn edges."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gantrans.draws import uniform

from .bills import BILLS, printed
from .canvas import OVER, TALL, WIDE, Canvas
from .texture import Colour, fractal, lit, pick, profile, ramp, relief, rgb, smoothstep

BRICKS = (
    (rgb("8e4a36"), rgb("b5654a"), rgb("6f3a2f")),
    (rgb("a8775a"), rgb("c89a75"), rgb("8a6048")),
    (rgb("7a7672"), rgb("a19b92"), rgb("5d5a59")),
    (rgb("9a3f34"), rgb("c25c45"), rgb("7d3a3e")),
)

STREETS = ("MILL LANE", "RUE DU LAC", "KAY STREET", "HIGH ROW", "OLD QUAY")


def poster(rng: np.random.Generator, number: int) -> Image.Image:
    """The wall, the bill on it, and slanting light over both."""
    canvas = Canvas(*(TALL if number % 2 else WIDE))
    _bricks(canvas, rng, BRICKS[(number - 1) % len(BRICKS)])
    tall = canvas.height * (uniform(rng, 0.78, 0.84) if number % 2 else 0.93)
    wide = min(tall * 0.74, canvas.width * 0.78)
    shift = (-0.17, 0.0, 0.17, 0.0)[number % 4] * canvas.width
    sheet = printed(rng, wide, tall, BILLS[(number - 1) % len(BILLS)])
    centre = canvas.width / 2 + shift, canvas.height * 0.5
    _paste(canvas, rng, sheet, centre, uniform(rng, -3.5, 3.5))
    if number % 2 == 0:
        _notice(
            canvas,
            rng,
            (canvas.width - centre[0] + (0.06 if shift < 0 else -0.06) * canvas.width, canvas.height * 0.42),
        )
    slant = smoothstep(0.1, 1.0, (canvas.x * 0.7 + canvas.y) / (canvas.width * 0.7 + canvas.height))
    canvas.wash(slant, (0.05, 0.03, 0.08), 0.38)
    return canvas.finish(rng)


def _bricks(canvas: Canvas, rng: np.random.Generator, colours: tuple[Colour, ...]) -> None:
    """English-bond courses: each brick its own tone, its face pitted, its edges rounded, mortar between."""
    long, high, joint = 25.0, 9.0, 1.3
    x = canvas.x + 0.8 * (canvas.noise(rng, 9, 2) - 0.5)
    y = canvas.y + 0.8 * (canvas.noise(rng, 9, 2) - 0.5)
    row = np.floor(y / high).astype(int)
    pitch = np.where(row % 2 == 0, long, long / 2)
    along = x / pitch + 0.25 * (row % 2) + 0.37 * (row % 4 // 2)
    column = np.floor(along).astype(int)
    tones = rng.random((64, 64))[row % 64, column % 64]
    edge = np.minimum((along % 1) * pitch, (1 - along % 1) * pitch)
    edge = np.minimum(edge, np.minimum((y / high % 1) * high, (1 - y / high % 1) * high))
    face = smoothstep(joint * 0.4, joint * 0.9, edge)
    pits = canvas.noise(rng, 6, 3, gain=0.5)
    light = relief(pits * 0.6 + 0.8 * smoothstep(0, 2.5, edge), 5)
    brick = ramp(np.clip(tones * 0.8 + 0.35 * (pits - 0.3), 0, 1), colours[::-1]) * light[..., None]
    mortar = lit(rgb("b3a99a"), 0.65 + 0.4 * canvas.noise(rng, 3, 3))
    canvas.wash(1.0, mortar)
    canvas.wash(face, brick)
    soot = canvas.noise(rng, 60, 5, gain=0.6, stretch=0.4)
    canvas.wash(smoothstep(0.5, 0.95, soot), rgb("1e1814"), 0.5)


def _paste(
    canvas: Canvas, rng: np.random.Generator, sheet: Canvas, centre: tuple[float, float], tilt_deg: float
) -> None:
    """Glue a sheet on the wall: torn edge, shadow, creases that catch the light, a lifted corner."""
    high, wide = sheet.x.shape
    tear = [profile(rng, count, 40, 6, 0.6) * 2.4 * OVER for count in (wide, wide, high, high)]
    rows, columns = np.arange(high)[:, None], np.arange(wide)[None, :]
    alpha = (rows > tear[0]) & (high - rows > tear[1])
    alpha = alpha & (columns > tear[2][:, None]) & (wide - columns > tear[3][:, None])
    wrinkles = fractal(rng, (high, wide), 110, 4, 0.45)
    folds = relief(np.abs(wrinkles - 0.5), 40) * (1 - 0.22 * (np.abs(rows - high * 0.5) < OVER * 0.4))
    folds = folds * (1 + 0.18 * (np.abs(columns - wide * 0.5) < OVER * 0.4))
    paper = np.clip(sheet.pixels * (0.55 + 0.45 * folds[..., None]), 0, 1)
    layers = np.dstack([paper, alpha.astype(np.float32)])
    flat = Image.fromarray(np.round(layers * 255).astype(np.uint8), "RGBA")
    turned = flat.rotate(tilt_deg, Image.Resampling.BICUBIC, expand=True)
    left = round(centre[0] * OVER - turned.width / 2)
    top = round(centre[1] * OVER - turned.height / 2)
    backdrop = Image.fromarray(np.round(np.clip(canvas.pixels, 0, 1) * 255).astype(np.uint8))
    dark = Image.new("RGB", turned.size, (12, 8, 6))
    shadow = turned.getchannel("A").point(lambda level: level * 0.55)
    backdrop.paste(dark, (left + 5, top + 6), shadow)
    backdrop.paste(turned.convert("RGB"), (left, top), turned.getchannel("A"))
    canvas.pixels[:] = np.asarray(backdrop, np.float32) / 255


def _notice(canvas: Canvas, rng: np.random.Generator, centre: tuple[float, float]) -> None:
    """A small enamel plate with a few lines."""
    x, y = centre
    street, house = pick(rng, STREETS), int(rng.integers(2, 98))
    canvas.box(x - 29, y - 20, x + 31, y + 22, (0.05, 0.04, 0.04), 0.55)
    canvas.box(x - 30, y - 22, x + 30, y + 20, rgb("f4f2ea"))
    canvas.box(
        x - 28.5,
        y - 20.5,
        x + 28.5,
        y + 18.5,
        lambda u, v: lit(rgb("1e4f96"), 1.25 - 0.012 * (u - x + v - y + 30)),
    )
    canvas.text((x, y - 10), street, 10, (1, 1, 1), fit=50, bold=0.15)
    canvas.text((x, y + 7), str(house), 19, (1, 1, 1), bold=0.5)
    for corner in ((-26, -18), (26, -18), (-26, 16), (26, 16)):
        canvas.ellipse((x + corner[0], y + corner[1]), (1.1, 1.1), rgb("6f5a48"))
