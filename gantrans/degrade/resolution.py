"""Loss of resolution: down and back up, down for good, or in blocks."""

from __future__ import annotations

import numpy as np

from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, interval
from gantrans.imaging import filters

SMOOTH = ("area", "bilinear", "bicubic", "lanczos")


class DownUp:
    """Scaled down by `factor` and back to its size; `down` and `up` name the filters to choose among."""

    scale = 1
    takes_u8 = True

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

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        height, width = pixels.shape[:2]
        low = (max(1, round(height / params["factor"])), max(1, round(width / params["factor"])))
        return filters.resize(filters.resize(pixels, *low, params["down"]), height, width, params["up"])


class Downscale:
    """Scaled down by the whole number `factor`, and left small: the source of a super-resolution pair."""

    takes_u8 = True

    def __init__(self, factor: int = 2, method: Choice = "bicubic") -> None:
        self.scale = int(interval("factor", factor, 2, 16, whole=True).low)
        if not isinstance(factor, int | float):
            raise ValueError(
                f"factor={factor}: accepted is one whole number, since all pairs share one scale"
            )
        self.method = choices("method", method, filters.METHODS)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"factor": self.scale, "method": draw_choice(rng, self.method)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        height, width = pixels.shape[:2]
        if height % self.scale or width % self.scale or not min(height, width):
            raise ValueError(
                f"{width}x{height} is not a multiple of the factor {self.scale}; crop_to_multiple first"
            )
        return filters.resize(pixels, height // self.scale, width // self.scale, params["method"])


class Pixelate:
    """A mosaic: each block of `block_px` pixels is its mean; the last of a row or column may be smaller."""

    scale = 1
    takes_u8 = True

    def __init__(self, block_px: Amount = (4, 16)) -> None:
        self.block_px = interval("block_px", block_px, 1, 1000, whole=True)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"block_px": self.block_px.draw_whole(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return filters.mosaic(pixels, params["block_px"])
