"""In which order images are seen: position p of an endless row is a pure function of (seed, p).

Epochs are laid end to end, each a permutation of its own, so that no image is dropped and none comes twice
in an epoch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gantrans import draws


@lru_cache(maxsize=8)
def epoch_order(seed: int, epoch: int, images: int, row: str = "") -> np.ndarray:
    """The order of the images in one epoch of the row named `row`; rows are independent of each other."""
    return draws.generator("order", seed, epoch, *([row] if row else [])).permutation(images)


def place(position: int, images: int, seed: int, row: str = "") -> tuple[int, int]:
    """(epoch, index) of what comes at `position`, counted from 0."""
    epoch, at = divmod(position, images)
    return epoch, int(epoch_order(seed, epoch, images, row)[at])
