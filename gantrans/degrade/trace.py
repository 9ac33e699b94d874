"""What was really drawn: a recipe's operations one by one, with maybe, one_of, shuffle and lists resolved."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gantrans.degrade.algebra import Compose, Maybe, OneOf, label
from gantrans.degrade.base import Degradation, Params, apply


def operations(step: Degradation, params: Params) -> Iterator[tuple[Degradation, Params]]:
    """The plain degradations that `params`, drawn by `step.sample`, stand for, each with its own parameters,
    in the order in which they are done; none for a Maybe that was not drawn."""
    if isinstance(step, Compose):
        for index in params.get("order", range(len(step.steps))):
            inner = step.steps[index]
            yield from operations(inner, params["steps"][index][label(inner)])
    elif isinstance(step, OneOf):
        inner = step.choices[params["choice"]]
        yield from operations(inner, params["do"][label(inner)])
    elif isinstance(step, Maybe):
        if params["applied"]:
            yield from operations(step.step, params["do"][label(step.step)])
    else:
        yield step, params


def trace(step: Degradation, pixels: np.ndarray, params: Params) -> Iterator[tuple[str, Params, np.ndarray]]:
    """Each operation's label and parameters, and the picture after it, in turn.

    (H, W, C) uint8 or float32 x01 pixels, answered in the same type; the last is what `apply` makes of all.
    """
    for operation, its_params in operations(step, params):
        pixels = apply(operation, pixels, its_params)
        yield label(operation), its_params, pixels
