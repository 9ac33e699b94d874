"""What survives being killed: a line for each finished image, and locks that vanish with their process.

OUT/.pairs/ holds one journal a running shard, which it keeps locked, and `lock`, held while OUT as a whole
changes. Both go when the work is merged; a folder that is done shows no trace of how it was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gantrans.errors import BusyError
from gantrans.pairs.worker import Result

try:
    import fcntl
except ImportError:  # Windows: no locks, so one process at a time is up to the user
    fcntl = None

WORK = ".pairs"


class Journal:
    """The open, locked journal of one shard."""

    def __init__(self, out: Path, label: str, stream: BinaryIO) -> None:
        self.out, self.path, self._stream = out, out / WORK / f"{label}.jsonl", stream

    @staticmethod
    @contextmanager
    def open(out: Path, label: str, first: Callable[[], None]) -> Iterator[Journal]:
        """Lock the shard's journal, after `first` was called while nobody else changes OUT.

        Raises BusyError if another process is running this shard.
        """
        with locked(out):
            first()
            stream = try_lock(out / WORK / f"{label}.jsonl")
        if stream is None:
            raise BusyError(
                f"out={out}: another gantrans pairs is at work on this share ({label}); wait for it"
            )
        with stream:
            _end_torn_line(stream)
            yield Journal(out, label, stream)

    def append(self, result: Result, *, again: bool = False) -> None:
        """Note a new result; one that an earlier run knew is noted already, and `again` only if asked for."""
        if result.kind != "kept" or again:
            more = {"more": result.more} if result.more else {}
            line = json.dumps({"kind": result.kind, "entry": result.entry} | more)
            self._stream.write(line.encode() + b"\n")
            self._stream.flush()


@contextmanager
def append_to(path: Path) -> Iterator[BinaryIO]:
    """A file of lines, opened to go on with; the holder of its shard's journal alone writes to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        _end_torn_line(stream)
        yield stream


def results_in(path: Path) -> Iterator[Result]:
    """The results of a journal; a last line that was cut short by a kill, or a full disk, does not count."""
    for line in path.read_bytes().splitlines():
        with suppress(ValueError, KeyError, TypeError):
            record: dict[str, Any] = json.loads(line)
            yield Result(record["kind"], record["entry"], tuple(record.get("more", ())))


def journals(out: Path) -> list[Path]:
    return sorted((out / WORK).glob("*.jsonl"))


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Wait until no other process changes OUT as a whole, then hold that right."""
    stream = try_lock(out / WORK / "lock", wait=True)
    assert stream is not None
    with stream:
        yield


def try_lock(path: Path, *, wait: bool = False) -> BinaryIO | None:
    """The file at `path`, opened for appending and locked until closed; None if another process holds it."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            stream = path.open("a+b")
        except FileNotFoundError:
            continue  # a process that finished took the folder away in between
        try:
            if fcntl:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            stream.close()
            return None
        if _is_at(stream, path):
            return stream
        stream.close()  # its holder removed the file when it was done: this lock protects nothing


def _is_at(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _end_torn_line(stream: BinaryIO) -> None:
    size = stream.seek(0, 2)
    if size:
        stream.seek(size - 1)
        if stream.read(1) != b"\n":
            stream.write(b"\n")
            stream.flush()
