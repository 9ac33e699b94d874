"""Noise of the sensor: Gaussian (read-out) and Poisson (photons)."""

from __future__ import annotations

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Params, draw_seed, interval, probability


class GaussianNoise:
    """Adds N(0, sigma^2), `sigma_levels` in 8-bit levels; the same in all channels with chance `grey`."""

    scale = 1

    def __init__(self, sigma_levels: Amount = (5.0, 25.0), grey: float = 0.3) -> None:
        self.sigma_levels = interval("sigma_levels", sigma_levels, 0, 255)
        self.grey = probability("grey", grey)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "sigma_levels": self.sigma_levels.draw(rng),
            "grey": draws.uniform(rng, 0, 1) < self.grey,
            "seed": draw_seed(rng),
        }

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        height, width, channels = x01.shape
        shape = (height, width, 1 if params["grey"] else channels)
        field = draws.generator("gaussian_noise", params["seed"]).standard_normal(shape, dtype=np.float32)
        return np.clip(x01 + field * np.float32(params["sigma_levels"] / 255), 0, 1)


class PoissonNoise:
    """Counts photons: white collects `peak_photons` a pixel on average; the fewer, the noisier.

    y = Poisson(peak x) / peak, so the variance is x / peak: bright areas are noisier, relatively less so.
    """

    scale = 1

    def __init__(self, peak_photons: Amount = (30.0, 300.0)) -> None:
        self.peak_photons = interval("peak_photons", peak_photons, 1, 1e6)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"peak_photons": self.peak_photons.draw(rng), "seed": draw_seed(rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        peak = params["peak_photons"]
        photons = draws.generator("poisson_noise", params["seed"]).poisson(x01.astype(np.float64) * peak)
        return np.clip(photons / peak, 0, 1).astype(np.float32)
