"""Which split each original goes to, so that no two that look alike are in different ones (ADR 19).

Images with the same bytes, or whose fingerprints differ in few bits, are of one group, and so is whoever is
like one of them. A group goes where its first name sends it. Pairs that exist stay where they are: images
that join them later go there too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from gantrans.data.near import Union, near_pairs
from gantrans.pairs.prints import FLAT, KNOWN, Prints
from gantrans.pairs.worker import Entry


@dataclass(frozen=True)
class Place:
    """The split of an image that is like others. `group` is the key of the one it is named after, None for
    that one itself. `torn`: pairs that it is like, of two splits; then it can go to neither."""

    split: str
    group: str | None
    torn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Groups:
    """`places` of the images that are in groups; their number, and how many images the largest has."""

    places: Mapping[str, Place] = field(default_factory=dict)
    count: int = 0
    largest: int = 0


def group(
    prints: Prints, bits: int, known: Callable[[str], tuple[Entry, ...]], split_of: Callable[[str], str]
) -> Groups:
    """The groups among `prints`; `known(key)` are the lines of pairs that exist."""
    nodes, first, second = _graph(prints, bits)
    members = _members(nodes, np.concatenate([first, second]))
    whole = Union(int(nodes.max(initial=-1)) + 1)
    edges = list(zip(first.tolist(), second.tolist(), strict=True))
    for one, other in edges:
        whole.join(one, other)
    groups: dict[int, list[int]] = defaultdict(list)
    for node in members:
        groups[whole.leader(node)].append(node)
    links: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one, other in edges:
        links[whole.leader(one)].append((one, other))
    places: dict[str, Place] = {}
    for leader, its_nodes in groups.items():
        images = {node: members[node] for node in its_nodes}
        places |= _Group(prints, images, links[leader], known, split_of).places()
    sizes = [sum(len(members[node]) for node in found) for found in groups.values()]
    return Groups(places, len(sizes), max(sizes, default=0))


def _graph(prints: Prints, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A node for each image, -1 where nothing is known of it: the same fingerprint, or else the same bytes,
    is the same node. And the pairs of nodes that are near."""
    nodes = np.full(len(prints.images), -1)
    known, flat = prints.state == KNOWN, prints.state == FLAT
    unique, nodes[known] = np.unique(prints.print_[known], return_inverse=True)
    _, alike = np.unique(prints.digest[flat], return_inverse=True)
    nodes[flat] = alike + len(unique)
    near = near_pairs(unique, bits)
    return nodes, near.first, near.second


def _members(nodes: np.ndarray, near: np.ndarray) -> dict[int, list[int]]:
    """The numbers of the images at each node that has more than one, or a near node."""
    counts = np.bincount(nodes[nodes >= 0], minlength=1)
    wanted = counts > 1
    wanted[near] = True
    members: dict[int, list[int]] = defaultdict(list)
    for at in np.flatnonzero((nodes >= 0) & wanted[nodes]).tolist():
        members[int(nodes[at])].append(at)
    return members


class _Group:
    """One group: its images by node, and which nodes are near each other."""

    def __init__(
        self,
        prints: Prints,
        images: Mapping[int, list[int]],
        links: list[tuple[int, int]],
        known: Callable[[str], tuple[Entry, ...]],
        split_of: Callable[[str], str],
    ) -> None:
        self.keys = {node: [prints.images[at] for at in found] for node, found in images.items()}
        self.split_of = split_of
        self.beside: dict[int, list[int]] = {node: [] for node in self.keys}
        for one, other in links:
            self.beside[one].append(other)
            self.beside[other].append(one)
        self.there: dict[str, Entry] = {}  # pairs that exist, of the very bytes that are there now
        for found in images.values():
            for at in found:
                used = known(prints.images[at])
                if used and used[0]["original_sha256"].startswith(prints.digest_of(at)):
                    self.there[prints.images[at]] = used[0]
        self.fixed = {node for node, keys in self.keys.items() if any(key in self.there for key in keys)}

    def places(self) -> dict[str, Place]:
        name = self._name()
        found: dict[str, Place] = {}
        for near in self._free_parts():
            to = self._to(near)
            for key in (key for node in near for key in self.keys[node]):
                named = None if key == name else name
                if key in self.there:
                    found[key] = Place(self.there[key]["split"], named)
                elif len(to) > 1:
                    found[key] = Place("", named, tuple(sorted(to.values())))
                else:
                    found[key] = Place(next(iter(to), "") or self.split_of(name), named)
        return found

    def _name(self) -> str:
        """Stays what it was when images join."""
        everybody = {key for keys in self.keys.values() for key in keys}
        old = {entry.get("group", key) for key, entry in self.there.items()} & everybody
        return min(old or self.there or everybody)

    def _free_parts(self) -> list[list[int]]:
        """Nodes without pairs as far as they hang together without any that has; and each of the others."""
        parts, seen = [], set[int]()
        for node in sorted(self.keys):
            if node in seen:
                continue
            seen.add(node)
            part = [node]
            for at in part:  # grows
                new = set(self.beside[at]) - seen - self.fixed if at not in self.fixed else set()
                seen |= new
                part += sorted(new)
            parts.append(part)
        return parts

    def _to(self, part: list[int]) -> dict[str, str]:
        """The splits of pairs in, or right beside, this part, each with the key of one."""
        nodes = set(part)
        if not nodes & self.fixed:
            nodes.update(other for node in part for other in self.beside[node])
        keys = sorted(key for node in nodes & self.fixed for key in self.keys[node] if key in self.there)
        return {self.there[key]["split"]: key for key in reversed(keys)}
