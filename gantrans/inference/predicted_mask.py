"""Where a model says that it changed a picture, if it is one that says so (nets/remover.py)."""

from __future__ import annotations

import numpy as np
import torch

from gantrans.data.pixels import LABELS
from gantrans.imaging import ranges
from gantrans.inference.predictor import Predictor


def predicts_mask(predictor: Predictor) -> bool:
    """Whether `predicted_mask` has an answer: not of class maps, nor where the picture is enlarged first."""
    card = predictor.card
    able = callable(getattr(predictor.network, "predict_mask", None))
    return able and card.source_mode != LABELS and card.scale == 1


def predicted_mask(predictor: Predictor, pixels: np.ndarray) -> np.ndarray | None:
    """pixels (H, W, C) uint8 or uint16, of the mode that the model takes -> (H, W, 1) uint8, from 0, left as
    it was, to 255, replaced; None where the model predicts no mask.

    It is the network's answer at one look, whatever the predictor averages over.
    """
    if not predicts_mask(predictor):
        return None
    x01 = torch.from_numpy(np.ascontiguousarray(ranges.to_x01(pixels))).permute(2, 0, 1)[None]
    with torch.inference_mode(), predictor.core.autocast:
        x11 = ranges.x11_from_x01(x01.to(predictor.core.device))
        x11 = x11.contiguous(memory_format=predictor.core.memory_format)
        mask = predictor.network.predict_mask(x11)  # type: ignore[operator]
    return ranges.from_x01(mask[0].float().permute(1, 2, 0).cpu().numpy(), np.uint8)
