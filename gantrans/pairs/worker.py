"""What becomes of one original: its pairs made, kept as they are, or a reason; and the worker process."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath

from gantrans.data import shards_read
from gantrans.data.splits import SPLITS
from gantrans.errors import DataError, GantransError
from gantrans.imaging import listing, phash
from gantrans.imaging.read import UnreadableImage
from gantrans.pairs import image as pairs_image
from gantrans.pairs.image import ALL_ROLES, ROLES, Entry, Setup

__all__ = ["ALL_ROLES", "ROLES", "Entry", "Result", "Setup", "Task", "serve", "work"]
CHANGED = "was changed while gantrans pairs was at work; run the same command again"
DIGITS = 16  # of a file's SHA-256, by which it is known again
MAX_BYTES = 2**31  # more than the largest image that is read, uncompressed, takes


@dataclass(frozen=True)
class Task:
    """One original; `used` (a line a pair) or `rejected` is what an earlier run said of it.

    `look`: only its fingerprint is wanted, which then settles `split`. `seen`: the digest that it was of;
    `told`: what is noted of it in the manifest.
    """

    key: str
    name: str
    split: str
    used: tuple[Entry, ...] = ()
    rejected: Entry | None = None
    look: bool = False
    seen: str | None = None
    told: Entry = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """`kind` is "made", "kept" (an earlier run's pairs, still sound), "rejected", or "seen" of a look.

    `entry` is the first pair's line, the reason, or what was seen; `more` are the other pairs' lines.
    """

    kind: str
    entry: Entry
    more: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return (self.entry, *self.more)


def work(setup: Setup, task: Task) -> Result:
    """Make the pairs, unless they are there. Only this image's trouble is rejected; a failing disk raises."""
    if task.look:
        return _look(setup, task)
    result = _work(setup, task)
    if result.kind == "rejected":
        discard(setup, task)
    elif result.kind == "made":  # with fewer tiles than before, if the original was changed
        _remove(setup.out, _files(task.used) - _files(result.entries))
    return result


def discard(setup: Setup, task: Task) -> None:
    """Remove what is there of the pairs of a rejected image: of an earlier run, or begun just now."""
    _remove(setup.out, _files(task.used) | _begun(setup, task))


def _work(setup: Setup, task: Task) -> Result:
    try:
        data = _bytes(setup.source / task.key)
    except DataError as error:
        return rejected(task.key, str(error))
    digest = _sha256(data)
    if task.seen is not None and not digest.startswith(task.seen):
        return rejected(task.key, CHANGED)
    if task.rejected and task.rejected["original_sha256"] == digest:
        return Result("rejected", task.rejected)
    if task.used and all(e["original_sha256"] == digest and _is_sound(setup.out, e) for e in task.used):
        return Result("kept", task.used[0], task.used[1:])
    try:
        made = pairs_image.entries(setup, task.key, task.name, task.split, data, digest)
        first, *more = [entry | task.told for entry in made]
        return Result("made", first, tuple(more))
    except UnreadableImage as error:
        return rejected(task.key, error.reason, digest)
    except DataError as error:
        return rejected(task.key, str(error), digest)
    except GantransError:
        raise
    except Exception as error:
        error.add_note(f"gantrans pairs: while making the pair of {task.key}")
        raise


def _look(setup: Setup, task: Task) -> Result:
    path = setup.source / task.key
    try:
        stamp, data = path.stat(), _bytes(path)
    except (OSError, DataError):  # whoever wants to make its pair says why
        return Result("seen", {"key": task.key, "digest": None, "fingerprint": None})
    digest, used = _sha256(data), task.used[0] if task.used else {}
    if used.get("original_sha256") == digest and "fingerprint" in used:
        print_ = used["fingerprint"]
    else:
        bits = phash.fingerprint(path, data)
        print_ = None if bits is None else f"{bits:016x}"
    seen = {"size": stamp.st_size, "mtime_ns": stamp.st_mtime_ns, "digest": digest[:DIGITS]}
    return Result("seen", {"key": task.key, **seen, "fingerprint": print_})


def rejected(key: str, reason: str, digest: str | None = None) -> Result:
    """Without the original's `digest` the next run tries again."""
    return Result("rejected", {"key": key, "reason": reason, "original_sha256": digest})


def _bytes(path: Path) -> bytes:
    try:
        if (what := listing.irregular(path)) is not None:
            raise DataError(what)
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"is larger than {MAX_BYTES // 2**30} GiB, more than an image that is read")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"could not be read: {error.strerror or error}") from error


def _files(entries: Iterable[Entry]) -> set[str]:
    return {entry[role] for entry in entries for role in ALL_ROLES if role in entry}


def _begun(setup: Setup, task: Task) -> set[str]:
    """Files of this original, and of no other (see Making.family), as a worker that died may leave."""
    base = PurePosixPath(task.name)
    parts = r"(-r\d+c\d+)?" * bool(setup.making.tile) + r"(-v\d+)?" * (setup.making.variants > 1)
    pattern = re.compile(re.escape(base.stem) + parts + r"\.(png|jpg|webp)")
    found = set()
    for split, role in product((task.split,) if task.split else SPLITS, ALL_ROLES):
        folder = PurePosixPath(split, role) / base.parent
        if not setup.making.multiplies:
            suffix = ".png" if role == "mask" else base.suffix
            found.add(str(folder / f"{base.stem}{suffix}"))
        elif (setup.out / folder).is_dir():
            names = [path.name for path in (setup.out / folder).iterdir()]
            found |= {str(folder / name) for name in names if pattern.fullmatch(name)}
    return found


def _remove(out: Path, names: Iterable[str]) -> None:
    for name in names:
        (out / name).unlink(missing_ok=True)


def _is_sound(out: Path, entry: Entry) -> bool:
    """Whether all files of a pair are as they were written."""
    try:
        there = (r for r in ALL_ROLES if r in entry)
        return all(_sha256(shards_read.content(out, entry, r)) == entry[f"{r}_sha256"] for r in there)
    except OSError:
        return False


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def serve(pipe: Connection, setup: Setup) -> None:
    """A worker process: says None once ready, then answers each Task with a Result or an exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    pipe.send(None)
    while (task := pipe.recv()) is not None:
        try:
            answer: Result | Exception = work(setup, task)
        except (GantransError, OSError) as error:
            answer = error
        except Exception as error:  # others need not survive pickling, so their words travel
            answer = RuntimeError("in a worker process\n" + "".join(traceback.format_exception(error)))
        pipe.send(answer)


def _die_with_parent() -> None:
    """A parent that is killed (-9) cannot tell its workers, which would work on for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
