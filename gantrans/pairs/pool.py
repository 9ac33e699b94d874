"""Runs tasks in worker processes of which any may die or hang at any time, at the cost of one image at most.

Each worker has a pipe of its own and one task at a time, so whoever dies names the culprit. An image whose
worker died gets a second chance when all others are done, alone: the system may have ended the worker for
want of memory, or somebody may have. Nothing that a dead worker held is shared with the living.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait

from gantrans.errors import DataError
from gantrans.pairs import worker as pairs_worker
from gantrans.pairs.process import Worker, begun, context
from gantrans.pairs.worker import Result, Setup, Task

_POLL_SECONDS = 0.25  # how soon a signal or a hang is noticed while no image finishes
_FALSE_STARTS = 3  # workers that die before their first task, in a row, before it is given up


@dataclass
class Stop:
    """Set by a signal handler: no new task is begun, those in flight are finished."""

    signal: int | None = None


def results(
    setup: Setup, tasks: Iterable[Task], workers: int, stop: Stop, timeout_s: float | None = None
) -> Generator[Result]:
    """Results in the order in which they are done. The first failure is raised after those in flight are.

    Tasks are asked for as they are needed, a few ahead.
    `workers` 0 works in this process, where a crash of a decoder ends everything and nothing times out.
    """
    if workers == 0:
        for task in tasks:
            if stop.signal is not None:
                return
            yield pairs_worker.work(setup, task)
    else:
        yield from _Crew(setup, iter(tasks), workers, timeout_s).results(stop)


class _Crew:
    def __init__(self, setup: Setup, tasks: Iterator[Task], size: int, timeout_s: float | None) -> None:
        self.setup, self.size, self.timeout_s = setup, size, timeout_s
        self.coming, self.todo, self.again = tasks, deque[Task](), deque[Task]()
        self.second: set[str] = set()  # keys of the images that had their second chance
        self.context = context()
        self.workers: list[Worker] = []
        self.failure: Exception | None = None
        self.false_starts = 0

    def results(self, stop: Stop) -> Iterator[Result]:
        done = False
        try:
            while self._hand_out(stop):
                yield from self._arriving()
            done = True
        finally:
            for worker in self.workers:
                worker.end(now=not done)
        if self.failure is not None:
            raise self.failure

    def _hand_out(self, stop: Stop) -> bool:
        """Give every idle worker a task; whether there is anything to wait for."""
        busy = sum(worker.task is not None for worker in self.workers)
        self.todo.extend(islice(self.coming, max(0, 2 * self.size - len(self.todo))))
        if stop.signal is None and self.failure is None:
            wanted = min(self.size, busy + len(self.todo)) or min(1, len(self.again))
            while len(self.workers) < wanted:
                self.workers.append(begun(self.context, self.setup))
            for worker in [w for w in self.workers if w.ready and w.task is None]:
                if self.todo:
                    task = self.todo.popleft()
                elif self.again and not busy:
                    task = self.again.popleft()
                else:
                    break
                busy += 1
                with suppress(OSError):  # if it died just now, its pipe tells so next
                    worker.give(task)
            return bool(busy or self.todo or self.again)
        return bool(busy)

    def _arriving(self) -> Iterator[Result]:
        pipes = {worker.pipe: worker for worker in self.workers}
        ready: list[Connection] = wait(list(pipes), _POLL_SECONDS)  # type: ignore[assignment]
        for pipe in ready:
            yield from self._answer(pipes[pipe])
        if self.timeout_s is not None:
            for worker in list(self.workers):
                late = worker.task is not None and time.monotonic() - worker.since > self.timeout_s
                if late and not worker.pipe.poll():
                    yield self._hung(worker)

    def _answer(self, worker: Worker) -> Iterator[Result]:
        try:
            answer: Result | Exception | None = worker.pipe.recv()
        except (EOFError, OSError):
            yield from self._died(worker)
            return
        if answer is None:
            worker.ready, self.false_starts = True, 0
            return
        worker.task = None
        if isinstance(answer, Exception):
            self.failure = self.failure or answer
        else:
            yield answer

    def _hung(self, worker: Worker) -> Result:
        assert worker.task is not None
        self.workers.remove(worker)
        worker.end(now=True)
        return self._reject(worker.task, f"took longer than timeout_s={self.timeout_s:g} s")

    def _died(self, worker: Worker) -> Iterator[Result]:
        self.workers.remove(worker)
        how = worker.how_it_ended()
        worker.end(now=True)
        if worker.task is None:
            self.false_starts += 1
            if self.false_starts >= _FALSE_STARTS:
                self.failure = DataError(
                    f"worker processes end before they begin: the last one {how}; workers=0 shows why"
                )
        elif worker.task.key in self.second:
            yield self._reject(worker.task, f"its worker process {how}, twice")
        else:
            self.second.add(worker.task.key)
            self.again.append(worker.task)

    def _reject(self, task: Task, reason: str) -> Result:
        pairs_worker.discard(self.setup, task)
        return pairs_worker.rejected(task.key, reason)
