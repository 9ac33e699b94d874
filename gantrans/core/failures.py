"""What went wrong in one process of a run, as text for the others.

It travels through a store on the network, so it is words: whoever reads it makes one of our own errors of
them and nothing else.
"""

from __future__ import annotations

import json

from gantrans.core.collectives import LostPeerError
from gantrans.errors import (
    BusyError,
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    GantransError,
    Interrupted,
    StorageError,
)

_KINDS: dict[str, type[GantransError]] = {
    kind.__name__: kind
    for kind in (
        BusyError, CheckpointError, ConfigError, DataError, DivergedError, LostPeerError, StorageError,
    )
}  # fmt: skip


def packed(rank: int, error: BaseException) -> str:
    """The failure of `rank`; what is none of our own is told as the loss of that process."""
    if isinstance(error, Interrupted):
        return json.dumps([rank, error.signal_number, str(error)])
    for cls in type(error).__mro__:
        if _KINDS.get(cls.__name__) is cls:
            return json.dumps([rank, cls.__name__, str(error)])
    failed = f"process {rank} failed: {type(error).__name__}: {error}"
    return json.dumps([rank, LostPeerError.__name__, failed])


def unpacked(text: str) -> tuple[int, GantransError]:
    """The rank that failed, and how. Raises ValueError for a text that `packed` did not write."""
    rank, kind, message = json.loads(text)
    if isinstance(kind, int):
        return rank, Interrupted(str(message), kind)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"no failure of ours: {text[:200]}")
    return rank, _KINDS[kind](str(message))
