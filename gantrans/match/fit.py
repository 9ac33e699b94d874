"""From numbers of each picture to ranges of a recipe: how many pictures have it, and how much of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ALWAYS = 0.8  # share of pictures from which on a step is for all
LEAST_SHARE = 0.25
LUMA_NORM = math.sqrt(0.299**2 + 0.587**2 + 0.114**2)  # of independent noise in R, G, B, what luma has


@dataclass(frozen=True)
class Step:
    """One line of the recipe. `share` of the `count` pictures it could be measured on have it."""

    operation: str
    parameters: dict[str, Any]
    unit: str
    median: float
    low: float
    high: float
    share: float
    count: int
    told: str  # how it was measured, and how sure that is


@dataclass
class Fit:
    """What was found, in the order of the recipe, and why other things were not."""

    steps: list[Step] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def plain(self) -> list[dict[str, Any]]:
        """The steps at their medians, as plain recipe steps."""
        return [{s.operation: {**s.parameters, next(iter(s.parameters)): s.median}} for s in self.steps]


def share_above(bad: np.ndarray, clean: np.ndarray) -> float:
    """The share of pictures that were degraded, if degraded ones exceed all others: 2 P(bad > clean) - 1.

    P is Mann and Whitney's, ties counted half; it is 1/2 where both come from one distribution. Returns 0
    where the share cannot be told from chance: below 2.5 standard deviations, or below LEAST_SHARE.
    """
    if not len(bad) or not len(clean):
        return 0.0
    above = (bad[:, None] > clean[None]).mean() + 0.5 * (bad[:, None] == clean[None]).mean()
    share = 2 * float(above) - 1
    deviation = 2 * math.sqrt((len(bad) + len(clean) + 1) / (12 * len(bad) * len(clean)))
    return share if share > max(LEAST_SHARE, 2.5 * deviation) else 0.0


def highest(values: np.ndarray, share: float) -> np.ndarray:
    """The largest `share` of them."""
    return np.sort(values)[len(values) - max(1, round(share * len(values))) :]


def spread(values: np.ndarray, own: float = 0.0) -> tuple[float, float, float]:
    """(median, low, high): the 10th and 90th percentiles, drawn together by the estimator's `own` distance
    between them, as variances subtract: what is left is of the pictures."""
    low, median, high = (float(v) for v in np.percentile(values, [10, 50, 90]))
    width = high - low
    kept = math.sqrt(max(0.0, 1 - (own / width) ** 2)) if width > 0 else 0.0
    return median, median - (median - low) * kept, median + (high - median) * kept


def without(values: np.ndarray, base: float) -> np.ndarray:
    """What independent deviations are left when `base` is taken off: sqrt(x^2 - base^2), not below 0."""
    return np.sqrt(np.maximum(0, values**2 - base**2))


def usable(curve: np.ndarray, blurs_px: np.ndarray) -> int:
    """How many points of a falling curve can be told apart: up to where it falls by 0.03 a pixel."""
    falls = -np.diff(curve) / np.diff(blurs_px)
    flat = np.flatnonzero(~(falls > 0.03))  # also where it could not be measured
    return int(flat[0]) + 1 if len(flat) else len(curve)


def step(operation: str, parameters: dict[str, Any], unit: str, found: tuple[float, float, float],
         share: float, count: int, told: str, digits: int) -> Step:  # fmt: skip
    """A step with its first parameter the range `found` (median, low, high), rounded."""
    median, low, high = (round(v, digits) if digits else round(v) for v in found)
    first = next(iter(parameters))
    return Step(operation, {**parameters, first: [low, high]}, unit, median, low, high, share, count, told)
