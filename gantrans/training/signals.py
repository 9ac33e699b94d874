"""Ctrl-C and SIGTERM ask the loop to save and leave; a second Ctrl-C leaves at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class StopRequest:
    """While the context is open, SIGINT and SIGTERM are only noted. `number` is the signal, or None."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
