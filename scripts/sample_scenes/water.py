"""Still water: a mirror of what stands above the shore, then ripples in perspective."""

from __future__ import annotations

import numpy as np

from .canvas import OVER, Canvas
from .texture import Colour, as_array, fractal, smoothstep


def mirror(canvas: Canvas, shore: float, tint: Colour, depth_tint: float = 0.7) -> None:
    """Turn what is above `shore` upside down below it; the water's own tint grows towards the viewer."""
    edge = round(shore * OVER)
    below = canvas.pixels.shape[0] - edge
    rows = np.clip(edge - 1 - np.arange(below), 0, None)
    depth = np.linspace(0.12, depth_tint, below, dtype=np.float32)[:, None, None]
    canvas.pixels[edge:] = canvas.pixels[rows] * (1 - depth) + as_array(tint) * depth


def ripple(
    canvas: Canvas,
    rng: np.random.Generator,
    shore: float,
    strength: float = 1.0,
    sparkle: float = 0.15,
    shine: Colour = (1.0, 1.0, 1.0),
) -> None:
    """Shift the water below `shore` along waves that shrink towards it, and let crests catch the light."""
    edge = round(shore * OVER)
    x, depth = canvas.x[edge:], canvas.y[edge:] - shore
    waves = _in_perspective(fractal(rng, (512, 1024), 40, 4, 0.6, stretch=4), x - canvas.width / 2, depth)
    sway = (waves - 0.5) * strength * (1.5 + depth * 0.42)
    rows = np.clip((depth + sway) * OVER, 0, None).astype(int) + edge
    columns = np.round((x + 0.6 * sway) * OVER).astype(int)
    rows = np.clip(rows, edge, canvas.height * OVER - 1)
    columns = np.clip(columns, 0, canvas.width * OVER - 1)
    canvas.pixels[edge:] = canvas.pixels[rows, columns]
    crest = np.zeros(canvas.x.shape, np.float32)
    crest[edge:] = smoothstep(0.6, 0.85, waves)
    canvas.wash(crest, shine, sparkle)


def _in_perspective(waves: np.ndarray, x: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Look along a flat wave field: waves at the shore are small and narrow, near ones wide."""
    tall, wide = waves.shape
    along = 400 + x * 190 / (depth + 22)
    away = 300 * np.log(depth + 22)
    return waves[_folded(away, tall), _folded(along, wide)]


def _folded(at: np.ndarray, size: int) -> np.ndarray:
    """Indices that run to and fro, so that the field has no seam."""
    return np.abs((np.abs(at).astype(int) + size) % (2 * size) - size).clip(0, size - 1)
