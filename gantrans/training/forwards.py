"""The method's shared forward, for a batch as a whole or in parts that fit into memory one after another."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import Tensor

from gantrans.core.device import Core
from gantrans.core.recompute import still_averages
from gantrans.methods.base import Method, Phase
from gantrans.training.stages import DISCRIMINATOR
from gantrans.types import Batch, Networks

Shared = dict[str, Tensor]


class Forwards:
    """`of(part, phase)`: what the phases share of that part of the batch.

    A batch in one part is computed once, with gradients, for all phases. In several, no graph is kept: an
    update of discriminators is given the images alone, as the generators were at the start of the step; one
    that trains anything else computes its part again, so that one part's graph exists at a time. Batch norm's
    averages move once a part; dropout draws anew where a part is computed a second time.
    """

    def __init__(
        self,
        method: Method,
        networks: Networks,
        core: Core,
        parts: list[Batch],
        phases: tuple[Phase, ...],
        who: str,
    ) -> None:
        self.parts = parts
        self._method, self._networks, self._core = method, networks, core
        self._who = who
        self._judges = {role.name for role in method.roles if role.kind == "discriminator"}
        self._again = len(parts) > 1 and any(self._learns(phase) for phase in phases)
        self._kept: dict[int, Shared] = {}

    def of(self, number: int, phase: Phase) -> Shared:
        whole, learns = len(self.parts) == 1, self._learns(phase)
        if number in self._kept and (whole or not learns):
            return self._kept[number]
        grad = self._who != DISCRIMINATOR and (whole or learns)
        shared = self._compute(number, grad=grad, still=self._again and not learns)
        self._kept.setdefault(number, shared if whole else {k: v.detach() for k, v in shared.items()})
        return shared

    def _learns(self, phase: Phase) -> bool:
        """Whether the phase needs the graph of the shared forward: it trains more than discriminators."""
        return not set(phase.trains) <= self._judges

    def _compute(self, number: int, *, grad: bool, still: bool) -> Shared:
        with ExitStack() as stack:
            for network in self._networks.values() if still else ():
                stack.enter_context(still_averages(network))
            stack.enter_context(self._core.autocast)  # type: ignore[arg-type]
            stack.enter_context(torch.set_grad_enabled(grad))
            return self._method.forward(self._networks, self.parts[number])


def cut(batch: Batch, parts: int) -> list[Batch]:
    """The batch in `parts` equal parts, in order. Raises ValueError where it does not divide."""
    if parts == 1:
        return [batch]
    size, rest = divmod(len(batch.source), parts)
    if rest:
        raise ValueError(f"a batch of {len(batch.source)} cannot be cut into {parts} equal parts")
    pieces = []
    for i in range(parts):
        own = slice(i * size, (i + 1) * size)
        unpaired = None if batch.unpaired is None else batch.unpaired[own]
        pieces.append(replace(batch, source=batch.source[own], target=batch.target[own], keys=batch.keys[own],
                              unpaired=unpaired))  # fmt: skip
    return pieces
