"""Words as (H, W) uint8 cover: one typeface made many by stretch, slant, weight, spacing and outline."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantrans.imaging.opencv import cv

_SIZES_PX = (12, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # fonts are kept; other sizes are scaled from these
FONT_FILES = (".ttf", ".otf", ".ttc")


@dataclass(frozen=True)
class Style:
    """`weight` and `spacing` are shares of the letters' height, `slant` is the tangent of the lean."""

    font: str | None = None  # a font file; None is the one that Pillow brings along
    stretch: float = 1.0
    slant: float = 0.0
    weight: float = 0.0
    spacing: float = 0.0


def font_files(folder: str) -> tuple[str, ...]:
    """Names of the font files in `folder`, sorted. ValueError where it has none."""
    names = sorted(p.name for p in Path(folder).glob("*") if p.suffix.lower() in FONT_FILES)
    if not names:
        accepted = ", ".join(FONT_FILES)
        raise ValueError(f"fonts={folder}: has no font files ({accepted}); needed is a folder with some")
    return tuple(names)


def fitting(text: str, style: Style, wanted_px: float, most_px: float) -> float:
    """The wanted height of the letters, or as much of it as keeps the text `most_px` long."""
    size = _SIZES_PX[4]
    per_px = _length(text, style, size) * style.stretch / size
    return max(4.0, min(wanted_px, most_px / max(per_px, 1e-6)))


def word(text: str, style: Style, size_px: float, stroke: float = 0.0, angle_deg: float = 0.0) -> np.ndarray:
    """The text, letters `size_px` high, turned counter-clockwise; `stroke` (share of the height) fattens it.

    Of one text and style all strokes have the same box, so that an outline and its letters coincide.
    """
    drawn = next((size for size in _SIZES_PX if size >= size_px), _SIZES_PX[-1])
    flat = _flat(text, style, drawn, round((style.weight + stroke) * drawn))
    scale = size_px / drawn
    lean = np.array([[scale * style.stretch, -scale * style.slant], [0, scale]])
    return warped(flat, rotation(angle_deg) @ lean)


def rotation(angle_deg: float) -> np.ndarray:
    """Counter-clockwise as seen, (2, 2), for x to the right and y down."""
    angle = math.radians(angle_deg)
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def warped(cover: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`cover` under a linear map (2, 2), in the box that it then needs."""
    height, width = cover.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64) @ matrix.T
    low = corners.min(axis=0)
    size = np.ceil(corners.max(axis=0) - low).astype(int).clip(1)
    half = matrix @ [0.5, 0.5]  # a pixel's centre lies at a half
    affine = np.column_stack([matrix, half - low - 0.5])
    return cv().warpAffine(cover, affine, (int(size[0]), int(size[1])), flags=cv().INTER_LINEAR)


@functools.lru_cache(maxsize=64)
def _font(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow without FreeType has bitmaps alone
    return font


def _length(text: str, style: Style, size: int) -> float:
    return _font(style.font, size).getlength(text) + style.spacing * size * len(text)


@functools.lru_cache(maxsize=256)
def _flat(text: str, style: Style, size: int, stroke: int) -> np.ndarray:
    """Upright and unscaled. Read-only, since the same array serves again."""
    font = _font(style.font, size)
    margin = max(3, size // 3)
    ascent, descent = font.getmetrics()
    length = math.ceil(_length(text, style, size))
    image = Image.new("L", (length + 2 * margin, ascent + descent + 2 * margin))
    pen = ImageDraw.Draw(image)
    if style.spacing:
        x = float(margin)
        for letter in text:
            pen.text((x, margin), letter, 255, font, stroke_width=stroke)
            x += font.getlength(letter) + style.spacing * size
    else:
        pen.text((margin, margin), text, 255, font, stroke_width=stroke)
    cover = np.asarray(image)
    cover.flags.writeable = False
    return cover
