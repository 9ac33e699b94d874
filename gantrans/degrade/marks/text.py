"""Text over a picture: captions, names, dates and copyright lines in many faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, interval, probability
from gantrans.degrade.marks import glyphs, lettering, phrases
from gantrans.degrade.marks.canvas import Layer, Mark
from gantrans.degrade.marks.glyphs import Style

_MAX_WIDTH = 0.95  # of the image


class TextMark(Mark):
    """Words, a date or a copyright line, anywhere on the picture or tiled all over it.

    `size` is the letters' height relative to the shorter side, `opacity` 1 hides what lies below, `tiled` is
    the chance of a mark that repeats over the whole picture. `effects` are those to choose among; `variety`
    0..1 stretches, slants, fattens and spaces the letters; `fonts` is a folder of font files to choose among
    (default: the face that Pillow brings along).
    """

    def __init__(
        self,
        size: Amount = (0.06, 0.14),
        opacity: Amount = (0.5, 1.0),
        angle_deg: Amount = (-25.0, 25.0),
        tiled: float = 0.15,
        effects: Choice = lettering.CLASSIC,
        variety: float = 0.0,
        fonts: str | None = None,
    ) -> None:
        self.size = interval("size", size, 0.01, 1)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.angle_deg = interval("angle_deg", angle_deg, -180, 180)
        self.tiled = probability("tiled", tiled)
        self.effects = choices("effects", effects, lettering.EFFECTS)
        self.variety = probability("variety", variety)
        self.fonts = fonts
        self.files = glyphs.font_files(fonts) if fonts is not None else ()

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "text": phrases.draw_text(rng),
            "size": self.size.draw(rng),
            # x from the left, y from the top, of the room that the mark leaves
            "position": [draws.uniform(rng, 0, 1), draws.uniform(rng, 0, 1)],
            "angle_deg": self.angle_deg.draw(rng),
            "colour": _colour(rng),
            "opacity": self.opacity.draw(rng),
            "effect": draw_choice(rng, self.effects),
            "tiled": draws.uniform(rng, 0, 1) < self.tiled,
            "style": lettering.draw_style(rng, self.variety),
            "font": draw_choice(rng, self.files) if self.files else None,
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        text, style = params["text"], self._style(params)
        font_px = glyphs.fitting(text, style, params["size"] * min(height, width), _MAX_WIDTH * width)
        font_px = max(font_px, lettering.MIN_FONT_PX)
        ink = np.asarray(params["colour"])
        return [
            lettering.place(height, width, each, params, colour, font_px, shift, opacity)
            for each, colour, shift, opacity in lettering.parts(params["effect"], text, style, font_px, ink)
        ]

    def _style(self, params: Params) -> Style:
        font = str(Path(self.fonts) / params["font"]) if self.fonts and params["font"] else None
        return Style(font, **params["style"])


def _colour(rng: np.random.Generator) -> list[float]:
    """White or nearly so, black or nearly so, or any colour, one third each: red, green, blue in x01."""
    kind = draws.integer(rng, 0, 2)
    if kind == 2:
        return [draws.uniform(rng, 0, 1) for _ in range(3)]
    level = draws.uniform(rng, 0.85, 1) if kind == 0 else draws.uniform(rng, 0, 0.15)
    return [level] * 3
