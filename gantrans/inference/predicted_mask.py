"""Where a model says that it changed a picture, if it is one that says so (nets/remover.py)."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from gantrans.data.pixels import LABELS
from gantrans.imaging import ranges
from gantrans.inference.predictor import Predictor


class _MaskPredictor(Predictor):
    """Answers with the mask in the place of the picture: any size, in tiles where memory asks for them."""

    def predict_x01(self, source_x01: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> the mask (N, 1, H, W), 0 to 1, float32."""
        with torch.inference_mode(), self.core.autocast:
            x11 = ranges.x11_from_x01(source_x01.to(self.core.device))
            mask = self.network.predict_mask(x11.contiguous(memory_format=self.core.memory_format))  # type: ignore[operator]
        return mask.float()


# One a predictor: what a pixel takes is measured once, and messages come once.
_known: WeakKeyDictionary[Predictor, _MaskPredictor] = WeakKeyDictionary()


def predicts_mask(predictor: Predictor) -> bool:
    """Whether `predicted_mask` has an answer: not of class maps, nor where the picture is enlarged first."""
    card = predictor.card
    able = callable(getattr(predictor.network, "predict_mask", None))
    return able and card.source_mode != LABELS and card.scale == 1


def predicted_mask(predictor: Predictor, pixels: np.ndarray) -> np.ndarray | None:
    """pixels (H, W, C) uint8 or uint16, of any mode -> (H, W, 1) uint8, from 0, left as it was, to 255,
    replaced; None where the model predicts no mask.

    It is the network's answer at one look, whatever the predictor averages over; in tiles as the predictor's.
    Raises DataError where memory runs out and the picture cannot be cut.
    """
    if not predicts_mask(predictor):
        return None
    if predictor not in _known:
        card = replace(predictor.card, target_mode="grey", outside="output")
        _known[predictor] = _MaskPredictor(predictor.network, card, predictor.core, tile=predictor.tile)
    mask = _known[predictor](pixels)
    return mask if mask.dtype == np.uint8 else ranges.from_x01(ranges.to_x01(mask), np.uint8)
