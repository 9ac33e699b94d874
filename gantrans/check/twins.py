"""Images that are the same, byte for byte or to the eye, above all those that are in two splits at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrans.check import kin as check_kin
from gantrans.check.scan import Facts
from gantrans.data.layouts import Item
from gantrans.data.near import Union, near_pairs


@dataclass(frozen=True)
class Twins:
    """`files`: all of one group, sorted. `exact`: the same bytes; else they look alike. `splits`: those that
    the group touches; two or more mean that what is tested was trained on."""

    files: tuple[Path, ...]
    exact: bool
    splits: tuple[str, ...]

    @property
    def across(self) -> bool:
        return len(self.splits) > 1


def find_twins(
    facts: Mapping[Path, Facts], splits: Mapping[Path, str], near_bits: int, pairs: Iterable[Item] = ()
) -> list[Twins]:
    """Groups of alike images among `facts`; those across splits first. What one pair, its variants and its
    tiles have in common is meant, and no group.

    near_bits: how many of 64 bits of two fingerprints may differ; 0 finds the same fingerprints only.
    pairs: files that belong together whatever their names, as a table's.
    """
    both = {frozenset((pair.source, pair.target)) for pair in pairs}
    sound = {path: f for path, f in facts.items() if f.problem is None}
    by_bytes: dict[str, list[Path]] = defaultdict(list)
    for path, found in sound.items():
        by_bytes[found.digest].append(path)
    one_of_each = [group[0] for group in by_bytes.values()]
    groups = [(group, True) for group in by_bytes.values() if len(group) > 1]
    groups += [(group, False) for group in _alike({p: sound[p] for p in one_of_each}, near_bits)]
    kin = check_kin.originals(facts, splits)
    twins = [
        _twins(group, exact, splits)
        for group, exact in groups
        if frozenset(group) not in both and not _of_one_original(group, kin)
    ]
    return sorted(twins, key=lambda t: (not t.across, not t.exact, t.files))


def _of_one_original(group: list[Path], kin: Mapping[Path, tuple[str, str, str]]) -> bool:
    """Not so where two files claim the same place, as source/a.png and source/a.jpg do."""
    if any(path not in kin for path in group) or len({kin[path] for path in group}) > 1:
        return False
    return len({check_kin.side(path) for path in group}) == len(group)


def _twins(group: list[Path], exact: bool, splits: Mapping[Path, str]) -> Twins:
    return Twins(tuple(sorted(group)), exact, tuple(sorted({splits[p] for p in group if p in splits})))


def _alike(facts: Mapping[Path, Facts], near_bits: int) -> list[list[Path]]:
    """Groups that are connected by pairs of few differing bits."""
    by_print: dict[int, list[Path]] = defaultdict(list)
    for path, found in facts.items():
        if found.print_ is not None:
            by_print[found.print_].append(path)
    near = near_pairs(np.array(list(by_print), np.uint64), near_bits)
    union = Union(len(by_print))
    for one, other in zip(near.first.tolist(), near.second.tolist(), strict=True):
        union.join(one, other)
    groups: dict[int, list[Path]] = defaultdict(list)
    for number, paths in enumerate(by_print.values()):
        groups[union.leader(number)] += paths
    return [group for group in groups.values() if len(group) > 1]
