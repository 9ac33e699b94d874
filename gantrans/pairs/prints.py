"""The fingerprint of every image of the source: taken by the workers, noted at once, shared by all shards.

OUT/.pairs/SHARD.prints holds a line an image, and goes when OUT is done. A shard takes those of its own
share, then what nobody has noted yet, beginning with the share behind its own, so that shards at once divide
the work. A fingerprint follows from the file's bytes alone: whoever takes it, all arrive at the same.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gantrans.pairs.journal import WORK, append_to
from gantrans.pairs.plan import Share
from gantrans.pairs.worker import DIGITS, Result

_BLOCK = 4000  # images of other shares that are looked at before asking again what others have noted
_PRINTS, _CHANGED = ".prints", ".changed"
UNKNOWN, GONE, FLAT, KNOWN = range(4)  # GONE: could not be read

Look = Callable[[list[str]], Iterable[Result]]


class Prints:
    """What is known of each of `images` (sorted keys): 17 bytes each, by their numbers."""

    def __init__(self, images: list[str]) -> None:
        self.images = images
        self.state = np.zeros(len(images), np.uint8)
        self.print_ = np.zeros(len(images), np.uint64)
        self.digest = np.zeros(len(images), np.uint64)  # the first 64 bits of the file's SHA-256

    def number(self, key: str) -> int | None:
        at = bisect_left(self.images, key)
        return at if at < len(self.images) and self.images[at] == key else None

    def put(self, at: int, digest: str | None, fingerprint: str | None) -> None:
        self.state[at] = GONE if digest is None else FLAT if fingerprint is None else KNOWN
        self.print_[at] = int(fingerprint or "0", 16)
        self.digest[at] = int(digest or "0", 16)

    def digest_of(self, at: int) -> str:
        return f"{int(self.digest[at]):0{DIGITS}x}"

    def print_of(self, at: int) -> str | None:
        return f"{int(self.print_[at]):016x}" if self.state[at] == KNOWN else None


def take(source: Path, out: Path, share: Share, prints: Prints, look: Look) -> list[Result]:
    """Fill `prints`; returns the images whose workers died, which are rejected. look(keys): looks at them."""
    noted, dead = _Noted(source, out, share), []
    with append_to(out / WORK / f"{share.label}{_PRINTS}") as stream:
        for step in range(share.count):
            mine = iter(range((share.index + step) % share.count, len(prints.images), share.count))
            while True:
                noted.load(prints)
                todo = list(islice((i for i in mine if prints.state[i] == UNKNOWN), _BLOCK))
                if not todo:
                    break
                for result in look([prints.images[i] for i in todo]):
                    _note(stream, prints, result, dead)
    return dead


def _note(stream: BinaryIO, prints: Prints, result: Result, dead: list[Result]) -> None:
    found = result.entry
    at = prints.number(found["key"])
    assert at is not None
    if result.kind == "rejected":
        dead.append(result)
        prints.put(at, None, None)
        return
    prints.put(at, found["digest"], found["fingerprint"])
    if found["digest"] is not None:
        row = [found[name] for name in ("key", "size", "mtime_ns", "digest", "fingerprint")]
        stream.write(json.dumps(row).encode() + b"\n")
        stream.flush()


def forget(out: Path, label: str, key: str, digest: str) -> None:
    """Note that a file is not any more what it was when its fingerprint was taken."""
    with append_to(out / WORK / f"{label}{_CHANGED}") as stream:
        stream.write(json.dumps([key, digest]).encode() + b"\n")


def files(out: Path) -> list[Path]:
    return sorted(path for path in (out / WORK).glob("*.*") if path.suffix in (_PRINTS, _CHANGED))


class _Noted:
    """Reads on in what all shards have noted. Files of our own share are asked whether they changed since;
    each image is of one share."""

    def __init__(self, source: Path, out: Path, share: Share) -> None:
        self.source, self.out, self.share = source, out, share
        self.read: dict[Path, int] = {}  # bytes of each file that were read
        self.stale = {
            tuple(row) for path in files(out) if path.suffix == _CHANGED for row in self._rows(path, 2)
        }

    def load(self, prints: Prints) -> None:
        for path in files(self.out):
            if path.suffix != _PRINTS:
                continue
            for key, size, mtime_ns, digest, fingerprint in self._rows(path, 5):
                at = prints.number(key)
                if at is None or prints.state[at] != UNKNOWN or (key, digest) in self.stale:
                    continue
                if at % self.share.count != self.share.index or _is_same(self.source / key, size, mtime_ns):
                    prints.put(at, digest, fingerprint)

    def _rows(self, path: Path, columns: int) -> Iterator[list[Any]]:
        """New whole lines; one that was cut short by a kill does not count."""
        with suppress(FileNotFoundError), path.open("rb") as stream:
            stream.seek(self.read.get(path, 0))
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self.read[path] = self.read.get(path, 0) + len(line)
                with suppress(ValueError):
                    row = json.loads(line)
                    if isinstance(row, list) and len(row) == columns:
                        yield row


def _is_same(path: Path, size: int, mtime_ns: int) -> bool:
    try:
        stamp = path.stat()
    except OSError:
        return False
    return (stamp.st_size, stamp.st_mtime_ns) == (size, mtime_ns)
