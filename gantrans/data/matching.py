"""Finds which files of two folders belong together: those of the same relative path and stem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gantrans.data.quarantine import NONE, Quarantine
from gantrans.imaging.listing import list_images


@dataclass(frozen=True)
class Clash:
    """Two files of one folder that differ in their suffix alone, so that neither can have the partner."""

    folder: Path
    stem: str
    files: tuple[Path, Path]


@dataclass(frozen=True)
class Matched:
    """`pairs`: (source, target) by stem, in order. `alone`: files without a partner, in order of their
    stems. `counts`: how many stems each folder has."""

    pairs: dict[str, tuple[Path, Path]]
    alone: list[Path]
    clashes: list[Clash]
    counts: tuple[int, int]


def match(source: Path, target: Path, without: Quarantine = NONE) -> Matched:
    """Pair the images of two folders. A file in quarantine takes its partner along.

    Raises DataError for a folder that cannot be listed.
    """
    sources, targets = _Stems.of(source, without), _Stems.of(target, without)
    gone = sources.held | targets.held
    stems = sorted((sources.files.keys() | targets.files.keys()) - gone)
    both = [s for s in stems if s in sources.files and s in targets.files]
    alone = [s for s in stems if (s in sources.files) != (s in targets.files)]
    return Matched(
        {stem: (sources.files[stem], targets.files[stem]) for stem in both},
        [sources.files.get(stem) or targets.files[stem] for stem in alone],
        sources.clashes + targets.clashes,
        (len(sources.files), len(targets.files)),
    )


@dataclass(frozen=True)
class _Stems:
    """`held`: stems all of whose files are in quarantine."""

    files: dict[str, Path]
    clashes: list[Clash]
    held: set[str]

    @classmethod
    def of(cls, folder: Path, without: Quarantine) -> _Stems:
        files: dict[str, Path] = {}
        clashes: list[Clash] = []
        held: set[str] = set()
        for name in list_images(folder):
            stem, path = str(PurePosixPath(name).with_suffix("")), folder / name
            if without.holds(path):
                held.add(stem)
            elif stem in files:
                clashes.append(Clash(folder, stem, (files[stem], path)))
            else:
                files[stem] = path
        return cls(files, clashes, held - files.keys())
