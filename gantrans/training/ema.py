"""An exponential moving average of a network's weights, buffers included."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def ema_copy(network: nn.Module) -> nn.Module:
    """A frozen copy to be averaged into."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def ema_decay(decay: float, step: int) -> float:
    """The decay at `step`: short memory at first, so that early averages do not hold on to the initial
    weights."""
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float | Tensor) -> None:
    """average <- decay * average + (1 - decay) * network; integer buffers (counters) are copied.

    `decay` as a 0-d float64 tensor on the device gives the same bits, and can change under a captured graph.
    """
    ours, theirs = _tensors(average), _tensors(network)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a.is_floating_point()]
    if isinstance(decay, Tensor):
        _lerp(pairs, 1 - decay)
    elif pairs:
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            [a for a, _ in pairs], [b for _, b in pairs], 1 - decay
        )
    for a, b in zip(ours, theirs, strict=True):
        if not a.is_floating_point():
            a.copy_(b)


def _lerp(pairs: list[tuple[Tensor, Tensor]], weight: Tensor) -> None:
    """Tensor by tensor: foreach takes a weight on the host only, or a pass over all weights more."""
    weights = {dtype: weight.to(dtype) for dtype in {a.dtype for a, _ in pairs}}
    for a, b in pairs:
        a.lerp_(b, weights[a.dtype])


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
