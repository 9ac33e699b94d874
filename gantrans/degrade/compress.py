"""Lossy compression: JPEG, WebP, few levels. JPEG twice is two steps of a recipe."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from gantrans import draws
from gantrans.degrade.base import Amount, Params, interval, probability
from gantrans.errors import DataError
from gantrans.imaging import jpeg, opencv, ranges

_MAX_SIDES = {"JPEG": 65500, "WEBP": 16383}  # of libjpeg and libwebp
_BAYER = 8  # side of the dither pattern


class Jpeg:
    """To JPEG and back, at `quality` 1..100 with halved colour resolution (4:2:0); leaves 8 bits."""

    scale = 1
    takes_u8 = True

    def __init__(self, quality: Amount = (10, 70)) -> None:
        self.quality = interval("quality", quality, 1, 100, whole=True)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"quality": self.quality.draw_whole(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return _there_and_back(pixels, "JPEG", quality=params["quality"], subsampling=2)

    def stream(self, u8: np.ndarray, params: Params) -> bytes:
        """The file that `forward` decodes, for those who want to keep it as it is."""
        return _encoded(u8, "JPEG", quality=params["quality"], subsampling=2).getvalue()


class Webp:
    """To lossy WebP and back, at `quality` 0..100: smeared rather than blocky; leaves 8 bits."""

    scale = 1
    takes_u8 = True

    def __init__(self, quality: Amount = (5, 70)) -> None:
        self.quality = interval("quality", quality, 0, 100, whole=True)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"quality": self.quality.draw_whole(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        # Method 2 of 0..6: half the time of the usual 4.
        return _there_and_back(pixels, "WEBP", quality=params["quality"], method=2)


class Quantise:
    """Only `levels` values a channel, evenly spaced; with chance `dither` in an 8x8 pattern (Bayer 1973)."""

    scale = 1
    takes_u8 = True

    def __init__(self, levels: Amount = (4, 24), dither: float = 0.5) -> None:
        self.levels = interval("levels", levels, 2, 256, whole=True)
        self.dither = probability("dither", dither)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "levels": self.levels.draw_whole(rng),
            "dither": draws.uniform(rng, 0, 1) < self.dither,
        }

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        steps = params["levels"] - 1
        height, width = pixels.shape[:2]
        if not params["dither"]:
            thresholds = np.full((1, 1), 32, np.int16)
        else:
            repeats = (-(-height // _BAYER), -(-width // _BAYER))
            thresholds = np.tile(bayer(), repeats)[:height, :width]
        if pixels.dtype == np.uint8:
            return _quantised_u8(pixels, steps, thresholds)
        lifted = pixels * np.float32(steps) + ((63.5 - thresholds) / 64).astype(np.float32)[..., None]
        return np.floor(np.clip(lifted, 0, steps)).astype(np.float32) / np.float32(steps)


def bayer() -> np.ndarray:
    """The (8, 8) order of ordered dithering, 0..63 int16 (Bayer 1973)."""
    order = np.zeros((1, 1), np.int16)
    while len(order) < _BAYER:
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    return order


def _quantised_u8(u8: np.ndarray, steps: int, thresholds: np.ndarray) -> np.ndarray:
    """A level goes up where the rest of it, in 64ths, exceeds the threshold; all by look-up."""
    exact = np.arange(256) * steps / 255
    floor = np.floor(exact).astype(np.uint8)
    rest = np.floor((exact - floor) * 64 + 0.5).astype(np.uint8)
    values = ranges.from_x01(np.minimum(np.arange(256), steps) / np.float32(steps), np.uint8)
    up = opencv.look_up(u8, rest) > thresholds.astype(np.uint8)[..., None]
    return opencv.look_up(opencv.look_up(u8, floor) + up.view(np.uint8), values)


def _there_and_back(pixels: np.ndarray, form: str, **options: Any) -> np.ndarray:
    """Through a file of that format in memory; float is rounded to 8 bits. DataError where too large."""
    u8 = pixels if pixels.dtype == np.uint8 else ranges.from_x01(pixels, np.uint8)
    stream = _encoded(u8, form, **options)
    if form == "JPEG" and u8.shape[2] == 3:
        made = jpeg.samples(stream.getbuffer())
        return made if pixels.dtype == np.uint8 else ranges.to_x01(made)
    with Image.open(stream, formats=(form,)) as decoded:
        plain = decoded.convert("L" if u8.shape[2] == 1 else "RGB")  # WebP has no grey
        made = np.asarray(plain).reshape(u8.shape)
    return made if pixels.dtype == np.uint8 else ranges.to_x01(made)


def _encoded(u8: np.ndarray, form: str, **options: Any) -> io.BytesIO:
    height, width, channels = u8.shape
    if max(height, width) > _MAX_SIDES[form]:
        name = {"JPEG": "JPEG", "WEBP": "WebP"}[form]
        raise DataError(f"{width}x{height} is too large for {name}, at most {_MAX_SIDES[form]} a side")
    stream = io.BytesIO()
    Image.fromarray(u8[..., 0] if channels == 1 else u8).save(stream, format=form, **options)
    return stream
