"""Validation and the probe strip: what a user would get now, as numbers and as pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gantrans.data.dataset import PairDataset, enlarged
from gantrans.imaging import colour, ranges, sheet
from gantrans.inference.predictor import Predictor
from gantrans.metrics.pairwise import psnr, ssim

COLUMNS = ["source", "output", "target", "error"]


@dataclass(frozen=True)
class Validation:
    """Which images are measured (`images` of val, evenly spread) and which are drawn (`probes` of each
    split)."""

    train: PairDataset
    val: PairDataset
    images: int
    probes: int

    def measure(self, predictor: Predictor) -> dict[str, float]:
        """Means over the validation images: psnr [dB] and ssim of the output, *_input of the source itself.

        `psnr_gain` and `ssim_gain` are output minus input. Where source and target differ in channels, the
        source is compared in the target's mode.
        """
        totals: dict[str, float] = {}
        indices = spread(len(self.val), self.images)
        for index in indices:
            source, target = self.val.whole(index)
            for name, value in _compare(source, predictor(source), target).items():
                totals[name] = totals.get(name, 0.0) + value
        means = {name: total / len(indices) for name, total in totals.items()}
        means["psnr_gain"] = means["psnr"] - means["psnr_input"]
        means["ssim_gain"] = means["ssim"] - means["ssim_input"]
        return means

    def strips(self, predictor: Predictor) -> dict[str, np.ndarray]:
        """The probe strips by split, (H, W, 3) uint8: source | output | target | error, a row an image."""
        found = {}
        for name, pairs in (("val", self.val), ("train", self.train)):
            rows, keys = [], []
            for index in spread(len(pairs), self.probes):
                source, target = pairs.whole(index)
                output = predictor(source)
                shown = [sheet.to_u8_rgb(p) for p in (source, output, target)]
                rows.append([*shown, sheet.error_map(shown[1], shown[2])])
                keys.append(pairs.items[index].key)
            found[name] = sheet.grid(rows, COLUMNS, [f"{name}: {key}" for key in keys])
        return found


def spread(length: int, count: int) -> list[int]:
    """`count` indices evenly over range(length), the same at every call; all of them if there are fewer."""
    count = min(count, length)
    return [i * length // count for i in range(count)]


def _compare(source: np.ndarray, output: np.ndarray, target: np.ndarray) -> dict[str, float]:
    source = enlarged(source, target)
    if source.shape[2] != target.shape[2]:
        source = colour.to_rgb(source) if target.shape[2] == 3 else colour.to_grey(source)
    wanted = _tensor(target)
    values = {}
    for suffix, pixels in (("", output), ("_input", source)):
        made = _tensor(pixels)
        values[f"psnr{suffix}"] = float(psnr(made, wanted))
        values[f"ssim{suffix}"] = float(ssim(made, wanted))
    return values


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ranges.to_x01(pixels))).permute(2, 0, 1)[None]
