"""ffmpeg (ffmpeg.org) as a program beside ours: found, started safely, and ended with its last words."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gantrans.errors import ConfigError, DataError, GantransError
from gantrans.imaging.write import storage_error

_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # as ffmpeg words them too
QUIET = ("-nostdin", "-hide_banner", "-v", "error")


def given(path: Path) -> tuple[str, ...]:
    """The arguments for an input: no network and no other kind of source, whatever a playlist in disguise
    may ask for."""
    return ("-protocol_whitelist", "file,pipe", "-i", url(path))


def find_ffmpeg() -> str:
    """The program. Raises ConfigError where it is missing."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise ConfigError(
            "a video needs ffmpeg, which is not on the PATH; install it (ffmpeg.org, or your system's "
            "packages), or give a folder of frames"
        )
    return found


def url(path: Path) -> str:
    """So that no name is taken for an option or another protocol."""
    return f"file:{path.resolve()}"


@dataclass
class Work:
    """ffmpeg at work. said: its last words, once it has ended."""

    process: subprocess.Popen[bytes]
    said: str = ""


@contextmanager
def running(command: list[str], path: Path, *, target: Path | None = None, **pipes: int) -> Iterator[Work]:
    """Run `command`, and kill it if the block fails. path: the video it is about; target: the file that is
    made of it, if one is. Raises DataError with its last words if it fails, StorageError if they tell of the
    disk."""
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stderr=words, **pipes)  # type: ignore[call-overload]
        work = Work(process)
        try:
            yield work
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    close(stream)
        words.seek(0)
        told = words.read()
        work.said = last_line(told)
        if code:
            raise _failure(path, target, told)


def _failure(path: Path, target: Path | None, told: bytes) -> GantransError:
    if target is None:
        return DataError(f"{path}: ffmpeg failed{last_line(told)}")
    number = next((n for n in _OF_DISK if os.strerror(n).encode() in told), None)
    if number is not None:
        return storage_error(target, OSError(number, os.strerror(number)))
    return DataError(
        f"{path}: ffmpeg failed to write {target}{last_line(told)}; see whether the video plays, or give "
        "another out="
    )


def close(stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # what is left to flush has no reader
        stream.close()


def last_line(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""
