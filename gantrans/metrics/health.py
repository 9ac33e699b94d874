"""Signs of the ways in which GANs go wrong, read off a generator's inputs and outputs; no target is needed.

Each is a plain number with a meaning, so that `gantrans doctor` can name what it sees. ADR 10 has the bounds.
"""

from __future__ import annotations

import numpy as np

from gantrans.imaging import colour, filters

THUMB = 32  # pixels a side of what is kept of each image
BLOCK, PERIOD = 32, 4  # a pattern of transposed convolutions repeats every 2 or 4 pixels
FLAT = 1e-3  # standard deviation of luma below which there is nothing to correlate
SAME = 1 / 255  # standard deviation across pictures below which they are one picture
FAINT = 0.03  # contrast, as a standard deviation, that the eye makes out between pictures
GRAIN = 1.5 / 255  # fine detail, likewise, that nobody sees


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
        health_diversity     sqrt of the outputs' `own_share` over the inputs'; 0: collapse, 1: as inputs are
        health_luminance     correlation of light and dark of input and output, -1 to 1; near -1: inverted
        health_checkerboard  `pattern_share` of the outputs less the inputs', -1 to 1; above 0: a pattern

        diversity is left out where inputs do not differ. Nothing, if no picture was added.
        """
        if not self._thumbs:
            return {}
        found = {"health_change": float(np.mean(self._changes))}
        given, made = (np.stack([thumb[i] for thumb in self._thumbs]) for i in (0, 1))
        if given.var(0).mean() > SAME**2:
            found["health_diversity"] = float(np.sqrt(own_share(made) / own_share(given)))
        found["health_luminance"] = float(np.mean([_correlation(a, b) for a, b in self._thumbs]))
        found["health_checkerboard"] = float(np.mean(self._patterns))
        return found


def own_share(pictures: np.ndarray) -> float:
    """Of the variance in (N, H, W, C), over places and pictures, the share that tells pictures apart.

    That is the variance over the N at one place, mean over places: 0 where all are one picture, up to 1.
    Contrast and brightness do not matter, down to what is too FAINT to be seen.
    """
    wide = pictures.astype(np.float64)
    return float(wide.var(0).mean() / (wide.var((0, 1, 2)).mean() + FAINT**2))


def pattern_share(x01: np.ndarray) -> float:
    """The share of a picture's fine detail that is one pattern, the same everywhere, which repeats every
    PERIOD pixels: 0 none, towards 1 all of it. 0 for pictures smaller than a block.

    In blocks of BLOCK x BLOCK pixels the detail is averaged over all places of equal phase and divided by its
    strength there (with GRAIN), so that busy places do not drown the smooth ones where a pattern is seen. The
    mean of these over all blocks keeps what they share, in energy; texture cancels out, but for 1 part in the
    number of places a phase, which is taken off.
    """
    rgb = colour.to_rgb(x01).astype(np.float32)
    rows, columns = (side // BLOCK for side in rgb.shape[:2])
    if not rows or not columns:
        return 0.0
    row = np.full((1, 5), 1 / 5)
    detail = rgb - filters.convolve(filters.convolve(rgb, row), row.T)
    cells = BLOCK // PERIOD
    cut = detail[: rows * BLOCK, : columns * BLOCK]
    blocks = cut.reshape(rows, cells, PERIOD, columns, cells, PERIOD, 3)
    strength = np.sqrt(np.square(blocks).mean(axis=(1, 2, 4, 5, 6)) + GRAIN**2)
    phases = blocks.mean(axis=(1, 4))
    phases -= phases.mean(axis=(1, 3), keepdims=True)
    shared = (phases / strength[:, None, :, None, None]).mean(axis=(0, 2))
    chance = 1 / (cells**2 * rows * columns)
    return float(np.clip((np.square(shared).mean() - chance) / (1 - chance), 0, 1))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of luma; 0 where either picture is flat."""
    x, y = (colour.luma(p).astype(np.float64).ravel() for p in (a, b))
    x, y = x - x.mean(), y - y.mean()
    if min(x.std(), y.std()) < FLAT:
        return 0.0
    return float((x * y).mean() / (x.std() * y.std()))
