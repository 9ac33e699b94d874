"""Blur: by a Gaussian, by a lens out of focus, by motion."""

from __future__ import annotations

import numpy as np

from gantrans.degrade.base import Amount, Params, interval
from gantrans.imaging import filters


class GaussianBlur:
    """Convolution with a Gaussian of standard deviation `sigma_px`."""

    scale = 1

    def __init__(self, sigma_px: Amount = (1.0, 2.5)) -> None:
        self.sigma_px = interval("sigma_px", sigma_px, 0, 100)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"sigma_px": self.sigma_px.draw(rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        return filters.gaussian_blur(x01, params["sigma_px"])


class DefocusBlur:
    """Each point becomes a disk of `radius_px`, as behind an open aperture."""

    scale = 1

    def __init__(self, radius_px: Amount = (2.0, 5.0)) -> None:
        self.radius_px = interval("radius_px", radius_px, 0, 100)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"radius_px": self.radius_px.draw(rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        return _clipped(filters.convolve(x01, filters.disk_kernel(params["radius_px"])))


class MotionBlur:
    """Each point becomes a straight trail of `length_px`, at `angle_deg` counter-clockwise."""

    scale = 1

    def __init__(self, length_px: Amount = (7.0, 21.0), angle_deg: Amount = (0.0, 180.0)) -> None:
        self.length_px = interval("length_px", length_px, 0, 200)
        self.angle_deg = interval("angle_deg", angle_deg, -360, 360)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"length_px": self.length_px.draw(rng), "angle_deg": self.angle_deg.draw(rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        kernel = filters.motion_kernel(params["length_px"], params["angle_deg"])
        return _clipped(filters.convolve(x01, kernel))


def _clipped(x01: np.ndarray) -> np.ndarray:
    return np.clip(x01, 0, 1)  # an FFT leaves errors of 1e-8 on either side
