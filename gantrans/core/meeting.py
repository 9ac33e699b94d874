"""How the processes of one attempt find each other in a store that holds what earlier attempts left there.

torch's launcher keeps one store through all restarts, and its own count of them differs between machines.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

from gantrans.core.collectives import LostPeerError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

WAIT = 900.0  # seconds, as torch's own rendezvous waits
_POLL = 0.02


def meet(store: Store, rank: int, world: int) -> str:
    """A name that these processes share and no earlier ones had. Raises LostPeerError if not all come.

    Each says who it is; rank 0 calls a round of those that it sees, again and again, until all of them have
    answered that very round.
    """
    me, deadline = uuid.uuid4().hex, time.monotonic() + WAIT
    store.set(f"hello/{rank}", me)
    while time.monotonic() < deadline:
        if rank == 0 and _seen(store, world, me):
            return me
        if rank and (name := _called(store, rank, me)):
            store.set(f"here/{name}/{me}", "1")
            return name
        time.sleep(_POLL)
    raise LostPeerError(f"process {rank} waited {WAIT:.0f} s for the other processes of this run")


def _seen(store: Store, world: int, me: str) -> bool:
    """Rank 0: call everyone that has said hello; whether all have answered."""
    hellos = [f"hello/{rank}" for rank in range(1, world)]
    if not store.check(hellos):
        return False
    members = [me, *(store.get(hello).decode() for hello in hellos)]
    store.set("round", json.dumps(members))
    return store.check([f"here/{me}/{member}" for member in members[1:]])


def _called(store: Store, rank: int, me: str) -> str:
    """The name of the round that calls this process; "" while none does."""
    members = json.loads(store.get("round")) if store.check(["round"]) else []
    return members[0] if members[rank : rank + 1] == [me] else ""
