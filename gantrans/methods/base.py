"""What a method is: how networks learn from a batch, as pure functions of tensors.

A method moves nothing between devices, holds no optimizer, writes nothing, reads no config and never waits
for the GPU (no `.item()`, no `float()`, no `if` on a tensor); the trainer does all that. What it must
remember from step to step lives in buffers of its networks, so that it is saved and resumed with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from gantrans.types import Batch, Metrics, Networks, Shapes


@dataclass(frozen=True)
class Role:
    """One network of a method.

    kind: "generator" and "discriminator" are made from the config of that name; a "helper" by `build`, from
    the networks listed before it and the shapes of the domains. sees: the domains whose images it is given,
    joined channel-wise. makes: the domain that a generator translates to.
    """

    name: str
    kind: str
    sees: tuple[str, ...] = ()
    makes: str = ""
    build: Callable[[Networks, Shapes], nn.Module] | None = None


@dataclass(frozen=True)
class Phase:
    """One update within a step: its name, and which networks (roles) it trains.

    every: steps from one update to the next, as of a lazy penalty. shares: the earlier phase whose optimizer
    it uses; "": it has its own. adversarial: False where the trainer wants the loss without its GAN term
    (`train.stages`).
    """

    name: str
    trains: tuple[str, ...]
    every: int = 1
    shares: str = ""
    adversarial: bool = True


class Method(Protocol):
    """A step is `forward` once, then for each phase in order: `loss`, backward, update of `phase.trains`."""

    @property
    def learns_from(self) -> str:
        """The data it needs: "pairs", "unpaired", or "hybrid" (pairs, and more sources without targets)."""
        ...

    @property
    def roles(self) -> tuple[Role, ...]:
        """The networks it needs."""
        ...

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The updates of a step, in order."""
        ...

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """What the phases share, computed once a step with gradients to every network."""
        ...

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        """The 0-d loss of this phase, and what to report: 0-d tensors, detached."""
        ...


def translators(roles: Iterable[Role]) -> dict[str, str]:
    """Way -> role of each generator: {"to_target": "generator"}; "to_source" too if there is a way back."""
    return {f"to_{role.makes}": role.name for role in roles if role.kind == "generator"}


def check_weights(**weights: float) -> None:
    """Raise ValueError naming the first loss weight that is no number, negative or not finite."""
    for name, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight < float("inf"):
            raise ValueError(f"{name}={weight}: accepted are finite numbers >= 0")


def check_counts(least: int = 1, most: int = 10**6, **counts: int) -> None:
    """Raise ValueError naming the first that is not a whole number from `least` to `most`."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= most:
            raise ValueError(f"{name}={count}: accepted are whole numbers from {least} to {most}")


def check_switches(**switches: bool) -> None:
    """Raise ValueError naming the first that is neither true nor false."""
    for name, switch in switches.items():
        if not isinstance(switch, bool):
            raise ValueError(f"{name}={switch}: accepted are true and false")


def total(terms: Metrics) -> Tensor:
    """The sum of a loss's weighted terms, 0-d."""
    first, *others = terms.values()
    return sum(others, first)


def reported(terms: Metrics) -> Metrics:
    """The terms as they are reported, without their graphs."""
    return {name: term.detach() for name, term in terms.items()}
