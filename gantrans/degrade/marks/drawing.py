"""Drawing on (H, W) uint8 cover: lines, polygons, curves, smooth noise. Coordinates are pixels, x then y."""

from __future__ import annotations

import math

import numpy as np

from gantrans.imaging.opencv import cv

_SHIFT = 4  # binary digits after the point in the coordinates that OpenCV draws with


def sheet(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def line(canvas: np.ndarray, points: np.ndarray, width_px: float, value: float = 255) -> None:
    """An open line through (N, 2) points with round joints, antialiased; thinner than a pixel, it pales."""
    cv2 = cv()
    level = round(value * min(1.0, width_px))
    cv2.polylines(canvas, [_fixed(points)], False, level, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)


def polygon(canvas: np.ndarray, points: np.ndarray, value: float = 255) -> None:
    """The inside of (N, 2) points, antialiased."""
    cv2 = cv()
    cv2.fillPoly(canvas, [_fixed(points)], round(value), cv2.LINE_AA, _SHIFT)


def disk(canvas: np.ndarray, x: float, y: float, radius_px: float, value: float = 255) -> None:
    cv2 = cv()
    centre, radius = _fixed(np.array([[x, y]]))[0].tolist(), round(radius_px * (1 << _SHIFT))
    cv2.circle(canvas, centre, radius, round(value), -1, cv2.LINE_AA, _SHIFT)


def circle(canvas: np.ndarray, x: float, y: float, radius_px: float, width_px: float) -> None:
    """A circle's line, `width_px` wide."""
    turns = np.linspace(0, 2 * math.pi, 181)
    line(canvas, np.stack([x + radius_px * np.cos(turns), y + radius_px * np.sin(turns)], 1), width_px)


def ribbon(canvas: np.ndarray, points: np.ndarray, widths_px: np.ndarray, value: float = 255) -> None:
    """A line whose width changes on its way: (N, 2) points, (N,) widths. It must not cross itself."""
    along = np.gradient(points, axis=0)
    across = (
        np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.linalg.norm(along, axis=1), 1e-6)[:, None]
    )
    half = across * widths_px[:, None] / 2
    polygon(canvas, np.concatenate([points + half, (points - half)[::-1]]), value)


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """(H, W) float32 in [0, 1]: random knots, `cells` along the longer side, joined smoothly.

    The same knots at any size, so that a mark looks alike on a small and on a large picture.
    """
    side = max(height, width)
    knots = rng.random((cells + 2, cells + 2), dtype=np.float32)
    rows, columns = (min(cells + 2, math.ceil(cells * n / side) + 2) for n in (height, width))
    size = (math.ceil(columns * side / cells), math.ceil(rows * side / cells))
    cv2 = cv()
    method = cv2.INTER_CUBIC if side > cells else cv2.INTER_AREA
    return np.clip(cv2.resize(knots[:rows, :columns], size, interpolation=method)[:height, :width], 0, 1)


def rough_noise(rng: np.random.Generator, height: int, width: int, cells: int, octaves: int) -> np.ndarray:
    """Smooth noise plus finer and fainter noise, (H, W) float32 in [0, 1], around 0.5."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        total += smooth_noise(rng, height, width, cells << octave) * np.float32(0.5**octave)
    return total / np.float32(2 - 0.5 ** (octaves - 1))


def noise_along(rng: np.random.Generator, count: int, cells: int, octaves: int = 1) -> np.ndarray:
    """(count,) float64 in [0, 1]: random knots along a line."""
    total = np.zeros(count)
    for octave in range(octaves):
        knots = rng.random((cells << octave) + 1)
        total += np.interp(np.linspace(0, cells << octave, count), np.arange(len(knots)), knots) * 0.5**octave
    return total / (2 - 0.5 ** (octaves - 1))


def wandering(start: tuple[float, float], angle: float, length_px: float, bends: np.ndarray) -> np.ndarray:
    """(N + 1, 2) points of a line that leaves `start` at `angle` and has turned by `bends` (N,), radians."""
    angles = angle + bends
    steps = np.stack([np.cos(angles), np.sin(angles)], 1) * (length_px / len(bends))
    return np.concatenate([[start], np.asarray(start) + np.cumsum(steps, axis=0)])


def runs(present: np.ndarray, at_least: int = 2) -> list[slice]:
    """Where (N,) bool is True, as slices of `at_least` entries."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], present.astype(np.int8), [0]])))
    return [slice(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= at_least]


def u8(cover: np.ndarray) -> np.ndarray:
    """Cover in [0, 1], or beyond it, as uint8."""
    return np.clip(cover * 255 + 0.5, 0, 255).astype(np.uint8)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Fixed point, from pixels whose centres lie at a half to OpenCV's, whose centres are whole."""
    limited = np.clip(np.asarray(points) - 0.5, -(1 << 20), 1 << 20)
    return np.round(limited * (1 << _SHIFT)).astype(np.int32)
