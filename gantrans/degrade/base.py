"""What a degradation is, and how its constructor takes amounts: a number, or [low, high] to draw from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gantrans import draws
from gantrans.imaging import ranges

Params = dict[str, Any]  # JSON-able: it goes into the manifest and comes back from it
Amount = float | Sequence[float]
Choice = str | Sequence[str]


class Degradation(Protocol):
    """First drawn, then applied: all chance is in `sample`, none in `forward`.

    `scale`: the degraded image is 1/scale the size of the clean one. Two more members may be there:

    takes_u8 = True: `forward` also takes uint8 (H, W, 1 or 3), and answers in kind; others get x01 always.
    mask(height, width, params): where the picture is covered, (H, W) uint8, 0 untouched to 255 hidden; of
    degradations that put something over it, as marks and cut-outs do. Bit for bit 0 where `forward` changes
    nothing.
    """

    scale: int

    def sample(self, rng: np.random.Generator) -> Params:
        """Parameters for one image, of any size."""
        ...

    def forward(self, pixels: np.ndarray, params: Params, /) -> np.ndarray:
        """(H, W, 1 or 3) x01 float32, or uint8 -> the same, degraded. Pure: equal arguments, equal bits."""
        ...


def apply(step: Degradation, pixels: np.ndarray, params: Params) -> np.ndarray:
    """`step` done to (H, W, C) uint8 or float32 x01, answered in the same type."""
    if pixels.dtype != np.uint8 or getattr(step, "takes_u8", False):
        return step.forward(pixels, params)
    made = step.forward(ranges.to_x01(pixels), params)
    if not np.isfinite(made).all():
        raise ValueError(f"{snake_case(type(step).__name__)} made numbers that are not finite")
    return ranges.from_x01(made, np.uint8)


def masks(step: Degradation) -> bool:
    """Whether the step tells where it covers the picture."""
    return callable(getattr(step, "mask", None)) and getattr(step, "masked", True)


def mask_of(step: Degradation, height: int, width: int, params: Params) -> np.ndarray:
    """Where the step covers a picture of that size, (H, W) uint8; 0 everywhere for one that does not tell."""
    if not masks(step):
        return np.zeros((height, width), np.uint8)
    return step.mask(height, width, params)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Interval:
    """Where an amount is drawn from, uniformly; fixed where both ends are equal."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        return draws.uniform(rng, self.low, self.high)

    def draw_whole(self, rng: np.random.Generator) -> int:
        """An integer, both ends included."""
        return draws.integer(rng, int(self.low), int(self.high))


def interval(name: str, found: Amount, low: float, high: float, *, whole: bool = False) -> Interval:
    """`found` as an Interval within [low, high]; else ValueError saying what is accepted."""
    ends = [found, found] if isinstance(found, int | float) else found
    listed = isinstance(ends, Sequence) and not isinstance(ends, str) and len(ends) == 2
    if not listed or not all(_is_number(end, whole) for end in ends) or not low <= ends[0] <= ends[1] <= high:
        kind = "whole number" if whole else "number"
        raise ValueError(f"{name}={found}: accepted is a {kind} from {low:g} to {high:g}, or [low, high]")
    return Interval(ends[0], ends[1])


def probability(name: str, found: float) -> float:
    """`found` if it lies in [0, 1]; else ValueError."""
    if not _is_number(found, False) or not 0 <= found <= 1:
        raise ValueError(f"{name}={found}: accepted is a probability from 0 to 1")
    return float(found)


def choices(name: str, found: Choice, accepted: Sequence[str]) -> tuple[str, ...]:
    """One name or several to choose among, each one of `accepted`; else ValueError."""
    names = (found,) if isinstance(found, str) else tuple(found) if isinstance(found, Sequence) else ()
    if not names or any(n not in accepted for n in names):
        raise ValueError(f"{name}={found}: accepted is one of {', '.join(accepted)}, or a list of them")
    return names


def draw_choice(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[draws.integer(rng, 0, len(names) - 1)]


def draw_seed(rng: np.random.Generator) -> int:
    """A seed to keep in the parameters, where what is drawn has the size of the image, as noise has."""
    return draws.integer(rng, 0, 2**32 - 1)


def snake_case(name: str) -> str:
    """GaussianBlur -> gaussian_blur: how a class is called in recipes and manifests."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _is_number(value: object, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return not whole or value == int(value)
