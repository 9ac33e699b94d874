"""A worker process of gantrans pairs, and the server that it is forked from, which may be killed as well."""

from __future__ import annotations

import multiprocessing
import signal
import time
from contextlib import suppress
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from gantrans.errors import DataError
from gantrans.pairs import worker as pairs_worker
from gantrans.pairs.worker import Setup, Task

_TRIES, _PAUSE_S = 5, 0.2  # to begin one; a server that was killed is begun anew once the system says so


def context() -> BaseContext:
    """Forking a process that has threads may hang it, so a clean one is forked."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")  # Windows
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["gantrans.pairs.worker"])
    return server


class Worker:
    """A process, its pipe, and the task it is at."""

    def __init__(self, context: BaseContext, setup: Setup) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=pairs_worker.serve, args=(theirs, setup), daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: Task | None = None
        self.since = 0.0  # monotonic seconds at which the task was handed over

    def give(self, task: Task) -> None:
        self.task, self.since = task, time.monotonic()
        self.pipe.send(task)

    def end(self, *, now: bool) -> None:
        if now:
            self.process.kill()
        else:
            with suppress(OSError):
                self.pipe.send(None)
        self.process.join(None if now else 5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()

    def how_it_ended(self) -> str:
        """In words. A worker that closed its pipe is about to be gone."""
        self.process.join(5)
        code = self.process.exitcode
        if code is None or code >= 0:
            return "did not answer any more" if code is None else f"ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        memory = "; the system may want for memory: try fewer workers" if name == "SIGKILL" else ""
        return f"was ended by signal {-code} ({name}){memory}"


def begun(context: BaseContext, setup: Setup) -> Worker:
    """A new worker. Raises DataError where none can be begun."""
    for tries in range(_TRIES, 0, -1):
        try:
            return Worker(context, setup)
        except (EOFError, OSError) as error:
            if tries == 1:
                why = str(error) or type(error).__name__
                raise DataError(
                    f"no worker process can be begun ({why}): the server they are "
                    "forked from was ended again and again; see that nothing kills processes of this command "
                    "and that memory suffices, and run it again to go on, or use workers=0"
                ) from error
            time.sleep(_PAUSE_S)
    raise AssertionError
