"""Loss of resolution: down and back up, or down for good."""

from __future__ import annotations

import numpy as np

from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, interval
from gantrans.imaging import filters

SMOOTH = ("box", "bilinear", "bicubic", "lanczos")


class DownUp:
    """Scaled down by `factor` and back to its size; `down` and `up` name the filters to choose among."""

    scale = 1

    def __init__(
        self, factor: Amount = (2.0, 4.0), down: Choice = SMOOTH, up: Choice = ("bilinear", "bicubic")
    ) -> None:
        self.factor = interval("factor", factor, 1, 64)
        self.down = choices("down", down, filters.METHODS)
        self.up = choices("up", up, filters.METHODS)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "factor": self.factor.draw(rng),
            "down": draw_choice(rng, self.down),
            "up": draw_choice(rng, self.up),
        }

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        height, width = x01.shape[:2]
        low = (max(1, round(height / params["factor"])), max(1, round(width / params["factor"])))
        return filters.resize(filters.resize(x01, *low, params["down"]), height, width, params["up"])


class Downscale:
    """Scaled down by the whole number `factor`, and left small: the source of a super-resolution pair."""

    def __init__(self, factor: int = 2, method: Choice = "bicubic") -> None:
        self.scale = int(interval("factor", factor, 2, 16, whole=True).low)
        if not isinstance(factor, int | float):
            raise ValueError(
                f"factor={factor}: accepted is one whole number, since all pairs share one scale"
            )
        self.method = choices("method", method, filters.METHODS)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"factor": self.scale, "method": draw_choice(rng, self.method)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        height, width = x01.shape[:2]
        if height % self.scale or width % self.scale or not min(height, width):
            raise ValueError(
                f"{width}x{height} is not a multiple of the factor {self.scale}; crop_to_multiple first"
            )
        return filters.resize(x01, height // self.scale, width // self.scale, params["method"])
