"""Which files are measured against which: by relative path and stem, and of the others why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gantrans.data.masks import by_stem
from gantrans.data.matching import Clash, match
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.read import UnreadableImage, probe


@dataclass(frozen=True)
class Case:
    """What is measured together; `output` is None where a model makes it of `source`."""

    stem: str
    target: Path
    output: Path | None
    source: Path | None


@dataclass
class Plan:
    """`rejected`: stem -> why it cannot be measured. found = cases + rejected, in stems."""

    cases: list[Case]
    rejected: dict[str, str] = field(default_factory=dict)

    @property
    def found(self) -> int:
        return len(self.cases) + len(self.rejected)


def plan(outputs: Path | None, source: Path | None, targets: Path) -> Plan:
    """Match `outputs` with `targets`, or `source` where there are no outputs. With both, the source of each
    output is what it is compared with.

    Raises DataError for a folder that cannot be listed, or where nothing matches.
    """
    first = outputs or source
    assert first is not None
    name = "outputs" if outputs else "source"
    _refuse_files({name: first, "source": source, "targets": targets})
    matched = match(first, targets)
    rejected = {clash.stem: _clash(clash) for clash in matched.clashes}
    for file in matched.alone:
        here, other = (first, targets) if file.is_relative_to(first) else (targets, first)
        stem = file.relative_to(here).with_suffix("").as_posix()
        rejected.setdefault(stem, f"{file}: no file of that relative path and stem in {other}")
    sources = by_stem(source) if outputs and source else {}
    cases = []
    for stem, (made, target) in matched.pairs.items():
        if stem in rejected:
            continue
        if outputs and source and stem not in sources:
            rejected[stem] = f"{made}: no file of that relative path and stem in source={source}"
        elif outputs:
            cases.append(Case(stem, target, made, sources.get(stem)))
        else:
            cases.append(Case(stem, target, None, made))
    if not cases:
        raise DataError(_nothing(name, first, targets, matched.counts, rejected))
    return Plan(cases, rejected)


def scale_of(plan: Plan) -> int:
    """How many times larger the targets are than the sources, told from the first pair that has both; 1 where
    that is no whole number, or there is no source."""
    for case in plan.cases:
        if case.source is None:
            return 1
        try:
            small, large = probe(case.source), probe(case.target)
        except UnreadableImage:
            continue
        scale = large.height // small.height
        fits = (small.height * scale, small.width * scale) == (large.height, large.width)
        return scale if fits else 1
    return 1


def _clash(clash: Clash) -> str:
    a, b = (file.name for file in clash.files)
    return f"{clash.folder}: {a} and {b} differ in their suffix alone; leave one of them"


def _refuse_files(folders: dict[str, Path | None]) -> None:
    for key, path in folders.items():
        if path is not None and path.is_file():
            raise ConfigError(f"{key}={path}: is a file; give the folder that holds it")


def _nothing(name: str, first: Path, targets: Path, counts: tuple[int, int], rejected: dict[str, str]) -> str:
    why = next(iter(rejected.values()), "no images found")
    return (
        f"nothing to measure: {name}={first} has {counts[0]} images, targets={targets} {counts[1]}, and none "
        f"has the relative path and stem of another; first: {why}"
    )
