"""The numbers of metrics.jsonl as curves, and which of them are drawn together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gantrans.report.run import RunRecord, number
from gantrans.training.board import LAYOUT, chart

POINTS = 80_000  # on a page; a curve that has more than its share shows every Nth, and the last
LEAST, MOST = 50, 2000  # points of a curve
NAMES = 120  # curves of a run
LENGTH = 80  # letters of a name
REST = "Every curve"


@dataclass(frozen=True)
class Curve:
    """One metric of one run: `name` as in metrics.jsonl, `split` beside it, points (step, value)."""

    run: int
    name: str
    split: str
    points: list[tuple[int, float | None]]

    @property
    def chart(self) -> str:
        return chart(self.name, self.split)


@dataclass(frozen=True)
class Chart:
    """Curves drawn together, by their place among all; `page` says what they answer."""

    page: str
    title: str
    curves: list[int]


def curves_of(runs: list[RunRecord]) -> tuple[list[Curve], list[str]]:
    """Every curve of the runs, and what was left out, in words. Values that are no numbers are gaps."""
    found, notes = [], []
    for place, run in enumerate(runs):
        mine = list(_of_run(place, run))
        if len(mine) > NAMES:
            notes.append(f"{run.name}: {len(mine)} metrics; the curves of the first {NAMES} are drawn")
        found += mine[:NAMES]
    share = max(LEAST, min(MOST, POINTS // max(1, len(found))))
    longest = max((len(curve.points) for curve in found), default=0)
    if longest > share:
        notes.append(f"curves of up to {longest} points are thinned to {share}")
    return [Curve(c.run, c.name, c.split, _thinned(c.points, share)) for c in found], notes


def _of_run(place: int, run: RunRecord) -> Iterator[Curve]:
    points: dict[tuple[str, str], list[tuple[int, float | None]]] = {}
    for line in run.lines:
        for name, value in line.items():
            if name in ("step", "split") or not isinstance(value, int | float) or isinstance(value, bool):
                continue
            points.setdefault((line["split"], name[:LENGTH]), []).append((line["step"], number(value)))
    for (split, name), found in points.items():
        yield Curve(place, name, split, found)


def _thinned(points: list[Any], most: int) -> list[Any]:
    if len(points) <= most:
        return points
    every = -(-(len(points) - 1) // (most - 1))
    kept = points[::every]
    return kept if kept[-1] is points[-1] else [*kept, points[-1]]


def charts_of(curves: list[Curve]) -> list[Chart]:
    """What belongs together, as TensorBoard's layout has it, then each metric by itself."""
    names = list(dict.fromkeys(curve.chart for curve in curves))
    found = []
    for page, drawn in LAYOUT.items():
        for title, patterns in drawn.items():
            matched = [[n for n in names if re.fullmatch(p, n)] for p in patterns]
            if all(matched):
                wanted = {name for group in matched for name in group}
                found.append(Chart(page, title, [i for i, c in enumerate(curves) if c.chart in wanted]))
    return found + [
        Chart(REST, name, [i for i, c in enumerate(curves) if c.chart == name]) for name in sorted(names)
    ]
