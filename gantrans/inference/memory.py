"""How much memory there is, how much a network takes for a pixel, and how the lack of it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary, finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CPU_BYTES = 5 * 2**27  # at most for a tile: any picture stays below 2.5 GB, and larger tiles win no time
SHARE = 0.5  # of what is free; the rest is for the picture and for others
MOST_BYTES_PER_PX = 16 * 2**10  # no generator takes more, so that small pictures need no measuring
OVERHEAD = 1.1  # of what libraries take beside the tensors that PyTorch hands out
_FULL = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "could not create a memory",
)


def budget_bytes(device: torch.device) -> int:
    """What a tile may take on this device now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int((free + idle) * SHARE)
    return int(min(CPU_BYTES, free_bytes() * SHARE))


def free_bytes() -> int:
    """Main memory that this process may still take: of the machine, its control group and its limits."""
    return max(0, min((*_machine(), *_group(), *_limits()), default=2 * CPU_BYTES))


def _machine() -> Iterator[int]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _group() -> Iterator[int]:
    """Control groups of Linux, version 2 and 1, as a container sees its own."""
    for folder, most, used, idle in (
        ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, usage = ("".join(_lines(f"{folder}/{name}")).strip() for name in (most, used))
        if limit.isdigit() and usage.isdigit():
            files = [
                line.split()[1] for line in _lines(f"{folder}/memory.stat") if line.startswith(idle + " ")
            ]
            yield int(limit) - int(usage) + sum(map(int, files))  # of cached files the kernel lets go


def _limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows has no resource module
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    held = "".join(_lines("/proc/self/statm")).split()
    if limit != resource.RLIM_INFINITY and held:
        yield limit - int(held[0]) * os.sysconf("SC_PAGE_SIZE")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in said for words in _FULL)
    )


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that tensors made by `work` take at one time."""
    with _Live() as live:
        work()
    return live.most


class _Live(TorchDispatchMode):
    """Adds up the storages that operations return, for as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.most = 0
        self.known: WeakValueDictionary[int, Any] = WeakValueDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._hold(leaf.untyped_storage())
        return made

    def _hold(self, storage: torch.UntypedStorage) -> None:
        if self.known.get(storage._cdata) is storage:
            return
        self.known[storage._cdata] = storage
        self.held += storage.nbytes()
        self.most = max(self.most, self.held)
        finalize(storage, self._free, storage.nbytes())

    def _free(self, count: int) -> None:
        self.held -= count


def bytes_per_px(network: nn.Module, answer: Callable[[Tensor], Tensor], channels: int, side: int) -> float:
    """What `answer`, which runs the network, takes for each pixel of its input (N, channels, side, side), and
    what goes before and comes after: measured on a small picture, without the ways to convolve that turn
    weights into other forms, whose room does not grow with the picture."""
    quick = [module for module in network.modules() if getattr(module, "fast", False)]
    for module in quick:
        module.fast = False  # type: ignore[assignment]
    try:
        most = peak_bytes(lambda: answer(torch.zeros(1, channels, side, side)))
    finally:
        for module in quick:
            module.fast = True  # type: ignore[assignment]
    return most / side**2 + 3 * 4 * channels  # the part cut out, in float32, and copies of it
