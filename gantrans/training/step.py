"""One optimisation step: the method's shared forward, then each phase's loss, backward and update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gantrans.core.adam import FusedAdam
from gantrans.core.device import Core
from gantrans.core.seed import seed_torch
from gantrans.methods.base import Method, Phase
from gantrans.training.depth import SHARE, held_still, optimizer_groups
from gantrans.training.ema import ema_decay, update_ema
from gantrans.training.forwards import Forwards, cut
from gantrans.training.guard import NanGuard
from gantrans.training.norms import gradient_norms
from gantrans.training.stages import BOTH, active
from gantrans.training.state import State
from gantrans.types import Batch, Metrics


@dataclass(frozen=True)
class Variant:
    """What a step does, apart from the numbers that it does it with: who trains, in which updates, whether
    what is pretrained in the generators waits (depth.py), and whether gradients are measured (norms.py)."""

    who: str
    phases: tuple[Phase, ...]
    frozen: bool = False
    measured: bool = False


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
    frozen: bool = False,
    accumulate: int = 1,
    measured: bool = False,
) -> None:
    """Advance `state` by one step. `rate` is the learning-rate factor of this step, `ema` the decay, `who`
    trains in it (training/stages.py); `frozen`: what is pretrained does not (depth.py); `accumulate`: the
    parts that the batch is cut into; `measured`: the gradients' norms are reported too."""
    seed_torch("step", seed, state.step, *core.ranks.address)
    variant = variant_of(method, who, state.step, frozen=frozen, measured=measured)
    set_rates(state, variant, rate, core)
    decay = ema_decay(ema, state.step)
    names = advance(state, batch, method, core, guard, variant, decay=decay, parts=accumulate)
    count(state, guard, names, batch.keys)


def variant_of(
    method: Method, who: str, step: int, *, frozen: bool = False, measured: bool = False
) -> Variant:
    return Variant(who, active(method.phases, method.roles, who, step), frozen, measured)


def set_rates(state: State, variant: Variant, rate: float, core: Core) -> None:
    """Give the optimizers of this step their learning rate, as a number."""
    for phase in variant.phases:
        for group in state.optimizers[phase.shares or phase.name].param_groups:
            group["lr"] = representable(group["initial_lr"] * rate, core)


def representable(rate: float, core: Core) -> float:
    """A learning rate as a captured step has it: CUDA's fused Adam reads it from a float32 tensor there."""
    return float(np.float32(rate)) if core.device.type == "cuda" else rate


def advance(
    state: State,
    batch: Batch,
    method: Method,
    core: Core,
    guard: NanGuard,
    variant: Variant,
    *,
    decay: float | Tensor,
    parts: int = 1,
) -> tuple[str, ...]:
    """The device's part of a step: nothing here depends on the host but `variant`, so it can be captured.

    Returns the names of what the meter was given. Each phase sees all parts of the batch before its update;
    losses, gradients and metrics are the means over them.
    """
    forwards = Forwards(method, state.networks, core, cut(batch, parts), variant.phases, variant.who)
    losses: list[Tensor] = []
    metrics: Metrics = {}
    generators = [state.networks[role.name] for role in method.roles if role.kind == "generator"]
    with held_still(generators) if variant.frozen else nullcontext():
        for phase in variant.phases:
            metrics |= _update(state, phase, forwards, method, core, losses, measured=variant.measured)
    state.scaler.update()
    for role, average in state.averages.items():
        update_ema(average, state.networks[role], decay)
    guard.judge(losses)
    state.meter.accumulate(metrics)
    return tuple(metrics)


def _update(
    state: State,
    phase: Phase,
    forwards: Forwards,
    method: Method,
    core: Core,
    losses: list[Tensor],
    *,
    measured: bool,
) -> Metrics:
    """One phase: its gradients over all parts, and its optimizer's step. Its losses are added to `losses`."""
    optimizer, parts = state.optimizers[phase.shares or phase.name], len(forwards.parts)
    if phase.shares:  # its optimizer has stepped already, which the scaler allows once between updates
        state.scaler.update()
    optimizer.zero_grad(set_to_none=True)
    found: list[Metrics] = []
    for number, part in enumerate(forwards.parts):
        shared = forwards.of(number, phase)
        with _only(state.networks, phase.trains):
            with core.autocast:
                loss, reported = method.loss(phase, state.networks, part, shared)
            state.scaler.scale(loss if parts == 1 else loss / parts).backward()
        losses.append(loss.detach())
        found.append(reported)
        del shared, loss  # a graph that is held on to here would double the memory of the next part
    core.ranks.average_gradients(p for role in phase.trains for p in state.networks[role].parameters())
    norms = gradient_norms(state, phase) if measured else {}
    state.scaler.step(optimizer)
    return (found[0] if parts == 1 else _mean(found)) | norms


def count(state: State, guard: NanGuard, names: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """The host's part of a step: what was measured, on which images, and the clock."""
    guard.saw(state.step, keys)
    state.meter.count(names)
    state.step += 1


def _mean(found: list[Metrics]) -> Metrics:
    return {name: torch.stack([each[name] for each in found]).mean() for name in found[0]}


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
    networks: Mapping[str, nn.Module],
    method: Method,
    *,
    lr: float,
    betas: tuple[float, float],
    decay: float = 1.0,
) -> dict[str, torch.optim.Optimizer]:
    """One fused Adam for each phase that has its own, over the networks that it trains. `decay`: how many
    times less each group of layers learns than the one behind it (depth.py)."""
    optimizers: dict[str, torch.optim.Optimizer] = {}
    for phase in method.phases:
        if phase.shares:
            continue
        trained = [networks[role] for role in phase.trains]
        parameters = [p for network in trained for p in network.parameters() if p.requires_grad]
        groups = parameters if decay == 1 else optimizer_groups(trained, decay)
        optimizers[phase.name] = FusedAdam(groups, lr=lr, betas=betas)
    set_base_rate(optimizers, lr)
    return optimizers


def set_base_rate(optimizers: Mapping[str, torch.optim.Optimizer], lr: float) -> None:
    """The learning rate that the schedule's factor multiplies; of each group its share of it."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["initial_lr"] = lr * group.get(SHARE, 1.0)
