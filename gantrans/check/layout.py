"""Which files of a data folder play which part, told leniently: what does not fit is named, not refused."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gantrans.data.layouts import Item, find_items, pair_folders, recognised, shard_splits, single_splits
from gantrans.data.matching import match
from gantrans.data.quarantine import Quarantine
from gantrans.imaging.listing import list_images

_SHARE = 0.8  # of equal stems, from which on two folders look like pairs


@dataclass
class Survey:
    """`splits`: the files of each split by role ("source", "target", "images", "unpaired"). `pairs`: those
    that belong together. `unusable`: files that cannot be used as they lie, with the reason. `aside`: the
    split in whose folders such a file lies."""

    layout: str
    splits: dict[str, dict[str, list[Path]]] = field(default_factory=dict)
    pairs: list[Item] = field(default_factory=list)
    unusable: dict[Path, str] = field(default_factory=dict)
    aside: dict[Path, str] = field(default_factory=dict)

    def put(self, split: str, role: str, files: list[Path]) -> None:
        self.splits.setdefault(split, {}).setdefault(role, []).extend(files)

    def of_role(self, role: str) -> list[Path]:
        return [path for roles in self.splits.values() for path in roles.get(role, [])]

    @property
    def placed(self) -> dict[Path, str]:
        """The split of each file that has a part."""
        return {p: split for split, roles in self.splits.items() for files in roles.values() for p in files}

    @property
    def split_of(self) -> dict[Path, str]:
        """The same, and of the files that cannot be used: what they show may be in another split as well."""
        return self.aside | self.placed


def survey(
    root: Path,
    layout: str,
    *,
    learns_from: str,
    targets: Path | None,
    unpaired: Path | None,
    without: Quarantine,
) -> Survey:
    """The files below `root` as training would take them, but for what is held out for validation.

    Raises DataError where there is nothing to list.
    """
    if learns_from == "unpaired":
        return _unpaired(root, targets, without)
    layout = recognised(root) if layout == "auto" else layout
    if layout == "shards":
        found = _shards(root, without)
    elif root.is_file():
        found = _table(root, without)
    elif layout == "paired":
        found = _paired(root, without)
    else:
        found = Survey(layout)
        for split, items in single_splits(root, without).items():
            found.put(split, "images", [item.source for item in items])
    if unpaired is not None and unpaired.is_dir():
        for split, items in single_splits(unpaired, without).items():
            found.put(split, "unpaired", [item.source for item in items])
    return found


def _table(root: Path, without: Quarantine) -> Survey:
    found = Survey("paired")
    items = find_items(root, "paired", val_fraction=0.0, seed=0, without=without).splits
    found.pairs = list({item.key: item for split in items.values() for item in split}.values())
    for role in ("source", "target"):
        found.put("train", role, [getattr(item, role) for item in found.pairs])
    return found


def _shards(root: Path, without: Quarantine) -> Survey:
    found = Survey("shards")
    for split, items in shard_splits(root, without).items():
        found.pairs += items
        for role in ("source", "target"):
            found.put(split, role, [getattr(item, role) for item in items])
    return found


def _paired(root: Path, without: Quarantine) -> Survey:
    found = Survey("paired")
    for split, source, target in pair_folders(root):
        matched = match(source, target, without)
        pairs = [Item(f"{split}/{stem}", *files) for stem, files in matched.pairs.items()]
        found.pairs += pairs
        found.put(split, "source", [pair.source for pair in pairs])
        found.put(split, "target", [pair.target for pair in pairs])
        for path in matched.alone:
            found.unusable[path] = "has no partner of the same path and stem"
            found.aside[path] = split
        for clash in matched.clashes:
            for path in clash.files:
                found.unusable[path] = f"two files here have the stem {clash.stem}, one partner is meant"
                found.aside[path] = split
    return found


def _unpaired(root: Path, targets: Path | None, without: Quarantine) -> Survey:
    found = Survey("unpaired")
    if targets is not None:
        for role, folder in (("source", root), ("target", targets)):
            for split, items in (single_splits(folder, without) if folder.is_dir() else {}).items():
                found.put(split, role, [item.source for item in items])
        return found
    for split, source, target in pair_folders(root):
        for role, folder in (("source", source), ("target", target)):
            files = [folder / name for name in list_images(folder)]
            found.put(split, role, [path for path in files if not without.holds(path)])
    return found


def lookalikes(root: Path, taken: set[Path]) -> list[tuple[Path, Path, int]]:
    """Folders that hold images of the same stems, as images/ + labels/ do, but are not read as pairs; with
    the number of stems they share. `taken`: folders whose files are pairs already."""
    if not root.is_dir():
        return []
    stems: dict[str, set[str]] = defaultdict(set)
    for name in list_images(root):
        for depth, parent in enumerate(PurePosixPath(name).parents):
            if str(parent) != "." and depth < 3:
                stems[str(parent)].add(str(PurePosixPath(name).relative_to(parent).with_suffix("")))
    names = sorted(folder for folder in stems if root / folder not in taken)
    shared = Counter[tuple[str, str]]()
    holders: dict[str, list[str]] = defaultdict(list)
    for folder in names:
        for stem in stems[folder]:
            holders[stem].append(folder)
    for folders in holders.values():
        shared.update(
            (a, b) for i, a in enumerate(folders[:8]) for b in folders[i + 1 : 8] if not _nested(a, b)
        )
    return [
        (root / a, root / b, count)
        for (a, b), count in shared.most_common()
        if count >= 2 and count >= _SHARE * min(len(stems[a]), len(stems[b]))
    ][:3]


def _nested(one: str, other: str) -> bool:
    return os.path.commonpath([one, other]) in (one, other)
