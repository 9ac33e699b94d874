"""How much memory there is, how much a network takes for a pixel, and how the lack of it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary, finalize

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gantrans.core.heap import give_back_free_blocks

CPU_BYTES = 2**30  # at most for a tile: the process stays below 2.5 GB then (measured: ADR 24)
SHARE = 0.5  # of what is free; the rest is for the picture and for others
MOST_BYTES_PER_PX = 16 * 2**10  # no generator takes more, so that small pictures need no measuring
OVERHEAD = 1.1  # of what libraries take beside the tensors that PyTorch hands out
USUAL_BYTES_PER_PX = 2**9  # where nothing was measured
TIDY_BYTES = 2**28  # works from here on take seconds, beside which returning memory costs little
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


@contextmanager
def tidied(network: nn.Module, needed: float) -> Iterator[None]:
    """Where the network needs many bytes, what is free goes back to the kernel before a layer that finds the
    process grown by so many.

    Freed blocks that malloc keeps (core/heap.py) rarely fit the next layer's tensors, which then come to lie
    beside them: without this a tile takes up to three times what its tensors do. For one thread at a time:
    what another takes meanwhile counts as this one's.
    """
    large = needed >= TIDY_BYTES
    if large:
        give_back_free_blocks()
    held = held_bytes()

    def give_back(*_: object) -> None:
        if held_bytes() - held > needed:
            give_back_free_blocks()

    leaves = [one for one in network.modules() if large and next(one.children(), None) is None]
    hooks = [one.register_forward_pre_hook(give_back) for one in leaves]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def held_bytes() -> int:
    """Main memory that this process has in hand; 0 where the system does not say."""
    pages = "".join(_lines("/proc/self/statm")).split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that tensors made by `work` take at one time, without those made of others alone that
    were there before, such as weights turned into other forms: their room does not grow with a picture."""
    with _Live() as live:
        work()
    return live.most


class _Live(TorchDispatchMode):
    """Adds up the storages that operations return, for as long as they live: of operations on no tensor, and
    on any that is counted itself."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch's compiler is imported: seconds, and 150 MB

    def __init__(self) -> None:
        super().__init__()
        self.held = self.most = 0
        self.known: WeakValueDictionary[int, Any] = WeakValueDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = _storages((args, kwargs))
        if not given or any(map(self._knows, given)):
            for storage in _storages(made):
                self._hold(storage)
        return made

    def _knows(self, storage: torch.UntypedStorage) -> bool:
        return self.known.get(storage._cdata) is storage

    def _hold(self, storage: torch.UntypedStorage) -> None:
        if self._knows(storage):
            return
        self.known[storage._cdata] = storage
        self.held += storage.nbytes()
        self.most = max(self.most, self.held)
        finalize(storage, self._free, storage.nbytes())

    def _free(self, count: int) -> None:
        self.held -= count


def _storages(values: Any) -> list[torch.UntypedStorage]:
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor) and not leaf.is_mkldnn]
    return [tensor.untyped_storage() for tensor in tensors]


def bytes_per_px(network: nn.Module, answer: Callable[[Tensor], Tensor], channels: int, side: int) -> float:
    """What `answer`, which runs the network, takes for each pixel of its input (N, channels, side, side), and
    what goes before and comes after: measured on a small picture, for which no weights are to be kept."""
    keeping = [module for module in network.modules() if getattr(module, "keep", False)]
    for module in keeping:
        module.keep = False  # type: ignore[assignment]
    try:
        most = peak_bytes(lambda: answer(torch.zeros(1, channels, side, side)))
    finally:
        for module in keeping:
            module.keep = True  # type: ignore[assignment]
    return most / side**2 + 3 * 4 * channels  # the part cut out, in float32, and copies of it
