"""Noise, light and colour: small pure functions on arrays, values in 0..1 unless a name says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from PIL import Image

from gantrans.draws import uniform

Colour = tuple[float, float, float]
Choice = TypeVar("Choice")


def rgb(code: str) -> Colour:
    """x01 from six hex digits."""
    red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def palette(codes: str) -> tuple[Colour, ...]:
    """Colours from hex codes with spaces between."""
    return tuple(rgb(code) for code in codes.split())


def as_array(colour: Colour) -> np.ndarray:
    return np.asarray(colour, np.float32)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two, `share` of the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def vary(rng: np.random.Generator, colour: Colour, amount: float = 0.06) -> Colour:
    """A colour near this one: mostly lighter or darker, a little redder or bluer."""
    light, warm = uniform(rng, -amount, amount), uniform(rng, -amount, amount) / 2
    red, green, blue = colour
    return red + light + warm, green + light, blue + light - warm


def pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    return choices[int(rng.integers(len(choices)))]


def shuffled(rng: np.random.Generator, things: Sequence[Choice]) -> list[Choice]:
    return [things[at] for at in rng.permutation(len(things))]


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, a smooth S between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def ramp(t: np.ndarray, stops: Sequence[Colour]) -> np.ndarray:
    """Colours (..., 3) along evenly spaced stops, t in 0..1."""
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(t, places, [stop[c] for stop in stops]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def lit(colour: Colour, light: np.ndarray) -> np.ndarray:
    """One colour under a field of light (H, W), where 1 leaves it as it is."""
    return as_array(colour) * light[..., None].astype(np.float32)


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    cell: float,
    octaves: int = 4,
    gain: float = 0.5,
    stretch: float = 1.0,
) -> np.ndarray:
    """Fractal value noise (H, W) in 0..1; the coarsest lattice is `cell` high and `stretch` times wider."""
    height, width = shape
    total, weight = np.zeros(shape, np.float32), 1.0
    for octave in range(octaves):
        tall = max(cell / 2**octave, 1.0)
        wide = max(tall * stretch, 1.0)
        lattice = rng.random((int(height / tall) + 4, int(width / wide) + 4), np.float32)
        window = (1.0, 1.0, 1 + width / wide, 1 + height / tall)
        smooth = Image.fromarray(lattice).resize((width, height), Image.Resampling.BICUBIC, box=window)
        total += weight * np.asarray(smooth)
        weight *= gain
    low, high = total.min(), total.max()
    return (total - low) / (high - low)


def profile(
    rng: np.random.Generator, count: int, cell: float, octaves: int = 5, gain: float = 0.5
) -> np.ndarray:
    """A one-dimensional fractal line (count,) in 0..1: a ridge, a coast, a torn edge."""
    lines = fractal(rng, (3, count), cell, octaves, gain)[1]
    return (lines - lines.min()) / (np.ptp(lines) + 1e-6)


def relief(height: np.ndarray, strength: float) -> np.ndarray:
    """Light on a height field from the upper left: about 1 where flat, brighter on the lit faces."""
    down, across = np.gradient(height)
    return np.clip(1 + strength * (across + 0.6 * down), 0.35, 1.6)


def thread(position: np.ndarray) -> np.ndarray:
    """The light across round threads one unit wide."""
    return np.sqrt(np.clip(1 - (2 * (position % 1) - 1) ** 2 * 0.92, 0, 1))


def wood(
    rng: np.random.Generator, shape: tuple[int, ...], cell: float, dark: Colour, light: Colour
) -> np.ndarray:
    """Planed wood (H, W, 3), its grain along x: warped year rings and fine pores."""
    warp = fractal(rng, shape, cell, 3, stretch=7)
    rings = 0.5 + 0.5 * np.sin(warp * 40)
    pores = fractal(rng, shape, cell / 9, 3, gain=0.8, stretch=16)
    return ramp(np.clip(0.4 * rings + 0.8 * pores - 0.1, 0, 1), [dark, light])
