"""Where and in which precision tensors run: decided once, from four keys, and printed."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gantrans.core.ranks import ALONE, Ranks
from gantrans.data.stream import RawBatch
from gantrans.errors import ConfigError
from gantrans.imaging.ranges import x11_from_u8, x11_from_x01
from gantrans.types import Batch

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Core:
    """The device and the number format of a run. Build it with `open_core`."""

    device: torch.device
    precision: str
    channels_last: bool
    ranks: Ranks = ALONE

    @property
    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context in which a forward pass and its losses run."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the run's memory format."""
        return network.to(device=self.device, memory_format=self.memory_format)  # type: ignore[call-overload]

    def prepare(self, raw: RawBatch) -> Batch:
        """A host batch (u8 or x01) as x11 on the device; the copy is asynchronous from pinned memory."""
        unpaired = None if raw.unpaired is None else self._x11(raw.unpaired)
        return Batch(self._x11(raw.source), self._x11(raw.target), raw.keys, unpaired)

    def _x11(self, image: Tensor) -> Tensor:
        moved = image.to(self.device, non_blocking=True)
        x11 = x11_from_u8(moved) if moved.dtype == torch.uint8 else x11_from_x01(moved)
        return x11.contiguous(memory_format=self.memory_format)

    def describe(self) -> str:
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else platform.processor()
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{self.device.type} ({name or platform.machine()}{threads}), {self.precision}"

    def peak_memory_mib(self) -> float:
        """The most memory this process has held: on the GPU where one is used, else resident."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        try:
            import resource
        except ImportError:  # Windows has no resource module
            return 0.0
        unit = 1 if platform.system() == "Darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def open_core(device: str = "auto", precision: str = "auto", *, deterministic: bool = False) -> Core:
    """Choose the device (CUDA where there is one) and precision (fp32; bf16 and fp16 on request).

    `deterministic` asks PyTorch for deterministic kernels and fails where an operation has none.
    Raises ConfigError naming what is accepted.
    """
    if device not in DEVICES:
        raise ConfigError(f"core.device={device}: accepted are {', '.join(DEVICES)}")
    if precision not in ("auto", *PRECISIONS):
        raise ConfigError(f"core.precision={precision}: accepted are auto, {', '.join(PRECISIONS)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("core.device=cuda: PyTorch sees no CUDA device here; use core.device=auto or cpu")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if kind == "cuda":
        torch.backends.cuda.matmul.fp32_precision = "ieee" if deterministic else "tf32"
        torch.backends.cudnn.conv.fp32_precision = "ieee" if deterministic else "tf32"  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
    torch.use_deterministic_algorithms(deterministic)
    chosen = "fp32" if precision == "auto" else precision
    return Core(torch.device(kind), chosen, channels_last=kind == "cuda")
