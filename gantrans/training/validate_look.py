"""Validation of a method that learns a look: a photo has no target that an output could be compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gantrans.data.dataset import PairDataset
from gantrans.imaging import filters, ranges, sheet
from gantrans.metrics.health import Health
from gantrans.training.validate import Predictors, spread
from gantrans.training.watch import Watch


@dataclass(frozen=True)
class LookValidation:
    """Which photos are measured (`most` of val at the most) and drawn (`probes` of each split). style: the
    picture whose look is learned, (H, W, 3) uint8."""

    train: PairDataset
    val: PairDataset
    most: int
    probes: int
    style: np.ndarray
    metrics: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return min(self.most, len(self.val))

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """The signs of health (metrics/health.py): nothing here says how good a look is."""
        health = Health()
        for index in spread(len(self.val), self.images):
            source = self.val.whole(index)[0]
            output = predictors["to_target"](source)
            health.add(ranges.to_x01(source), ranges.to_x01(output))
            if watch is not None:
                watch.pixels("source", source)
                watch.pixels("output", output)
        return health.result()

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """source | style | output, a row a photo."""
        found = {}
        for name, pairs in (("val", self.val), ("train", self.train)):
            rows, keys = [], []
            for index in spread(len(pairs), self.probes):
                source = pairs.whole(index)[0]
                shown = [sheet.to_u8_rgb(p) for p in (source, predictors["to_target"](source))]
                rows.append([shown[0], beside(self.style, source), shown[1]])
                keys.append(f"{name}: {pairs.items[index].key}")
            found[name] = sheet.grid(rows, ["source", "style", "output"], keys)
        return found


def beside(style: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The style, (H, W, 3) uint8, no longer than the picture that it is drawn beside."""
    share = max(picture.shape[:2]) / max(style.shape[:2])
    if share >= 1:
        return style
    height, width = (max(1, round(side * share)) for side in style.shape[:2])
    return ranges.from_x01(filters.resize(ranges.to_x01(style), height, width, "bicubic"), np.uint8)
