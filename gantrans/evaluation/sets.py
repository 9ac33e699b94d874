"""Measures a set of outputs against a set of targets that are no pairs: distances of distributions alone."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from gantrans.errors import DataError
from gantrans.evaluation.evaluate import Found, add_sets, to_tensor
from gantrans.evaluation.made import Maker, Picture
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import read
from gantrans.metrics.table import Measures


def evaluate_sets(
    outputs: Path | None,
    source: Path | None,
    targets: Path,
    measures: Measures,
    *,
    maker: Maker | None,
    device: torch.device,
) -> Found:
    """fid, kid and squeeze_distance of `outputs`, or of what `maker` makes of `source`, from `targets`; with
    a source, its distance too. Every image of each folder counts; one that cannot be read costs only itself.

    Raises DataError where a set has fewer than two pictures.
    """
    assert measures.sets is not None
    folders = {"output": outputs, "input": source, "target": targets}
    files = [
        (role, folder / name) for role, folder in folders.items() if folder for name in list_images(folder)
    ]
    found, counts = Found(len(files)), dict.fromkeys(folders, 0)
    for role, path in tqdm(files, "evaluating", disable=None, unit="image"):
        try:
            pictures = {role: read(path).pixels} if role != "input" or maker is None else _both(path, maker)
        except DataError as error:
            found.rejected[str(path)] = str(error)
            continue
        for one, pixels in pictures.items():
            counts[one] += 1
            measures.sets.add(one, to_tensor(pixels).to(device))
    for role, key in (("output", "outputs" if outputs else "source"), ("target", "targets")):
        if counts[role] < 2:
            first = next(iter(found.rejected.values()), "")
            raise DataError(
                f"{key} has {counts[role]} usable images; a distance of sets needs 2 or more"
                + (f"; first that is not: {first}" if first else "")
            )
    add_sets(found, measures, counts["output"])
    return found


def _both(path: Path, maker: Maker) -> dict[str, Picture]:
    made = maker(path)
    return ({} if made.source is None else {"input": made.source}) | {"output": made.output}
