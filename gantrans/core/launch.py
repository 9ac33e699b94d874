"""Starts the processes of a run on this machine with torch's elastic launcher, and says how they ended.

On Linux without CUDA, which survives no fork, workers start from a server process that has imported torch
once, so that starting them again takes no time; else each imports it.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gantrans.core.collectives import LostPeerError
from gantrans.errors import GantransError

SAVING = 600  # seconds that workers have to save after a signal
PRELOADED = (
    "gantrans.core.forkserver",
    "gantrans.cli.train",
    "gantrans.cli.resume",
    "gantrans.build.training",
    "gantrans.training.loop",
)
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Fleet:
    """How many processes, where. processes: on each of `nodes` machines, which meet at `rendezvous` under the
    name `run_id`. restarts: how often all are started again after one has crashed. cuda: each has a GPU."""

    processes: int
    nodes: int = 1
    rendezvous: str | None = None
    run_id: str = "gantrans"
    restarts: int = 0
    cuda: bool = False

    @property
    def world(self) -> int:
        return self.processes * self.nodes


class StoppedError(Exception):
    """A signal ended the workers; they have saved what they could."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class WorkerBugError(GantransError):
    """A worker ended with an exception that is not ours; `trace` is where."""

    title = "bug"

    def __init__(self, rank: int, trace: str) -> None:
        super().__init__(
            f"in process {rank}: a mistake of gantrans, not yours; please report the lines above"
        )
        self.rank, self.trace = rank, trace

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return type(self), (self.rank, self.trace)  # so that it survives the way out of a sweep's job


def started_by_a_launcher() -> bool:
    """Whether torch's launcher (torchrun or our own) has started this process."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR"))


def launch(fleet: Fleet, work: Callable[[Any], Any], order: Any) -> list[Any]:
    """What `work(order)` returned in each process of this machine, in the order of ranks.

    Raises StoppedError for a signal to this process or a worker, WorkerBugError for an exception in a worker,
    and LostPeerError where a worker was killed or fell silent; the other workers have been ended by then.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    here = fleet.nodes == 1
    method = "forkserver" if sys.platform.startswith("linux") and not fleet.cuda else "spawn"
    if method == "forkserver":
        multiprocessing.set_forkserver_preload(list(PRELOADED))
    logs = tempfile.TemporaryDirectory(prefix="gantrans-")  # for the tracebacks of workers
    config = LaunchConfig(
        min_nodes=fleet.nodes,
        max_nodes=fleet.nodes,
        nproc_per_node=fleet.processes,
        run_id=fleet.run_id,
        rdzv_backend="c10d",
        rdzv_endpoint=fleet.rendezvous or "localhost:0",
        max_restarts=fleet.restarts,
        monitor_interval=0.1,
        start_method=method,
        local_addr="localhost" if here else None,
        shutdown_timeout=SAVING,
        logs_specs=DefaultLogsSpecs(logs.name),
    )
    with logs, _quiet(), _own_signals(), _known_start_method():
        try:
            values = elastic_launch(config, work)(order)
        except SignalException as error:
            raise StoppedError(int(error.sigval)) from None
        except ChildFailedError as error:
            raise _failure(error.failures) from None
    return [values[rank] for rank in sorted(values)]


def hear_signals() -> None:
    """In a worker: undo what it has inherited from the server process (core/forkserver.py)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def die_with_launcher() -> None:
    """In a worker: should the launcher be killed, save and leave, as after SIGTERM."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="launcher", daemon=True).start()


def _failure(failures: dict[int, Any]) -> Exception:
    """The first failure of the workers, as ours."""
    rank, failure = min(failures.items(), key=lambda found: found[1].timestamp)
    code, told = failure.exitcode, failure.message
    number = next((n for n in _SIGNALS if code in (128 + n, -n)), None)
    if number is not None:
        return StoppedError(number)
    if isinstance(told, dict):  # written by torch's own handler of exceptions in a worker
        said = str(told["message"]).partition(f"{LostPeerError.__name__}: ")
        return LostPeerError(said[2]) if said[1] else WorkerBugError(rank, told["extraInfo"]["py_callstack"])
    how = f"was ended by {failure.signal_name()}" if code < 0 else f"ended with code {code}"
    more = "; too little memory is the usual cause" if code == -signal.SIGKILL else ""
    return LostPeerError(f"process {rank} {how}{more}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The launcher's own log lines say what we say in one; kept where LOGLEVEL asks for them."""
    chatty = ("torch.distributed.elastic", "torch.distributed.launcher", "torch.multiprocessing")
    names = [name for name in logging.root.manager.loggerDict if name.startswith(chatty)]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        if "LOGLEVEL" not in os.environ:
            for name in names:
                logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _known_start_method() -> Iterator[None]:
    """Workers take over the name of this process's start method; they do not know that of a joblib job."""
    before = multiprocessing.get_start_method(allow_none=True)
    foreign = before is not None and before not in multiprocessing.get_all_start_methods()
    if foreign:
        multiprocessing.set_start_method("spawn", force=True)
    try:
        yield
    finally:
        if foreign:
            multiprocessing.set_start_method(before, force=True)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """The launcher takes over signal handlers and does not give them back."""
    main = threading.current_thread() is threading.main_thread()
    numbers = (*_SIGNALS, *(getattr(signal, name) for name in ("SIGHUP", "SIGQUIT") if hasattr(signal, name)))
    before = {number: signal.getsignal(number) for number in numbers} if main else {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
