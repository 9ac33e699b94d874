"""Small emblems, as in logos and seals: (side, side) uint8 cover."""

from __future__ import annotations

import functools
import math

import numpy as np

from gantrans.degrade.marks import drawing
from gantrans.imaging.opencv import cv

NAMES = ("star", "ring_star", "aperture", "peaks", "crescent", "hexagon", "rays")
_DRAWN_PX = 256  # once, and scaled from there


def draw(name: str, side: int) -> np.ndarray:
    """One of NAMES at `side` pixels."""
    cv2 = cv()
    method = cv2.INTER_AREA if side < _DRAWN_PX else cv2.INTER_LINEAR
    return cv2.resize(_large(name), (side, side), interpolation=method)


@functools.cache
def _large(name: str) -> np.ndarray:
    canvas = drawing.sheet(_DRAWN_PX, _DRAWN_PX)
    middle, reach = _DRAWN_PX / 2, _DRAWN_PX * 0.42
    if name in ("star", "ring_star"):
        inner = reach if name == "star" else reach * 0.68
        drawing.polygon(canvas, star(middle, middle, inner, 5))
        if name == "ring_star":
            drawing.circle(canvas, middle, middle, reach, 14)
    elif name == "rays":
        drawing.polygon(canvas, star(middle, middle, reach, 16, 0.72))
        drawing.disk(canvas, middle, middle, reach * 0.5, 0)
        drawing.disk(canvas, middle, middle, reach * 0.36)
    elif name == "hexagon":
        _hexagon(canvas, middle, reach)
    elif name == "crescent":
        drawing.disk(canvas, middle, middle, reach)
        drawing.disk(canvas, middle + reach * 0.35, middle - reach * 0.12, reach * 0.82, 0)
    elif name == "peaks":
        _peaks(canvas, middle, reach)
    else:
        _aperture(canvas, middle, reach)
    canvas.flags.writeable = False
    return canvas


def star(x: float, y: float, radius: float, points: int, inner: float = 0.4) -> np.ndarray:
    """Its outline, (2 points, 2), one point upwards; `inner` is the dents' share of the radius."""
    turns = np.arange(2 * points) * (math.pi / points) - math.pi / 2
    reach = np.where(np.arange(2 * points) % 2, inner, 1.0) * radius
    return np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], 1)


def _hexagon(canvas: np.ndarray, middle: float, reach: float) -> None:
    turns = np.arange(7) * (math.pi / 3)
    for share, width in ((1.0, 16.0), (0.55, 12.0)):
        corners = np.stack(
            [middle + share * reach * np.cos(turns), middle + share * reach * np.sin(turns)], 1
        )
        drawing.line(canvas, corners, width)


def _peaks(canvas: np.ndarray, middle: float, reach: float) -> None:
    base = middle + reach * 0.5
    for x, height, half in ((middle - 0.3 * reach, 0.75, 0.6), (middle + 0.35 * reach, 1.15, 0.65)):
        summit = [x, base - height * reach]
        drawing.polygon(canvas, np.array([[x - half * reach, base], summit, [x + half * reach, base]]))
    drawing.circle(canvas, middle, middle, reach, 12)


def _aperture(canvas: np.ndarray, middle: float, reach: float) -> None:
    """Blades of a lens: six chords of a disk around a hexagonal opening."""
    drawing.disk(canvas, middle, middle, reach)
    for blade in range(6):
        turn = blade * math.pi / 3
        start = np.array([math.cos(turn), math.sin(turn)]) * reach * 0.42
        end = np.array([math.cos(turn + 1.35), math.sin(turn + 1.35)]) * reach * 1.02
        drawing.line(canvas, np.stack([start, end]) + middle, 9, 0)
    turns = np.arange(6) * (math.pi / 3)
    drawing.polygon(canvas, middle + 0.42 * reach * np.stack([np.cos(turns), np.sin(turns)], 1), 0)
