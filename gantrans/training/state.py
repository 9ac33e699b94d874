"""All that changes while a run goes on, as one object with one state dict: what is not here cannot be
resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gantrans.core.ranks import ALONE, Ranks
from gantrans.errors import CheckpointError


@dataclass
class Meter:
    """Running sums of the steps' metrics since they were last logged; on the device, so adding never waits.

    Each has a count of its own, as not every step reports every metric.
    """

    counts: dict[str, int] = field(default_factory=dict)
    _totals: dict[str, Tensor] = field(default_factory=dict)

    @property
    def sums(self) -> dict[str, Tensor]:
        """The sum of each metric that was counted since."""
        return {name: self._totals[name] for name in self.counts}

    def accumulate(self, metrics: dict[str, Tensor]) -> None:
        """The device's part: add in place, so that a captured step adds to the same sums."""
        if not metrics:
            return
        values = torch.stack([value.detach() for value in metrics.values()]).double()
        for name in metrics:
            held = self._totals.get(name)
            if held is None or held.device != values.device:  # sums from a checkpoint are on the CPU at first
                fresh = torch.zeros((), dtype=torch.float64, device=values.device)
                self._totals[name] = fresh if held is None else fresh.copy_(held)
        totals = [self._totals[name] for name in metrics]
        torch._foreach_add_(totals, list(values.unbind()))  # pyright: ignore[reportPrivateImportUsage]

    def count(self, names: Iterable[str]) -> None:
        """The host's part: these were accumulated once more."""
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1

    def flush(self, ranks: Ranks = ALONE) -> dict[str, float]:
        """The means over all processes, in one copy from the device, and an empty meter."""
        if not self.counts:
            return {}
        ours = torch.stack(list(self.sums.values())).tolist()
        sums = [sum(each) for each in zip(*ranks.exchange(ours), strict=True)]
        means = {
            name: total / (count * ranks.world)
            for (name, count), total in zip(self.counts.items(), sums, strict=True)
        }
        for total in self._totals.values():
            total.zero_()
        self.counts = {}
        return means

    def load(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """Take over saved sums, in the place of those that a captured step may add to."""
        for total in self._totals.values():
            total.zero_()
        for name, value in sums.items():
            held = self._totals.get(name)
            self._totals[name] = value.clone() if held is None else held.copy_(value)
        self.counts = dict(counts)


@dataclass
class State:
    """Networks by role, optimizers by phase, the averaged generators by role, and the clock.

    step: optimisation steps done. total: steps planned (None until measured, for a wall-clock budget).
    seconds: wall-clock time spent so far, over all sittings, and budget, what `total` was measured for.
    best: metric, value and step of the best validation.
    data: what the training images were, as a hash, so that a change is noticed.
    helpers: roles of the networks that are neither generators nor discriminators.
    origin: the weights that the run started from, if not at random; plain values.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    averages: dict[str, nn.Module]
    scaler: torch.amp.GradScaler
    step: int = 0
    total: int | None = None
    seconds: float = 0.0
    budget: float | None = None
    best: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    data: str = ""
    helpers: tuple[str, ...] = ()
    origin: dict[str, Any] = field(default_factory=dict)

    def own(self) -> dict[str, Any]:
        """What each of several processes has for itself: what helpers saw (as a history of images), and the
        metrics of its part of the batches. On the CPU."""
        meter = {"sums": {n: t.cpu() for n, t in self.meter.sums.items()}, "counts": dict(self.meter.counts)}
        buffers = {role: dict(self.networks[role].named_buffers()) for role in self.helpers}
        return {
            "buffers": {r: {n: b.cpu() for n, b in held.items()} for r, held in buffers.items() if held},
            "meter": meter,
        }

    def state_dict(self, others: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Everything, as tensors and plain values (loadable with weights_only=True). `others`: what the other
        processes have for themselves, in the order of their ranks."""
        return {
            **({"others": list(others)} if others else {}),
            "networks": {role: network.state_dict() for role, network in self.networks.items()},
            "optimizers": {phase: optimizer.state_dict() for phase, optimizer in self.optimizers.items()},
            "averages": {role: average.state_dict() for role, average in self.averages.items()},
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "total": self.total,
            "seconds": self.seconds,
            "budget": self.budget,
            "best": dict(self.best),
            "data": self.data,
            "origin": self.origin,
            "meter": {"sums": self.meter.sums, "counts": dict(self.meter.counts)},
        }

    def load_state_dict(self, saved: dict[str, Any], rank: int = 0) -> None:
        """Take over a saved state, with what the process `rank` had for itself; where there are more
        processes now, they take it in turns. Raises CheckpointError naming the first part that does not fit.
        """
        try:
            for role, network in self.networks.items():
                network.load_state_dict(saved["networks"][role])
            for phase, optimizer in self.optimizers.items():
                optimizer.load_state_dict(saved["optimizers"][phase])
            for role, average in self.averages.items():
                average.load_state_dict(saved["averages"][role])
            if saved["scaler"]:  # empty where the run was not in fp16
                self.scaler.load_state_dict(saved["scaler"])
            self.step, self.total, self.budget = saved["step"], saved["total"], saved["budget"]
            self.seconds, self.best, self.data = saved["seconds"], dict(saved["best"]), saved["data"]
            self.origin = dict(saved.get("origin", {}))
            self.meter.load(saved["meter"]["sums"], saved["meter"]["counts"])
            self._load_own([None, *saved.get("others", ())], rank)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            first = " ".join(str(error).split())[:200]
            raise CheckpointError(f"the checkpoint does not fit this configuration: {first}") from error

    def _load_own(self, saved: list[dict[str, Any] | None], rank: int) -> None:
        mine = saved[rank % len(saved)]
        if mine is None:  # rank 0's, loaded with the rest
            return
        for role, buffers in mine["buffers"].items():
            network = self.networks[role]
            network.load_state_dict({**network.state_dict(), **buffers})
        self.meter.load(mine["meter"]["sums"], mine["meter"]["counts"])
