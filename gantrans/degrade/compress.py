"""Lossy compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from gantrans.degrade.base import Amount, Params, interval
from gantrans.errors import DataError
from gantrans.imaging import ranges

_MAX_SIDE = 65500  # of libjpeg


class Jpeg:
    """To JPEG and back, at `quality` 1..100 with halved colour resolution (4:2:0); leaves 8 bits."""

    scale = 1

    def __init__(self, quality: Amount = (10, 70)) -> None:
        self.quality = interval("quality", quality, 1, 100, whole=True)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"quality": self.quality.draw_whole(rng)}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        if max(x01.shape[:2]) > _MAX_SIDE:
            raise DataError(
                f"{x01.shape[1]}x{x01.shape[0]} is too large for JPEG, at most {_MAX_SIDE} a side"
            )
        u8 = ranges.from_x01(x01, np.uint8)
        stream = io.BytesIO()
        image = Image.fromarray(u8[..., 0] if u8.shape[2] == 1 else u8)
        image.save(stream, format="JPEG", quality=params["quality"], subsampling=2)
        with Image.open(stream, formats=("JPEG",)) as decoded:
            return ranges.to_x01(np.asarray(decoded).reshape(u8.shape))
