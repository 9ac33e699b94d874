"""Validation and the probe strip: what a user would get now, as numbers and as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gantrans.data import masks
from gantrans.data.dataset import PairDataset
from gantrans.data.pixels import LABELS, enlarged
from gantrans.imaging import colour, ranges, sheet
from gantrans.inference.predicted_mask import predicted_mask, predicts_mask
from gantrans.inference.predictor import Predictor
from gantrans.metrics.health import Health
from gantrans.metrics.pairwise import psnr, psnr_where, ssim
from gantrans.metrics.table import Measure
from gantrans.training.distances import Distances
from gantrans.training.watch import Watch

PAIRWISE = {"psnr": psnr, "ssim": ssim}  # always measured
COLUMNS = ["source", "output", "target", "error"]
Predictors = Mapping[str, Predictor]  # way -> predictor; "to_target" always


class Validation(Protocol):
    """What is looked at during a run. `images` is how many are measured, `metrics` those that can choose, and
    `lower` those of them that are better where they are lower."""

    @property
    def images(self) -> int: ...

    @property
    def metrics(self) -> tuple[str, ...]: ...

    @property
    def lower(self) -> tuple[str, ...]: ...

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """Means over the validation images; `watch` is told of each."""
        ...

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """Pictures (H, W, 3) uint8 by name; all but "train" are kept in samples/ too, "val" first."""
        ...


@dataclass(frozen=True)
class PairValidation:
    """Which pairs are measured (`most` of val at the most, evenly spread) and which are drawn (`probes` of
    each split). `more`, `distances`: what is measured beside psnr and ssim, by name (metrics/table.py)."""

    train: PairDataset
    val: PairDataset
    most: int
    probes: int
    more: Mapping[str, Measure] = field(default_factory=dict)
    lower: tuple[str, ...] = ()
    distances: Distances | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        return (*PAIRWISE, *self.more, *(self.distances.names if self.distances else ()))

    @property
    def images(self) -> int:
        return min(self.most, len(self.val))

    def measure(self, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        """psnr [dB], ssim and what else is asked for, of the output and, as *_input, of the source itself;
        psnr_gain and ssim_gain, the differences; psnr_train, of the training images that are drawn; and the
        signs of health (metrics/health.py).

        Where masks are known psnr_inside and psnr_outside too, over covered pixels and over the others, and
        psnr_inside_input of the source; means over the images that have such pixels.
        Where source and target differ in channels, the source is compared in the target's mode.
        """
        found: dict[str, list[float]] = {}
        health = Health()
        for index in spread(len(self.val), self.images):
            source, target, mask = self.val.masked(index)
            output = _translated(self.val, predictors, source, mask)
            health.add(*(ranges.to_x01(self.val.shown(*p)) for p in ((source, "source"), (output, "target"))))
            values = self._compare(source, output, target, mask)
            for name, value in values.items():
                found.setdefault(name, []).append(value)
            if watch is not None:
                watch.titles = self._titles(predictors)
                row = partial(self._row, predictors, self.val, source, output, target, mask)
                watch.image(self.val.items[index].key, values, row)
                watch.pixels("output", output)
                watch.pixels("target", target)
            if self.distances:
                plain = None if self.val.source_mode == LABELS else _as_target(source, target)
                self.distances.pair(output, target, plain)
        means = {name: sum(values) / len(values) for name, values in found.items()}
        if "psnr_input" in means:
            means["psnr_gain"] = means["psnr"] - means["psnr_input"]
            means["ssim_gain"] = means["ssim"] - means["ssim_input"]
        means["psnr_train"] = self._psnr_train(predictors)
        return {**means, **health.result(), **(self.distances.of_pairs() if self.distances else {})}

    def _compare(
        self, source: np.ndarray, output: np.ndarray, target: np.ndarray, mask: np.ndarray | None
    ) -> dict[str, float]:
        wanted, values = _tensor(target), {}
        compared = [("", output)]
        if self.val.source_mode != LABELS:  # whose values are no colours
            source = _as_target(source, target)
            compared.append(("_input", source))
        for suffix, pixels in compared:
            made = _tensor(pixels)
            for name, measure in {**PAIRWISE, **self.more}.items():
                values[f"{name}{suffix}"] = float(measure(made, wanted))
        return values if mask is None else values | _by_mask(source, output, wanted, mask)

    def strips(self, predictors: Predictors) -> dict[str, np.ndarray]:
        """The probe strips by split: source | output | target | error, a row an image; where the mask is
        told, or predicted, it comes behind the source."""
        found = {}
        for name, pairs in (("val", self.val), ("train", self.train)):
            rows, keys = [], []
            for index in spread(len(pairs), self.probes):
                source, target, mask = pairs.masked(index)
                output = _translated(pairs, predictors, source, mask)
                rows.append(self._row(predictors, pairs, source, output, target, mask))
                keys.append(pairs.items[index].key)
            found[name] = sheet.grid(rows, self._titles(predictors), [f"{name}: {key}" for key in keys])
        return found

    def _titles(self, predictors: Predictors) -> list[str]:
        masked = self.val.mask == "input" or predicts_mask(predictors["to_target"])
        return [COLUMNS[0], "mask", *COLUMNS[1:]] if masked else COLUMNS

    @staticmethod
    def _row(
        predictors: Predictors,
        pairs: PairDataset,
        source: np.ndarray,
        output: np.ndarray,
        target: np.ndarray,
        mask: np.ndarray | None,
    ) -> list[np.ndarray]:
        sides = (("source", source), ("target", output), ("target", target))
        shown = [sheet.to_u8_rgb(pairs.shown(pixels, side)) for side, pixels in sides]
        if pairs.mask != "input":  # what is known of it is for the figures alone
            mask = predicted_mask(predictors["to_target"], source)
        told = [] if mask is None else [sheet.to_u8_rgb(mask)]
        return [shown[0], *told, *shown[1:], sheet.error_map(shown[1], shown[2])]

    def _psnr_train(self, predictors: Predictors) -> float:
        """Of as many training images as are drawn: far above that of validation, they are learnt by heart."""
        found = []
        for index in spread(len(self.train), self.probes):
            source, target, mask = self.train.masked(index)
            output = _translated(self.train, predictors, source, mask)
            found.append(float(psnr(_tensor(output), _tensor(target))))
        return float(np.mean(found))


def _as_target(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source in the size and the channels of its target, to be compared with it."""
    source = enlarged(source, target)
    if source.shape[2] != target.shape[2]:
        source = colour.to_rgb(source) if target.shape[2] == 3 else colour.to_grey(source)
    return source


def spread(length: int, count: int) -> list[int]:
    """`count` indices evenly over range(length), the same at every call; all of them if there are fewer."""
    count = min(count, length)
    return [i * length // count for i in range(count)]


def _translated(
    pairs: PairDataset, predictors: Predictors, source: np.ndarray, mask: np.ndarray | None
) -> np.ndarray:
    """The output; the mask is told only where the run's generator knows it."""
    told = (mask,) if pairs.mask == "input" else ()
    return predictors["to_target"](source, *told)


def _by_mask(source: np.ndarray, output: np.ndarray, wanted: Tensor, mask: np.ndarray) -> dict[str, float]:
    covered = torch.from_numpy(masks.resized(mask, *wanted.shape[-2:])[..., 0] > 0)[None, None]
    made, values = _tensor(output), {}
    if covered.any():
        values["psnr_inside"] = float(psnr_where(made, wanted, covered))
        values["psnr_inside_input"] = float(psnr_where(_tensor(source), wanted, covered))
    if not covered.all():
        values["psnr_outside"] = float(psnr_where(made, wanted, ~covered))
    return values


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ranges.to_x01(pixels))).permute(2, 0, 1)[None]
