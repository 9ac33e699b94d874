"""Dust and hairs, on the negative or on the print."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer

TONES = ("light", "dark", "mixed")
BARE = (0.96, 0.94, 0.89)  # the paper below the emulsion
DIRT = (0.10, 0.08, 0.07)


class Dust(Mark):
    """`count` specks and `hairs` curly fibres, light where they lay on a negative, dark where on a print.

    `size` is a speck's radius relative to the shorter side.
    """

    def __init__(
        self,
        count: Amount = (30, 200),
        hairs: Amount = (0, 5),
        size: Amount = (0.0006, 0.004),
        opacity: Amount = (0.6, 1.0),
        tones: Choice = ("light", "mixed"),
    ) -> None:
        self.count = interval("count", count, 0, 10000, whole=True)
        self.hairs = interval("hairs", hairs, 0, 1000, whole=True)
        self.size = interval("size", size, 0.0001, 0.1)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.tones = choices("tones", tones, TONES)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "count": self.count.draw_whole(rng),
            "hairs": self.hairs.draw_whole(rng),
            "size": [self.size.low, self.size.high],
            "opacity": self.opacity.draw(rng),
            "tone": draw_choice(rng, self.tones),
            "seed": draw_seed(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        rng = draws.generator("dust", params["seed"])
        light, dark = drawing.sheet(height, width), drawing.sheet(height, width)
        low, high = (math.log(size) for size in params["size"])
        for index in range(params["count"] + params["hairs"]):
            is_dark = params["tone"] == "dark" or (params["tone"] == "mixed" and rng.random() < 0.5)
            canvas = dark if is_dark else light
            at = np.array([rng.uniform(0, width), rng.uniform(0, height)])
            if index < params["hairs"]:
                _hair(rng, canvas, at)
            else:  # the larger, the rarer
                share = rng.random() ** 2.5
                flake(rng, canvas, at, min(height, width) * math.exp(low + (high - low) * share))
        size, opacity = (height, width), params["opacity"]
        return [layer(size, dark, DIRT, opacity=opacity), layer(size, light, BARE, opacity=opacity)]


def _hair(rng: np.random.Generator, canvas: np.ndarray, at: np.ndarray) -> None:
    short = min(canvas.shape)
    length = short * math.exp(rng.uniform(math.log(0.03), math.log(0.22)))
    count = 40
    curl = rng.normal(0, 1.6) * np.linspace(-1, 1, count) + rng.uniform(0, 3) * (
        drawing.noise_along(rng, count, 4, 2) - 0.5
    )
    points = drawing.wandering((at[0], at[1]), rng.uniform(0, 2 * math.pi), length, curl)
    drawing.line(canvas, points, max(0.6, short * rng.uniform(0.001, 0.002)), 255 * rng.uniform(0.6, 1))


def flake(rng: np.random.Generator, canvas: np.ndarray, at: np.ndarray, radius: float) -> None:
    """A small spot with corners; smaller than a pixel, it pales."""
    turns = np.sort(rng.uniform(0, 2 * math.pi, 7))
    reach = max(radius, 0.6) * rng.uniform(0.5, 1.2, 7)
    outline = np.stack([np.cos(turns) * reach, np.sin(turns) * reach * rng.uniform(0.5, 1)], 1)
    drawing.polygon(canvas, outline + at, 255 * min(1.0, max(0.35, radius / 0.6)))
