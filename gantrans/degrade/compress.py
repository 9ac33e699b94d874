"""Lossy compression: JPEG, WebP, few levels. JPEG twice is two steps of a recipe."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from gantrans import draws
from gantrans.degrade.base import Amount, Params, interval, probability
from gantrans.errors import DataError
from gantrans.imaging import jpeg, opencv, ranges

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
        u8 = _u8(pixels)
        if u8.shape[2] == 1:
            made = _decoded(io.BytesIO(self.stream(u8, params)), "JPEG", 1)
        else:
            made = jpeg.samples(self.stream(u8, params))
        return made if pixels.dtype == np.uint8 else ranges.to_x01(made)

    def stream(self, u8: np.ndarray, params: Params) -> bytes:
        """The file that `forward` decodes, for those who want to keep it as it is."""
        _check_size(u8, "JPEG", 65500)
        return jpeg.encoded(np.ascontiguousarray(u8), params["quality"])


class Webp:
    """To lossy WebP and back, at `quality` 0..100: smeared rather than blocky; leaves 8 bits."""

    scale = 1
    takes_u8 = True

    def __init__(self, quality: Amount = (5, 70)) -> None:
        self.quality = interval("quality", quality, 0, 100, whole=True)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"quality": self.quality.draw_whole(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        u8 = _u8(pixels)
        _check_size(u8, "WebP", 16383)
        stream = io.BytesIO()
        image = Image.fromarray(u8[..., 0] if u8.shape[2] == 1 else u8)
        image.save(
            stream, "WEBP", quality=params["quality"], method=2
        )  # of 0..6: half the time of the usual 4
        made = _decoded(stream, "WEBP", u8.shape[2])
        return made if pixels.dtype == np.uint8 else ranges.to_x01(made)


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


def _u8(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else ranges.from_x01(pixels, np.uint8)


def _check_size(u8: np.ndarray, name: str, longest: int) -> None:
    height, width = u8.shape[:2]
    if max(height, width) > longest:
        raise DataError(f"{width}x{height} is too large for {name}, at most {longest} a side")


def _decoded(stream: io.BytesIO, form: str, channels: int) -> np.ndarray:
    with Image.open(stream, formats=(form,)) as opened:
        plain = opened.convert("L" if channels == 1 else "RGB")  # WebP has no grey
        return np.asarray(plain).reshape(plain.height, plain.width, channels)
