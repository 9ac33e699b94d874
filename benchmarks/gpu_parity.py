"""Whether a captured step does on this card what the eager step does."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.gpu_cells import host_batches, networks_of, state_of
from gantrans.core.device import open_core
from gantrans.core.graph import CudaGraphs, GraphRunner
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.training.guard import NanGuard
from gantrans.training.stepper import Stepper

STEPS = 12
STAGES = ["both"] * 8 + ["generator"] * 5 + ["discriminator"] * 5
LAZY = Restraint(r1=1.0, r1_every=3, augment=("colour", "translation", "cutout"), augment_p=None)


def parity(device: str) -> dict[str, Any]:
    """The largest difference of any weight, average or metric after the same steps, by case; 0 is bit-equal.

    Deterministic kernels in IEEE float32, but for the last case, which runs as training does. With U-Nets, as
    CUDA has no deterministic gradient of the mirrored borders that a ResNet has.
    """
    cases: dict[str, tuple[Method, list[str], str, bool]] = {
        "pix2pix": (Pix2Pix(), ["both"] * STEPS, "fp32", True),
        "pix2pix, lazy R1, ADA": (Pix2Pix(restraint=LAZY), ["both"] * (2 * STEPS), "fp32", True),
        "cyclegan, pool": (CycleGAN(pool=3), ["both"] * STEPS, "fp32", True),
        "cyclegan, stages": (CycleGAN(pool=3), STAGES, "fp32", True),
        "pix2pix, bf16, cuDNN's choice": (Pix2Pix(), ["both"] * STEPS, "bf16", False),
    }
    found: dict[str, Any] = {}
    for name, case in cases.items():
        try:
            found[name] = _difference(*case, device)
        except Exception as error:  # whatever a card can refuse; the other cases go on
            found[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    torch.use_deterministic_algorithms(False)
    return found


def _difference(method: Method, whos: list[str], precision: str, deterministic: bool, device: str) -> float:
    core = open_core(device, precision, deterministic=deterministic)
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    ends = []
    for graphs in (None, GraphRunner(CudaGraphs(core.device), strict=True)):
        state = state_of(method, networks_of(method, 64, core, width=8, unet=True))
        stepper = Stepper(state, method, core, NanGuard(), seed=1, ema=0.9, graphs=graphs)
        for number, (who, raw) in enumerate(zip(whos, _batches(core, len(whos)), strict=True)):
            stepper(core.move(raw), rate=1 - number / 40, who=who)
        stepper.guard.check()
        tensors = [
            t
            for part in (state.networks, state.averages)
            for n in part.values()
            for t in n.state_dict().values()
        ]
        ends.append((tensors, state.meter.flush()))
    (ours, metrics), (theirs, captured) = ends
    weights = max(float((a.double() - b.double()).abs().max()) for a, b in zip(ours, theirs, strict=True))
    return max(weights, *(abs(metrics[name] - captured[name]) for name in metrics))


def _batches(core: Any, count: int) -> list[Any]:
    torch.manual_seed(7)
    return [host_batches(2, 64, core)[0] for _ in range(count)]
