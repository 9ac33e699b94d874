"""What was really drawn: a recipe's operations one by one, with maybe, one_of, shuffle and lists resolved.
Their parameters in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gantrans.degrade.algebra import Compose, Maybe, OneOf, label
from gantrans.degrade.base import Degradation, Params, apply

_LONGEST_TEXT = 20


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


def told(params: Params) -> str:
    """The parameters that say something to a person, in their order: "quality 35, dither no, 3 boxes".

    Seeds, positions and colours are left out.
    """
    return ", ".join(text for name, value in params.items() if (text := _told(name, value)))


def _told(name: str, value: Any) -> str:
    if name == "seed" or value is None or value in ("", "none"):
        return ""
    if isinstance(value, bool):
        return f"{name} {'yes' if value else 'no'}"
    if isinstance(value, float):
        return f"{name} {float(f'{value:.3g}'):g}"
    if isinstance(value, dict):
        return f"{name} {' '.join(map(str, value))}" if value else ""
    if isinstance(value, list | tuple):
        return f"{len(value)} {name}" if value and isinstance(value[0], list | dict) else ""
    text = str(value).strip(" ·")
    return f"{name} {text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + '...'}"
