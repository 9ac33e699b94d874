"""Whether what a bundle.json says is what a card may say, value by value and one against the other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gantrans.bundles.card import Card
from gantrans.data.pixels import LABELS
from gantrans.errors import CheckpointError
from gantrans.imaging.labels import MOST_CLASSES

MOST_SCALE = 16
_WORDS = 10_000  # characters of a text
_TEXT = f"a text of up to {_WORDS:,} characters"
_FACTS = "an object of names and values, numbers among them finite"


def _is_text(found: Any) -> bool:
    return isinstance(found, str) and len(found) <= _WORDS


def _is_int(low: int, high: int) -> Callable[[Any], bool]:
    return lambda found: type(found) is int and low <= found <= high


def _one_of(*accepted: Any) -> tuple[Callable[[Any], bool], str]:
    return lambda found: isinstance(found, str) and found in accepted, ", ".join(map(repr, accepted))


def _is_metrics(found: Any) -> bool:
    return isinstance(found, dict) and all(_is_finite(value) for value in found.values())


def _is_finite(value: Any) -> bool:
    """Whether it is a number that a float holds: not NaN, not infinite, not an int of a thousand digits."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_facts(found: Any) -> bool:
    """Python reads NaN and Infinity in JSON, and others do not: what is in a card can be written again."""
    try:
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict)


def _is_network(found: Any) -> bool:
    return isinstance(found, dict) and found.keys() == {"name", "arguments"} and (
        isinstance(found["name"], str) and isinstance(found["arguments"], dict)
    )  # fmt: skip


def _is_labels(found: Any) -> bool:
    return isinstance(found, list) and len(found) <= MOST_CLASSES and all(map(_is_int(0, 255), found))


_MODE = _one_of("rgb", "grey", LABELS)
ACCEPTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "network": (_is_network, "an object with name and arguments, and nothing else"),
    "source_mode": _MODE,
    "target_mode": _MODE,
    "scale": (_is_int(1, MOST_SCALE), f"whole numbers from 1 to {MOST_SCALE}"),
    "norm_statistics": _one_of("running", "image"),
    "mask": _one_of("none", "input"),
    "outside": _one_of("output", "copy"),
    "classes": (_is_int(0, MOST_CLASSES), f"whole numbers from 0 to {MOST_CLASSES}"),
    "ignore": (_is_labels, "a list of numbers from 0 to 255"),
    "task": (_is_text, _TEXT),
    "value_range": (lambda v: isinstance(v, list) and v == [-1, 1], "[-1.0, 1.0]"),
    "metrics": (_is_metrics, "an object of names and finite numbers; leave out what is NaN or infinite"),
    "provenance": (_is_facts, _FACTS),
    "training_data": (_is_facts, _FACTS),
    "licence": (_is_text, _TEXT),
}


def check_card(about: dict[str, Any], path: Path) -> Card:
    """The card that `about` makes. Raises CheckpointError naming what does not fit, `path` before it."""
    if "network" not in about:
        raise CheckpointError(f"{path}: lacks network")
    for name, value in about.items():
        fits, accepted = ACCEPTED[name]
        if not fits(value):
            raise CheckpointError(f"{path}: {name}={_short(value)}; accepted: {accepted}")
    card = Card(**{**about, "ignore": tuple(about.get("ignore", ())), "value_range": (-1.0, 1.0)})
    reason = contradiction(card)
    if reason:
        raise CheckpointError(f"{path}: {reason}")
    return card


def contradiction(card: Card) -> str:
    """What does not go together; "" where all does."""
    arguments = card.network["arguments"]
    for side, mode in (("in", card.source_mode), ("out", card.target_mode)):
        found = arguments.get(f"{side}_channels", 3)
        masked = side == "in" and card.mask == "input"
        if type(found) is not int or found != card.channels(mode) + masked:
            told = f"{mode} with a mask" if masked else mode
            return f"{told} does not go with {side}_channels={_short(found)}"
    made = arguments.get("scale", 1)
    if type(made) is not int or made not in (1, card.scale):
        return f"scale={card.scale} does not go with a network that enlarges {_short(made)} times"
    if card.outside == "copy" and (card.source_mode != card.target_mode or card.scale != 1):
        return "outside='copy' needs equal modes and scale 1"
    return ""


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 100 else text[:100] + "..."
