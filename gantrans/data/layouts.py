"""Finds the images of a data folder, whatever its layout, and pairs them by relative path and stem.

Layouts (`data.layout`; `auto` recognises all but side_by_side):
    paired        source/ + target/, A/ + B/ or input/ + target/, with train/val/test in front or behind,
                  or trainA/ + trainB/; or a .csv / .jsonl file with two file columns
    side_by_side  one file holds both pictures; `data.side` says which half is the source
    shards        tars of pairs, as gantrans pairs shards=N and WebDataset name them: see shards_read.py
    clean         clean images, degraded on the fly by the recipe
    unpaired      the folders of `paired`, of different counts and names: see layouts_unpaired.py
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from gantrans import draws
from gantrans.data import shards_read
from gantrans.data.matching import match
from gantrans.data.quarantine import NONE, Quarantine
from gantrans.data.tables import read_table
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.listing import list_images

LAYOUTS = ("auto", "paired", "side_by_side", "clean", "unpaired", "shards")
ROLES = (("source", "target"), ("input", "target"), ("A", "B"), ("a", "b"))
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


@dataclass(frozen=True)
class Item:
    """One training example: `key` is unique in its folder; source and target may be the same file. `mask` is
    the file that says where the source is covered, if one is known (data/masks.py)."""

    key: str
    source: Path
    target: Path
    mask: Path | None = None


@dataclass(frozen=True)
class Index:
    """What was found: the resolved layout and the items of each split, sorted by key."""

    root: Path
    layout: str
    splits: dict[str, list[Item]]


def find_items(
    root: Path, layout: str, *, val_fraction: float, seed: int, without: Quarantine = NONE
) -> Index:
    """List and pair the images below `root`, `without` those in quarantine. Raises DataError naming what does
    not match."""
    if not root.exists():
        raise DataError(f"data.root={root}: no such file or folder")
    if root.is_file() and layout not in ("auto", "paired"):
        raise ConfigError(f"data.layout={layout}: {root} is a file, and a table of pairs is layout paired")
    if layout == "auto":
        layout = recognised(root)
    if root.is_file():
        splits = {"train": [Item(*row) for row in read_table(root, without)]}
    elif layout == "paired":
        splits = _paired_splits(root, without)
    elif layout == "shards":
        splits = shard_splits(root, without)
    else:
        splits = single_splits(root, without)
    if not any(splits.values()):
        raise DataError(f"{root}: no images found (layout {layout}); see data/README.md for the layouts read")
    if not splits.get("train"):
        raise DataError(f"{root}: no training images; found only {', '.join(k for k in splits if splits[k])}")
    return Index(root, layout, with_validation(splits, val_fraction, seed))


def recognised(root: Path) -> str:
    """The layout of a folder, or of a table, that names none."""
    if root.is_dir() and shards_read.tars(root):
        return "shards"
    return "paired" if root.is_file() or any(role_folders(root)) else "clean"


def shard_splits(root: Path, without: Quarantine) -> dict[str, list[Item]]:
    """Pairs in tars, and those beside them that are not packed yet."""
    names = {name: split for split, accepted in SPLITS.items() for name in accepted}
    found: dict[str, dict[str, Item]] = {}
    for name, key, paths in shards_read.pairs_in(root):
        item = Item(key, paths["source"], paths["target"], paths.get("mask"))
        if not any(without.holds(path) for path in paths.values()):
            found.setdefault(names.get(name, name), {})[key] = item
    for split, source, target in pair_folders(root):
        packed = found.setdefault(
            split, {}
        )  # of these, packing that was interrupted may leave one file loose
        for item in _match(source, target, without, packed.keys()):
            packed.setdefault(item.key, item)
    ordered = [split for split in SPLITS if split in found]
    return {split: [found[split][key] for key in sorted(found[split])] for split in ordered}


def role_folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """Every (split, source folder, target folder) of a paired layout; split "" where none is named."""
    for split, names in {**SPLITS, "": ("",)}.items():
        for name in names:
            for source, target in ROLES:
                options = [(root / name / source, root / name / target)]
                if name:
                    options.append((root / source / name, root / target / name))
                    if len(source) == 1:
                        options.append((root / f"{name}{source}", root / f"{name}{target}"))
                    else:
                        options.append((root / f"{name}_{source}", root / f"{name}_{target}"))
                for a, b in options:
                    if a.is_dir() and b.is_dir():
                        yield split, a, b


def pair_folders(root: Path) -> Iterator[tuple[str, Path, Path]]:
    """The same without A/ + B/ that only hold train/, val/, test/, and with what names no split in train."""
    named = False
    for split, source, target in role_folders(root):
        if split or not named:
            yield split or "train", source, target
        named = True


def _paired_splits(root: Path, without: Quarantine) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for split, source, target in pair_folders(root):
        items = _match(source, target, without)
        existing = found.setdefault(split, [])
        known = {
            (item.source.resolve(), item.target.resolve()) for item in existing
        }  # a/ is A/ on some disks
        existing.extend(i for i in items if (i.source.resolve(), i.target.resolve()) not in known)
    if not found:
        names = " or ".join(f"{a}/ + {b}/" for a, b in ROLES[:3])
        raise DataError(f"{root}: layout paired needs {names} (train/, val/, test/ in front or behind)")
    return found


def _match(source: Path, target: Path, without: Quarantine, packed: Set[str] = frozenset()) -> list[Item]:
    found = match(source, target, without)
    if found.clashes:
        clash = found.clashes[0]
        one, other = (path.relative_to(clash.folder) for path in clash.files)
        raise DataError(f"{clash.folder}: {one.name} and {other} share the stem {clash.stem!r}; rename one")
    below = ((path, source if path.is_relative_to(source) else target) for path in found.alone)
    alone = [p for p, root in below if p.relative_to(root).with_suffix("").as_posix() not in packed]
    if alone:
        counts, where = found.counts, ", ".join(str(path) for path in alone[:3])
        raise DataError(
            f"{source.parent}: {counts[0]} images in {source.name}/, {counts[1]} in {target.name}/; "
            f"{len(alone)} without a partner, first: {where} "
            "(files are matched by relative path and stem; rename or remove those; for images that are no "
            "pairs use experiment=cyclegan)"
        )
    return [Item(stem, *files) for stem, files in found.pairs.items()]


def single_splits(root: Path, without: Quarantine = NONE) -> dict[str, list[Item]]:
    """One picture a file (clean or side by side): train/, val/ and test/ folders are honoured when
    present."""
    folders = {
        split: root / name for split, names in SPLITS.items() for name in names if (root / name).is_dir()
    }
    named = {split: items_of(folder, without) for split, folder in folders.items()}
    if "train" in named:
        return named
    held = set(folders.values())
    rest = [item for item in items_of(root, without) if not held & set(item.source.parents)]
    return {"train": rest, **named}


def items_of(folder: Path, without: Quarantine = NONE) -> list[Item]:
    files = ((name, folder / name) for name in list_images(folder))
    return [Item(name, path, path) for name, path in files if not without.holds(path)]


def with_validation(splits: dict[str, list[Item]], fraction: float, seed: int) -> dict[str, list[Item]]:
    """Hold out a part of train where no val split is given: by a hash of the key, never fewer than one."""
    if splits.get("val"):
        return splits
    train = splits["train"]
    ranked = sorted(train, key=lambda item: draws.fraction("split", seed, item.key))
    held = [item for item in ranked if draws.fraction("split", seed, item.key) < fraction] or ranked[:1]
    if len(train) == 1:
        return {**splits, "val": train}
    names = {item.key for item in held}
    return {
        **splits,
        "train": [i for i in train if i.key not in names],
        "val": sorted(held, key=lambda i: i.key),
    }
