"""One optimisation step: the method's shared forward, then each phase's loss, backward and update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from gantrans.core.device import Core
from gantrans.core.seed import seed_torch
from gantrans.methods.base import Method
from gantrans.training.ema import ema_decay, update_ema
from gantrans.training.guard import NanGuard
from gantrans.training.stages import BOTH, DISCRIMINATOR, active
from gantrans.training.state import State
from gantrans.types import Batch


def train_step(
    state: State,
    batch: Batch,
    method: Method,
    core: Core,
    guard: NanGuard,
    *,
    seed: int,
    rate: float,
    ema: float,
    who: str = BOTH,
) -> None:
    """Advance `state` by one step. `rate` is the learning-rate factor of this step, `ema` the decay, `who`
    trains in it (training/stages.py)."""
    seed_torch("step", seed, state.step)
    phases = active(method.phases, method.roles, who, state.step)
    with core.autocast, torch.set_grad_enabled(who != DISCRIMINATOR):
        shared = method.forward(state.networks, batch)
    metrics = {}
    for phase in phases:
        optimizer = state.optimizers[phase.shares or phase.name]
        if phase.shares:  # its optimizer has stepped already, which the scaler allows once between updates
            state.scaler.update()
        with _only(state.networks, phase.trains):
            with core.autocast:
                loss, parts = method.loss(phase, state.networks, batch, shared)
            optimizer.zero_grad(set_to_none=True)
            state.scaler.scale(loss).backward()
        core.ranks.average_gradients(p for role in phase.trains for p in state.networks[role].parameters())
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        state.scaler.step(optimizer)
        guard.watch(state.step, batch.keys, loss)
        metrics |= parts
    state.scaler.update()
    for role, average in state.averages.items():
        update_ema(average, state.networks[role], ema_decay(ema, state.step))
    state.meter.add(metrics)
    state.step += 1


@contextmanager
def _only(networks: Mapping[str, nn.Module], trains: tuple[str, ...]) -> Iterator[None]:
    """Gradients flow through every network but are kept only for those that this phase trains."""
    others = [p for role, network in networks.items() if role not in trains for p in network.parameters()]
    held = [p for p in others if p.requires_grad]
    try:
        for parameter in held:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def build_optimizers(
    networks: Mapping[str, nn.Module], method: Method, *, lr: float, betas: tuple[float, float]
) -> dict[str, torch.optim.Optimizer]:
    """One fused Adam for each phase that has its own, over the networks that it trains."""
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for phase in method.phases:
        if phase.shares:
            continue
        trained = [networks[role] for role in phase.trains]
        parameters = [p for network in trained for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)
        optimizers[phase.name] = optimizer
    set_base_rate(optimizers, lr)
    return optimizers


def set_base_rate(optimizers: Mapping[str, torch.optim.Optimizer], lr: float) -> None:
    """The learning rate that the schedule's factor multiplies."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["initial_lr"] = lr
