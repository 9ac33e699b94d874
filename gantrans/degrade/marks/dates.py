"""The date that a camera burns into a corner."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Params, interval
from gantrans.degrade.marks import drawing, phrases
from gantrans.degrade.marks.canvas import Layer, Mark, layer
from gantrans.imaging.opencv import cv


class DateStamp(Mark):
    """The date in glowing digits of seven segments, in a corner, as cameras burnt it into the film.

    `size` is the digits' height relative to the shorter side.
    """

    def __init__(self, size: Amount = (0.03, 0.06), opacity: Amount = (0.75, 1.0)) -> None:
        self.size = interval("size", size, 0.005, 0.5)
        self.opacity = interval("opacity", opacity, 0, 1)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "text": phrases.draw_date(rng),
            "size": self.size.draw(rng),
            "right": draws.uniform(rng, 0, 1) < 0.8,
            "bottom": draws.uniform(rng, 0, 1) < 0.75,
            "inset": [draws.uniform(rng, 0.03, 0.09), draws.uniform(rng, 0.03, 0.09)],
            "ink": [1.0, draws.uniform(rng, 0.35, 0.62), draws.uniform(rng, 0.02, 0.15)],
            "opacity": self.opacity.draw(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        px = max(5.0, params["size"] * min(height, width))
        digits = _digits(params["text"], px)
        right, bottom = (round(inset * min(height, width)) for inset in params["inset"])
        left = width - right - digits.shape[1] if params["right"] else right
        top = height - bottom - digits.shape[0] if params["bottom"] else bottom
        cv2, place = cv(), {"top": top, "left": left, "opacity": params["opacity"]}
        glow = cv2.convertScaleAbs(cv2.GaussianBlur(digits, (0, 0), px * 0.12), alpha=0.8)
        soft = cv2.GaussianBlur(digits, (0, 0), max(0.35, px * 0.025))
        red, green, blue = params["ink"]
        halo, core = [red, green * 0.6, blue * 0.5], [red, min(1.0, green + 0.18), blue + 0.2]
        return [layer((height, width), glow, halo, **place), layer((height, width), soft, core, **place)]


#    0
#  5   1      each digit as the segments that are lit
#    6
#  4   2
#    3
_LIT = {"0": "012345", "1": "12", "2": "01643", "3": "01623", "4": "5612", "5": "05623", "6": "056234",
        "7": "012", "8": "0123456", "9": "012356"}  # fmt: skip
_SEGMENTS = (((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (1, 2)), ((1, 2), (0, 2)), ((0, 2), (0, 1)),
             ((0, 1), (0, 0)), ((0, 1), (1, 1)))  # fmt: skip


def _digits(text: str, px: float) -> np.ndarray:
    """The digits `px` high with room for their glow, leaning a little."""
    margin, step, thick = px * 0.5, px * 0.78, max(1.0, px * 0.11)
    canvas = drawing.sheet(math.ceil(px + 2 * margin), math.ceil(step * len(text) + 2 * margin))
    for index, letter in enumerate(text):
        corner = np.array([margin + index * step, margin])
        if letter == "'":
            drawing.line(canvas, corner + np.array([[0.4, 0.0], [0.32, 0.25]]) * px, thick)
        elif letter == ":":
            for y in (0.3, 0.7):
                drawing.disk(canvas, corner[0] + 0.3 * px, corner[1] + y * px, thick * 0.6)
        for segment in _LIT.get(letter, ""):
            ends = np.array(_SEGMENTS[int(segment)]) * [0.5, 0.5]
            inward = (ends[1] - ends[0]) * 0.09
            ends = (ends + np.stack([inward, -inward])) * px
            ends[:, 0] += 0.08 * (px - ends[:, 1])
            drawing.line(canvas, corner + ends, thick)
    return canvas
