"""What a data set gives: training examples by their position in an endless row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gantrans.degrade_batch.program import Program


@dataclass(frozen=True)
class Sample:
    """One training example as arrays (H, W, C), uint8 or uint16; `key` names its images. Where the mask is
    known to the generator, it is the source's last channel.

    `program` makes the source on the device (data.degrade=device); `source` has no pixels then.
    """

    key: str
    source: np.ndarray
    target: np.ndarray
    unpaired: np.ndarray | None = None
    program: Program | None = None


class Samples(Protocol):
    """An endless row of training examples; its length is that of an epoch."""

    def __len__(self) -> int: ...

    def sample(self, position: int) -> Sample:
        """What comes at `position`: a pure function of it. Raises DataError naming an unusable image."""
        ...
