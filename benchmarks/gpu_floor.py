"""The least time in which a step can be done: its convolutions at the card's measured peaks, and Adam once.

A convolution takes at least max(FLOP / peak, bytes in and out / bandwidth); forward, gradient of the input
and gradient of the weight count as one each. All else counts as nothing, as if it were fused into them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gantrans.kernels.conv import set_fast
from gantrans.training.state import State

ADAM_BYTES = 28  # a parameter: gradient, weight and two moments read, the last three written; float32
REPEATS = 10


class ConvCounter(TorchDispatchMode):
    """Notes (FLOP, bytes) of every convolution that runs under it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[float, float]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        if name == "aten::convolution":
            self._note(args[0], args[1], result, transposed=args[6])
        elif name == "aten::convolution_backward":
            for wanted in args[10][:2]:
                if wanted:
                    self._note(args[1], args[2], args[0], transposed=args[7])
        return result

    def _note(self, x: Tensor, weight: Tensor, y: Tensor, *, transposed: bool) -> None:
        places = (x if transposed else y).numel() // (x if transposed else y).shape[1]
        self.found.append((2.0 * places * weight.numel(), float(sum(t.nbytes for t in (x, weight, y)))))


def count_step(step: Callable[[], None], state: State) -> dict[str, Any]:
    """The convolutions of one eager step, and the parameters that it updates."""
    for network in state.networks.values():
        set_fast(network, False)  # on the CPU some convolutions are taken in other ways
    with ConvCounter() as counter:
        step()
    for network in state.networks.values():
        set_fast(network, True)
    trained = {
        id(p): p for adam in state.optimizers.values() for group in adam.param_groups for p in group["params"]
    }
    return {"convs": counter.found, "parameters": sum(p.numel() for p in trained.values())}


def floor_ms(work: dict[str, Any], flops: float, bandwidth: float) -> float:
    """`flops` and `bandwidth` a second."""
    convs = sum(max(flop / flops, size / bandwidth) for flop, size in work["convs"])
    return 1000 * (convs + ADAM_BYTES * work["parameters"] / bandwidth)


def peaks(device: torch.device) -> dict[str, float]:
    """Measured: FLOP/s of large matrix products by number format, and bytes a second of a large copy."""
    on_cuda = device.type == "cuda"
    side, size = (8192, 2**28) if on_cuda else (1024, 2**24)
    found = {}
    for name, dtype in (("bf16", torch.bfloat16), ("tf32" if on_cuda else "fp32", torch.float32)):
        a = torch.randn(side, side, device=device, dtype=dtype)
        found[name] = 2 * side**3 / _best(lambda a=a: torch.mm(a, a), device)
    x = torch.zeros(size, device=device)
    y = torch.empty_like(x)
    found["bandwidth"] = 2 * x.nbytes / _best(lambda: y.copy_(x), device)
    return found


def _best(work: Callable[[], object], device: torch.device) -> float:
    best = math.inf
    for _ in range(REPEATS):
        if device.type == "cuda":
            torch.cuda.synchronize()
        before = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - before)
    return best
