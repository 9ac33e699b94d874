"""Durations with units: the only way a length of training is written in a config.

200ep      epochs (passes over the training images)      20000img   training images
5000step   optimisation steps                            90s 30min 2h   wall-clock time
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from gantrans.errors import ConfigError

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
COUNTS = ("ep", "img", "step")
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ep|img|step|s|min|h)")


@dataclass(frozen=True)
class Duration:
    """A positive amount of `unit`: "ep", "img" or "step" (counts), or "s" (wall-clock seconds)."""

    amount: float
    unit: str

    @property
    def is_time(self) -> bool:
        return self.unit == "s"

    def steps(self, images: int, batch_size: int) -> int:
        """This duration as whole steps (at least 1) for a training set of `images` images; counts only."""
        if self.is_time:
            raise ValueError("a wall-clock duration has no number of steps before speed is measured")
        per_unit = {"step": 1.0, "img": 1.0 / batch_size, "ep": images / batch_size}[self.unit]
        return max(1, math.ceil(self.amount * per_unit - 1e-9))


def parse_duration(text: str, key: str) -> Duration:
    """Read "200ep", "5000step", "20000img", "90s", "30min" or "2h". `key` names the config key in errors."""
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None or float(match[1]) <= 0:
        raise ConfigError(
            f"{key}={text}: a duration needs a positive number and a unit: "
            "200ep (epochs), 5000step, 20000img (images), 90s, 30min or 2h"
        )
    amount, unit = float(match[1]), match[2]
    return Duration(amount * SECONDS[unit], "s") if unit in SECONDS else Duration(amount, unit)
