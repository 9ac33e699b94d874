"""Training steps as the trainer takes them, for tests of methods: no data, no files, no schedule."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from gantrans.core.device import open_core
from gantrans.methods.base import Method
from gantrans.training.guard import NanGuard
from gantrans.training.state import State
from gantrans.training.step import build_optimizers, train_step
from gantrans.types import Batch


def train_steps(
    method: Method,
    networks: dict[str, nn.Module],
    batches: Iterable[Batch],
    *,
    betas: tuple[float, float] = (0.5, 0.999),
    who: str = "both",
) -> list[dict[str, float]]:
    """What each step reported, and `networks` as they are afterwards."""
    optimizers = build_optimizers(networks, method, lr=2e-4, betas=betas)
    state = State(networks, optimizers, {}, torch.amp.GradScaler("cpu", enabled=False))
    history = []
    for batch in batches:
        train_step(state, batch, method, open_core("cpu"), NanGuard(), seed=0, rate=1.0, ema=0.0, who=who)
        history.append(state.meter.flush())
    return history
