"""Where and in which precision tensors run: decided once, from four keys, and printed."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gantrans.core.ranks import ALONE, Ranks
from gantrans.data.stream import RawBatch
from gantrans.degrade_batch.engine import sources
from gantrans.errors import ConfigError
from gantrans.imaging.ranges import x11_from_u8, x11_from_x01
from gantrans.types import Batch

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "tf32", "bf16", "fp16")
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


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
        if self.precision not in HALF:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=HALF[self.precision])

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the run's memory format. What lies there already stays where it
        is: a captured step knows it by its address."""
        tensors = (*network.parameters(), *network.buffers())
        if all(self._placed(tensor) for tensor in tensors):
            return network
        return network.to(device=self.device, memory_format=self.memory_format)  # type: ignore[call-overload]

    def _placed(self, tensor: Tensor) -> bool:
        there = tensor.device.type == self.device.type and self.device.index in (None, tensor.device.index)
        return there and (tensor.dim() != 4 or tensor.is_contiguous(memory_format=self.memory_format))

    def move(self, raw: RawBatch) -> RawBatch:
        """A batch on the device as it is, its source made there where that is still to do; the copy is
        asynchronous from pinned memory, and nothing waits for the device."""
        images = {name: _to(image, self.device) for name, image in images_of(raw).items()}
        if raw.programs is not None:
            images["source"] = sources(raw.programs.to(self.device))
        return batch_from(images, raw.keys)

    def prepare(self, raw: RawBatch) -> Batch:
        """A batch (u8 or x01), wherever it is, as x11 on the device."""
        moved = self.move(raw)
        unpaired = None if moved.unpaired is None else self._x11(moved.unpaired)
        return Batch(self._x11(moved.source), self._x11(moved.target), raw.keys, unpaired)

    def _x11(self, image: Tensor) -> Tensor:
        x11 = x11_from_u8(image) if image.dtype == torch.uint8 else x11_from_x01(image)
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


def images_of(raw: RawBatch) -> dict[str, Tensor | None]:
    """The images of a batch by name."""
    return {"source": raw.source, "target": raw.target, "unpaired": raw.unpaired}


def batch_from(images: Mapping[str, Tensor | None], keys: tuple[str, ...]) -> RawBatch:
    """The batch that `images_of` took apart."""
    source, target = images["source"], images["target"]
    assert source is not None and target is not None
    return RawBatch(source, target, keys, images["unpaired"])


def _to(image: Tensor | None, device: torch.device) -> Tensor | None:
    return None if image is None else image.to(device, non_blocking=True)


def open_core(device: str = "auto", precision: str = "auto", *, deterministic: bool = False) -> Core:
    """Choose the device (CUDA where there is one) and the precision (auto: fp32, on CUDA tf32).

    tf32 keeps fp32 in memory and multiplies in TF32; bf16 and fp16 are autocast, and what they leave in fp32
    multiplies in TF32 too. fp32 is IEEE arithmetic throughout. `deterministic` asks PyTorch for deterministic
    kernels, fails where an operation has none, and wins over tf32. Raises ConfigError naming what is
    accepted.
    """
    if device not in DEVICES:
        raise ConfigError(f"core.device={device}: accepted are {', '.join(DEVICES)}")
    if precision not in ("auto", *PRECISIONS):
        raise ConfigError(f"core.precision={precision}: accepted are auto, {', '.join(PRECISIONS)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("core.device=cuda: PyTorch sees no CUDA device here; use core.device=auto or cpu")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    chosen = _precision(kind, precision, deterministic=deterministic)
    if kind == "cuda":
        set_tf32(chosen != "fp32" and not deterministic)
        torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS asks for
    if deterministic != torch.are_deterministic_algorithms_enabled():  # the call imports torch._inductor
        torch.use_deterministic_algorithms(deterministic)
    return Core(torch.device(kind), chosen, channels_last=kind == "cuda")


def _precision(kind: str, asked: str, *, deterministic: bool) -> str:
    if asked == "tf32" and kind == "cpu":
        raise ConfigError(
            "core.precision=tf32: TF32 is a format of NVIDIA's matrix units, and this run is on the CPU; "
            "use core.precision=auto, which is tf32 on CUDA and fp32 on the CPU"
        )
    if asked == "auto":
        asked = "tf32" if kind == "cuda" else "fp32"
    return "fp32" if asked == "tf32" and deterministic else asked


def set_tf32(on: bool) -> None:
    """Whether fp32 products and convolutions on CUDA are taken in TF32, for the whole process.

    Said twice, by the older names and by fp32_precision: PyTorch refuses to answer by the older ones, which
    torch.compile asks, where they have not been told the same.
    """
    torch.set_float32_matmul_precision("high" if on else "highest")
    torch.backends.cudnn.allow_tf32 = on
    arithmetic = "tf32" if on else "ieee"
    torch.backends.cuda.matmul.fp32_precision = arithmetic
    torch.backends.cudnn.conv.fp32_precision = arithmetic  # type: ignore[attr-defined]
    torch.backends.cudnn.rnn.fp32_precision = arithmetic  # type: ignore[attr-defined]
