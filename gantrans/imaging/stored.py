"""Files that lie within a tar, named by a path that says where: TAR/NAME@OFFSET+SIZE, both in bytes.

Such a path can be listed, sorted, sent to another process and opened again, and nothing has to be unpacked or
looked up for it. Whoever opens it looks at the header in front of the file (POSIX.1-2001 pax, a block of 512
bytes), so that a tar that was damaged or exchanged since it was listed is noticed and named.
"""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import BinaryIO

_PLACE = re.compile(r"(.+?\.tar)/(.+)@(\d+)\+(\d+)", re.DOTALL)
_BUFFER = 2**16  # bytes; most headers of images are found within


def place(tar: Path, name: str, offset: int, size: int) -> Path:
    """The path of `size` bytes from `offset` of `tar`, which are the file `name`."""
    return tar / f"{name}@{offset}+{size}"


def opened(path: Path) -> BinaryIO:
    """A file, or one that lies within a tar, opened for reading. Raises OSError, naming a damaged tar."""
    found = _PLACE.fullmatch(path.as_posix()) if "@" in path.name else None
    if found is None or path.exists():
        return path.open("rb")
    tar, offset, size = Path(found[1]), int(found[3]), int(found[4])
    stream = tar.open("rb", buffering=0)
    try:
        _check(tar, stream, offset, size)
    except BaseException:
        stream.close()
        raise
    return io.BufferedReader(_Window(stream, offset, size), _BUFFER)


def _check(tar: Path, stream: io.FileIO, offset: int, size: int) -> None:
    stream.seek(max(0, offset - tarfile.BLOCKSIZE))
    block = stream.read(tarfile.BLOCKSIZE) or b""
    try:
        sound = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape").size == size
    except tarfile.HeaderError:
        sound = False
    end = stream.seek(0, 2)
    if not sound or end < offset + size:
        raise OSError(
            f"{tar} is damaged, or another than was listed: no file of {size} bytes begins at byte {offset}; "
            "fetch it again, or delete it and run gantrans pairs again"
        )


class _Window(io.RawIOBase):
    """`size` bytes of an unbuffered file from `start` on, as a file of its own; closes that file with it."""

    def __init__(self, stream: io.FileIO, start: int, size: int) -> None:
        self._stream, self._start, self._size, self._position = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = max(0, (0, self._position, self._size)[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._size - self._position))
        self._stream.seek(self._start + self._position)
        got = self._stream.readinto(memoryview(buffer)[:count]) or 0
        self._position += got
        return got

    def close(self) -> None:
        self._stream.close()
        super().close()
