"""Noise: of the sensor (Gaussian, Poisson, speckle, rows) and of the wire (salt and pepper)."""

from __future__ import annotations

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Params, draw_seed, interval, probability
from gantrans.imaging import grain


class _Field:
    """What these share: a drawn amount, whether all channels get the same, and a seed for the field."""

    scale = 1
    takes_u8 = True

    def __init__(self, name: str, amount: Amount, most: float, grey: float) -> None:
        self.name = name
        self.amount = interval(name, amount, 0, most)
        self.grey = probability("grey", grey)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            self.name: self.amount.draw(rng),
            "grey": draws.uniform(rng, 0, 1) < self.grey,
            "seed": draw_seed(rng),
        }


class GaussianNoise(_Field):
    """Adds N(0, sigma^2), `sigma_levels` in 8-bit levels; the same in all channels with chance `grey`."""

    def __init__(self, sigma_levels: Amount = (5.0, 25.0), grey: float = 0.3) -> None:
        super().__init__("sigma_levels", sigma_levels, 255, grey)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        field = _drawn("gaussian_noise", pixels, params, grain.normal_table())
        return grain.add(pixels, field, params["sigma_levels"])


class SpeckleNoise(_Field):
    """Multiplies by N(1, sigma^2): grain in proportion to the light, as of radar or ultrasound."""

    def __init__(self, sigma: Amount = (0.05, 0.25), grey: float = 0.3) -> None:
        super().__init__("sigma", sigma, 2, grey)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        table = np.float32(1) + np.float32(params["sigma"]) * grain.normal_table()
        return grain.multiply(pixels, _drawn("speckle_noise", pixels, params, table))


class SaltPepper(_Field):
    """Dead samples: a `share` of them turns white or black, half each; whole pixels with chance `grey`."""

    def __init__(self, share: Amount = (0.002, 0.03), grey: float = 0.5) -> None:
        super().__init__("share", share, 1, grey)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        dead = round(params["share"] * 65536)
        table = np.zeros(65536, np.float32)
        table[: dead // 2] = -1
        table[dead // 2 : dead] = 1
        return grain.add(pixels, _drawn("salt_pepper", pixels, params, table), 255)


class RowNoise:
    """Banding of a read-out: an N(0, sigma^2) of its own for each row, `sigma_levels` in 8-bit levels.

    Bands are `band_px` rows high; they are columns with chance `columns`, grey with chance `grey`.
    """

    scale = 1
    takes_u8 = True

    def __init__(
        self,
        sigma_levels: Amount = (2.0, 8.0),
        band_px: Amount = (1, 4),
        columns: float = 0.25,
        grey: float = 0.7,
    ) -> None:
        self.sigma_levels = interval("sigma_levels", sigma_levels, 0, 255)
        self.band_px = interval("band_px", band_px, 1, 1000, whole=True)
        self.columns = probability("columns", columns)
        self.grey = probability("grey", grey)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "sigma_levels": self.sigma_levels.draw(rng),
            "band_px": self.band_px.draw_whole(rng),
            "columns": draws.uniform(rng, 0, 1) < self.columns,
            "grey": draws.uniform(rng, 0, 1) < self.grey,
            "seed": draw_seed(rng),
        }

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        side = pixels.shape[1 if params["columns"] else 0]
        bands = -(-side // params["band_px"])
        rng = draws.generator("row_noise", params["seed"])
        offsets = grain.field(rng, (bands, 3), grain.normal_table())
        offsets = offsets[:, :1] if params["grey"] else offsets[:, : pixels.shape[2]]
        lines = np.repeat(offsets, params["band_px"], axis=0)[:side]
        return grain.add(pixels, lines[None] if params["columns"] else lines[:, None], params["sigma_levels"])


class PoissonNoise:
    """Counts photons: white collects `peak_photons` a pixel on average; the fewer, the noisier.

    y = Poisson(peak x) / peak, so the variance is x / peak: bright areas are noisier, relatively less so.
    """

    scale = 1
    takes_u8 = True

    def __init__(self, peak_photons: Amount = (30.0, 300.0)) -> None:
        self.peak_photons = interval("peak_photons", peak_photons, 1, 1e6)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"peak_photons": self.peak_photons.draw(rng), "seed": draw_seed(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        rng = draws.generator("poisson_noise", params["seed"])
        return grain.poisson(pixels, params["peak_photons"], rng)


def _drawn(name: str, pixels: np.ndarray, params: Params, table: np.ndarray) -> np.ndarray:
    """A field (H, W, 1 or C) of draws from the table, addressed by the operation and its seed."""
    height, width, channels = pixels.shape
    shape = (height, width, 1 if params["grey"] else channels)
    return grain.field(draws.generator(name, params["seed"]), shape, table)
