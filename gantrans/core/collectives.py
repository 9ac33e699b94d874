"""What all processes of a run do at once: sums, copies, values.

Whoever calls one waits for the others; where one of them has gone, all raise LostPeerError. torch.distributed
is imported by the call, as a run in one process does not need it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gantrans.errors import GantransError

BUCKET = 2**23  # elements that travel together: small tensors share a message, large ones bound the memory


class LostPeerError(GantransError):
    """Another process of the run has gone, so this one cannot go on."""

    title = "process lost"


@contextlib.contextmanager
def together() -> Iterator[None]:
    """What gloo and nccl raise when a rank has gone, as our own error."""
    try:
        yield
    except RuntimeError as error:
        words = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise LostPeerError(f"another process of this run has gone ({words})") from error


def sum_over_ranks(x: Tensor) -> Tensor:
    """The sum of every rank's x, which must have one shape; differentiable, any number of times."""
    return _Sum.apply(x)  # type: ignore[return-value]


def add_up(x: Tensor) -> None:
    """Replace x by the sum of every rank's x."""
    _all_reduce(x, "SUM")


def take_largest(x: Tensor) -> None:
    """Replace each number of x by the largest of all ranks."""
    _all_reduce(x, "MAX")


def copy_from_first(x: Tensor) -> None:
    """Replace x by rank 0's."""
    import torch.distributed as dist

    with together():
        dist.broadcast(x, 0)


def gather_all(value: Any, world: int) -> list[Any]:
    """Every rank's value, in order, on every rank."""
    import torch.distributed as dist

    found: list[Any] = [None] * world
    with together():
        dist.all_gather_object(found, value)
    return found


def gather_first(value: Any, world: int, *, first: bool) -> list[Any]:
    """Every rank's value, in order, on rank 0; elsewhere an empty list."""
    import torch.distributed as dist

    found = [None] * world if first else None
    with together():
        dist.gather_object(value, found)
    return found or []


def buckets(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors in their order, of one type and device each, up to BUCKET elements together."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        full = sum(t.numel() for t in bucket) + tensor.numel() > BUCKET
        if bucket and (full or (tensor.dtype, tensor.device) != (bucket[0].dtype, bucket[0].device)):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def flattened(tensors: list[Tensor]) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors])


def spread(flat: Tensor, tensors: list[Tensor]) -> None:
    """Copy flat values back to where `flattened` took them from."""
    pieces = flat.split([t.numel() for t in tensors])
    shaped = [piece.view(t.shape) for piece, t in zip(pieces, tensors, strict=True)]
    torch._foreach_copy_(tensors, shaped)  # pyright: ignore[reportPrivateImportUsage]


def _all_reduce(x: Tensor, operation: str) -> None:
    import torch.distributed as dist

    with together():
        dist.all_reduce(x, getattr(dist.ReduceOp, operation))


class _Sum(torch.autograd.Function):
    """Each rank's loss depends on every rank's input, so the gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        total = x.clone()
        add_up(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]  # noqa: ARG004
        return _Sum.apply(gradient)  # type: ignore[return-value]
