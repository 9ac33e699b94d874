"""How soft the edges of a picture are: a number that falls with blur, and its curve to pixels of Gaussian."""

from __future__ import annotations

import math

import numpy as np

from gantrans.degrade.estimate_jpeg import luma
from gantrans.imaging.opencv import cv

_NARROW, _WIDE = 1.0, 2.0  # px; narrow enough to tell 0.5 px, wide enough to pass over noise
_CLEAR = 6.0  # standard deviations of the noise that is left
_FLAT = 2.0  # levels a pixel
_LEAST_EDGES = 60


def edge_ratio(pixels: np.ndarray, noise_levels: float = 0.0) -> float | None:
    """The median, over the stronger half of edges of (H, W, C) uint8, of the gradient after a narrow Gaussian
    over that after a wide one (Zhuo and Sim 2011, eq. 6); None where there are too few edges.

    A step blurred by sigma has sqrt((s^2 + w^2) / (s^2 + n^2)): 2 where sharp, towards 1. Thin lines have
    more, so that curves are made of pictures, not of this formula. Edges that noise could make are left out.
    """
    light = luma(pixels).astype(np.float32)
    gx, gy, narrow = _gradient(light, _NARROW)
    wide = _gradient(light, _WIDE)[2]
    # A component's standard deviation after white noise is blurred: 1 / (sqrt(8 pi) s^2) of the noise.
    clear = max(_FLAT, _CLEAR * noise_levels / (math.sqrt(8 * math.pi) * _NARROW**2))
    edges = _ridges(gx, gy, narrow) & (narrow > clear)
    if np.count_nonzero(edges) < _LEAST_EDGES:
        return None
    edges &= narrow >= np.median(narrow[edges])
    return float(np.median(narrow[edges] / np.maximum(wide[edges], 1e-3)))


def _gradient(light: np.ndarray, sigma_px: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right, down and length of the gradient (central differences) of a blurred plane, inside its border."""
    soft = cv().GaussianBlur(light, (0, 0), sigma_px, borderType=cv().BORDER_REFLECT_101)
    right = (soft[1:-1, 2:] - soft[1:-1, :-2]) / 2
    down = (soft[2:, 1:-1] - soft[:-2, 1:-1]) / 2
    return right, down, np.hypot(right, down)


def _ridges(right: np.ndarray, down: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Where the gradient is longest among its neighbours across the edge."""
    inner, ridges = length[1:-1, 1:-1], np.zeros(length.shape, bool)
    level = (np.abs(right) >= np.abs(down))[1:-1, 1:-1]
    across = (inner >= length[1:-1, :-2]) & (inner >= length[1:-1, 2:])
    along = (inner >= length[:-2, 1:-1]) & (inner >= length[2:, 1:-1])
    ridges[1:-1, 1:-1] = np.where(level, across, along)
    return ridges


def sigma_of(ratio: float, sigmas_px: np.ndarray, curve: np.ndarray) -> float:
    """The blur at which a curve of ratios, one a sigma (rising), reaches `ratio`; ends are cut off."""
    falling = np.minimum.accumulate(curve)
    return float(np.interp(-ratio, -falling, sigmas_px))
