"""Files that lie among the pairs though no line of the manifest names them, and that training would take.

They stay behind where a manifest was deleted or lines of it were, and where a run was killed and its images
changed before the next. None is deleted: all are moved to OUT/unnamed, where nothing reads them.
"""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from array import array
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, count, product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gantrans import draws
from gantrans.data import shards_read
from gantrans.data.splits import SPLITS
from gantrans.pairs.image import ALL_ROLES
from gantrans.pairs.making import FORMATS

UNNAMED = "unnamed"
_SUFFIXES = {f".{form}" for form in FORMATS}


def set_aside(out: Path, manifest: Path) -> int:
    """Move what `manifest` does not name out of the folders and tars of pairs; how many files there were.

    Every share must be done, and nobody else at work: a file in the making is named by no line yet.
    """
    named = np.sort(np.array(array("Q", _named(manifest)), np.uint64))  # 8 bytes a file; a set has 60
    moved = [name for name in _loose(out) if not _holds(named, _mark(name))]
    moved += _tars(out)
    if moved:
        _move(out, moved)
    return len(moved)


def _holds(marks: np.ndarray, mark: int) -> bool:
    at = marks.searchsorted(np.uint64(mark))
    return bool(at < len(marks) and int(marks[at]) == mark)


def _named(manifest: Path) -> Iterator[int]:
    with manifest.open("rb") as stream:
        for line in tqdm(stream, "looking for files without a line", unit="line", disable=None, delay=2):
            entry = json.loads(line)
            yield from (_mark(entry[role]) for role in ALL_ROLES if role in entry)


def _loose(out: Path) -> Iterator[str]:
    for split, role in product(SPLITS, ALL_ROLES):
        for folder, _, names in os.walk(out / split / role):
            below = Path(folder).relative_to(out).as_posix()
            yield from (f"{below}/{name}" for name in names if Path(name).suffix in _SUFFIXES)


def _tars(out: Path) -> list[str]:
    """Those beyond what shards.json tells of; of the others, packing made what is in them."""
    bounds = shards_read.read_bounds(out)
    strange = [
        path
        for split, path in shards_read.tars(out)
        if path.parent == out
        and split in SPLITS
        and path not in {shards_read.tar_path(out, split, i) for i in range(len(bounds.get(split, ())))}
    ]
    return [p.name for p in chain(strange, (t.with_suffix(".idx") for t in strange)) if p.exists()]


def _move(out: Path, names: list[str]) -> None:
    """To a new folder, so that nothing which was moved before is written over."""
    numbers = (out / UNNAMED / str(number) for number in count(1))
    aside = next(folder for folder in numbers if not folder.exists())
    for name in names:
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(out / name, aside / name)
    for split, role in product(SPLITS, ALL_ROLES):
        for folder, _, _ in os.walk(out / split / role, topdown=False):
            with suppress(OSError):  # not empty
                Path(folder).rmdir()
        with suppress(OSError):
            (out / split).rmdir()


def _mark(name: str) -> int:
    """63 bits of a name, the same however a disk spells it: some know no case, some take letters apart."""
    return draws.seed_of("file", unicodedata.normalize("NFC", name).casefold())
