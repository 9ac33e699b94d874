"""What texts and watermarks share: effects around letters, and where the letters are put."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Params
from gantrans.degrade.marks import glyphs
from gantrans.degrade.marks.canvas import Layer, layer
from gantrans.degrade.marks.glyphs import Style
from gantrans.imaging.opencv import cv

CLASSIC = ("plain", "outline", "shadow")
EFFECTS = (*CLASSIC, "hollow", "emboss", "caption")
MIN_FONT_PX = 9  # below this, letters are no letters
_LINE = 1 / 14  # of the letters' height: the width of outlines and shadows

Part = tuple[np.ndarray, np.ndarray, float, float]  # cover, ink, shift in pixels, opacity


def parts(effect: str, text: str, style: Style, px: float, ink: np.ndarray) -> list[Part]:
    """What one of EFFECTS lays over the picture, lowest first, upright; letters `px` high."""
    plain = glyphs.word(text, style, px)
    paper = 1.0 - np.round(ink)  # black around light ink, white around dark
    line_px = max(1.0, px * _LINE)
    if effect == "outline":
        return [(glyphs.word(text, style, px, _LINE), paper, 0, 1), (plain, ink, 0, 1)]
    if effect == "shadow":
        return [(plain, paper, line_px, 0.6), (plain, ink, 0, 1)]
    if effect == "hollow":
        fat = glyphs.word(text, style, px, max(0.04, 1.2 / px))
        return [(cv().subtract(fat, plain), ink, 0, 1)]
    if effect == "emboss":
        return [(plain, paper, line_px * 0.6, 0.7), (plain, ink, -line_px * 0.3, 0.9)]
    if effect == "caption":
        return [(_bar(plain), paper, 0, 0.7), (plain, ink, 0, 1)]
    return [(plain, ink, 0, 1)]


def _bar(plain: np.ndarray) -> np.ndarray:
    """A box behind the letters."""
    x, y, width, height = cv().boundingRect(plain)
    room = round(height * 0.35)
    bar = np.zeros_like(plain)
    bar[max(0, y - room) : y + height + room, max(0, x - room) : x + width + room] = 255
    return bar


def place(
    height: int,
    width: int,
    word: np.ndarray,
    params: Params,
    ink: np.ndarray,
    font_px: float,
    shift: float,
    opacity: float,
) -> Layer:
    """An upright word turned, and put where the parameters say or everywhere; `shift` goes right and down."""
    opacity *= params["opacity"]
    size = (height, width)
    if params["tiled"]:
        everywhere = _tiled(word, size, params, font_px, shift)
        return layer(size, everywhere, ink, opacity=opacity)
    turned = glyphs.warped(word, glyphs.rotation(params["angle_deg"])) if params["angle_deg"] else word
    x, y = params["position"]
    left = round(x * (width - turned.shape[1]) + shift)
    top = round(y * (height - turned.shape[0]) + shift)
    return layer(size, turned, ink, top=top, left=left, opacity=opacity)


def _tiled(
    word: np.ndarray, size: tuple[int, int], params: Params, font_px: float, shift: float
) -> np.ndarray:
    """Rows of the word, each half a word further than the one above, turned as a whole."""
    gap = round(font_px * 0.6)
    cell = np.pad(word, ((gap, 0), (0, 2 * gap)))
    pair = np.concatenate([cell, np.roll(cell, cell.shape[1] // 2, axis=1)])
    height, width = size
    side = math.ceil(math.hypot(height, width)) + 2
    grid = np.tile(pair, (math.ceil(side / pair.shape[0]) + 1, math.ceil(side / pair.shape[1]) + 1))
    turn = glyphs.rotation(params["angle_deg"])
    x, y = params["position"]
    origin = np.array([x * pair.shape[1], y * pair.shape[0]]) + side / 2  # of the grid, at the centre
    offset = np.array([width / 2, height / 2]) - turn @ origin + shift
    affine = np.column_stack([turn, offset])
    return cv().warpAffine(grid, affine, (width, height), flags=cv().INTER_LINEAR)


def draw_style(rng: np.random.Generator, variety: float) -> dict[str, float]:
    """How the letters differ from the plain face; a half of them lean, a half are spaced."""
    leans, spaced = draws.uniform(rng, 0, 1) < 0.5, draws.uniform(rng, 0, 1) < 0.5
    return {
        "stretch": 1 + variety * draws.uniform(rng, -0.35, 0.6),
        "slant": variety * draws.uniform(rng, -0.1, 0.35) * leans,
        "weight": variety * draws.uniform(rng, 0, 0.07),
        "spacing": variety * draws.uniform(rng, 0, 0.35) * spaced,
    }
