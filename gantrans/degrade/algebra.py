"""Degradations made of degradations: one after another, one of several, perhaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Degradation, Params, probability, snake_case


def label(step: Degradation) -> str:
    """The name under which a step's parameters stand in the manifest."""
    return snake_case(type(step).__name__)


def _sample(step: Degradation, rng: np.random.Generator) -> dict[str, Any]:
    return {label(step): step.sample(rng)}


def _forward(step: Degradation, x01: np.ndarray, labelled: dict[str, Any]) -> np.ndarray:
    return step.forward(x01, labelled[label(step)])


class Compose:
    """Every step in turn; with `shuffle` in an order drawn for each image."""

    def __init__(self, steps: Sequence[Degradation], shuffle: bool = False) -> None:
        if not steps:
            raise ValueError("no steps: needed is one degradation or more")
        self.steps = list(steps)
        self.shuffle = shuffle
        self.scale = math.prod(step.scale for step in self.steps)

    def sample(self, rng: np.random.Generator) -> Params:
        order = np.argsort(rng.random(len(self.steps)), kind="stable").tolist() if self.shuffle else None
        params: Params = {"order": order} if order else {}
        return {**params, "steps": [_sample(step, rng) for step in self.steps]}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        for index in params.get("order", range(len(self.steps))):
            x01 = _forward(self.steps[index], x01, params["steps"][index])
        return x01


class OneOf:
    """One of the steps, drawn by weight (equal where none are given)."""

    def __init__(self, choices: Sequence[Degradation], weights: Sequence[float] | None = None) -> None:
        if not choices:
            raise ValueError("no steps: needed is one degradation or more")
        weights = list(weights) if weights is not None else [1.0] * len(choices)
        if len(weights) != len(choices) or min(weights) < 0 or not 0 < sum(weights) < math.inf:
            raise ValueError(
                f"weights={weights}: accepted are {len(choices)} numbers of 0 or more, not all 0"
            )
        scales = {step.scale for step in choices}
        if len(scales) > 1:
            raise ValueError(f"the steps scale by {sorted(scales)}: accepted is the same scale for all")
        self.choices = list(choices)
        self.upper = (np.cumsum(weights) / np.sum(weights)).tolist()
        self.scale = scales.pop()

    def sample(self, rng: np.random.Generator) -> Params:
        index = int(np.searchsorted(self.upper, rng.random(), side="right"))
        return {"choice": index, "do": _sample(self.choices[index], rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        return _forward(self.choices[params["choice"]], x01, params["do"])


class Maybe:
    """The step with probability `p`, else the image as it is."""

    scale = 1

    def __init__(self, step: Degradation, p: float) -> None:
        if step.scale != 1:
            raise ValueError(f"{label(step)} changes the size, so it cannot be left to chance")
        self.step = step
        self.p = probability("p", p)

    def sample(self, rng: np.random.Generator) -> Params:
        if draws.uniform(rng, 0, 1) >= self.p:
            return {"applied": False}
        return {"applied": True, "do": _sample(self.step, rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        return _forward(self.step, x01, params["do"]) if params["applied"] else x01
