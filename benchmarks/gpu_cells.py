"""One measurement of benchmarks/gpu.py: a method, a batch, a number format and a way of stepping.

Builds from classes alone: no config, so nothing but PyTorch, NumPy and Pillow need be installed.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from benchmarks.gpu_floor import count_step
from gantrans.core.device import Core, open_core, set_tf32
from gantrans.core.graph import WARMUP, CudaGraphs, GraphRunner
from gantrans.core.prefetch import Prefetch
from gantrans.data.stream import RawBatch
from gantrans.methods.base import Method, translators
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet
from gantrans.training.ema import ema_copy
from gantrans.training.guard import NanGuard
from gantrans.training.state import State
from gantrans.training.step import build_optimizers
from gantrans.training.stepper import Stepper

BLOCKS = 5  # the median of so many stretches is reported


@dataclass(frozen=True)
class Cell:
    """What is measured. way: reference, eager, graph, compile or compile+graph."""

    method: str
    batch: int
    precision: str
    way: str


def measure(cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """Steps and images a second, peak memory, seconds until the first steps are done, a step's work."""
    core = open_core(options.device, cell.precision)
    on_cuda = core.device.type == "cuda"
    gc.collect()
    if on_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    begun = time.perf_counter()
    found: dict[str, Any] = {}
    stepper = None
    if cell.way == "reference":
        set_tf32(on_cuda)  # its convolutions, by PyTorch's default
        step = reference_step(cell, options, core.device)
    else:
        step, stepper = our_step(cell, options, core)
    for _ in range(WARMUP + 2):
        step()
    wait(core.device)
    found["first_steps_s"] = round(time.perf_counter() - begun, 2)
    seconds = timed(step, core.device, options.seconds)
    found |= {"ms": 1000 * seconds, "steps_per_s": 1 / seconds, "images_per_s": cell.batch / seconds}
    found["peak_mib"] = round(core.peak_memory_mib())
    if cell.way == "eager" and stepper is not None:
        found["work"] = count_step(step, stepper.state)
    return found


def timed(step: Callable[[], None], device: torch.device, seconds: float) -> float:
    """Seconds a step, the median of BLOCKS stretches that last `seconds` together."""
    before = time.perf_counter()
    step()
    wait(device)
    each = max(1, int(seconds / BLOCKS / (time.perf_counter() - before)))
    stretches = []
    for _ in range(BLOCKS):
        before = time.perf_counter()
        for _ in range(each):
            step()
        wait(device)
        stretches.append((time.perf_counter() - before) / each)
    return statistics.median(stretches)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def our_step(cell: Cell, options: argparse.Namespace, core: Core) -> tuple[Callable[[], None], Stepper]:
    """A step as the loop takes it: the batch from pinned memory, weight average and guard included."""
    method: Method = Pix2Pix() if cell.method == "pix2pix" else CycleGAN()
    networks = networks_of(method, options.size, core, options.width)
    if "compile" in cell.way:
        import torch._dynamo

        torch._dynamo.reset()
        for role in method.roles:
            if role.kind != "helper":
                networks[role.name].compile(mode=options.compile_mode)
    graphs = GraphRunner(CudaGraphs(core.device), strict=True) if "graph" in cell.way else None
    stepper = Stepper(state_of(method, networks), method, core, NanGuard(), seed=0, ema=0.999, graphs=graphs)
    stream = Prefetch(itertools.cycle(host_batches(cell.batch, options.size, core)), core)
    return lambda: stepper(next(stream), rate=1.0), stepper


def host_batches(batch: int, size: int, core: Core) -> list[RawBatch]:
    images = torch.randint(256, (4, 2, batch, 3, size, size), dtype=torch.uint8)
    made = [RawBatch(source, target, ("image",) * batch) for source, target in images]
    return [raw.pin_memory() for raw in made] if core.device.type == "cuda" else made


def networks_of(
    method: Method, size: int, core: Core, width: int = 64, *, unet: bool = False
) -> dict[str, nn.Module]:
    """The networks of the papers, initialised as there; U-Net and pix2pix's PatchGAN with batch norm."""
    made: dict[str, nn.Module] = {}
    paired = method.learns_from == "pairs"
    torch.manual_seed(0)
    for role in method.roles:
        if role.kind == "generator":
            depth = min(8, int(math.log2(size)))
            network: nn.Module = ResNetGenerator(width=width)
            if paired or unet:
                network = UNet(width=width, depth=depth, norm="batch" if paired else "instance")
        elif role.kind == "discriminator":
            network = PatchGAN(3 * len(role.sees), width, norm="batch" if paired else "instance")
        else:
            assert role.build is not None
            network = role.build(made, {"source": (3, size), "target": (3, size)})
        made[role.name] = core.place(network)
        init_weights(network, "normal", 0.02)
    return made


def state_of(method: Method, networks: dict[str, nn.Module]) -> State:
    averages = {role: ema_copy(networks[role]) for role in translators(method.roles).values()}
    optimizers = build_optimizers(networks, method, lr=2e-4, betas=(0.5, 0.999))
    return State(networks, optimizers, averages, torch.amp.GradScaler(enabled=False))  # type: ignore[attr-defined]


def reference_step(cell: Cell, options: argparse.Namespace, device: torch.device) -> Callable[[], None]:
    """optimize_parameters of junyanz/pytorch-CycleGAN-and-pix2pix, its batch on the device already."""
    if options.reference not in sys.path:
        sys.path.insert(0, options.reference)
    paired = cell.method == "pix2pix"
    if paired and options.size not in (128, 256):
        raise ValueError(f"the reference has U-Nets for 128 and 256 pixels, not for {options.size}")
    if paired:
        from models.pix2pix_model import Pix2PixModel as Model  # type: ignore[import-not-found]
    else:
        from models.cycle_gan_model import CycleGANModel as Model  # type: ignore[import-not-found]
    opt = SimpleNamespace(
        gpu_ids=[0] if device.type == "cuda" else [], isTrain=True, checkpoints_dir=".", name="benchmark",
        preprocess="none", input_nc=3, output_nc=3, ngf=options.width, ndf=options.width, netD="basic",
        n_layers_D=3, init_type="normal", init_gain=0.02, lr=2e-4, beta1=0.5, direction="AtoB", pool_size=50,
        netG=f"unet_{options.size}" if paired else "resnet_9blocks", norm="batch" if paired else "instance",
        no_dropout=not paired, gan_mode="vanilla" if paired else "lsgan", lambda_L1=100.0, lambda_A=10.0,
        lambda_B=10.0, lambda_identity=0.5,
    )  # fmt: skip
    model = Model(opt)
    shape = (cell.batch, 3, options.size, options.size)
    a, b = (torch.rand(shape, device=device) * 2 - 1 for _ in range(2))
    model.set_input({"A": a, "B": b, "A_paths": [], "B_paths": []})
    return model.optimize_parameters
