"""Packs finished pairs into tars of about the asked size, and takes their loose files away.

Keys are sorted, and nothing of the machine, the user or the time goes in: equal pairs make equal bytes.
Which keys a tar holds is settled in shards.json before it is written, and only grows at the end, so that a
pair that is added later changes the one tar that it belongs to.
A loose file goes only once a tar that holds it is on the disk under its name. Whatever kills this, each pair
is loose or in a tar, or both, and doing it again ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from gantrans.data import shards_read
from gantrans.data.shards_read import BOUNDS, ROLES, Member, Members
from gantrans.data.splits import SPLITS
from gantrans.errors import DataError
from gantrans.imaging import stored
from gantrans.imaging.write import TEMPORARY, storage_error, sync_folder, write_text_atomic
from gantrans.pairs.worker import Entry

_MIB = 2**20


Named = tuple[str, str, int]  # a pair's key in tars; its original's key, and its place among that one's pairs
Used = Mapping[str, tuple[Entry, ...]]


@dataclass(frozen=True)
class Packing:
    """The pairs of one split, in the order of their keys in tars; `used` has their lines of the manifest."""

    out: Path
    split: str
    pairs: list[Named]
    used: Used

    def entry(self, pair: Named) -> Entry:
        return self.used[pair[1]][pair[2]]


def pack(out: Path, used: Used, mib: int) -> list[Path]:
    """Pack every pair of the manifest's lines `used`; nobody else may be at work in `out`.

    Returns the tars that were written now. Raises DataError naming a file that is not what the manifest says,
    StorageError if the disk fails.
    """
    named: dict[str, list[Named]] = {split: [] for split in SPLITS}
    for key, entries in used.items():
        for number, entry in enumerate(entries):
            named[entry["split"]].append((shards_read.key_of(entry), key, number))
    jobs = [Packing(out, split, sorted(found), used) for split, found in named.items()]
    bounds = {job.split: _bounds(job, mib * _MIB) for job in jobs if job.pairs or _old(out, job.split)}
    text = json.dumps({"mib": mib, "first": bounds}, indent=1) + "\n"
    if bounds and bounds != shards_read.read_bounds(out):
        write_text_atomic(out / BOUNDS, text)
    written = []
    for job in jobs:
        for number, group in enumerate(_groups(job, bounds.get(job.split, []))):
            tar = shards_read.tar_path(out, job.split, number)
            if _pack_one(tar, job, group):
                written.append(tar)
        _remove_empty(out / job.split)
    return written


def _old(out: Path, split: str) -> list[str]:
    return list(shards_read.read_bounds(out).get(split, []))


def _bounds(job: Packing, limit: int) -> list[str]:
    """The first key of each tar: as it was, and where the last one would grow beyond `limit`, more."""
    bounds, total = _old(job.out, job.split) or [""], 0
    for pair in job.pairs:
        name = pair[0]
        if name < bounds[-1]:
            continue
        entry = job.entry(pair)
        size = sum(_size(job.out, entry, role) for role in _roles(entry))
        if total and total + size > limit:
            bounds.append(name)
            total = 0
        total += size
    return bounds


def _size(out: Path, entry: Entry, role: str) -> int:
    with stored.opened(_found(out, entry, role)) as stream:
        return stream.seek(0, 2) + tarfile.BLOCKSIZE


def _found(out: Path, entry: Entry, role: str) -> Path:
    return shards_read.path_of(out, entry, role)


def _roles(entry: Entry) -> list[str]:
    return [role for role in ROLES if isinstance(entry.get(role), str)]


def _groups(job: Packing, bounds: list[str]) -> list[list[Named]]:
    """The pairs of each tar."""
    groups: list[list[Named]] = [[] for _ in bounds]
    for pair in job.pairs:
        groups[shards_read.number_of(bounds, pair[0])].append(pair)
    return groups


def _pack_one(tar: Path, job: Packing, group: list[Named]) -> bool:
    """Make `tar` hold just this group, and only it, and remove what is loose of it; False if so already."""
    held = shards_read.index_of(tar).keys() if tar.exists() else set()
    entries = map(job.entry, group)
    loose = [path for entry in entries for role in _roles(entry) if (path := job.out / entry[role]).exists()]
    indexed = tar.with_suffix(".idx").exists() or not group
    if not loose and held == {name for name, *_ in group} and indexed:
        return False
    temporary = tar.with_name(f"{TEMPORARY}{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as stream:
            index = _write(stream, tar, job, group)
            stream.flush()
            os.fsync(stream.fileno())
        tar.with_suffix(".idx").unlink(missing_ok=True)
        sync_folder(tar.parent)
        temporary.replace(tar)
        sync_folder(tar.parent)
    except OSError as error:
        raise storage_error(tar, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    write_text_atomic(tar.with_suffix(".idx"), _index_text(tar, index))
    for path in loose:
        path.unlink(missing_ok=True)
    return True


def _write(stream: BinaryIO, tar: Path, job: Packing, group: list[Named]) -> list[tuple[str, Members]]:
    """Write the tar (POSIX.1-2001, pax); returns what lies where in it."""
    index = []
    for pair in tqdm(group, f"packing {tar.name}", unit="pair", disable=None, leave=False):
        name, entry, members = pair[0], job.entry(pair), {}
        files = {
            f"{role}{Path(entry[role]).suffix}": _checked(job.out, entry, role) for role in _roles(entry)
        }
        files["json"] = (json.dumps(entry) + "\n").encode()
        for kind, data in sorted(files.items()):
            members[kind.split(".")[0]] = _add(stream, f"{shards_read.quoted(name)}.{kind}", data)
        index.append((name, members))
    stream.write(bytes(2 * tarfile.BLOCKSIZE))
    stream.write(bytes(-stream.tell() % tarfile.RECORDSIZE))
    return index


def _add(stream: BinaryIO, name: str, data: bytes) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), 0o644, 0
    stream.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
    offset = stream.tell()
    stream.write(data)
    stream.write(bytes(-len(data) % tarfile.BLOCKSIZE))
    return Member(name, offset, len(data))


def _checked(out: Path, entry: Entry, role: str) -> bytes:
    path = _found(out, entry, role)
    try:
        data = shards_read.content(out, entry, role)
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != entry[f"{role}_sha256"]:
        raise DataError(
            f"{path}: is not the file that was made; run gantrans pairs again, which makes it anew"
        )
    return data


def _index_text(tar: Path, index: list[tuple[str, Members]]) -> str:
    text = io.StringIO()
    text.write(json.dumps({"format": 1, "bytes": tar.stat().st_size}) + "\n")
    for name, members in index:
        row = {role: [m.name, m.offset, m.size] for role, m in members.items()}
        text.write(json.dumps([name, row]) + "\n")
    return text.getvalue()


def _remove_empty(folder: Path) -> None:
    """Folders that packing left empty."""
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(place).rmdir()
