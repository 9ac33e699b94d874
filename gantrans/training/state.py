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
    """Running sums of the step's metrics since they were last logged; on the device, so adding never
    waits."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0

    def add(self, metrics: dict[str, Tensor]) -> None:
        if not self.steps:
            self.sums = {name: value.detach().double() for name, value in metrics.items()}
        else:
            for name, value in metrics.items():
                # sums from a checkpoint are on the CPU at first
                self.sums[name] = self.sums[name].to(value.device) + value.detach()
        self.steps += 1

    def flush(self) -> dict[str, float]:
        """The means, in one copy from the device, and an empty meter."""
        if not self.steps:
            return {}
        values = torch.stack(list(self.sums.values())).div(self.steps).tolist()
        means = dict(zip(self.sums, values, strict=True))
        self.sums, self.steps = {}, 0
        return means


@dataclass
class State:
    """Networks and optimizers by role, the average of the generator, and the clock.

    step: optimisation steps done. total: steps planned (None until measured, for a wall-clock budget).
    seconds: wall-clock time spent so far, over all sittings, and budget, what `total` was measured for.
    best: metric, value and step of the best validation.
    data: what the training images were, as a hash, so that a change is noticed.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    average: nn.Module
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
            "average": self.average.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "total": self.total,
            "seconds": self.seconds,
            "budget": self.budget,
            "best": dict(self.best),
            "data": self.data,
            "meter": {"sums": dict(self.meter.sums), "steps": self.meter.steps},
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take over a saved state. Raises CheckpointError naming the first part that does not fit."""
        try:
            for role, network in self.networks.items():
                network.load_state_dict(saved["networks"][role])
            for phase, optimizer in self.optimizers.items():
                optimizer.load_state_dict(saved["optimizers"][phase])
            self.average.load_state_dict(saved["average"])
            if saved["scaler"]:  # empty where the run was not in fp16
                self.scaler.load_state_dict(saved["scaler"])
            self.step, self.total, self.budget = saved["step"], saved["total"], saved["budget"]
            self.seconds, self.best, self.data = saved["seconds"], dict(saved["best"]), saved["data"]
            self.meter = Meter(dict(saved["meter"]["sums"]), saved["meter"]["steps"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            first = " ".join(str(error).split())[:200]
            raise CheckpointError(f"the checkpoint does not fit this configuration: {first}") from error
