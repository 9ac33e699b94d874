"""The processes of a run: which one this is, and what they agree on. One process exchanges nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run: `rank` of `world`. Rank 0 writes; all compute the same state."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all processes."""
        del parameters


ALONE = Ranks()
