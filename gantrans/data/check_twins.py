"""Images that are the same, byte for byte or to the eye, above all those that are in two splits at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gantrans.data.check_scan import Facts

_BITS = 64
_CROWD = 64  # images that share a part of their fingerprints; more of them say nothing and would cost n^2


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


def find_twins(facts: Mapping[Path, Facts], splits: Mapping[Path, str], near_bits: int) -> list[Twins]:
    """Groups of alike images among `facts`; those across splits first.

    near_bits: how many of 64 bits of two fingerprints may differ; 0 finds the same fingerprints only.
    """
    sound = {path: f for path, f in facts.items() if f.problem is None}
    by_bytes: dict[str, list[Path]] = defaultdict(list)
    for path, found in sound.items():
        by_bytes[found.digest].append(path)
    one_of_each = [group[0] for group in by_bytes.values()]
    groups = [(group, True) for group in by_bytes.values() if len(group) > 1]
    groups += [(group, False) for group in _alike({p: sound[p] for p in one_of_each}, near_bits)]
    twins = [_twins(group, exact, splits) for group, exact in groups]
    return sorted(twins, key=lambda t: (not t.across, not t.exact, t.files))


def _twins(group: list[Path], exact: bool, splits: Mapping[Path, str]) -> Twins:
    return Twins(tuple(sorted(group)), exact, tuple(sorted({splits[p] for p in group if p in splits})))


def _alike(facts: Mapping[Path, Facts], near_bits: int) -> list[list[Path]]:
    """Groups that are connected by pairs of few differing bits."""
    prints = {path: f.print_ for path, f in facts.items() if f.print_ is not None}
    leader = {path: path for path in prints}

    def root(path: Path) -> Path:
        while leader[path] != path:
            leader[path] = leader[leader[path]]
            path = leader[path]
        return path

    for one, other in _candidates(prints, near_bits):
        if (prints[one] ^ prints[other]).bit_count() <= near_bits:
            leader[root(other)] = root(one)
    groups: dict[Path, list[Path]] = defaultdict(list)
    for path in prints:
        groups[root(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(prints: Mapping[Path, int], near_bits: int) -> Iterator[tuple[Path, Path]]:
    """Every pair that differs in `near_bits` or fewer, and some more.

    Of near_bits + 1 parts of a fingerprint at least one must be equal (the pigeonhole principle), so only
    images that share a part are compared: that is nearly linear in their number.
    """
    parts = near_bits + 1
    edges = [_BITS * i // parts for i in range(parts + 1)]
    for low, high in pairwise(edges):
        buckets: dict[int, list[Path]] = defaultdict(list)
        for path, bits in prints.items():
            buckets[bits >> low & (1 << high - low) - 1].append(path)
        for bucket in buckets.values():
            for index, one in enumerate(bucket):
                yield from ((one, other) for other in bucket[index + 1 : index + _CROWD])
