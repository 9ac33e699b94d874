"""CUDA graphs for the CPU: every operation of a step is written down with its tensors, and done again.

As on the device, a number that Python held at the capture is in the tape for good, a tensor is read anew, and
what reaches for a value (.item(), float(), an if on a tensor) cannot be captured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

READS = {"aten::_local_scalar_dense", "aten::equal", "aten::is_nonzero", "aten::nonzero"}


class Tape(TorchDispatchMode):
    """Records what runs under it. `undo` puts back what it has overwritten: a capture does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[Any, tuple, dict, list[Tensor | None]]] = []
        self._own: set[int] = set()  # storages made on the tape
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name
        if name in READS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        written = [
            x
            for argument, value in zip(func._schema.arguments, args, strict=False)
            if argument.alias_info is not None and argument.alias_info.is_write
            for x in tree_leaves(value)
            if isinstance(x, Tensor)
        ]
        if "batch_norm" in name:  # writes its averages without saying so in its schema
            written = given
        for x in written:
            self._keep(x)
        given_now = tree_map(_as_it_is, (args, kwargs))
        result = func(*args, **kwargs)
        known = {_storage(x) for x in given}
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        fresh = [x for x in made if _storage(x) not in known]
        self._own.update(_storage(x) for x in fresh)
        outputs = [_as_it_is(x) if _storage(x) not in known else None for x in made]
        self.lines.append((func, *given_now, outputs))
        return result

    def _keep(self, x: Tensor) -> None:
        at = _storage(x)
        if at not in self._own and at not in self._before:
            whole = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())  # type: ignore[call-overload]
            self._before[at] = (whole, whole.clone())

    def undo(self) -> None:
        for whole, before in self._before.values():
            whole.copy_(before)

    @torch.no_grad()
    def play(self) -> None:
        for func, args, kwargs, outputs in self.lines:
            again = [x for x in tree_leaves(func(*args, **kwargs)) if isinstance(x, Tensor)]
            for out, new in zip(outputs, again, strict=True):
                if out is not None:
                    out.copy_(new)


class TapeBackend:
    """The CPU's twin of gantrans.core.graph.CudaGraphs."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.captured = 0

    def warm(self, work: Callable[[], None]) -> None:
        work()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        tape = Tape()
        with tape:
            work()
        tape.undo()
        self.captured += 1
        return tape.play


def _as_it_is(x: Any) -> Any:
    """The same values under the shape of now, as a tensor can be transposed in place later."""
    return x.detach() if isinstance(x, Tensor) else x


def _storage(x: Tensor) -> int:
    return x.untyped_storage()._cdata
