"""Runs tasks here or in worker processes, and loses no finished result, whatever happens to a worker."""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice

from gantrans.data import pairs_worker
from gantrans.data.pairs_worker import Result, Setup, Task
from gantrans.errors import DataError

_POLL_SECONDS = 0.5  # how soon a signal is noticed while no image finishes


@dataclass
class Stop:
    """Set by a signal handler: no new task is begun, those in flight are finished."""

    signal: int | None = None


def results(setup: Setup, tasks: list[Task], workers: int, stop: Stop) -> Generator[Result]:
    """Results in the order in which they are done. The first failure is raised after those in flight are."""
    workers = min(workers, len(tasks))
    return _in_pool(setup, tasks, workers, stop) if workers > 1 else _here(setup, tasks, stop)


def _here(setup: Setup, tasks: list[Task], stop: Stop) -> Generator[Result]:
    for task in tasks:
        if stop.signal is not None:
            return
        yield pairs_worker.work(setup, task)


def _in_pool(setup: Setup, tasks: list[Task], workers: int, stop: Stop) -> Generator[Result]:
    context = multiprocessing.get_context("spawn")  # forking a process that has threads may hang it
    pool = ProcessPoolExecutor(workers, context, pairs_worker.prepare, (setup,))
    flight: dict[Future[Result], Task] = {}
    failure: Exception | None = None
    lost: list[str] = []
    todo = iter(tasks)
    try:
        while True:
            if failure is None and stop.signal is None:
                for task in islice(todo, 2 * workers - len(flight)):  # bounded: a million tasks stay here
                    flight[pool.submit(pairs_worker.work_here, task)] = task
            else:
                flight = {future: task for future, task in flight.items() if not future.cancel()}
            if not flight:
                break
            for future in wait(flight, _POLL_SECONDS, FIRST_COMPLETED).done:
                task = flight.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    lost.append(task.key)
                elif isinstance(error, Exception):
                    failure = failure or error
                else:
                    yield future.result()
            if lost:
                failure = failure or BrokenProcessPool()
    except BrokenProcessPool as error:  # from submit: the pool broke since the last wait
        lost += [task.key for task in flight.values()]
        failure = failure or error
    finally:
        pool.shutdown(cancel_futures=True)
    if isinstance(failure, BrokenProcessPool) and stop.signal is None:
        raise _died(lost) from failure
    if failure is not None and not isinstance(failure, BrokenProcessPool):
        raise failure


def _died(keys: list[str]) -> DataError:
    return DataError(
        f"a worker process died on one of these images: {', '.join(sorted(keys))}; the system may have ended "
        "it for want of memory. Finished pairs are kept: run again with fewer workers, or remove the image"
    )
