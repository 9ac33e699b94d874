"""Translucent watermarks: a studio's name or emblem, once and large or all over the picture."""

from __future__ import annotations

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Params, draw_choice, interval, probability
from gantrans.degrade.marks import emblems, glyphs, lettering, phrases
from gantrans.degrade.marks.canvas import Layer, Mark
from gantrans.degrade.marks.glyphs import Style


class Watermark(Mark):
    """A translucent name or emblem or both, once and large, or tiled all over the picture.

    `size` is the letters' height relative to the shorter side, a third of it where tiled; `opacity` is low,
    so that the picture shows through; `tiled` is the chance of repetition.
    """

    def __init__(
        self,
        size: Amount = (0.08, 0.2),
        opacity: Amount = (0.2, 0.55),
        angle_deg: Amount = (-35.0, 35.0),
        tiled: float = 0.5,
    ) -> None:
        self.size = interval("size", size, 0.01, 1)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.angle_deg = interval("angle_deg", angle_deg, -180, 180)
        self.tiled = probability("tiled", tiled)

    def sample(self, rng: np.random.Generator) -> Params:
        tiled = draws.uniform(rng, 0, 1) < self.tiled
        return {
            "text": phrases.draw_name(rng),
            "emblem": draw_choice(rng, ("none", *emblems.NAMES)),
            "size": self.size.draw(rng) / (3 if tiled else 1),
            "position": [draws.uniform(rng, 0.2, 0.8), draws.uniform(rng, 0.2, 0.8)],
            "angle_deg": self.angle_deg.draw(rng),
            "colour": [draws.uniform(rng, 0.85, 1) if draws.uniform(rng, 0, 1) < 0.8 else 0.0] * 3,
            "opacity": self.opacity.draw(rng),
            "effect": draw_choice(rng, ("plain", "hollow", "emboss")),
            "tiled": tiled,
            "style": lettering.draw_style(rng, 1.0),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        text, style = params["text"], Style(None, **params["style"])
        font_px = params["size"] * min(height, width)
        font_px = max(glyphs.fitting(text, style, font_px, 0.8 * width), lettering.MIN_FONT_PX)
        ink = np.asarray(params["colour"])
        found = lettering.parts(params["effect"], text, style, font_px, ink)
        emblem = _emblem(params["emblem"], font_px)
        return [
            lettering.place(height, width, _under(emblem, each), params, colour, font_px, shift, opacity)
            for each, colour, shift, opacity in found
        ]


def _emblem(name: str, font_px: float) -> np.ndarray | None:
    return None if name == "none" else emblems.draw(name, max(8, round(font_px * 2.2)))


def _under(emblem: np.ndarray | None, word: np.ndarray) -> np.ndarray:
    """The word with the emblem above it."""
    if emblem is None:
        return word
    width = max(emblem.shape[1], word.shape[1])
    rows = [np.pad(each, ((0, 0), _halves(width - each.shape[1]))) for each in (emblem, word)]
    return np.concatenate(rows)


def _halves(room: int) -> tuple[int, int]:
    return room // 2, room - room // 2
