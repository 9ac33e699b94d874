"""Rubber stamps: seals, badges, words in boxes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing, emblems, glyphs, phrases
from gantrans.degrade.marks.canvas import Layer, Mark, layer
from gantrans.degrade.marks.glyphs import Style
from gantrans.imaging.opencv import cv

SHAPES = ("seal", "badge", "box")
_INKS = ((0.68, 0.08, 0.10), (0.12, 0.16, 0.52), (0.36, 0.12, 0.46), (0.08, 0.38, 0.22), (0.08, 0.08, 0.10))
_BOLD = Style(weight=0.03)
_DRAWN_PX = 384  # stamps are drawn at this size once, then scaled, so that they look alike at any size


class Stamp(Mark):
    """A rubber stamp: a seal with words around, a badge with an emblem, or a word in a box; ink is missing in
    places. `size` is its width relative to the shorter side."""

    def __init__(
        self,
        size: Amount = (0.25, 0.5),
        opacity: Amount = (0.6, 0.95),
        angle_deg: Amount = (-30.0, 30.0),
        shapes: Choice = SHAPES,
    ) -> None:
        self.size = interval("size", size, 0.01, 2)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.angle_deg = interval("angle_deg", angle_deg, -180, 180)
        self.shapes = choices("shapes", shapes, SHAPES)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "shape": draw_choice(rng, self.shapes),
            "legend": phrases.draw_legend(rng),
            "verdict": phrases.draw_verdict(rng),
            "emblem": draw_choice(rng, emblems.NAMES),
            "ink": list(_INKS[draws.integer(rng, 0, len(_INKS) - 1)]),
            "size": self.size.draw(rng),
            "position": [draws.uniform(rng, 0, 1), draws.uniform(rng, 0, 1)],
            "angle_deg": self.angle_deg.draw(rng),
            "opacity": self.opacity.draw(rng),
            "worn": draws.uniform(rng, 0.1, 0.5),
            "seed": draw_seed(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        cover = _worn(_SHAPES[params["shape"]](params), params)
        scale = max(4.0, params["size"] * min(height, width)) / _DRAWN_PX
        if scale < 0.7:  # linear interpolation alone would skip pixels
            cv2 = cv()
            cover = cv2.resize(cover, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            scale = 1.0
        turned = glyphs.warped(cover, glyphs.rotation(params["angle_deg"]) * scale)
        x, y = params["position"]
        left, top = round(x * (width - turned.shape[1])), round(y * (height - turned.shape[0]))
        return [layer((height, width), turned, params["ink"], top=top, left=left, opacity=params["opacity"])]


def _seal(params: Params) -> np.ndarray:
    """Two circles, words between them, an emblem in the middle."""
    side = _DRAWN_PX
    canvas, middle = drawing.sheet(side, side), side / 2
    drawing.circle(canvas, middle, middle, side * 0.47, 9)
    drawing.circle(canvas, middle, middle, side * 0.31, 5)
    _around(canvas, params["legend"], side * 0.385, side * 0.11)
    return _paste(canvas, emblems.draw(params["emblem"], round(side * 0.46)))


def _badge(params: Params) -> np.ndarray:
    """A thick circle with a band across it that carries a word, emblems above and below."""
    side = _DRAWN_PX
    canvas, middle = drawing.sheet(side, side), side / 2
    drawing.circle(canvas, middle, middle, side * 0.45, 18)
    drawing.circle(canvas, middle, middle, side * 0.38, 4)
    for place in (0.27, 0.73):
        drawing.polygon(canvas, emblems.star(middle, side * place, side * 0.075, 5))
    drawing.polygon(canvas, _box(side * 0.01, side * 0.37, side * 0.99, side * 0.63), 0)
    canvas = _paste(canvas, _label(params["verdict"], side * 0.2, side * 0.86))
    for y in (0.385, 0.615):
        drawing.line(canvas, np.array([[side * 0.02, side * y], [side * 0.98, side * y]]), 8)
    return canvas


def _boxed(params: Params) -> np.ndarray:
    """A word in a double frame."""
    side = _DRAWN_PX
    label = _label(params["verdict"], side * 0.3, side * 0.82)
    canvas = drawing.sheet(round(label.shape[0] * 0.95) + 24, side)
    height = canvas.shape[0]
    for inset, line in ((8, 10), (22, 4)):
        corners = _box(inset, inset, side - inset, height - inset)
        drawing.line(canvas, np.concatenate([corners, corners[:1]]), line)
    return _paste(canvas, label)


_SHAPES: dict[str, Callable[[Params], np.ndarray]] = {"seal": _seal, "badge": _badge, "box": _boxed}


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _label(text: str, wanted_px: float, most_px: float) -> np.ndarray:
    return _trimmed(glyphs.word(text, _BOLD, glyphs.fitting(text, _BOLD, wanted_px, most_px)))


def _trimmed(cover: np.ndarray) -> np.ndarray:
    x, y, width, height = cv().boundingRect(cover)
    return np.pad(cover[y : y + height, x : x + width], max(2, height // 3))


def _paste(canvas: np.ndarray, part: np.ndarray) -> np.ndarray:
    """`part` in the middle of the canvas, cut where it is larger."""
    top, left = ((a - b) // 2 for a, b in zip(canvas.shape, part.shape, strict=True))
    part = part[
        max(0, -top) : max(0, -top) + canvas.shape[0], max(0, -left) : max(0, -left) + canvas.shape[1]
    ]
    top, left = max(0, top), max(0, left)
    box = canvas[top : top + part.shape[0], left : left + part.shape[1]]
    np.maximum(box, part, out=box)
    return canvas


def _around(canvas: np.ndarray, legend: str, radius: float, letter_px: float) -> None:
    """The legend on a circle, repeated while it fits, letters upright seen from the middle."""
    per_letter = 0.78 * letter_px / radius
    text = legend * max(1, round(2 * math.pi / (per_letter * len(legend))))
    middle = canvas.shape[0] / 2
    letter_px *= min(1.0, 2 * math.pi / (per_letter * len(text)))
    for index, letter in enumerate(text):
        if letter == " ":
            continue
        turn = 2 * math.pi * index / len(text)
        glyph = glyphs.word(letter, _BOLD, letter_px, 0, -math.degrees(turn))
        x, y = middle + radius * math.sin(turn), middle - radius * math.cos(turn)
        left, top = round(x - glyph.shape[1] / 2), round(y - glyph.shape[0] / 2)
        box = canvas[top : top + glyph.shape[0], left : left + glyph.shape[1]]
        np.maximum(box, glyph[: box.shape[0], : box.shape[1]], out=box)


def _worn(cover: np.ndarray, params: Params) -> np.ndarray:
    """Less ink where the rubber did not touch: in patches, and in grains of the paper."""
    rng = draws.generator("stamp", params["seed"])
    height, width = cover.shape
    patches = drawing.rough_noise(rng, height, width, 4, 3)
    grain = drawing.smooth_noise(rng, height, width, 150)
    missing = 0.9 * patches + 0.45 * grain - np.float32(1.15 - 0.9 * params["worn"])
    kept = 1 - np.clip(missing * 5, 0, 0.92)
    pale = np.float32(1) - np.float32(0.35) * drawing.smooth_noise(rng, height, width, 3)
    return drawing.u8(cover * np.float32(1 / 255) * kept * pale)
