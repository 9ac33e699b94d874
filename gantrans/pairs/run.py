"""Runs tasks until they are done or a signal asks to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

from tqdm import tqdm

from gantrans.errors import Interrupted
from gantrans.pairs import pool as pairs_pool
from gantrans.pairs.worker import Result, Setup, Task


def run(
    setup: Setup, workers: int, timeout_s: float | None, tasks: Iterable[Task], total: int, words: str
) -> Generator[Result]:
    """Every task's result, as they come. `words`: what was done to the images, for people.

    Raises Interrupted once those in flight are done, if a signal came.
    """
    done = 0
    with (
        _signals() as stop,
        tqdm(total=total, desc=f"pairs: {words}", unit="image", disable=None) as bar,
        closing(pairs_pool.results(setup, tasks, workers, stop, timeout_s)) as arriving,
    ):
        for result in arriving:
            yield result
            done += 1
            bar.update()
    if stop.signal is not None:
        raise Interrupted(
            f"stopped by {signal.Signals(stop.signal).name}: {done} of {total} images are {words} "
            "and kept; run the same command again to go on",
            stop.signal,
        )


@contextmanager
def _signals() -> Iterator[pairs_pool.Stop]:
    """The first SIGINT or SIGTERM stops after the images in flight; a second acts as it always did."""
    stop = pairs_pool.Stop()
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield stop
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        stop.signal = number
        restore()

    for number in previous:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()
