"""From journals to what people and loaders read: manifest.jsonl, rejected.jsonl, contact.png."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from gantrans.data.pairs_journal import WORK, Journal, State, journals, locked, results_in, try_lock
from gantrans.data.pairs_worker import ALL_ROLES, ROLES, Entry, Result
from gantrans.data.shards_key import limit_mib
from gantrans.data.shards_read import path_of
from gantrans.data.shards_write import pack
from gantrans.errors import DataError
from gantrans.imaging import sheet
from gantrans.imaging.read import UnreadableImage, read
from gantrans.imaging.write import TEMPORARY, encode, flush, write_atomic

MANIFEST, REJECTED, CONTACT = "manifest.jsonl", "rejected.jsonl", "contact.png"
_CONTACT_PAIRS, _PAIRS_A_ROW = 12, 2
_CELLS = (96, 360)  # the least and the largest side of a picture in the sheet, px


def known(out: Path) -> State:
    """All that earlier runs, finished or not, and other shards have said so far."""
    state = State(rejected={e["key"]: e for e in _lines(out / REJECTED)})
    for entry in _lines(out / MANIFEST):
        state.used[entry["key"]] = (*state.used.get(entry["key"], ()), entry)
    for path in journals(out):
        with suppress(FileNotFoundError):  # its shard was merged just now
            for result in results_in(path):
                state.put(result)
    return state


def merge(
    out: Path,
    results: Iterable[Result],
    listing: list[str],
    journal: Journal,
    shards: int | str | None = None,
) -> State:
    """Make OUT tell what is known now, and clear away the journals of those that are done or dead.

    The manifest is written last: whatever kills this leaves a journal or the manifest to go on from.
    """
    with locked(out):
        finished, at_work = _other_journals(out, journal)
        state = known(out)
        for result in results:
            state.put(result)
        present = set(listing)
        state.rejected = {key: entry for key, entry in state.rejected.items() if key in present}
        manifest = _text(entry for key in sorted(state.used) for entry in state.used[key])
        if not _holds(out / MANIFEST, manifest) or not (out / CONTACT).exists():
            flush()  # pairs are written without waiting for the disk, and the manifest vouches for them
            _write_changed(out / CONTACT, _contact(out, state))
        _write_changed(out / REJECTED, _text(state.rejected[key] for key in sorted(state.rejected)))
        _write_changed(out / MANIFEST, manifest)
        for path in (journal.path, *finished):
            path.unlink(missing_ok=True)
        if not at_work:
            if present <= state.used.keys() | state.rejected.keys():  # shares that are left still add pairs
                mib = limit_mib(shards, sum(map(len, state.used.values())), out)
                if mib is not None:
                    pack(out, state.used, mib)
            _sweep(out)
    return state


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


def _lines(path: Path) -> Iterator[Entry]:
    """The entries of a finished file. Raises DataError for one that was damaged since."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            entry = json.loads(line)
            entry["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: line {number} is damaged; restore the file, or delete it to have all made anew"
            ) from error
        yield entry


def _text(entries: Iterable[Entry]) -> bytes:
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def _holds(path: Path, data: bytes) -> bool:
    return path.exists() and path.read_bytes() == data


def _write_changed(path: Path, data: bytes) -> None:
    if not _holds(path, data):
        write_atomic(path, data)


def _contact(out: Path, state: State) -> bytes:
    """A sheet of up to twelve pairs, evenly spread over the sorted keys."""
    pairs = [entry for key in sorted(state.used) for entry in state.used[key]]
    count = min(_CONTACT_PAIRS, len(pairs))
    chosen = [pairs[i * len(pairs) // count] for i in range(count)]
    columns = ALL_ROLES if any("mask" in entry for entry in chosen) else ROLES
    rows, names = [], []
    for start in range(0, count, _PAIRS_A_ROW):
        group = chosen[start : start + _PAIRS_A_ROW]
        rows.append([picture for entry in group for picture in _pair(out, entry)])
        names.append(" | ".join(_label(entry) for entry in group))
    if not any(rows):
        rows, names = [[np.full((64, 64, 3), 255, np.uint8)]], ["no pairs yet"]
    largest = max((max(picture.shape[:2]) for row in rows for picture in row), default=0)
    cell = max(_CELLS[0], min(_CELLS[1], largest))
    shown = sheet.grid(rows, [*columns] * _PAIRS_A_ROW, names, cell)
    return encode(out / CONTACT, shown)


def _label(entry: Entry) -> str:
    return entry["target"].split("/", 2)[2] if "variant" in entry else entry["key"]


def _pair(out: Path, entry: Entry) -> list[np.ndarray]:
    try:
        return [sheet.to_u8_rgb(read(path_of(out, entry, r)).pixels) for r in ALL_ROLES if r in entry]
    except UnreadableImage:  # of another shard, deleted since; its own next run will see to it
        return []
