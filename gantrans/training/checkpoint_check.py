"""Whether what a checkpoint holds is a state of ours, part by part, before any of it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from gantrans.bundles.pth import claims_more, is_dense, shown

_DEEPEST = 24  # ours is 6 deep
_MOST = 1_000_000  # values; ours have some thousand
_PLAIN = (str, int, float, bool, type(None))
_PARTS = ("networks", "optimizers", "averages")
_MAPPINGS = (*_PARTS, "scaler", "best", "meter")


def unsound(state: Any, step: int) -> str:
    """Why this is no state of a run at `step`, in words; "" where nothing speaks against it."""
    if not isinstance(state, dict):
        return f"holds a {type(state).__name__}, not a state"
    for where, value in _leaves(state):
        reason = _unsound_leaf(value)
        if reason:
            return f"{shown(where)} {reason}"
    for key in _MAPPINGS:
        if not isinstance(state.get(key), dict):
            return f"{key}: found {_kind(state.get(key))}, needed are values by name"
    for part in _PARTS:
        bad = next((role for role, held in state[part].items() if not isinstance(held, Mapping)), None)
        if bad is not None:
            return f"{part}.{shown(bad)}: found {_kind(state[part][bad])}, needed are values by name"
    return _unsound_numbers(state, step) or _unsound_optimizers(state["optimizers"]) or _unsound_rest(state)


def _leaves(found: Any) -> Iterator[tuple[str, Any]]:
    """Every value that is no container, with its place. What is there many times is looked at once: a small
    file can name one list in a list in a list, a billion times."""
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", found, 0)]
    count = 0
    while waiting:
        where, value, depth = waiting.pop()
        count += 1
        if count > _MOST or depth > _DEEPEST:
            yield where, _TooMuch()
            return
        if not isinstance(value, Mapping | list | tuple):
            yield where, value
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        waiting += [(f"{where}.{key}" if where else str(key), part, depth + 1) for key, part in pairs]


class _TooMuch:
    """More than any run has."""


def _unsound_leaf(value: Any) -> str:
    if isinstance(value, Tensor):
        if not is_dense(value):
            return "is a tensor without data, or a sparse one"
        return "claims a shape larger than its data" if claims_more(value) else ""
    if isinstance(value, _TooMuch):
        return "lies too deep, or there is too much of it"
    return "" if isinstance(value, _PLAIN) else f"is {_kind(value)}"


def _unsound_numbers(state: dict[str, Any], step: int) -> str:
    found = state.get("step")
    if type(found) is not int or found != step:
        return f"step={shown(found)}, and its marker says {step}"
    if state.get("total") is not None and type(state["total"]) is not int:
        return f"total={shown(state['total'])}, needed is a whole number"
    for key, optional in (("seconds", False), ("budget", True)):
        value = state.get(key)
        sound = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        if not sound and not (value is None and optional):
            return f"{key}={shown(value)}, needed is a number"
    return "" if isinstance(state.get("data"), str) else "data: needed is a text"


def _unsound_optimizers(optimizers: dict[str, Any]) -> str:
    for phase, held in optimizers.items():
        groups = held.get("param_groups")
        if not isinstance(held.get("state"), dict) or not isinstance(groups, list):
            return f"optimizers.{shown(phase)}: needed are state and param_groups"
        for group in groups:
            if not isinstance(group, dict) or not isinstance(group.get("params"), list):
                return f"optimizers.{shown(phase)}.param_groups: needed are groups with params"
            if not isinstance(group.get("lr"), int | float | Tensor):
                return f"optimizers.{shown(phase)}: lr={shown(group.get('lr'))}, needed is a number"
    return ""


def _unsound_rest(state: dict[str, Any]) -> str:
    for part in ("networks", "averages"):
        for role, held in state[part].items():
            bad = next((key for key, value in held.items() if not _is_finite(value)), None)
            if bad is not None:
                return f"{part}.{shown(role)}.{shown(bad)} holds NaN or infinite values"
    best, meter = state["best"], state["meter"]
    if best and not (isinstance(best.get("metric"), str) and type(best.get("step")) is int
                     and type(best.get("value")) in (int, float)):  # fmt: skip
        return "best: needed are metric, value and step"
    if not isinstance(meter.get("sums"), dict) or not isinstance(meter.get("counts"), dict):
        return "meter: needed are sums and counts"
    if not all(isinstance(v, Tensor) for v in meter["sums"].values()):
        return "meter.sums: needed are tensors"
    if not all(type(v) is int for v in meter["counts"].values()):
        return "meter.counts: needed are whole numbers"
    origin = state.get("origin", {})
    if not isinstance(origin, dict) or any(isinstance(value, Tensor) for _, value in _leaves(origin)):
        return "origin: needed are plain values by name"
    return "" if isinstance(state.get("others", []), list) else "others: needed is a list"


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _is_finite(value: Any) -> bool:
    floats = isinstance(value, Tensor) and value.is_floating_point()
    return not floats or bool(torch.isfinite(value).all())
