"""A recipe from a folder of bad pictures: `gantrans match-recipe`, from folders to what was found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gantrans.errors import DataError
from gantrans.imaging.read import UnreadableImage
from gantrans.match.fit import Fit
from gantrans.match.measure import Looked, bar, chosen, look
from gantrans.match.steps import Measured, blur_step, jpeg_step, noise_step

MAX_CLEAN = 40  # clean images; each is degraded once for each point of the curve of blur
FEWEST = 5
BETTER = 20


@dataclass(frozen=True)
class Account:
    """`found` images in the folder, of which `used` were measured; `unreadable` (name, reason)."""

    found: int
    used: int
    clean: int
    unreadable: list[tuple[str, str]]
    fit: Fit


def match(source: Path, clean: Path | None, most: int) -> Account:
    """Measure up to `most` images of `source`, and up to MAX_CLEAN of `clean`.

    Raises DataError where fewer than FEWEST can be measured.
    """
    names, found = chosen(source, "source", most)
    measured, unreadable = Measured(source), list[tuple[str, str]]()
    for name in bar(names, "measuring images"):
        try:
            measured.add(look(source, name))
        except UnreadableImage as error:
            unreadable.append((name, error.reason))
    _enough("source", source, len(measured.names), unreadable)
    base = _clean(clean, unreadable) if clean else []
    fit = Fit()
    jpeg_step(fit, measured, base)
    noise_step(fit, measured, base)
    blur_step(fit, measured, base)
    return Account(found, len(measured.names), len(base), unreadable, fit)


def _clean(folder: Path, unreadable: list[tuple[str, str]]) -> list[Looked]:
    looked, left_out = [], []
    for name in bar(chosen(folder, "clean", MAX_CLEAN)[0], "looking at clean images"):
        try:
            looked.append(look(folder, name))
        except UnreadableImage as error:
            left_out.append((name, error.reason))
    _enough("clean", folder, len(looked), left_out)
    unreadable += left_out
    return looked


def _enough(key: str, folder: Path, count: int, unreadable: list[tuple[str, str]]) -> None:
    if count < FEWEST:
        why = f"; first left out: {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise DataError(
            f"{key}={folder}: {count} images can be measured, needed are {FEWEST}, better {BETTER}{why}"
        )
