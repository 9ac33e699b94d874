"""Finds images that are not pairs: a folder of sources and one of targets, of different names and counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gantrans.data.layouts import ROLES, Item, items_of, role_folders, single_splits, with_validation
from gantrans.data.quarantine import NONE, Quarantine
from gantrans.errors import DataError

Splits = dict[str, list[Item]]


@dataclass(frozen=True)
class UnpairedIndex:
    """What was found, by split; `where` is the folder of each kind."""

    source: Splits
    target: Splits
    where: dict[str, Path]


def find_unpaired(
    root: Path, targets: Path | None, *, val_fraction: float, seed: int, without: Quarantine = NONE
) -> UnpairedIndex:
    """The images of both kinds: in the folders of a paired layout below `root` (trainA/ + trainB/, source/ +
    target/, ...), or all sources in `root` and all targets in `targets`.

    Where there is no val split the test split is looked at instead, as nothing is chosen by it; where there
    is none either, a part of train is held out. Raises DataError naming the folder that lacks images.
    """
    if targets is not None:
        where = {"source": root, "target": targets}
        found = {kind: _folder(path, f"data.{'root' if kind == 'source' else 'targets'}", without)
                 for kind, path in where.items()}  # fmt: skip
        _refuse_roles(root)
    else:
        where, found = {"source": root, "target": root}, _below(root, without)
    for kind, splits in found.items():
        if not splits.get("train"):
            raise DataError(f"{where[kind]}: no training images of the {kind} kind; see data/README.md")
        found[kind] = _looked_at(splits, val_fraction, seed)
    said = "sources and targets at once; data.root and data.targets must be separate folders"
    refuse_shared(found["source"], found["target"], said)
    return UnpairedIndex(found["source"], found["target"], where)


def _refuse_roles(root: Path) -> None:
    """Beside data.targets all of data.root is sources; trainA/ + trainB/ below it would be mixed."""
    below = next(role_folders(root), None)
    if below:
        raise DataError(
            f"data.root={root} holds both kinds itself ({below[1].name}/ + {below[2].name}/); leave out "
            "data.targets, or give the folder of the sources alone"
        )


def refuse_shared(one: Splits, other: Splits, said: str) -> None:
    """Raise DataError naming the first image that is in both; `said`: what they are, and what to do."""
    files = [{i.target.resolve() for items in splits.values() for i in items} for splits in (one, other)]
    shared = sorted(files[0] & files[1])
    if shared:
        raise DataError(f"{shared[0]} and {len(shared) - 1} more are {said}")


def find_folder(
    path: Path, key: str, *, val_fraction: float, seed: int, without: Quarantine = NONE
) -> Splits:
    """The images below one folder, with train/, val/ and test/ honoured. Raises DataError naming `key`."""
    splits = _folder(path, key, without)
    if not splits.get("train"):
        raise DataError(f"{key}={path}: no images found")
    return _looked_at(splits, val_fraction, seed)


def _folder(path: Path, key: str, without: Quarantine) -> Splits:
    if not path.is_dir():
        raise DataError(f"{key}={path}: no such folder")
    return single_splits(path, without)


def _below(root: Path, without: Quarantine) -> dict[str, Splits]:
    found: dict[str, Splits] = {"source": {}, "target": {}}
    if not root.is_dir():
        raise DataError(f"data.root={root}: no such folder")
    for split, source, target in role_folders(root):
        if split == "" and any(found.values()):
            continue  # A/ + B/ that only hold train/, val/, test/ were read already
        for kind, folder in (("source", source), ("target", target)):
            existing = found[kind].setdefault(split or "train", [])
            known = {item.source.resolve() for item in existing}  # a/ is A/ on some disks
            existing.extend(item for item in items_of(folder, without) if item.source.resolve() not in known)
    if not any(found.values()):
        names = " or ".join(f"{a}/ + {b}/" for a, b in (("trainA", "trainB"), *ROLES[:3]))
        raise DataError(
            f"{root}: unpaired images are looked for in {names} (train/, val/, test/ in front or behind); "
            "for two folders anywhere give data.root=SOURCES data.targets=TARGETS"
        )
    return found


def _looked_at(splits: Splits, val_fraction: float, seed: int) -> Splits:
    if not splits.get("val") and splits.get("test"):
        splits = {**splits, "val": splits["test"]}
    return with_validation(splits, val_fraction, seed)
