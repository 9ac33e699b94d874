"""Label maps that are coloured pictures: the class of each pixel by the colour that is nearest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantrans.errors import ConfigError
from gantrans.imaging.decode import Refused
from gantrans.imaging.labels import MOST_CLASSES, Palette

TOLERANCE = 40.0  # levels, Euclidean; all but a few small areas of the CMP facades, as JPEG, are within 30
_FLAT = 10  # levels from pixel to pixel inside an area; edges are blends, in JPEG some pixels wide
_SMALLEST = 512  # 1 pixel in so many may be farther: colours bleed in JPEG (CMP facades: up to 1 in 800)


def as_palette(found: Any) -> Palette:
    """Colours from a list of [r, g, b], or from a text or CSV file with three numbers on each line, as
    `Road, 128, 64, 128`; # begins a comment, a line without numbers is a heading.

    Raises ConfigError naming what is no colour.
    """
    if isinstance(found, str | Path):
        return as_palette([_numbers(line) for line in _lines(Path(found).expanduser())])
    for number, colour in enumerate(found):
        whole = isinstance(colour, Sequence) and all(isinstance(value, int) for value in colour)
        if not whole or len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
            raise ConfigError(
                f"data.palette: colour {number} is {colour}; accepted are three whole numbers from 0 to 255"
            )
    colours = tuple((int(r), int(g), int(b)) for r, g, b in found)
    if not 1 <= len(set(colours)) == len(colours) <= MOST_CLASSES:
        raise ConfigError(
            f"data.palette: {len(colours)} colours, {len(set(colours))} of them distinct; accepted are 1 to "
            f"{MOST_CLASSES}, all distinct, one a class"
        )
    return colours


def classes_of(u8: np.ndarray, colours: Palette) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W, 1) uint8, the place of the nearest colour. Raises Refused for an area of a
    colour that is farther than TOLERANCE from each; blends along edges go to the nearest."""
    pixels = u8.astype(np.int32)
    least = np.full(u8.shape[:2], 3 * 255**2 + 1, np.int32)
    nearest = np.zeros(u8.shape[:2], np.uint8)
    for place, colour in enumerate(colours):
        far = np.square(pixels - np.array(colour, np.int32)).sum(2, dtype=np.int32)
        nearest[far < least] = place
        np.minimum(least, far, out=least)
    strange = _flat(pixels) & (least > TOLERANCE**2)
    if strange.sum() > strange.size // _SMALLEST:
        found = tuple(int(value) for value in np.median(pixels[strange], axis=0))
        near = colours[int(np.square(np.subtract(colours, found)).sum(1).argmin())]
        raise Refused(
            f"has an area of colour {found}, but the nearest of data.palette is {near}, more than "
            f"{TOLERANCE:g} levels away; add the colour, at its class's place"
        )
    return nearest[..., None]


def _flat(pixels: np.ndarray) -> np.ndarray:
    """Where a pixel is like its four neighbours: inside of an area."""
    flat = np.ones(pixels.shape[:2], bool)
    down = np.abs(np.diff(pixels, axis=0)).max(2) <= _FLAT
    right = np.abs(np.diff(pixels, axis=1)).max(2) <= _FLAT
    flat[1:] &= down
    flat[:-1] &= down
    flat[:, 1:] &= right
    flat[:, :-1] &= right
    return flat


def _lines(path: Path) -> list[str]:
    """Those that hold a number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"data.palette={path}: not readable as text ({error}); needed is a list of [r,g,b], or a text or "
            "CSV file of three numbers on each line"
        ) from error
    return [line for line in (each.partition("#")[0] for each in text.splitlines()) if _numbers(line)]


def _numbers(line: str) -> list[int]:
    """The fields that are whole numbers."""
    return [int(field) for field in re.split(r"[,;\s]+", line.strip()) if re.fullmatch(r"\d{1,9}", field)]
