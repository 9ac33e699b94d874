"""One shard of pairs as a task of a cluster. What goes wrong comes back as a value; the command says it."""

from __future__ import annotations

import pickle
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gantrans.errors import BusyError, ConfigError, GantransError
from gantrans.pairs import plan as pairs_plan
from gantrans.pairs.generate import PairsJob, PairsSummary, make_pairs
from gantrans.pairs.journal import WORK

PATIENCE_S = 3600.0  # a holder that only checks kept pairs, or merges, writes nothing to its journal
_POLL_S, _SLOWEST_POLL_S = 0.25, 30.0  # each attempt lists the source


def work(packed: bytes, here: str) -> PairsSummary | Exception:
    """Do the shard of the pickled PairsJob `packed`. `here` is the command's folder, where plugins may lie.

    Returns its account, or the exception that make_pairs raised, without a traceback where it is ours.
    """
    if here not in sys.path:
        sys.path.append(here)
    try:
        with _nameless_main():
            return wait_and_make(_unpacked(packed))
    except (GantransError, OSError, MemoryError) as error:
        return error.with_traceback(None)
    except Exception as error:  # others need not survive pickling, so their words travel
        return RuntimeError("in a task\n" + "".join(traceback.format_exception(error)))


def wait_and_make(job: PairsJob, patience_s: float = PATIENCE_S) -> PairsSummary:
    """make_pairs, once nobody else is at this shard.

    A node that the cluster gave up may be alive, and its task hold the shard's lock: it is waited for while
    its files in OUT/.pairs grow, and for `patience_s` seconds without. Raises BusyError then, else what
    make_pairs does.
    """
    share = pairs_plan.check(job.source, job.out, job.recipe, job.size, job.shard, job.workers)
    seen, since, poll = -1, time.monotonic(), _POLL_S
    while True:
        try:
            return make_pairs(job)
        except BusyError:
            size = _size(job.out, share.label)
            if size != seen:
                seen, since = size, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise
        time.sleep(min(poll, patience_s))
        poll = min(2 * poll, _SLOWEST_POLL_S)


def _size(out: Path, label: str) -> int:
    size = 0
    for path in (out / WORK).glob(f"{label}.*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _unpacked(packed: bytes) -> PairsJob:
    try:
        # The command's own bytes by way of Ray, which pickles all it carries; here so that errors have words.
        return pickle.loads(packed)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"on node {platform.node()}: {error}; install the same gantrans, and the modules that "
            "plugins names, on every node, or start in a folder that all nodes see"
        ) from error


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Worker processes import what their parent runs, here Ray's own script, unless it has no name."""
    main = sys.modules["__main__"]
    name = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if name is not None:
            main.__file__ = name
