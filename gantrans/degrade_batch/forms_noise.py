"""Noise as calls: the random bits themselves, as imaging/grain.py draws them."""

from __future__ import annotations

import numpy as np

from gantrans import draws
from gantrans.degrade_batch.program import Asked, Call
from gantrans.imaging import grain


def gaussian_noise(asked: Asked) -> list[Call]:
    return _field(asked, "gaussian_noise", "normal_noise", asked.params["sigma_levels"])


def speckle(asked: Asked) -> list[Call]:
    return _field(asked, "speckle_noise", "speckle", asked.params["sigma"])


def salt_pepper(asked: Asked) -> list[Call]:
    return _field(asked, "salt_pepper", "dead_samples", round(asked.params["share"] * 65536))


def poisson(asked: Asked) -> list[Call]:
    rng = draws.generator("poisson_noise", asked.params["seed"])
    bits = grain.random16(rng, (asked.size.height, asked.size.width, asked.size.channels))
    return [Call("poisson", (bits, grain.poisson_table(asked.params["peak_photons"])))]


def rows(asked: Asked) -> list[Call]:
    side = asked.size.width if asked.params["columns"] else asked.size.height
    rng = draws.generator("row_noise", asked.params["seed"])
    offsets = grain.field(rng, (-(-side // asked.params["band_px"]), 3), grain.normal_table())
    offsets = offsets[:, :1] if asked.params["grey"] else offsets[:, : asked.size.channels]
    lines = np.repeat(offsets, asked.params["band_px"], axis=0)[:side].T * np.float32(
        asked.params["sigma_levels"]
    )
    lines = np.ascontiguousarray(np.broadcast_to(lines, (asked.size.channels, side)))
    return [Call("lines", (lines[:, None] if asked.params["columns"] else lines[..., None],))]


def _field(asked: Asked, name: str, kind: str, amount: float) -> list[Call]:
    shape = (asked.size.height, asked.size.width, 1 if asked.params["grey"] else asked.size.channels)
    bits = grain.random16(draws.generator(name, asked.params["seed"]), shape)
    return [Call(kind, (bits, np.array([amount], np.float32)), (shape[2],))]
