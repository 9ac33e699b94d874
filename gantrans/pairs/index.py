"""Where the newest word on each original is written. Only its place is held in memory, some 200 bytes an
image: the lines themselves, kilobytes each, stay in the manifest and the journals, which are kept open
meanwhile, so that another shard that replaces or removes them does no harm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from gantrans.errors import DataError
from gantrans.pairs.worker import Entry, Result

scanstring = json.decoder.scanstring  # type: ignore[attr-defined]  # what json.loads reads strings with
_KEY = b'{"key": "'  # how our lines begin
_OFFSET_BITS = 44
_MANIFEST, _REJECTED, _JOURNAL = range(3)


class Index:
    """Read first what is old: a later line on a key replaces an earlier one.

    `disputed`: keys of which two journals tell.
    """

    def __init__(self) -> None:
        self._files: list[tuple[BinaryIO, int, Path]] = []
        self._used: dict[str, int] = {}  # number of the file, and the offset of its line
        self._rejected: dict[str, int] = {}
        self.disputed: set[str] = set()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for stream, *_ in self._files:
            stream.close()

    @property
    def used(self) -> Mapping[str, tuple[Entry, ...]]:
        """The lines of the pairs of each original, read when asked for."""
        return _View(self, self._used)

    @property
    def rejected(self) -> Mapping[str, tuple[Entry, ...]]:
        """One line for each of the others: why it is not used."""
        return _View(self, self._rejected)

    def read_list(self, path: Path, *, rejected: bool) -> None:
        """A finished file. Raises DataError for one that was damaged since."""
        if not path.exists():
            return
        number, known = self._open(path, _REJECTED if rejected else _MANIFEST)
        last, offset, to = None, 0, self._rejected if rejected else self._used
        for count, line in enumerate(known, start=1):
            key = _key_of(line)
            if key is None:
                raise _damaged(path, count)
            if key != last:
                to[key] = number << _OFFSET_BITS | offset
            last, offset = key, offset + len(line)

    def read_journal(self, path: Path) -> None:
        """A journal; a line that was cut short by a kill, or a full disk, does not count."""
        number, stream = self._open(path, _JOURNAL)
        offset = 0
        for line in stream:
            result = _result(line)
            if result is not None:
                key = result.entry["key"]
                self._put(key, result.kind == "rejected", number, offset)
            offset += len(line)

    def _put(self, key: str, rejected: bool, number: int, offset: int) -> None:
        for old in (self._used.pop(key, None), self._rejected.pop(key, None)):
            file = number if old is None else old >> _OFFSET_BITS
            if file != number and self._files[file][1] == _JOURNAL:
                self.disputed.add(key)
        (self._rejected if rejected else self._used)[key] = number << _OFFSET_BITS | offset

    def _open(self, path: Path, kind: int) -> tuple[int, BinaryIO]:
        self._files.append((path.open("rb"), kind, path))
        return len(self._files) - 1, self._files[-1][0]

    def lines(self, place: int) -> Iterator[bytes]:
        """The lines of a key as the manifest, or the list of rejected files, has them."""
        stream, kind, path = self._files[place >> _OFFSET_BITS]
        stream.seek(place & (1 << _OFFSET_BITS) - 1)
        line = stream.readline()
        if kind == _JOURNAL:
            result = _result(line)
            assert result is not None
            yield from (json.dumps(entry).encode() + b"\n" for entry in result.entries)
            return
        first = _key_of(line)
        if first is None:
            raise _damaged(path, None)
        while line and _key_of(line) == first:
            yield line if line.endswith(b"\n") else line + b"\n"
            line = stream.readline() if kind == _MANIFEST else b""

    def entries(self, place: int) -> tuple[Entry, ...]:
        try:
            return tuple(json.loads(line) for line in self.lines(place))
        except ValueError as error:
            raise _damaged(self._files[place >> _OFFSET_BITS][2], None) from error

    def sorted_lines(self, *, rejected: bool = False) -> Iterator[bytes]:
        """All of them, by key."""
        places = self._rejected if rejected else self._used
        for key in sorted(places):
            yield from self.lines(places[key])

    def drop_rejected(self, present: set[str]) -> None:
        """Forget the rejected files that are not among `present`."""
        for key in [key for key in self._rejected if key not in present]:
            del self._rejected[key]


class _View(Mapping[str, tuple[Entry, ...]]):
    def __init__(self, index: Index, places: dict[str, int]) -> None:
        self._index, self._places = index, places

    def __getitem__(self, key: str) -> tuple[Entry, ...]:
        return self._index.entries(self._places[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places


def _key_of(line: bytes) -> str | None:
    """The key of a line, without reading all of it if it is ours; None for a damaged one."""
    if not line.rstrip(b"\n").endswith(b"}"):
        return None
    try:
        if line.startswith(_KEY):
            return scanstring(line.decode("ascii"), len(_KEY), True)[0]
        key = json.loads(line)["key"]
        return key if isinstance(key, str) else None
    except (ValueError, KeyError, TypeError):
        return None


def _result(line: bytes) -> Result | None:
    try:
        record: dict[str, Any] = json.loads(line)
        record["entry"]["key"]
        return Result(record["kind"], record["entry"], tuple(record.get("more", ())))
    except (ValueError, KeyError, TypeError):
        return None


def _damaged(path: Path, number: int | None) -> DataError:
    where = "a line" if number is None else f"line {number}"
    return DataError(f"{path}: {where} is damaged; restore the file, or delete it to have all made anew")
