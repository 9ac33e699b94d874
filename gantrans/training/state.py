"""All that changes while a run goes on, as one object with one state dict: what is not here cannot be
resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gantrans.errors import CheckpointError


@dataclass
class Meter:
    """Running sums of the steps' metrics since they were last logged; on the device, so adding never waits.

    Each has a count of its own, as not every step reports every metric.
    """

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, metrics: dict[str, Tensor]) -> None:
        for name, value in metrics.items():
            before = self.sums.get(name)
            # sums from a checkpoint are on the CPU at first
            wide = value.detach().double()
            self.sums[name] = wide if before is None else before.to(value.device) + wide
            self.counts[name] = self.counts.get(name, 0) + 1

    def flush(self) -> dict[str, float]:
        """The means, in one copy from the device, and an empty meter."""
        if not self.sums:
            return {}
        sums = torch.stack(list(self.sums.values())).tolist()
        means = {name: total / self.counts[name] for name, total in zip(self.sums, sums, strict=True)}
        self.sums, self.counts = {}, {}
        return means


@dataclass
class State:
    """Networks by role, optimizers by phase, the averaged generators by role, and the clock.

    step: optimisation steps done. total: steps planned (None until measured, for a wall-clock budget).
    seconds: wall-clock time spent so far, over all sittings, and budget, what `total` was measured for.
    best: metric, value and step of the best validation.
    data: what the training images were, as a hash, so that a change is noticed.
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

    def state_dict(self) -> dict[str, Any]:
        """Everything, as tensors and plain values (loadable with weights_only=True)."""
        return {
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
            "meter": {"sums": dict(self.meter.sums), "counts": dict(self.meter.counts)},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a saved state. Raises CheckpointError naming the first part that does not fit."""
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
            self.meter = Meter(dict(saved["meter"]["sums"]), dict(saved["meter"]["counts"]))
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            first = " ".join(str(error).split())[:200]
            raise CheckpointError(f"the checkpoint does not fit this configuration: {first}") from error
