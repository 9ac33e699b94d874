"""ffmpeg (ffmpeg.org) as a program beside ours: found, started safely, and ended with its last words."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gantrans.errors import ConfigError, DataError

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
def running(command: list[str], path: Path, **pipes: int) -> Iterator[Work]:
    """Run `command`, and kill it if the block fails. Raises DataError with its last words if it does."""
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
        work.said = last_line(words.read())
        if code:
            raise DataError(f"{path}: ffmpeg failed{work.said}")


def close(stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # what is left to flush has no reader
        stream.close()


def last_line(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {lines[-1]}" if lines else ""
