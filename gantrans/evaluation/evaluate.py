"""Measures outputs against targets, file by file: metrics of each, means, and what could not be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gantrans.errors import DataError
from gantrans.evaluation.made import Made, Maker, Picture
from gantrans.evaluation.plan import Case, Plan
from gantrans.imaging import colour, matlab_bicubic, ranges, sheet
from gantrans.imaging.read import read
from gantrans.metrics.table import PER_IMAGE, Measures

ROLES = ("output", "input", "target")  # whose figures are told, each against the targets


@dataclass
class Found:
    """What came of it. `images`: stem -> name -> value, NaN where there is none; `name` is that of a metric,
    `name_input` the same of the source, `name_target` of the target where that makes sense. `means`: over
    images, and the distances of whole sets. `over`: how many images a mean is of. `worst`: rows for a strip,
    (stem, value, pictures), the worst first."""

    found: int
    images: dict[str, dict[str, float]] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)
    worst: list[tuple[str, float, list[Picture]]] = field(default_factory=list)

    def keep(self, stem: str, value: float, pictures: list[Picture], most: int, *, higher: bool) -> None:
        """Let `worst` hold the worst `most`; a picture without a value is none of them."""
        if most and not np.isnan(value):
            self.worst.append((stem, value, pictures))
            self.worst.sort(key=lambda row: (row[1] if higher else -row[1], row[0]))
            del self.worst[most:]

    def close(self) -> None:
        """Take the means over images. Raises DataError where not one could be measured."""
        if not self.images:
            first = next(iter(self.rejected.values()))
            raise DataError(f"none of {self.found} images could be measured, first: {first}")
        names = dict.fromkeys(name for values in self.images.values() for name in values)
        for name in names:
            known = [v[name] for v in self.images.values() if not np.isnan(v.get(name, np.nan))]
            self.means[name] = float(np.mean(known)) if known else float("nan")
            self.over[name] = len(known)


def evaluate(
    plan: Plan, measures: Measures, *, maker: Maker | None, scale: int, worst: int, device: torch.device
) -> Found:
    """Measure every case of `plan`. A bad file costs only itself.

    `maker` makes the output of a source where a case has none. Sources are enlarged `scale`
    times by MATLAB's bicubic filter to be measured. `worst`: how many of the worst by the first metric are
    kept for a strip. Raises DataError where nothing could be measured.
    """
    found = Found(plan.found, rejected=dict(plan.rejected))
    for case in tqdm(plan.cases, "evaluating", disable=None, unit="image"):
        try:
            pictures, made = _pictures(case, maker, scale)
        except DataError as error:
            found.rejected[case.stem] = str(error)
            continue
        tensors = {role: to_tensor(picture).to(device) for role, picture in pictures.items()}
        found.images[case.stem] = _values(tensors, measures)
        if measures.sets:
            for role, x01 in tensors.items():
                measures.sets.add(role, x01)
        _note_worst(found, case.stem, pictures, made, measures, worst)
    found.close()
    add_sets(found, measures, len(found.images))
    return found


def _pictures(case: Case, maker: Maker | None, scale: int) -> tuple[dict[str, Picture], Made | None]:
    """By role, all in the target's mode and size, and what the model made. Raises DataError naming the file
    that does not fit."""
    target, made = read(case.target).pixels, None
    if case.output is None:
        assert maker is not None and case.source is not None
        made, name = maker(case.source), f"the output of {case.source}"
        source, output = made.source, made.output
    else:
        source = None if case.source is None else read(case.source).pixels
        output, name = read(case.output).pixels, str(case.output)
    _same_size(output, name, target, case.target)
    pictures = {"output": _in_mode(output, target), "target": target}
    if source is not None:
        large = _enlarged(source, scale)
        hint = "" if scale == 1 else f" at scale {scale}"
        _same_size(large, f"{case.source}{hint}", target, case.target)
        pictures["input"] = _in_mode(large, target)
    return pictures, made


def _enlarged(source: Picture, scale: int) -> Picture:
    height, width = (side * scale for side in source.shape[:2])
    return matlab_bicubic.resize(source, height, width)


def _same_size(found: Picture, name: str, target: Picture, target_name: Path) -> None:
    if found.shape[:2] != target.shape[:2]:
        sizes = [f"{p.shape[1]}x{p.shape[0]}" for p in (found, target)]
        raise DataError(f"{name} is {sizes[0]} but {target_name} is {sizes[1]}; they must be of one size")


def _in_mode(picture: Picture, target: Picture) -> Picture:
    return colour.to_rgb(picture) if target.shape[2] == 3 else colour.to_grey(picture)


def to_tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(ranges.to_x01(picture))).permute(2, 0, 1)[None]


def _values(tensors: dict[str, Tensor], measures: Measures) -> dict[str, float]:
    values = {}
    with torch.inference_mode():
        for name, measure in measures.each.items():
            roles = ROLES if PER_IMAGE[name].of_picture else ROLES[:2]
            for role in roles:
                if role in tensors:
                    values[named(name, role)] = float(measure(tensors[role], tensors["target"]))
    return values


def named(metric: str, role: str) -> str:
    """The key of a figure: "psnr" of the output, "psnr_input" of the source."""
    return metric if role == "output" else f"{metric}_{role}"


def _note_worst(
    found: Found,
    stem: str,
    pictures: dict[str, Picture],
    made: Made | None,
    measures: Measures,
    most: int,
) -> None:
    first = next(iter(measures.each), None)
    if first is None or not most:
        return
    shown = {role: sheet.to_u8_rgb(picture) for role, picture in pictures.items()}
    mask = made.mask() if made else None
    if mask is not None:
        shown["mask"] = sheet.to_u8_rgb(mask)
    row = [shown[role] for role in ("input", "mask", "output", "target") if role in shown]
    row.append(sheet.error_map(shown["output"], shown["target"]))
    # Where more is neither better nor worse, the picture farthest below is shown.
    higher = PER_IMAGE[first].higher is not False
    found.keep(stem, found.images[stem][first], row, most, higher=higher)


def add_sets(found: Found, measures: Measures, images: int) -> None:
    if measures.sets is None:
        return
    for role in measures.sets.roles:
        for name, value in measures.sets.result(role).items():
            found.means[named(name, role)] = value
            found.over[named(name, role)] = images
