"""Measures class maps against class maps: every pixel's class by one confusion matrix."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from tqdm import tqdm

from gantrans.errors import DataError
from gantrans.evaluation.evaluate import Found
from gantrans.evaluation.made import Maker, Picture
from gantrans.evaluation.plan import Case, Plan
from gantrans.imaging import sheet
from gantrans.imaging.labels import Palette, coloured, palette, read_labels
from gantrans.metrics.labels import Confusion, scores


def evaluate_labels(
    plan: Plan, classes: int, ignore: Collection[int], worst: int, maker: Maker | None = None
) -> Found:
    """pixel_accuracy, class_accuracy and mean_iou over all pixels of all images (`means`), and of each image.

    `maker` makes the class map of a source where a case has no output.
    A file that is no class map, has classes out of range or another size costs only itself. Raises DataError
    where nothing could be measured.
    """
    found, confusion = Found(plan.found, rejected=dict(plan.rejected)), Confusion(classes, ignore)
    colours = palette(classes)
    for case in tqdm(plan.cases, "evaluating", disable=None, unit="image"):
        try:
            values, row = _measured(case, confusion, colours, maker)
        except DataError as error:
            found.rejected[case.stem] = str(error)
            continue
        found.images[case.stem] = values
        found.keep(case.stem, values["pixel_accuracy"], row, worst, higher=True)
    found.close()
    found.means = confusion.result()
    return found


def _measured(
    case: Case, confusion: Confusion, colours: Palette, maker: Maker | None
) -> tuple[dict[str, float], list[Picture]]:
    shown: list[Picture] = []
    if case.output is None:
        assert maker is not None and case.source is not None
        made = maker(case.source)
        output = made.output
        shown += [] if made.source is None else [sheet.to_u8_rgb(made.source)]
    else:
        output = read_labels(case.output)
    target = read_labels(case.target)
    try:
        added = confusion.add(output, target)
    except ValueError as error:
        raise DataError(f"{case.output or case.source} against {case.target}: {error}") from error
    counts = (output != target) & ~np.isin(target, confusion.ignore)
    wrong = coloured(counts.astype(np.uint8), ((0, 0, 0), (255, 255, 255)))
    return scores(added), [*shown, coloured(output, colours), coloured(target, colours), wrong]
