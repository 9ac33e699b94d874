"""A whole training step as a CUDA graph: recorded once, then started with one call instead of hundreds.

Everything that changes from step to step must be in tensors that stay where they are. Inputs are copied into
static buffers here; the caller keeps its own dials (learning rate, decay) and state on the device. Random
numbers follow from the seed that is set right before each replay, as they do in an eager step.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from gantrans.errors import ConfigError

WARMUP = 3  # eager steps of each variant before it is captured: cuDNN chooses its kernels in them
MODES = ("auto", "true", "false")
Images = Mapping[str, Tensor | None]


class Backend(Protocol):
    """How work is recorded. `CudaGraphs` is the real one; tests have one for the CPU."""

    device: torch.device

    def warm(self, work: Callable[[], None]) -> None:
        """Do the work now, under the conditions of a capture."""
        ...

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the work without doing it; what is returned does it."""
        ...


class CudaGraphs:
    """Graphs of one device on one side stream. They share their memory: no step leaves anything in it that
    another relies on, and no two of them run at once."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def warm(self, work: Callable[[], None]) -> None:
        main = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            work()
        main.wait_stream(self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # thread_local: the loader's thread pins memory meanwhile, which a global capture would forbid it.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            work()
        return graph.replay


@dataclass
class _Variant:
    done: int = 0
    replay: Callable[[], None] | None = None


@dataclass
class GraphRunner:
    """Runs a step eagerly `warmup` times for each variant of it, then captures it, then replays it.

    Each of these is one real step: a capture does nothing by itself and is followed by its first replay.
    strict: a batch that does not fit what was captured is an error; else `misfit` says so and the caller runs
    that one eagerly.
    """

    backend: Backend
    strict: bool = False
    warmup: int = WARMUP
    _static: dict[str, Tensor | None] = field(default_factory=dict)
    _variants: dict[Hashable, _Variant] = field(default_factory=dict)

    def misfit(self, images: Images) -> str:
        """What about a batch is not as it was captured, by name; "" where it fits. Raises ConfigError if
        strict."""
        for name, given in images.items():
            held = self._static.get(name, given)
            if _kind(given) != _kind(held):
                found = (
                    f"core.graph: {name} is {_kind(held)} in the captured step, and {_kind(given)} in this "
                    "batch; give all images one size (augment.crop=N) and bit depth, or use core.graph=false"
                )
                if self.strict:
                    raise ConfigError(found)
                return found
        return ""

    def run(
        self,
        variant: Hashable,
        images: Images,
        work: Callable[[Images], None],
        seed: Callable[[], None],
    ) -> None:
        """One step: `seed` right before it, `work` on the static copies of `images`.

        `work` may depend on `variant`, and on nothing else on the host.
        """
        self._fill(images)
        entry = self._variants.setdefault(variant, _Variant())
        if entry.done < self.warmup:
            seed()
            self.backend.warm(lambda: work(self._static))
        else:
            if entry.replay is None:
                entry.replay = self._capture(work)
            seed()
            entry.replay()
        entry.done += 1

    def _capture(self, work: Callable[[Images], None]) -> Callable[[], None]:
        try:
            return self.backend.capture(lambda: work(self._static))
        except RuntimeError as error:
            first = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"core.graph: this step cannot be captured as a CUDA graph ({first}); use core.graph=false. "
                "A step that waits for the device (.item(), float(), an if on a tensor) is the usual cause"
            ) from error

    def _fill(self, images: Images) -> None:
        for name, given in images.items():
            held = self._static.get(name)
            if name not in self._static:
                held = None if given is None else torch.empty_like(given, device=self.backend.device)
                self._static[name] = held
            if held is not None and given is not None:
                held.copy_(given, non_blocking=True)


def capturing() -> bool:
    """Whether the current stream records instead of running."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _kind(image: Tensor | None) -> str:
    return "absent" if image is None else f"{tuple(image.shape)} {str(image.dtype).removeprefix('torch.')}"
