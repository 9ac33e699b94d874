"""Degradations made of degradations: one after another, one of several, perhaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Degradation, Params, apply, mask_of, masks, probability, snake_case


def label(step: Degradation) -> str:
    """The name under which a step's parameters stand in the manifest."""
    return snake_case(type(step).__name__)


def _sample(step: Degradation, rng: np.random.Generator) -> dict[str, Any]:
    return {label(step): step.sample(rng)}


def _forward(step: Degradation, pixels: np.ndarray, labelled: dict[str, Any]) -> np.ndarray:
    return apply(step, pixels, labelled[label(step)])


def _mask(step: Degradation, height: int, width: int, labelled: dict[str, Any]) -> np.ndarray:
    return mask_of(step, height, width, labelled[label(step)])


class Compose:
    """Every step in turn; with `shuffle` in an order drawn for each image."""

    takes_u8 = True

    def __init__(self, steps: Sequence[Degradation], shuffle: bool = False) -> None:
        if not steps:
            raise ValueError("no steps: needed is one degradation or more")
        self.steps = list(steps)
        self.shuffle = shuffle
        self.scale = math.prod(step.scale for step in self.steps)
        self.masked = any(masks(step) for step in self.steps)

    def sample(self, rng: np.random.Generator) -> Params:
        order = np.argsort(rng.random(len(self.steps)), kind="stable").tolist() if self.shuffle else None
        params: Params = {"order": order} if order else {}
        return {**params, "steps": [_sample(step, rng) for step in self.steps]}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        for index in params.get("order", range(len(self.steps))):
            pixels = _forward(self.steps[index], pixels, params["steps"][index])
        return pixels

    def mask(self, height: int, width: int, params: Params) -> np.ndarray:
        """The union of all steps' masks, in the size of the degraded image."""
        mask = np.zeros((height, width), np.uint8)
        for index in params.get("order", range(len(self.steps))):
            step = self.steps[index]
            mask = np.maximum(mask, _mask(step, height, width, params["steps"][index]))
            if step.scale > 1:  # a pixel is covered where any of those it stands for is
                height, width = height // step.scale, width // step.scale
                mask = mask.reshape(height, step.scale, width, step.scale).max(axis=(1, 3))
        return mask


class OneOf:
    """One of the steps, drawn by weight (equal where none are given)."""

    takes_u8 = True

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
        self.masked = any(masks(step) for step in self.choices)

    def sample(self, rng: np.random.Generator) -> Params:
        index = int(np.searchsorted(self.upper, rng.random(), side="right"))
        return {"choice": index, "do": _sample(self.choices[index], rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return _forward(self.choices[params["choice"]], pixels, params["do"])

    def mask(self, height: int, width: int, params: Params) -> np.ndarray:
        return _mask(self.choices[params["choice"]], height, width, params["do"])


class Maybe:
    """The step with probability `p`, else the image as it is."""

    scale = 1
    takes_u8 = True

    def __init__(self, step: Degradation, p: float) -> None:
        if step.scale != 1:
            raise ValueError(f"{label(step)} changes the size, so it cannot be left to chance")
        self.step = step
        self.p = probability("p", p)
        self.masked = masks(step)

    def sample(self, rng: np.random.Generator) -> Params:
        if draws.uniform(rng, 0, 1) >= self.p:
            return {"applied": False}
        return {"applied": True, "do": _sample(self.step, rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return _forward(self.step, pixels, params["do"]) if params["applied"] else pixels

    def mask(self, height: int, width: int, params: Params) -> np.ndarray:
        if not params["applied"]:
            return np.zeros((height, width), np.uint8)
        return _mask(self.step, height, width, params["do"])
