"""Ctrl-C and SIGTERM ask the loop to save and leave; a second Ctrl-C leaves at once."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType


class StopRequest:
    """While the context is open, SIGINT and SIGTERM are only noted. `number` is the signal, or None.

    settle: seconds in which another SIGINT is taken for the same one. Of several processes each is sent
    Ctrl-C twice, by the terminal and by the launcher.
    """

    def __init__(self, settle: float = 0.0) -> None:
        self.number: int | None = None
        self._settle = settle
        self._noted = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT and time.monotonic() >= self._noted:
            raise KeyboardInterrupt
        self.number, self._noted = number, time.monotonic() + self._settle
