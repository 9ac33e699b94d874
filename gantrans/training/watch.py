"""What a validation lets one see beside its means: the worst images, and the levels of output and target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gantrans.imaging import ranges, sheet

BINS = 64
PIXELS = 2**16  # an image is counted at no more of its pixels than about these, evenly spread
CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}
CHOOSES = ("psnr", "pixel_accuracy", "cycle_l1")  # by which images are the worst where the run has no metric
LOWER = ("cycle_l1",)

Row = Callable[[], list[np.ndarray]]  # the pictures of an image, uint8 RGB, drawn when they are wanted


@dataclass
class Histogram:
    """Counts between `edges`, and the moments of what was counted."""

    edges: np.ndarray
    counts: np.ndarray
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Count these; what is not finite is left out."""
        wide = values.astype(np.float64).ravel()
        wide = wide[np.isfinite(wide)]
        if not wide.size:
            return
        self.counts = self.counts + np.histogram(np.clip(wide, self.edges[0], self.edges[-1]), self.edges)[0]
        self.low, self.high = min(self.low, wide.min()), max(self.high, wide.max())
        self.total, self.squares = self.total + wide.sum(), self.squares + np.square(wide).sum()


def histogram_of(values: np.ndarray) -> Histogram:
    """One of BINS bins over the range of these values."""
    finite = values[np.isfinite(values)] if values.size else np.zeros(1)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    found = Histogram(np.linspace(low, max(high, low + 1e-6), BINS + 1), np.zeros(BINS))
    found.add(values)
    return found


@dataclass
class Watch:
    """Told of each validation image. `most`: how many of the worst are kept; `metric`: by which (None: one of
    CHOOSES); `lower`: the metrics of which less is better."""

    most: int
    metric: str | None = None
    lower: tuple[str, ...] = ()
    titles: list[str] = field(default_factory=list)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    chosen: str = ""
    _worst: list[tuple[float, str, list[np.ndarray]]] = field(default_factory=list)

    def image(self, key: str, values: Mapping[str, float], row: Row) -> None:
        """One image's metrics and, where it is among the worst so far, its pictures."""
        wanted = [name for name in (self.metric, *CHOOSES) if name in values]
        if not wanted or not self.most or np.isnan(values[str(wanted[0])]):
            return
        self.chosen = str(wanted[0])
        value = values[self.chosen]
        good = -value if self.chosen in (*self.lower, *LOWER) else value
        if len(self._worst) == self.most and good >= self._worst[-1][0]:
            return
        self._worst.append((good, f"{self.chosen} {value:.4g}  {key}", row()))
        self._worst.sort(key=lambda each: each[0])
        del self._worst[self.most :]

    def pixels(self, side: str, pixels: np.ndarray, channels: Sequence[str] | None = None) -> None:
        """Count the levels, 0 to 255, of (H, W, C) as "red" and so on of `side`; or as `channels`."""
        every = max(1, round((pixels.shape[0] * pixels.shape[1] / PIXELS) ** 0.5))
        some = pixels[::every, ::every]
        levels = some if some.dtype == np.uint8 else ranges.to_x01(some) * 255
        for number, channel in enumerate(channels or CHANNELS.get(levels.shape[2], ())):
            name = f"values_{channel}/{side}"
            held = self.histograms.setdefault(name, Histogram(np.linspace(0, 256, BINS + 1), np.zeros(BINS)))
            held.add(levels[..., number])

    def worst(self) -> np.ndarray | None:
        """The strip of the worst images, the worst first; None where there was nothing to choose by."""
        if not self._worst:
            return None
        return sheet.grid([row for *_, row in self._worst], self.titles, [name for _, name, _ in self._worst])
