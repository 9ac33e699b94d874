"""From journals to what people and loaders read: manifest.jsonl, rejected.jsonl, contact.png.

Lines are copied, one after another by key, and never held in memory together.
"""

from __future__ import annotations

import filecmp
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gantrans.degrade.recipe import Recipe
from gantrans.imaging.write import TEMPORARY, encode, flush, sync_folder, write_atomic
from gantrans.pairs import prints as pairs_prints
from gantrans.pairs import unnamed as pairs_unnamed
from gantrans.pairs.contact import PAIRS, contact
from gantrans.pairs.index import Index
from gantrans.pairs.journal import WORK, Journal, journals, locked, try_lock
from gantrans.pairs.shards_key import limit_mib
from gantrans.pairs.shards_write import pack
from gantrans.pairs.worker import Entry

MANIFEST, REJECTED, CONTACT = "manifest.jsonl", "rejected.jsonl", "contact.png"


@dataclass(frozen=True)
class Merged:
    """How many originals of the listing are used and rejected by now, and the first of the latter; how many
    files that nothing names were moved away."""

    used: int
    rejected: int
    first_rejected: Entry | None
    unnamed: int = 0


def known(out: Path, last: Path | None = None) -> Index:
    """All that earlier runs, finished or not, and other shards have said so far; `last` is read last."""
    index = Index()
    try:
        index.read_list(out / REJECTED, rejected=True)
        index.read_list(out / MANIFEST, rejected=False)
        for path in sorted(journals(out), key=lambda path: path == last):
            with suppress(FileNotFoundError):  # its shard was merged just now
                index.read_journal(path)
    except BaseException:
        index.close()
        raise
    return index


def merge(
    out: Path, listing: list[str], journal: Journal, recipe: Recipe, shards: int | str | None = None
) -> Merged:
    """Make OUT tell what is known now, and clear away the journals of those that are done or dead.

    The manifest is written last: whatever kills this leaves a journal or the manifest to go on from.
    """
    with locked(out):
        finished, at_work = _other_journals(out, journal)
        with known(out, journal.path) as index:
            present = set(listing)
            index.drop_rejected(present)
            done = all(key in index.used or key in index.rejected for key in listing)
            first = index.rejected[min(index.rejected)][0] if index.rejected else None
            merged = Merged(len(index.used), len(index.rejected), first)
            with _written(out / MANIFEST, index.sorted_lines()) as manifest:
                if manifest.changed or not (out / CONTACT).exists():
                    flush()  # pairs were written without waiting for the disk; the manifest vouches for them
                    shown = contact(out, manifest.some(PAIRS), recipe)
                    _write_changed(out / CONTACT, encode(out / CONTACT, shown))
                with _written(out / REJECTED, index.sorted_lines(rejected=True)) as rejected:
                    index.close()
                    rejected.put()
                manifest.put()
        for path in (journal.path, *finished):
            path.unlink(missing_ok=True)
        if not at_work:
            if done:  # shares that are left still add pairs
                merged = replace(merged, unnamed=_finish(out, manifest.lines, shards))
            _sweep(out)
    return merged


def _finish(out: Path, pairs: int, shards: int | str | None) -> int:
    for path in pairs_prints.files(out):
        path.unlink(missing_ok=True)
    mib = limit_mib(shards, pairs, out)
    if mib is not None:
        with known(out) as index:
            pack(out, index.used, mib)
    return pairs_unnamed.set_aside(out, out / MANIFEST)


@dataclass
class _New:
    """A file that waits beside `path` to replace it; `changed`: whether it differs."""

    path: Path
    temporary: Path
    lines: int = 0
    changed: bool = True

    def put(self) -> None:
        if self.changed:
            self.temporary.replace(self.path)
            sync_folder(self.path.parent)

    def some(self, count: int) -> list[Entry]:
        """Up to `count` of its lines, evenly spread."""
        count = min(count, self.lines)
        wanted, found = {i * self.lines // count for i in range(count)}, []
        with self.temporary.open("rb") as stream:
            for number, line in enumerate(stream):
                if number in wanted:
                    found.append(json.loads(line))
        return found


@contextmanager
def _written(path: Path, lines: Iterable[bytes]) -> Iterator[_New]:
    """Write `lines` to a new file beside `path`, which goes if nobody puts it there."""
    new = _New(path, path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}.tmp"))
    try:
        with new.temporary.open("xb") as stream:
            for line in lines:
                stream.write(line)
                new.lines += 1
            stream.flush()
            os.fsync(stream.fileno())
        new.changed = not (path.exists() and filecmp.cmp(path, new.temporary, shallow=False))
        yield new
    finally:
        new.temporary.unlink(missing_ok=True)


def _other_journals(out: Path, journal: Journal) -> tuple[list[Path], bool]:
    """The journals that dead processes left, and whether any process is still at work.

    Whoever wants to go on with one needs the lock of OUT first, which we hold.
    """
    finished, at_work = [], False
    for path in journals(out):
        if path == journal.path:
            continue
        stream = try_lock(path)
        if stream is None:
            at_work = True
        else:
            stream.close()
            finished.append(path)
    return finished, at_work


def _sweep(out: Path) -> None:
    """Remove what killed writers left, and our work folder. Nobody can begin meanwhile: we hold the lock."""
    for path in out.rglob(f"{TEMPORARY}*.tmp"):
        path.unlink(missing_ok=True)
    (out / WORK / "lock").unlink(missing_ok=True)
    with suppress(OSError):  # somebody waits in there already
        (out / WORK).rmdir()


def _write_changed(path: Path, data: bytes) -> None:
    if not (path.exists() and path.read_bytes() == data):
        write_atomic(path, data)
