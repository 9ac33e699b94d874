"""Randomness addressed by name: every draw is a pure function of where it belongs, never of when it is made.

`generator("degrade", seed, image_key, draw_index)` gives the same numbers in any process, order or batch.
"""

from __future__ import annotations

import hashlib

import numpy as np

Address = str | int


def seed_of(*address: Address) -> int:
    """A 63-bit seed from an address; parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.blake2b(digest_size=8)
    for part in address:
        data = f"{type(part).__name__}:{part}".encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "little") + data)
    return int.from_bytes(digest.digest(), "little") >> 1


def generator(*address: Address) -> np.random.Generator:
    """A NumPy generator for this address alone."""
    return np.random.Generator(np.random.PCG64(seed_of(*address)))


def fraction(*address: Address) -> float:
    """A number in [0, 1) for this address: for decisions that belong to a name, as which split an image is
    in."""
    return seed_of(*address) / 2**63


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One float in [low, high); `low` itself when the two are equal."""
    return float(low + (high - low) * rng.random())


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One float in [low, high), uniform in its logarithm; both bounds > 0."""
    return float(np.exp(uniform(rng, float(np.log(low)), float(np.log(high)))))


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """One integer in [low, high], both ends included."""
    return low + min(int(rng.random() * (high - low + 1)), high - low)
