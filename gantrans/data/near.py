"""Which of many fingerprints differ in few bits, without comparing each with each.

Fingerprints that differ in at most r of 64 bits agree in at least k of r + k parts of them (the pigeonhole
principle, k times over), so only those that share k parts are compared: a table for each choice of k, where
equal keys lie side by side once sorted. k grows with the logarithm of their number N, so that few share a
key: at r = 8, 45 tables for 20,000 and 165 for a million. The work is N times a power of log N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from tqdm import tqdm

BITS = 64
MAX_BITS = 12
CROWD = 64  # neighbours in a bucket that one is compared with; more would be quadratic where many look alike
_MOST = 5  # of k: the tables are (r + k choose k)
_FILL = 8  # how many of evenly spread fingerprints may share a key
_ONES = np.unpackbits(np.arange(2**16, dtype=np.uint16).view(np.uint8)).reshape(-1, 16).sum(1, dtype=np.uint8)


@dataclass(frozen=True)
class Near:
    """Pairs `first[i]` < `second[i]` of indices, each once; `compared`: how many pairs it took."""

    first: np.ndarray
    second: np.ndarray
    compared: int


def near_pairs(prints: np.ndarray, bits: int) -> Near:
    """All pairs of (N,) uint64 that differ in 1 to `bits` bits, equal ones being one by the caller's care.

    A pair can be missed only where, in every table that it shares, the two lie 64 or more apart in a crowd
    that shares a key.
    """
    order = np.argsort(prints)
    ordered = prints[order]
    found, compared = [np.empty(0, np.int64)], 0
    for mask in tqdm(
        _masks(bits, len(prints)), "near-duplicates", unit="table", disable=None, delay=2, leave=False
    ):
        keys = ordered & np.uint64(mask)
        by_key = np.argsort(keys, kind="stable")  # within a bucket, fingerprints stay in their order
        pairs, count = _within_buckets(keys[by_key], ordered[by_key], bits)
        one, other = by_key[pairs[0]], by_key[pairs[1]]
        found.append(np.minimum(one, other) * len(prints) + np.maximum(one, other))
        compared += count
        if len(found) > 8:
            found = [np.unique(np.concatenate(found))]
    low, high = np.divmod(np.unique(np.concatenate(found)), max(1, len(prints)))
    one, other = order[low], order[high]
    return Near(np.minimum(one, other), np.maximum(one, other), compared)


def _masks(bits: int, count: int) -> list[int]:
    """The bits of k of the parts, for every choice of k."""
    if bits == 0 or count < 2:
        return []
    agree = 1
    while agree < _MOST and agree * BITS // (bits + agree) < math.log2(count / _FILL):
        agree += 1
    parts = bits + agree
    edges = [BITS * i // parts for i in range(parts + 1)]
    masks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return [sum(chosen) for chosen in combinations(masks, agree)]


def _within_buckets(keys: np.ndarray, prints: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Places (2, K) of near ones among neighbours with equal keys, and how many were compared."""
    at, found, compared = np.arange(len(keys)), [np.empty((2, 0), np.int64)], 0
    for step in range(1, min(CROWD, len(keys))):
        at = at[at < len(keys) - step]
        at = at[keys[at] == keys[at + step]]
        if not len(at):
            break
        near = ones(prints[at] ^ prints[at + step]) <= bits
        found.append(np.stack([at[near], at[near] + step]))
        compared += len(at)
    return np.concatenate(found, axis=1), compared


def ones(words: np.ndarray) -> np.ndarray:
    """How many bits of each of (N,) uint64 are set."""
    return _ONES[words.view(np.uint16)].reshape(-1, 4).sum(axis=1, dtype=np.uint8)


class Union:
    """Disjoint sets of the numbers below `count` (Tarjan 1975), each led by its smallest."""

    def __init__(self, count: int) -> None:
        self._leader = list(range(count))

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.leader(one), self.leader(other)))
        self._leader[high] = low

    def leader(self, one: int) -> int:
        leader = self._leader
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one
