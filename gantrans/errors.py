"""The ways a command can end, each with the exit code that scripts rely on.

A message says what was found, where, what is accepted and what to do; it is printed as it stands, without
a traceback. Anything else that escapes is a bug of ours and exits with 1.
"""

from __future__ import annotations


class GantransError(Exception):
    """Base of every failure that is answered with one clear message."""

    exit_code = 1
    title = "error"


class ConfigError(GantransError):
    """A key, value or command line that cannot be used."""

    exit_code = 2
    title = "config error"


class DataError(GantransError):
    """No usable data, or an image that cannot be used."""

    exit_code = 3
    title = "data error"


class CheckpointError(GantransError):
    """A checkpoint or bundle that is refused or unreadable."""

    exit_code = 4
    title = "checkpoint error"


class StorageError(GantransError):
    """The disk is full, read-only or otherwise failing."""

    exit_code = 5
    title = "storage error"


class BusyError(GantransError):
    """The run folder is in use, or already holds a run."""

    exit_code = 6
    title = "run folder busy"


class DivergedError(GantransError):
    """A loss became NaN or infinite."""

    exit_code = 7
    title = "diverged"


class Interrupted(GantransError):
    """A signal asked the program to stop; state was saved first."""

    title = "interrupted"

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return type(self), (str(self), self.signal_number)  # so that it survives the way out of a process
