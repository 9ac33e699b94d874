"""Finds the images of a data folder, whatever its layout, and pairs them by relative path and stem.

Layouts (`data.layout`; `auto` recognises all but side_by_side):
    paired        source/ + target/, A/ + B/ or input/ + target/, with train/val/test in front or behind,
                  or trainA/ + trainB/; or a .csv / .jsonl file with two file columns
    side_by_side  one file holds both pictures; `data.side` says which half is the source
    clean         clean images, degraded on the fly by the recipe
    unpaired      the folders of `paired`, of different counts and names: see layouts_unpaired.py
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gantrans import draws
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.listing import list_images

LAYOUTS = ("auto", "paired", "side_by_side", "clean", "unpaired")
ROLES = (("source", "target"), ("input", "target"), ("A", "B"), ("a", "b"))
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


@dataclass(frozen=True)
class Item:
    """One training example: `key` is unique in its folder; source and target may be the same file."""

    key: str
    source: Path
    target: Path


@dataclass(frozen=True)
class Index:
    """What was found: the resolved layout and the items of each split, sorted by key."""

    root: Path
    layout: str
    splits: dict[str, list[Item]]


def find_items(root: Path, layout: str, *, val_fraction: float, seed: int) -> Index:
    """List and pair the images below `root`. Raises DataError naming what does not match."""
    if not root.exists():
        raise DataError(f"data.root={root}: no such file or folder")
    if root.is_file() and layout not in ("auto", "paired"):
        raise ConfigError(f"data.layout={layout}: {root} is a file, and a table of pairs is layout paired")
    if layout == "auto":
        layout = "paired" if root.is_file() or any(role_folders(root)) else "clean"
    if root.is_file():
        splits = {"train": list(_read_table(root))}
    elif layout == "paired":
        splits = _paired_splits(root)
    else:
        splits = single_splits(root)
    if not any(splits.values()):
        raise DataError(f"{root}: no images found (layout {layout}); see data/README.md for the layouts read")
    if not splits.get("train"):
        raise DataError(f"{root}: no training images; found only {', '.join(k for k in splits if splits[k])}")
    return Index(root, layout, with_validation(splits, val_fraction, seed))


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


def _paired_splits(root: Path) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for split, source, target in role_folders(root):
        if split == "" and found:
            continue  # A/ + B/ that only hold train/, val/, test/ were read already
        items = _match(source, target)
        existing = found.setdefault(split or "train", [])
        known = {
            (item.source.resolve(), item.target.resolve()) for item in existing
        }  # a/ is A/ on some disks
        existing.extend(i for i in items if (i.source.resolve(), i.target.resolve()) not in known)
    if not found:
        names = " or ".join(f"{a}/ + {b}/" for a, b in ROLES[:3])
        raise DataError(f"{root}: layout paired needs {names} (train/, val/, test/ in front or behind)")
    return found


def _by_stem(folder: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for name in list_images(folder):
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in stems:
            raise DataError(f"{folder}: {stems[stem].name} and {name} share the stem {stem!r}; rename one")
        stems[stem] = folder / name
    return stems


def _match(source: Path, target: Path) -> list[Item]:
    sources, targets = _by_stem(source), _by_stem(target)
    alone = sorted(sources.keys() ^ targets.keys())
    if alone:
        where = [str(sources.get(stem) or targets[stem]) for stem in alone[:3]]
        raise DataError(
            f"{source.parent}: {len(sources)} images in {source.name}/, {len(targets)} in {target.name}/; "
            f"{len(alone)} without a partner, first: {', '.join(where)} "
            "(files are matched by relative path and stem; rename or remove those; for images that are no "
            "pairs use experiment=cyclegan)"
        )
    return [Item(stem, sources[stem], targets[stem]) for stem in sorted(sources)]


def single_splits(root: Path) -> dict[str, list[Item]]:
    """One picture a file (clean or side by side): train/, val/ and test/ folders are honoured when
    present."""
    folders = {
        split: root / name for split, names in SPLITS.items() for name in names if (root / name).is_dir()
    }
    named = {split: items_of(folder) for split, folder in folders.items()}
    if "train" in named:
        return named
    held = set(folders.values())
    return {"train": [item for item in items_of(root) if not held & set(item.source.parents)], **named}


def items_of(folder: Path) -> list[Item]:
    return [Item(name, folder / name, folder / name) for name in list_images(folder)]


def _read_table(path: Path) -> Iterator[Item]:
    """A .csv (header, two file columns first) or .jsonl with source and target; paths relative to the
    file."""
    if path.suffix not in (".csv", ".jsonl"):
        raise DataError(
            f"data.root={path}: a folder, or a .csv / .jsonl file with two file columns, is needed"
        )
    with path.open(newline="", encoding="utf-8-sig") as stream:
        try:
            rows = (
                list(csv.DictReader(stream))
                if path.suffix == ".csv"
                else [json.loads(s) for s in stream if s.strip()]
            )
        except (json.JSONDecodeError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: not readable as {path.suffix}: {error}") from error
    for number, row in enumerate(rows, start=1):
        row = row if isinstance(row, dict) else {}
        values = (
            [row[k] for k in ("source", "target")] if {"source", "target"} <= row.keys() else [*row.values()]
        )
        if len(values) != 2 or not all(isinstance(v, str) and v for v in values):
            raise DataError(
                f"{path}: row {number} must name two files, in columns source and target or in just two "
                f"columns; found {', '.join(map(str, row)) or 'nothing'}"
            )
        source, target = (path.parent / v for v in values)
        for file in (source, target):
            if not file.is_file():
                raise DataError(f"{path}: row {number} names {file}, which does not exist")
        yield Item(" + ".join(values), source, target)


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
