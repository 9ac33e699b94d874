"""What a model was trained on, as a number that two people can compare without showing their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from gantrans.data.layouts import Item

UNKNOWN = -1  # the size of a picture that lies in a shard


def fingerprint_of(train: Any) -> dict[str, Any]:
    """{"files", "bytes", "sha256"} of the files behind a set of training examples (data/samples.py).

    The digest is over the sorted lines "kind, role, key in the data folder with its suffix, bytes" of each
    file: the same for the same names and sizes wherever the folder lies. Files are not read.
    """
    lines, total = set(), 0
    for kind, item in _items(train):
        for role in ("source", "target"):
            path: Path = getattr(item, role)
            size = path.stat().st_size if path.is_file() else UNKNOWN
            line = f"{kind}\t{role}\t{item.key}{path.suffix}\t{size}"
            if line not in lines and not (role == "target" and path == item.source):
                lines.add(line)
                total += max(0, size)
    text = "\n".join(sorted(lines)).encode("utf-8", "surrogatepass")
    return {"files": len(lines), "bytes": total, "sha256": hashlib.sha256(text).hexdigest()}


def _items(found: Any, kind: str = "") -> Iterator[tuple[str, Item]]:
    """The items of a data set, or of the sets it is made of, by the names of these."""
    if isinstance(getattr(found, "items", None), list):
        yield from ((kind, item) for item in found.items)
    elif is_dataclass(found):
        for part in fields(found):
            yield from _items(getattr(found, part.name), f"{kind}/{part.name}")
