"""Validation of label maps: how many pixels have the right class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gantrans.data.dataset import PairDataset
from gantrans.imaging import sheet
from gantrans.metrics.labels import Confusion, majority
from gantrans.metrics.table import LABELS
from gantrans.training.validate import COLUMNS, Predictors, spread
from gantrans.training.watch import Watch


@dataclass(frozen=True)
class LabelValidation:
    """Which pairs are measured (`most` of val at the most) and drawn (`probes` of each split)."""

    train: PairDataset
    val: PairDataset
    most: int
    probes: int
    metrics: tuple[str, ...] = LABELS
    lower: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return min(self.most, len(self.val))

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """pixel_accuracy, class_accuracy and mean_iou over all measured images (metrics/labels.py);
        majority_accuracy and majority_iou: what the targets' most frequent class would get everywhere.

        Pixels of the targets that have no class count nowhere.
        """
        confusion = Confusion(self.val.classes)
        for index in spread(len(self.val), self.images):
            source, target = self.val.whole(index)
            output, known = predictors["to_target"](source), target < self.val.classes
            confusion.add(output[known], target[known])
            if watch is not None:
                right = float((output == target)[known].mean()) if known.any() else np.nan
                watch.titles = COLUMNS
                watch.image(
                    self.val.items[index].key,
                    {"pixel_accuracy": right},
                    lambda shown=(source, output, target): self._row(self.val, *shown),
                )
                watch.pixels("output", output, ["class"])
                watch.pixels("target", target, ["class"])
        return {**confusion.result(), **majority(confusion.counts)}

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """source | output | target | error (white where the class is wrong), a row an image."""
        found = {}
        for name, pairs in (("val", self.val), ("train", self.train)):
            rows, keys = [], []
            for index in spread(len(pairs), self.probes):
                source, target = pairs.whole(index)
                rows.append(self._row(pairs, source, predictors["to_target"](source), target))
                keys.append(pairs.items[index].key)
            found[name] = sheet.grid(rows, COLUMNS, [f"{name}: {key}" for key in keys])
        return found

    @staticmethod
    def _row(
        pairs: PairDataset, source: np.ndarray, output: np.ndarray, target: np.ndarray
    ) -> list[np.ndarray]:
        wrong = (output != target) & (target < pairs.classes)
        shown = [sheet.to_u8_rgb(pairs.shown(source, "source"))]
        shown += [pairs.shown(pixels, "target") for pixels in (output, target)]
        return [*shown, sheet.to_u8_rgb(wrong.astype(np.uint8) * np.uint8(255))]
