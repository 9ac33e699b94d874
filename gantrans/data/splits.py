"""Which split an image belongs to: by a hash of its name, so that other images never change it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gantrans import draws
from gantrans.errors import ConfigError

SPLITS = ("train", "val", "test")


def split_of(key: str, ratios: Mapping[str, float], seed: int) -> str:
    """ "train", "val" or "test", a pure function of (seed, key), in the proportions `ratios`.

    Growing the share of one split moves only the images that it gains. Raises ConfigError for bad ratios.
    """
    shares = normalised(ratios)
    position = draws.fraction("split", seed, key)
    for name in SPLITS[::-1]:  # train last: it takes whatever rounding leaves
        if position < shares[name]:
            return name
        position -= shares[name]
    return max(SPLITS, key=lambda name: shares[name])


def normalised(ratios: Mapping[str, float]) -> dict[str, float]:
    """Shares of all three splits that sum to 1. Raises ConfigError naming what was found and is accepted."""
    numbers = all(isinstance(r, int | float) and math.isfinite(r) and r >= 0 for r in ratios.values())
    if not set(ratios) <= set(SPLITS) or not numbers or sum(ratios.values()) <= 0:
        raise ConfigError(
            f"splits={dict(ratios)}: accepted are shares of 0 or more for {', '.join(SPLITS)}, not all 0, "
            "as {train: 0.8, val: 0.1, test: 0.1}"
        )
    total = sum(ratios.values())
    return {name: ratios.get(name, 0.0) / total for name in SPLITS}
