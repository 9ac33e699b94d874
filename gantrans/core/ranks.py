"""The processes of a run: which one this is, and what they agree on. One process exchanges nothing.

Gradients are averaged explicitly after each backward (docs/adr/0012-processes.md). What ranks agree on are
small values in host memory, so that a GPU is never waited for.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gantrans.core import collectives, failures
from gantrans.core.collectives import LostPeerError
from gantrans.core.meeting import meet
from gantrans.errors import GantransError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

PATIENCE = timedelta(days=1)  # how long ranks wait for each other: rank 0 measures and writes meanwhile
GRACE = 10.0  # seconds in which the launcher ends a rank that lost another, and in which the other says why
FAILURE = "gantrans/failure"


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run: `rank` of `world`. Rank 0 writes; all compute the same state.

    local, local_world: the same among the processes of this machine. store: where a failure is told.
    All ranks must call the same methods in the same order; each raises LostPeerError where one has gone.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    local_world: int = 1
    store: Store | None = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    @property
    def address(self) -> tuple[str | int, ...]:
        """What this process adds to the address of a random draw, so that no two draw alike."""
        return ("rank", self.rank) if self.world > 1 else ()

    @property
    def sum(self) -> Callable[[Tensor], Tensor] | None:
        """x -> the sum of every rank's x, differentiable; None in one process."""
        return collectives.sum_over_ranks if self.world > 1 else None

    def share_of(self, count: int) -> range:
        """This rank's contiguous part of `count` things, a multiple of `world`."""
        each = count // self.world
        return range(self.rank * each, (self.rank + 1) * each)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all processes.

        A parameter without a gradient counts as zero where another rank has one, and keeps none where all
        have none, so that an optimizer skips it as it would in one process.
        """
        if self.world == 1:
            return
        wanted = [p for p in parameters if p.requires_grad]
        present = self.most([p.grad is not None for p in wanted])
        gradients = []
        for parameter, some in zip(wanted, present, strict=True):
            if some and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if parameter.grad is not None:
                gradients.append(parameter.grad)
        for bucket in collectives.buckets(gradients):
            flat = collectives.flattened(bucket)
            collectives.add_up(flat)
            collectives.spread(flat.div_(self.world), bucket)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of rank 0."""
        if self.world == 1:
            return
        for bucket in collectives.buckets([t.detach() for t in tensors]):
            flat = collectives.flattened(bucket)
            collectives.copy_from_first(flat)
            collectives.spread(flat, bucket)

    def most(self, values: Sequence[int]) -> list[int]:
        """The largest over all ranks of each value."""
        if self.world == 1:
            return list(values)
        agreed = torch.tensor(values, dtype=torch.int64)
        collectives.take_largest(agreed)
        return agreed.tolist()

    def exchange(self, value: Any) -> list[Any]:
        """Every rank's value, in order."""
        return [value] if self.world == 1 else collectives.gather_all(value, self.world)

    def collect(self, value: Any) -> list[Any]:
        """Every rank's value, in order, on rank 0; elsewhere an empty list."""
        if self.world == 1:
            return [value]
        return collectives.gather_first(value, self.world, first=self.first)

    def share(self, value: Any) -> Any:
        """Rank 0's value; the others wait for it."""
        return self.exchange(value if self.first else None)[0]

    def wait(self) -> None:
        """Wait until all are here."""
        self.most([0])

    def cause(self, error: BaseException, grace: float = GRACE) -> BaseException:
        """What stopped the run: `error`, which the others are told; or, where it only says that another rank
        has gone, what that one tells within `grace` seconds. The same answer again if asked again."""
        if self.store is None:
            return error
        lost = isinstance(error, LostPeerError)
        told = self._told(grace if lost else 0.0)
        if told is None:
            with contextlib.suppress(RuntimeError):
                self.store.compare_set(FAILURE, "", failures.packed(self.rank, error))
        if not lost or told is None or str(told[1]) == str(error):
            return error
        if isinstance(told[1], LostPeerError):
            time.sleep(grace)  # that one crashed: its launcher reports it, and ends this one meanwhile
        return told[1]

    def speaks(self) -> bool:
        """Whether a failure is this rank's to print: where several fail, the first that told it."""
        told = self._told(0.0)
        return told is None or told[0] == self.rank

    def _told(self, seconds: float) -> tuple[int, GantransError] | None:
        """Who told which failure first, waiting so long for it."""
        deadline = time.monotonic() + seconds
        # The store goes with the launcher; a text that no rank wrote counts as none.
        with contextlib.suppress(RuntimeError, ValueError):
            while self.store is not None and not self.store.check([FAILURE]):
                if time.monotonic() >= deadline:
                    return None
                time.sleep(0.05)
            return failures.unpacked(self.store.get(FAILURE).decode()) if self.store else None
        return None


ALONE = Ranks()


@contextlib.contextmanager
def joined(*, cuda: bool) -> Iterator[Ranks]:
    """The group that the launcher's environment describes, left again at the end.

    What is raised inside is told to the other ranks, and raised there in the place of LostPeerError.
    """
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    rank, world, local, local_world = (int(os.environ.get(name, "1")) for name in names)
    if world == 1:
        yield ALONE
        return
    if cuda:
        torch.cuda.set_device(local)
    server = next(iter(rendezvous("env://", rank, world)))[0]
    store = PrefixStore(meet(server, rank, world), server)
    ranks = Ranks(rank, world, local, local_world, store)
    try:
        with collectives.together():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if cuda else "gloo",
                store=store, rank=rank, world_size=world, timeout=PATIENCE,
            )  # fmt: skip
        yield ranks
    except BaseException as error:
        cause = ranks.cause(error)
        if cause is error:
            raise
        raise cause from None
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()  # closes the connections, by which the others notice
