"""Stains: rings of cups, blots, tide lines of water, splashes; dyes with uneven edges."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer
from gantrans.imaging.opencv import cv

_DRAWN_PX = 420  # larger stains are drawn at this size and scaled: they are soft
KINDS = ("ring", "blot", "tide", "splash")
# What a thick stain lets through, RGB x01: coffee, tea, ink, rust, damp.
_DYES = {
    "coffee": (0.32, 0.19, 0.09),
    "tea": (0.62, 0.42, 0.18),
    "ink": (0.10, 0.12, 0.32),
    "rust": (0.55, 0.27, 0.10),
    "damp": (0.52, 0.44, 0.28),
}
_USUAL = {"ring": ("coffee", "tea"), "blot": ("ink", "rust", "coffee"), "tide": ("damp", "tea"),
          "splash": ("coffee", "ink", "tea")}  # fmt: skip


class Stain(Mark):
    """A stain of one of `kinds`; `size` is its diameter relative to the shorter side.

    It darkens by a dye, densest at its edge, where a drying drop leaves most of what it carried (Deegan et
    al. 1997, Nature 389, 827), and is dull itself, so that it shows on dark parts, too.
    """

    def __init__(
        self, size: Amount = (0.25, 0.7), opacity: Amount = (0.4, 0.9), kinds: Choice = KINDS
    ) -> None:
        self.size = interval("size", size, 0.01, 3)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.kinds = choices("kinds", kinds, KINDS)

    def sample(self, rng: np.random.Generator) -> Params:
        kind = draw_choice(rng, self.kinds)
        return {
            "kind": kind,
            "dye": draw_choice(rng, _USUAL[kind]),
            "at": [draws.uniform(rng, 0.1, 0.9), draws.uniform(rng, 0.1, 0.9)],
            "size": self.size.draw(rng),
            "opacity": self.opacity.draw(rng),
            "seed": draw_seed(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        rng = draws.generator("stain", params["seed"])
        radius = max(1.0, params["size"] * min(height, width) / 2)
        side = math.ceil(radius * 2.8)
        small = min(side, _DRAWN_PX)
        if params["kind"] == "splash":
            alpha = _splash(rng, small)
        else:
            alpha = _dried(rng, small, radius * small / side, params["kind"])
        alpha = cv().resize(alpha, (side, side))
        left, top = (round(at * n - side / 2) for at, n in zip(params["at"], (width, height), strict=True))
        place = {"top": top, "left": left, "opacity": params["opacity"]}
        dye, dull = _DYES[params["dye"]], {**place, "opacity": 0.22 * params["opacity"]}
        haze = [0.25 + 0.6 * channel for channel in dye]
        size = (height, width)
        return [layer(size, alpha, dye, dye=True, **place), layer(size, alpha, haze, **dull)]


def _dried(rng: np.random.Generator, side: int, radius: float, kind: str) -> np.ndarray:
    """Density over a square of `side` pixels, from the distance to a wavy outline in units of the radius."""
    axis = (np.arange(side, dtype=np.float32) + np.float32(0.5 - side / 2)) / np.float32(radius)
    waves = drawing.rough_noise(rng, side, side, 3 if kind != "ring" else 2, 4) - np.float32(0.5)
    amount = np.float32({"ring": 0.12, "blot": 0.8, "tide": 1.0}[kind])
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2) - 1 + amount * waves
    uneven = drawing.smooth_noise(rng, side, side, 7)
    profile = {"ring": _ring_profile, "blot": _blot_profile, "tide": _tide_profile}[kind](rng, radius)
    steps = np.clip((distance + 1) * np.float32(511), 0, 1023).astype(np.int16)
    density = profile[steps]
    if kind == "ring":  # a cup stands unevenly, so its ring is thick on one side and thin or absent opposite
        turn, weight = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 0.9)
        tilt = np.float32(math.cos(turn)) * axis[None, :] + np.float32(math.sin(turn)) * axis[:, None]
        density *= np.clip(1 + np.float32(weight) * tilt * (0.4 + uneven), 0, 1)
    grain = drawing.smooth_noise(rng, side, side, 60)
    return drawing.u8(density * (0.55 + 0.35 * uneven + 0.2 * grain))


def _distances() -> np.ndarray:
    return np.linspace(-1, 1, 1024)


def _edge(radius: float) -> np.ndarray:
    """1 inside, 0 outside, over a pixel and a half."""
    return np.clip(0.5 - _distances() * radius / 1.5, 0, 1)


def _ring_profile(rng: np.random.Generator, radius: float) -> np.ndarray:
    d, thick = _distances(), rng.uniform(0.05, 0.12)
    band = np.clip((d + thick) * radius / 3, 0, 1) * _edge(radius)
    inner = (
        0.55
        + 0.45 * np.exp(-((d / (thick * 0.35)) ** 2))
        + 0.3 * np.exp(-(((d + thick) / (thick * 0.25)) ** 2))
    )
    wash = 0.10 * rng.random() * (d < -thick) * np.clip((d + 1) * 2, 0, 1)
    return (band * inner + wash).astype(np.float32)


def _blot_profile(rng: np.random.Generator, radius: float) -> np.ndarray:
    d, rim = _distances(), rng.uniform(0.02, 0.05)
    return (_edge(radius) * (0.7 + 0.5 * np.exp(-np.abs(d) / rim))).astype(np.float32)


def _tide_profile(rng: np.random.Generator, radius: float) -> np.ndarray:
    """Faint inside, a brown line at its rim, sometimes an older line further in."""
    d, older = _distances(), rng.uniform(-0.5, -0.2)
    line = np.exp(-np.abs(d) / 0.03) + 0.4 * np.exp(-np.abs(d - older) / 0.05) * (d < older) * (
        rng.random() < 0.6
    )
    return (_edge(radius) * (0.16 + 0.75 * line + 0.2 * np.exp(-np.abs(d) / 0.25))).astype(np.float32)


def _splash(rng: np.random.Generator, side: int) -> np.ndarray:
    """Drops thrown along one direction: large ones near the middle, small ones far off."""
    alpha, body = drawing.sheet(side, side), drawing.sheet(side, side)
    turn = rng.uniform(0, 2 * math.pi)
    stretch = rng.uniform(1.0, 1.5)
    for _ in range(int(rng.integers(12, 45))):
        far = rng.random() ** 0.8
        way = turn + rng.normal(0, 0.9)
        at = side / 2 + 0.46 * side * far * np.array([math.cos(way), math.sin(way)])
        radius = side * 0.05 * math.exp(rng.normal(-0.7, 0.6)) * (1.2 - far)
        outline = radius * _drop(rng, turn, stretch)
        drawing.polygon(alpha, outline + at)
        drawing.polygon(body, outline * 0.86 + at)
    cv2 = cv()
    soft = cv2.GaussianBlur(body, (0, 0), max(0.5, side * 0.006))
    return cv2.subtract(alpha, cv2.convertScaleAbs(soft, alpha=0.3))


def _drop(rng: np.random.Generator, turn: float, stretch: float) -> np.ndarray:
    turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    reach = 1 + 0.06 * np.cos(3 * turns + rng.uniform(0, 6)) + 0.04 * np.cos(5 * turns + rng.uniform(0, 6))
    x, y = stretch * reach * np.cos(turns), reach * np.sin(turns)
    return np.stack([x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)], 1)
