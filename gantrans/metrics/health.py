"""Signs of the ways in which GANs go wrong, read off a generator's inputs and outputs; no target is needed.

Each is a plain number with a meaning, so that `gantrans doctor` can name what it sees.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from gantrans.imaging import colour, filters

THUMB = 32  # pixels a side of what is kept of each image
BLOCK, PERIOD = 32, 4  # a pattern of transposed convolutions repeats every 2 or 4 pixels
FLAT = 1e-3  # standard deviation of luma below which there is nothing to correlate


class Health:
    """Collects (input, output) pairs of x01 pictures (H, W, C), then gives the signs as means over them."""

    def __init__(self) -> None:
        self._thumbs: list[tuple[np.ndarray, np.ndarray]] = []
        self._changes: list[float] = []
        self._patterns: list[float] = []

    def add(self, input_x01: np.ndarray, output_x01: np.ndarray) -> None:
        """Note one picture. Where sizes or modes differ, they are compared as RGB at the output's size."""
        given, made = (colour.to_rgb(x).astype(np.float32) for x in (input_x01, output_x01))
        if given.shape != made.shape:
            given = filters.resize(given, made.shape[0], made.shape[1], "bicubic")
        self._changes.append(float(np.abs(made - given).mean()))
        self._patterns.append(pattern_share(made) - pattern_share(given))
        self._thumbs.append(
            (filters.resize(given, THUMB, THUMB, "box"), filters.resize(made, THUMB, THUMB, "box"))
        )

    def result(self) -> dict[str, float]:
        """health_change        mean |output - input|, 0 to 1; near 0: the generator copies its input
        health_diversity     how unlike each other outputs are, as a share of what inputs are; 0: collapse
        health_luminance     correlation of light and dark of input and output, -1 to 1; below 0: inverted
        health_checkerboard  share of fine detail that repeats every 4 pixels, less that of the inputs, 0 to 1

        diversity is left out where there are no two inputs that differ.
        """
        found = {"health_change": float(np.mean(self._changes))}
        given, made = (_spread([thumb[i] for thumb in self._thumbs]) for i in (0, 1))
        if given > FLAT:
            found["health_diversity"] = made / given
        found["health_luminance"] = float(np.mean([_correlation(a, b) for a, b in self._thumbs]))
        found["health_checkerboard"] = float(np.mean(self._patterns))
        return found


def pattern_share(x01: np.ndarray) -> float:
    """The share of a picture's fine detail, in energy, that repeats every PERIOD pixels: 0 none, 1 all of it.

    In blocks of BLOCK x BLOCK pixels the detail is averaged over all places of equal phase; white noise would
    leave 1 / (places a phase) of its energy, which is taken off. 0 for pictures smaller than a block.
    """
    y = colour.luma(colour.to_rgb(x01).astype(np.float32))
    rows, columns = (side // BLOCK for side in y.shape)
    if not rows or not columns:
        return 0.0
    y = y[: rows * BLOCK, : columns * BLOCK]
    detail = y - filters.convolve(y[..., None], np.full((5, 5), 1 / 25))[..., 0]
    cells = BLOCK // PERIOD
    blocks = detail.reshape(rows, cells, PERIOD, columns, cells, PERIOD)
    energy = float(np.square(blocks).mean())
    if energy < 1e-10:
        return 0.0
    phases = blocks.mean(axis=(1, 4))
    phases -= phases.mean(axis=(1, 3), keepdims=True)
    floor = 1 / cells**2
    return float(np.clip((np.square(phases).mean() / energy - floor) / (1 - floor), 0, 1))


def _spread(thumbs: list[np.ndarray]) -> float:
    """Mean distance between any two pictures."""
    pairs = list(combinations(thumbs, 2))
    return float(np.mean([np.abs(a - b).mean() for a, b in pairs])) if pairs else 0.0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of luma; 0 where either picture is flat."""
    x, y = (colour.luma(p).astype(np.float64).ravel() for p in (a, b))
    x, y = x - x.mean(), y - y.mean()
    if min(x.std(), y.std()) < FLAT:
        return 0.0
    return float((x * y).mean() / (x.std() * y.std()))
