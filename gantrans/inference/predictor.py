"""Applies a generator to one picture of any size. Validation, samples and `translate` all go through here,
so what training reports is what a user gets."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gantrans.core.device import Core
from gantrans.data import masks
from gantrans.data.pixels import LABELS
from gantrans.imaging import colour, filters, ranges
from gantrans.imaging.labels import one_hot
from gantrans.inference.bundle import Card
from gantrans.nets.norm import set_norm_statistics


class Predictor:
    """pixels (H, W, C) uint8 or uint16 -> pixels (H * scale, W * scale, C') of the same dtype.

    Label maps, on either side, are (H, W, 1) uint8: the class of each pixel.
    """

    def __init__(self, network: nn.Module, card: Card, core: Core) -> None:
        self.network = core.place(network).eval()
        self.card = card
        self.core = core
        set_norm_statistics(self.network, card.norm_statistics)

    def __call__(self, pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Translate one picture. Values outside the range are clipped, then rounded to the nearest level.

        mask (H, W, 1) uint8, 0 untouched to 255 hidden: what models with one need, else ValueError, as for a
        class that the model does not know. Where it
        is 0, the pixels are the source's, bit for bit, if the card says outside="copy".
        """
        given = self._to_mode(pixels)
        x01 = ranges.to_x01(self._planes(given) if self.card.source_mode == LABELS else given)
        if self.card.scale > 1 and not self.card.enlarges:
            height, width = (side * self.card.scale for side in x01.shape[:2])
            x01 = filters.resize(x01, height, width, "bicubic")
        if self.card.mask == "input":
            if mask is None:
                raise ValueError("this model was trained with masks, and none was given")
            plane = ranges.to_x01(masks.resized(mask, *x01.shape[:2]))
            x01 = np.concatenate([x01, plane], axis=2)
        source = torch.from_numpy(np.ascontiguousarray(x01)).permute(2, 0, 1)[None]
        y01 = self.predict_x01(source)[0].permute(1, 2, 0).cpu().numpy()
        if self.card.target_mode == LABELS:
            return y01.argmax(2, keepdims=True).astype(np.uint8)
        output = ranges.from_x01(y01, np.uint8 if self.card.source_mode == LABELS else pixels.dtype)
        copied = mask is not None and self.card.outside == "copy"
        return np.where(mask > 0, output, given) if copied else output  # type: ignore[operator]

    def predict_x01(self, source_x01: Tensor) -> Tensor:
        """A batch (N, C, H, W) in [0, 1] -> the same range, clipped, float32, on the run's device."""
        with torch.inference_mode(), self.core.autocast:
            x11 = ranges.x11_from_x01(source_x01.to(self.core.device))
            output = self.network(x11.contiguous(memory_format=self.core.memory_format))
        return ranges.x01_from_x11(output.float()).clamp_(0, 1)

    def _planes(self, labels: np.ndarray) -> np.ndarray:
        strange = set(np.unique(labels).tolist()) - {*range(self.card.classes), *self.card.ignore}
        if strange:
            raise ValueError(
                f"holds class {min(strange)}, but this model knows 0 to {self.card.classes - 1}"
                + (f" (and {list(self.card.ignore)} for none)" if self.card.ignore else "")
            )
        return one_hot(labels, self.card.classes)

    def _to_mode(self, pixels: np.ndarray) -> np.ndarray:
        if self.card.source_mode == LABELS:
            return pixels
        return colour.to_rgb(pixels) if self.card.source_mode == "rgb" else colour.to_grey(pixels)
