"""Brings batches to the device while it works on the batch before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from torch import cuda

from gantrans.core.device import Core, images_of
from gantrans.data.stream import RawBatch

AHEAD = 2  # steps that the host may be ahead of the device: it never idles, and few batches are held


class Prefetch:
    """An iterator over a stream of host batches; on CUDA they come out as batches on the device.

    The copy runs on a stream of its own, beside the steps that are still under way; whoever uses the batch on
    the current stream is made to wait for it there, not on the host. Sources that the device makes
    (data.degrade=device) are made on that other stream too. On the CPU it hands batches on as they are, but
    for those sources. `waited`: seconds for which the last `next` waited for the data itself.
    """

    def __init__(self, batches: Iterator[RawBatch], core: Core) -> None:
        self.waited = 0.0
        self._batches = batches
        self._core = core
        self._stream = cuda.Stream(core.device) if core.device.type == "cuda" else None
        self._under_way: deque[cuda.Event] = deque()

    def __iter__(self) -> Prefetch:
        return self

    def __next__(self) -> RawBatch:
        before = time.perf_counter()
        raw = next(self._batches)
        self.waited = time.perf_counter() - before
        if self._stream is not None:
            return self._moved(raw, self._stream)
        return raw if raw.programs is None else self._core.move(raw)

    def _moved(self, raw: RawBatch, side: cuda.Stream) -> RawBatch:
        main = cuda.current_stream(self._core.device)
        self._hold_back(main)
        with cuda.stream(side):
            moved = self._core.move(raw)
        main.wait_stream(side)
        for image in images_of(moved).values():
            if image is not None:
                image.record_stream(main)  # its memory belongs to the side stream, its last use to this one
        return moved

    def _hold_back(self, main: cuda.Stream) -> None:
        """Wait until the step before the last is done."""
        done = cuda.Event()
        done.record(main)
        self._under_way.append(done)
        if len(self._under_way) > AHEAD:
            self._under_way.popleft().synchronize()
