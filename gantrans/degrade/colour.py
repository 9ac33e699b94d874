"""Colour and tone: no colour, faded, tinted, too light or dark. Grey pictures stay grey in all of them."""

from __future__ import annotations

import math

import numpy as np

from gantrans.degrade.base import Amount, Params, interval
from gantrans.imaging import colour, opencv, screen, tone

GREYS = ("luma", "lightness")


class Gray:
    """Without colour, in as many equal channels as there were, by BT.601 luma, or by `lightness`: the grey
    that has the L of CIELAB that the colour had."""

    scale = 1
    takes_u8 = True

    def __init__(self, by: str = "luma") -> None:
        if by not in GREYS:
            raise ValueError(f"by={by}: accepted is one of {', '.join(GREYS)}")
        self.by = by

    def sample(self, rng: np.random.Generator) -> Params:
        return {}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        if pixels.shape[2] == 1:
            return pixels
        return colour.to_rgb(colour.to_grey(pixels) if self.by == "luma" else tone.same_lightness(pixels))


class _Amount:
    """One drawn number, called `name` in recipe and manifest."""

    scale = 1
    takes_u8 = True

    def __init__(self, name: str, amount: Amount, low: float, high: float) -> None:
        self.name = name
        self.amount = interval(name, amount, low, high)

    def sample(self, rng: np.random.Generator) -> Params:
        return {self.name: self.amount.draw(rng)}


class Sepia(_Amount):
    """Toned brown as old prints are, by `amount` 0..1: black stays black, white turns to cream."""

    def __init__(self, amount: Amount = (0.6, 1.0)) -> None:
        super().__init__("amount", amount, 0, 1)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        amount = params["amount"]
        powers = 1 + amount * np.array([-0.22, 0.04, 0.32])  # shadows warm more than lights
        white = 1 - amount * np.array([0.02, 0.06, 0.2])
        if pixels.shape[2] == 1:
            return tone.curve(pixels, lambda y: ((y**powers * white) @ tone.LUMA)[..., None])
        toned = tone.matrix(pixels, tone.saturation(1 - amount))
        return tone.curve(toned, lambda y: y**powers * white)


class Fading(_Amount):
    """Bleached by light, by `amount` 0..1: blacks lift to grey and brown, colours and contrast go."""

    def __init__(self, amount: Amount = (0.2, 0.7)) -> None:
        super().__init__("amount", amount, 0, 1)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        amount = params["amount"]
        dull = tone.matrix(pixels, tone.saturation(1 - 0.7 * amount))
        tint = np.array([0.36, 0.31, 0.26]) if pixels.shape[2] == 3 else np.array([0.32])
        black, white = (
            amount * tint,
            1 - 0.06 * amount,
        )  # dyes go in the shadows first: magenta and yellow stay
        return tone.curve(dull, lambda x: black + (white - black) * x)


class ColourCast:
    """The wrong light: channels of linear light multiplied apart, brightness of grey kept.

    `strength` is the largest gain in stops, `hue_deg` the colour it turns to: 0 red, 120 green, 240 blue.
    """

    scale = 1
    takes_u8 = True

    def __init__(self, strength: Amount = (0.2, 0.8), hue_deg: Amount = (0.0, 360.0)) -> None:
        self.strength = interval("strength", strength, 0, 4)
        self.hue_deg = interval("hue_deg", hue_deg, -360, 360)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"strength": self.strength.draw(rng), "hue_deg": self.hue_deg.draw(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        if pixels.shape[2] == 1:
            return pixels
        turns = math.radians(params["hue_deg"]) - np.array([0, 2, 4]) * math.pi / 3
        gains = 2.0 ** (params["strength"] * np.cos(turns))
        gains /= gains @ np.array([0.2126, 0.7152, 0.0722])  # luminance of light, ITU-R BT.709-6, 3.2
        return tone.curve(pixels, lambda x: tone.srgb_from_linear(tone.linear_from_srgb(x) * gains))


class Exposure(_Amount):
    """Too much light or too little: linear light times 2^`stops`, cut off at white."""

    def __init__(self, stops: Amount = (-2.0, 1.2)) -> None:
        super().__init__("stops", stops, -8, 8)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        gain = 2.0 ** params["stops"]
        return tone.curve(pixels, lambda x: tone.srgb_from_linear(tone.linear_from_srgb(x) * gain))


class Gamma(_Amount):
    """x^`gamma`: above 1 middle tones darken, below 1 they lighten; black and white stay."""

    def __init__(self, gamma: Amount = (0.5, 2.0)) -> None:
        super().__init__("gamma", gamma, 0.1, 10)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return tone.curve(pixels, lambda x: np.maximum(x, 0) ** params["gamma"])


class LowContrast(_Amount):
    """Only `contrast` 0..1 of each value's distance from the picture's mean luma, which stays."""

    def __init__(self, contrast: Amount = (0.25, 0.7)) -> None:
        super().__init__("contrast", contrast, 0, 1)

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        weights = tone.LUMA if pixels.shape[2] == 3 else np.ones(1)
        middle = float(opencv.channel_means(pixels) @ weights) / (255 if pixels.dtype == np.uint8 else 1)
        return tone.curve(pixels, lambda x: middle + (x - middle) * params["contrast"])


class Halftone:
    """Printed: dots `period_px` apart, in black, or in four inks where there is colour."""

    scale = 1
    takes_u8 = True

    def __init__(self, period_px: Amount = (3.0, 7.0), angle_deg: Amount = (0.0, 90.0)) -> None:
        self.period_px = interval("period_px", period_px, 2, 64)
        self.angle_deg = interval("angle_deg", angle_deg, -360, 360)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"period_px": self.period_px.draw(rng), "angle_deg": self.angle_deg.draw(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return screen.halftone(pixels, params["period_px"], params["angle_deg"])
