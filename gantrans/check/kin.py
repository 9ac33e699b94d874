"""Which files are of one original and look alike by intent: both sides of a pair, its variants and tiles.

What gantrans pairs made says in pairs.json how an image became several; of others' pairs the names tell.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from gantrans.data import shards_read
from gantrans.pairs.plan import IDENTITY

_ROLE = re.compile(r"(train|training|val|valid|validation|test|testing)?_?(source|input|target|mask|A|B|a|b)")
_PACKED = re.compile(r"(?P<tar>.+?\.tar)/(?P<member>.+)@\d+\+\d+", re.DOTALL)
_TILE, _VARIANT = r"(-r\d+c\d+)?", r"(-v\d+)?"


@dataclass(frozen=True)
class _Place:
    """`base`: the folder of a split. `role`: as "source". `name`: what both sides of a pair share."""

    base: str
    role: str
    name: str


def originals(files: Iterable[Path], splits: Mapping[Path, str]) -> dict[Path, tuple[str, str, str]]:
    """What each file of a pair was made of: (folder, original, split). Files without a partner are left out.

    Two files of one original in different splits are no kin: that is what twins are looked for.
    """
    places = {path: place for path in files if (place := _place(path))}
    roles: dict[tuple[str, str], set[str]] = defaultdict(set)
    for place in places.values():
        roles[place.base, place.name].add(place.role)
    return {
        path: (place.base, _original(place), splits.get(path, ""))
        for path, place in places.items()
        if len(roles[place.base, place.name]) > 1
    }


def side(path: Path) -> tuple[str, str]:
    """(role, name), which no two files of one original share."""
    place = _place(path)
    return (place.role, place.name) if place else ("", str(path))


def _place(path: Path) -> _Place | None:
    packed = _PACKED.fullmatch(path.as_posix())
    if packed:
        tar = PurePosixPath(packed["tar"])
        name, role = shards_read.parsed(packed["member"])
        return _Place(str(tar.parent / tar.name.rpartition("-")[0]), role, name)
    parts = path.parts
    for at in range(len(parts) - 2, -1, -1):
        found = _ROLE.fullmatch(parts[at])
        if found:
            base = Path(*parts[:at], *([found[1]] if found[1] else []))
            return _Place(base.as_posix(), found[2], Path(*parts[at + 1 :]).with_suffix("").as_posix())
    return None


def _original(place: _Place) -> str:
    return re.sub(_endings(place.base) + "$", "", place.name)


@lru_cache(maxsize=64)
def _endings(base: str) -> str:
    """What of a name tells pairs of one original apart."""
    for folder in (Path(base), Path(base).parent):
        try:
            making = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))["making"]
            return (_TILE if making.get("tile") else "") + (_VARIANT if making.get("variants", 1) > 1 else "")
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
    return _TILE + _VARIANT
