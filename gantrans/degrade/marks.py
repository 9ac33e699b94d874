"""Marks over a picture: text as in watermarks, captions and date stamps."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantrans import draws
from gantrans.degrade.base import Amount, Params, draw_choice, interval, probability
from gantrans.imaging.colour import BT601

_WORDS = (
    "sample", "preview", "draft", "proof", "demo", "copy", "archive", "studio", "photo", "gallery", "press",
    "north", "river", "stone", "light", "harbour", "garden", "autumn", "market", "orchard", "window",
    "meadow", "station", "silver", "canvas", "winter", "coast", "village", "bridge", "summer",
)  # fmt: skip
_PHRASES = ("All rights reserved", "Do not copy", "For review only", "Not for sale", "Preview only")
_EFFECTS = ("plain", "outline", "shadow")
_MIN_FONT_PX = 9  # below this, letters are no letters
_MAX_WIDTH = 0.95  # of the image


class TextMark:
    """Words, a date or a copyright line, anywhere on the picture or tiled all over it.

    `size` is the letters' height relative to the shorter side, `opacity` 1 hides what lies below, `tiled` is
    the chance of a mark that repeats over the whole picture.
    """

    scale = 1

    def __init__(
        self,
        size: Amount = (0.06, 0.14),
        opacity: Amount = (0.5, 1.0),
        angle_deg: Amount = (-25.0, 25.0),
        tiled: float = 0.15,
    ) -> None:
        self.size = interval("size", size, 0.01, 1)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.angle_deg = interval("angle_deg", angle_deg, -180, 180)
        self.tiled = probability("tiled", tiled)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "text": _text(rng),
            "size": self.size.draw(rng),
            "position": [
                draws.uniform(rng, 0, 1),
                draws.uniform(rng, 0, 1),
            ],  # x from the left, y from the top
            "angle_deg": self.angle_deg.draw(rng),
            "colour": _colour(rng),
            "opacity": self.opacity.draw(rng),
            "effect": draw_choice(rng, _EFFECTS),
            "tiled": draws.uniform(rng, 0, 1) < self.tiled,
        }

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        height, width, channels = x01.shape
        font_px = _font_px(params["text"], params["size"] * min(height, width), width)
        thickness = max(1, round(font_px / 14))
        ink = _ink(params["colour"], channels)
        paper = np.float32(1.0) - np.round(
            ink
        )  # outline and shadow: black around light ink, white around dark
        letters = _mask(params, font_px, height, width)
        if params["effect"] == "outline":
            x01 = _over(x01, paper, _mask(params, font_px, height, width, thickness), params["opacity"])
        elif params["effect"] == "shadow":
            shifted = np.pad(letters, ((thickness, 0), (thickness, 0)))[:height, :width]
            x01 = _over(x01, paper, shifted, params["opacity"] * 0.6)
        return np.clip(_over(x01, ink, letters, params["opacity"]), 0, 1)


def _text(rng: np.random.Generator) -> str:
    year = draws.integer(rng, 1996, 2029)
    month, day = draws.integer(rng, 1, 12), draws.integer(rng, 1, 28)
    first, second = draw_choice(rng, _WORDS), draw_choice(rng, _WORDS)
    number = draws.integer(rng, 0, 9999)
    return draw_choice(
        rng,
        (
            first.upper(),
            first.capitalize(),
            f"{first.capitalize()} {second.capitalize()}",
            f"© {year} {first.capitalize()} {second.capitalize()}",
            f"© {first}{second}.example",
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"'{year % 100:02d} {month:2d} {day:2d}",
            f"IMG_{number:04d}",
            f"No. {number}",
            draw_choice(rng, _PHRASES),
        ),
    )


def _colour(rng: np.random.Generator) -> list[float]:
    """White or nearly so, black or nearly so, or any colour, one third each: red, green, blue in x01."""
    kind = draws.integer(rng, 0, 2)
    if kind == 2:
        return [draws.uniform(rng, 0, 1) for _ in range(3)]
    level = draws.uniform(rng, 0.85, 1) if kind == 0 else draws.uniform(rng, 0, 0.15)
    return [level] * 3


def _ink(colour: list[float], channels: int) -> np.ndarray:
    rgb = np.asarray(colour, np.float32)
    return rgb if channels == 3 else (rgb * np.asarray(BT601, np.float32)).sum(keepdims=True)


def _over(x01: np.ndarray, ink: np.ndarray, mask: np.ndarray, opacity: float) -> np.ndarray:
    """Ink over the picture (Porter and Duff 1984, operator over)."""
    alpha = (mask * np.float32(opacity))[..., None]
    return x01 * (1 - alpha) + ink * alpha


def _font_px(text: str, wanted: float, width: int) -> int:
    """The wanted height, or as much of it as lets the text fit the width."""
    size = max(_MIN_FONT_PX, round(wanted))
    length = ImageFont.load_default(size).getlength(text)
    return max(_MIN_FONT_PX, math.floor(size * min(1.0, _MAX_WIDTH * width / length)))


def _mask(params: Params, font_px: int, height: int, width: int, stroke: int = 0) -> np.ndarray:
    """How much each pixel is covered by letters, (H, W) x01 float32, antialiased."""
    word = _word(params["text"], font_px, stroke)
    x, y = params["position"]
    if params["tiled"]:
        word = _tiled(np.pad(word, font_px), math.ceil(math.hypot(height, width)), x, y)
        x = y = 0.5
    turned = Image.fromarray(word).rotate(params["angle_deg"], Image.Resampling.BICUBIC, expand=True)
    sheet = Image.new("L", (width, height))
    sheet.paste(turned, (round(x * (width - turned.width)), round(y * (height - turned.height))))
    return np.asarray(sheet, np.float32) / 255


def _tiled(cell: np.ndarray, side: int, x: float, y: float) -> np.ndarray:
    """Copies of `cell`, shifted by the fractions x and y of it, over a square of at least `side` pixels."""
    shifted = np.roll(cell, (round(y * cell.shape[0]), round(x * cell.shape[1])), axis=(0, 1))
    return np.tile(shifted, (math.ceil(side / cell.shape[0]), math.ceil(side / cell.shape[1])))


def _word(text: str, font_px: int, stroke: int) -> np.ndarray:
    """The text alone, uint8 coverage, with the same margins whatever its stroke."""
    font = ImageFont.load_default(font_px)
    margin = max(2, font_px // 4)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (math.ceil(right - left) + 2 * margin, math.ceil(bottom - top) + 2 * margin))
    ImageDraw.Draw(image).text((margin - left, margin - top), text, 255, font, stroke_width=stroke)
    return np.asarray(image)
