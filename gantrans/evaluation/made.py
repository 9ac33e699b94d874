"""What is measured where a model makes the outputs: a source and its output, file by file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrans.data.pixels import LABELS
from gantrans.errors import DataError
from gantrans.imaging.labels import read_labels
from gantrans.imaging.read import read
from gantrans.inference.predicted_mask import predicted_mask
from gantrans.inference.predictor import Predictor

Picture = np.ndarray  # (H, W, C) uint8 or uint16


@dataclass(frozen=True)
class Made:
    """The source of a file as a picture (None: it is none) and the output. `mask`: asks the model where it
    changed the source, (H, W, 1) uint8; None where it does not say."""

    source: Picture | None
    output: Picture
    mask: Callable[[], Picture | None]


Maker = Callable[[Path], Made]


def of_model(predictor: Predictor) -> Maker:
    """What makes outputs of files. A source of class indices is no picture, so it has no figures of its own.

    Raises DataError, when it is called, for a file that cannot be read or that the model cannot take.
    """

    def make(path: Path) -> Made:
        labelled = predictor.card.source_mode == LABELS
        pixels = read_labels(path) if labelled else read(path).pixels
        try:
            output = predictor(pixels)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        return Made(None if labelled else pixels, output, lambda: predicted_mask(predictor, pixels))

    return make
