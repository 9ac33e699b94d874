"""How a preview is laid out: labelled panels in rows, large pictures shrunk and with their middle beside."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

from gantrans.data.pixels import resized
from gantrans.imaging import sheet

_ACROSS = 5  # panels beside each other
_CELLS = (192, 320)  # the least and the largest side of a picture, px
_LINES = 2  # of text between a panel's title and its picture, at most
_NARROWEST = 0.75  # of its height is a panel's width at least, so that its text has room


@dataclass(frozen=True)
class Panel:
    """A picture with what is said about it; `pixels` (H, W, C) uint8 or uint16, as the clean image's."""

    title: str
    about: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Shown:
    """A panel no larger than it is drawn, so that large pictures need not all stay in memory."""

    title: str
    text: list[str]
    pictures: list[np.ndarray]


class Layout:
    """Of the panels of a clean picture whose longer side is `longest` px."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.cell = int(np.clip(longest, *_CELLS))

    def fit(self, panel: Panel) -> Shown:
        """Where the clean picture is larger than a cell, its middle is shown as well, pixel for pixel: what
        is fine is lost when shrunk."""
        pixels = sheet.to_u8_rgb(panel.pixels)
        height, width = pixels.shape[:2]
        factor = min(1.0, self.cell / max(height, width))
        rows, columns = (max(1, round(side * factor)) for side in (height, width))
        whole = resized(pixels, rows, columns) if factor < 1 else pixels
        whole = _padded(whole, rows, max(columns, round(rows * _NARROWEST)))
        text = self._wrapped(panel.about, whole.shape[1] * max(1, self.cell // max(whole.shape[:2])))
        if self.longest <= self.cell:
            return Shown(panel.title, text, [whole])
        side = self.cell * max(height, width) // self.longest
        top, left = max(0, (height - side * 3 // 4) // 2), max(0, (width - side) // 2)
        return Shown(panel.title, text, [whole, pixels[top : top + side * 3 // 4, left : left + side].copy()])

    def _wrapped(self, about: str, width: int) -> list[str]:
        """Up to `_LINES` lines, broken between parameters, as wide as a picture of `width` px."""
        letter_px = 0.55 * (np.clip(self.cell // 14, 11, 18) - 2)  # the mean of those that `grid` writes in
        kept = about.replace(" ", "\0").replace(",\0", ", ")
        lines = textwrap.wrap(kept, max(8, int(width / letter_px)))[:_LINES]
        return [line.replace("\0", " ") for line in lines[:-1]] + [
            line.replace("\0", " ").rstrip(",") for line in lines[-1:]
        ]

    def rows(self, shown: list[Shown]) -> list[np.ndarray]:
        """All panels, drawn, a few in a row: (H, W, 3) uint8 each."""
        return [self._beside(shown[i : i + _ACROSS]) for i in range(0, len(shown), _ACROSS)]

    def _beside(self, shown: list[Shown]) -> np.ndarray:
        """A row of `grid` that has no images is a line of text."""
        lines = max(1, max(len(one.text) for one in shown))
        drawn = []
        for one in shown:
            text = [*one.text, *[""] * lines][:lines]
            rows = [[] for _ in text[1:]] + [[picture] for picture in one.pictures]
            names = [*text, "its middle, pixel for pixel"][: len(rows)]
            drawn.append(sheet.grid(rows, [one.title], names, self.cell))
        height = max(picture.shape[0] for picture in drawn)
        return np.hstack([_padded(picture, height, picture.shape[1]) for picture in drawn])


def stacked(lines: list[np.ndarray], headings: list[str]) -> np.ndarray:
    """Rows of panels below each other, all as wide as the widest and none higher than that, so that `grid`
    enlarges none of them."""
    width = max(max(line.shape[:2]) for line in lines)
    return sheet.grid([[_padded(line, line.shape[0], width)] for line in lines], [""], headings, width)


def _padded(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """On white, at its upper left."""
    room = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return np.pad(pixels, room, constant_values=255)
