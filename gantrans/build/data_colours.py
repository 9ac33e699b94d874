"""Before a run that makes colour of grey: whether its targets have any."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import torch
from omegaconf import DictConfig
from tqdm import tqdm

from gantrans.data.pixels import View
from gantrans.errors import DataError
from gantrans.imaging import ranges, sheet
from gantrans.metrics.colours import colourfulness
from gantrans.training.validate import spread

SAMPLE = 12  # targets that are looked at
GREY = 2.0  # colourfulness below which a picture counts as grey; JPEG alone reaches 1, a misty photo has 5
_EACH = 8  # every so many pixels are enough


def check_colours(config: DictConfig, targets: Sequence[View]) -> None:
    """Look at a few targets of a run from grey to colour; a line on stderr where most of them are grey.

    Raises DataError where all are: nothing could be learned, and every output would be measured as perfect.
    """
    data = config.data
    if (data.source_mode, data.target_mode) != ("grey", "rgb"):
        return
    looked = [targets[index] for index in spread(len(targets), SAMPLE)]
    found = [view for view in tqdm(looked, "looking for colours", disable=None, delay=2) if _is_grey(view)]
    if not found:
        return
    said = f"{len(found)} of {len(looked)} targets that were looked at are grey, as {found[0].path}"
    if len(found) == len(looked):
        raise DataError(
            f"{said}; colours are learned from colour photos: give a folder of these as data.root "
            "(unpaired: as data.targets)"
        )
    if len(found) > len(looked) / 2:
        print(f"note      {said}; outputs will be pale: take these out", file=sys.stderr, flush=True)


def _is_grey(view: View) -> bool:
    pixels = view.of(view.decode())[::_EACH, ::_EACH]
    x01 = ranges.to_x01(np.ascontiguousarray(sheet.to_u8_rgb(pixels)))
    return float(colourfulness(torch.from_numpy(x01).permute(2, 0, 1)[None])) < GREY
