"""What a method is: how networks learn from a batch, as pure functions of tensors.

A method moves nothing between devices, holds no optimizer, writes nothing, reads no config and never waits
for the GPU (no `.item()`, no `float()`, no `if` on a tensor); the trainer does all that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from gantrans.types import Batch, Metrics, Networks


@dataclass(frozen=True)
class Phase:
    """One update within a step: its name, and which networks (roles) it trains."""

    name: str
    trains: tuple[str, ...]


class Method(Protocol):
    """A step is `forward` once, then for each phase in order: `loss`, backward, update of `phase.trains`."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The updates of a step, in order."""
        ...

    @property
    def networks(self) -> tuple[str, ...]:
        """The roles it needs, as "generator"."""
        ...

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """What the phases share, computed once a step with gradients to every network."""
        ...

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        """The 0-d loss of this phase, and what to report: 0-d tensors, detached."""
        ...
