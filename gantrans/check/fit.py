"""Whether the sizes of sound images fit together and the crop, by the rules of preflight.py: every file that
does not is named, not just the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from gantrans.check.layout import Survey
from gantrans.check.scan import Facts
from gantrans.data.layouts import Item


def misfits(
    survey: Survey, facts: Mapping[Path, Facts], *, crop: int | None, resize: int | None
) -> dict[Path, str]:
    """The files of train and val that cannot be used for their size, with the reason."""
    sizes = {path: f.size for path, f in facts.items() if f.problem is None}
    used = {path for path, split in survey.placed.items() if split != "test"}
    found = _unequal([pair for pair in survey.pairs if pair.source in used], sizes)
    halves = survey.layout == "side_by_side"
    targets = used - set(survey.of_role("source")) if survey.pairs else used
    for path in sorted(targets & sizes.keys()):
        width, height = sizes[path]
        if halves and width % 2:
            found[path] = f"is {width} pixels wide: two pictures side by side have an even width"
        shorter = min(width // (2 if halves else 1), height)
        if crop and not resize and shorter < crop:
            found.setdefault(path, f"is {width}x{height}, smaller than the crop of {crop}")
    return found


def _unequal(pairs: list[Item], sizes: Mapping[Path, tuple[int, int]]) -> dict[Path, str]:
    """Sources that are not their target's size by the whole factor that most others are."""
    factors = {
        pair.source: _factor(sizes[pair.source], sizes[pair.target])
        for pair in pairs
        if pair.source in sizes and pair.target in sizes
    }
    whole = Counter(factor for factor in factors.values() if factor)
    usual = whole.most_common(1)[0][0] if whole else 1
    found = {}
    for pair in pairs:
        factor = factors.get(pair.source, usual)
        if factor != usual:
            (sw, sh), (tw, th) = sizes[pair.source], sizes[pair.target]
            times = f"{usual} times as large" if usual > 1 else "of equal size"
            found[pair.source] = f"is {sw}x{sh}, its target {tw}x{th}: needed is a target {times}"
    return found


def _factor(source: tuple[int, int], target: tuple[int, int]) -> int | None:
    """How many times larger the target is; None where that is no whole number."""
    factor = max(1, target[1] // max(source[1], 1))
    return factor if (source[0] * factor, source[1] * factor) == target else None
