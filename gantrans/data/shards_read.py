"""Pairs in tar files, named as WebDataset has it: KEY.source.png, KEY.target.png, KEY.mask.png, KEY.json.

SPLIT-000000.tar goes with SPLIT-000000.idx, a list of what lies where in it, which spares reading
every header of the tar; where it is missing, as beside tars of others, the tar is read through. It is removed
before its tar is replaced and written after, so that one that is there is right.
KEY is the name of a loose pair without its ending. WebDataset takes what comes after the first dot of a name
for the kind, so dots of ours are written %2E, and % is written %25.
"""

from __future__ import annotations

import json
import re
import tarfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from gantrans.errors import DataError
from gantrans.imaging import stored

BOUNDS = "shards.json"  # the first key of each tar
ROLES = ("source", "target", "mask")
_TAR = re.compile(r"([a-z]+)-(\d+)\.tar")
_AKA = {"input": "source", "A": "source", "a": "source", "B": "target", "b": "target"}


@dataclass(frozen=True)
class Member:
    """A file of a tar: its whole name there, and where its bytes are."""

    name: str
    offset: int
    size: int


Members = dict[str, Member]  # by role: source, target, mask, json


def tars(root: Path) -> list[tuple[str, Path]]:
    """(split, tar) of every tar in `root` and in the folders right in it, sorted by path."""
    found = sorted([*root.glob("*-*.tar"), *root.glob("*/*-*.tar")])
    return [(match[1], path) for path in found if (match := _TAR.fullmatch(path.name)) and path.is_file()]


def quoted(key: str) -> str:
    """A key as it is written in a tar: without a dot behind its last slash."""
    folder, slash, name = key.rpartition("/")
    return folder + slash + name.replace("%", "%25").replace(".", "%2E")


def parsed(name: str) -> tuple[str, str]:
    """(key, role) of a file's name in a tar, by WebDataset's rule; ("", "") for one that has no ending."""
    folder, slash, base = name.rpartition("/")
    stem, _, kind = base.partition(".")
    role = kind.split(".")[0]
    if not stem or not role:
        return "", ""
    key = folder + slash + stem.replace("%2E", ".").replace("%25", "%")
    return key, _AKA.get(role, role)


def index_of(tar: Path) -> Mapping[str, Members]:
    """What lies in a tar, by key. Raises DataError naming one that is damaged."""
    try:
        stamp = tar.stat()
        return _index(tar, stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)
    except OSError as error:
        raise DataError(f"{tar}: cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=4)  # pairs are worked on in the order of their keys, so the same tar is asked for again
def _index(tar: Path, changed_ns: int, size: int, number: int) -> dict[str, Members]:
    del changed_ns, number
    try:
        lines = tar.with_suffix(".idx").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        if json.loads(lines[0])["bytes"] == size:
            rows = (json.loads(line) for line in lines[1:])
            return {key: {r: Member(*m) for r, m in members.items()} for key, members in rows}
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        pass
    return scanned(tar)


def scanned(tar: Path) -> dict[str, Members]:
    """The same from the headers of the tar itself, by key, sorted. Raises DataError naming a damaged one."""
    found: dict[str, Members] = {}
    try:
        with tarfile.open(tar, "r:", encoding="utf-8", errors="surrogateescape") as archive:
            for info in archive:
                key, role = parsed(info.name)
                if info.isfile() and key:
                    found.setdefault(key, {})[role] = Member(info.name, info.offset_data, info.size)
        with tar.open("rb") as stream:
            stream.seek(-min(tarfile.BLOCKSIZE, tar.stat().st_size), 2)
            if any(stream.read()):
                raise tarfile.ReadError("its end is missing")
    except tarfile.TarError as error:
        raise DataError(
            f"{tar}: is damaged ({error}); fetch it again, or delete it and run gantrans pairs again, which "
            "makes its pairs anew"
        ) from error
    return dict(sorted(found.items()))


def pairs_in(root: Path) -> Iterator[tuple[str, str, dict[str, Path]]]:
    """(split, key, paths by role) of every pair in the tars of `root`. Raises DataError naming a bad tar."""
    for split, tar in tars(root):
        folder = "" if tar.parent == root else f"{tar.parent.name}/"
        for key, members in index_of(tar).items():
            if {"source", "target"} <= members.keys():
                paths = {role: _path(tar, members[role]) for role in ROLES if role in members}
                yield split, folder + key, paths


def key_of(entry: Mapping[str, Any]) -> str:
    """The key, in tars and in training, of a line of the manifest: SPLIT/target/KEY.png."""
    return str(PurePosixPath(*PurePosixPath(entry["target"]).parts[2:]).with_suffix(""))


def path_of(out: Path, entry: Mapping[str, Any], role: str) -> Path:
    """Where a file that the manifest names is: loose, or else in a tar; of no file if it is neither.

    Raises DataError naming a damaged tar.
    """
    loose = out / entry[role]
    bounds = read_bounds(out).get(entry["split"])
    if not bounds or loose.exists():
        return loose
    key = key_of(entry)
    tar = tar_path(out, entry["split"], number_of(bounds, key))
    member = index_of(tar).get(key, {}).get(role) if tar.exists() else None
    return _path(tar, member) if member else loose


def content(out: Path, entry: Mapping[str, Any], role: str) -> bytes:
    """The bytes of such a file. Raises OSError, or DataError naming a damaged tar."""
    with stored.opened(path_of(out, entry, role)) as stream:
        return stream.read()


def read_bounds(out: Path) -> Mapping[str, list[str]]:
    """The first key of each tar, by split; empty where nothing was packed. Raises DataError if damaged."""
    path = out / BOUNDS
    try:
        stamp = path.stat()
        return _bounds(path, stamp.st_mtime_ns, stamp.st_ino)
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=4)
def _bounds(path: Path, changed_ns: int, number: int) -> dict[str, list[str]]:
    del changed_ns, number
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["first"]
        return {str(split): [str(key) for key in keys] for split, keys in found.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is damaged; restore it, or give another out=") from error


def number_of(bounds: list[str], key: str) -> int:
    """The number of the tar that `key` belongs to: the last one that does not begin behind it."""
    return max(0, bisect_right(bounds, key) - 1)


def tar_path(out: Path, split: str, number: int) -> Path:
    """Where the tar of that number is, or will be."""
    return out / f"{split}-{number:06d}.tar"


def _path(tar: Path, member: Member) -> Path:
    return stored.place(tar, member.name, member.offset, member.size)
