"""The screen of a printing press: tones as dots of varying size."""

from __future__ import annotations

import functools
import math

import numpy as np

from gantrans.imaging import opencv, ranges

ANGLES_DEG = (15.0, 75.0, 0.0, 45.0)  # cyan, magenta, yellow, black, as presses turn them against moire
BLACK_SHARE = 0.7  # of the ink that three colours have in common, how much black replaces


def halftone(pixels: np.ndarray, period_px: float, angle_deg: float) -> np.ndarray:
    """(H, W, 1 or 3) uint8 or x01 printed with dots `period_px` apart, all screens turned by `angle_deg`.

    Grey in black alone, at 45 degrees; colour in four inks. Even areas keep their mean: dots cover the share
    of paper that the tone asks for; inks at different angles cover each other by chance (Demichel 1924).
    """
    height, width, channels = pixels.shape
    x01 = ranges.to_x01(pixels) if pixels.dtype == np.uint8 else pixels
    screens = [_thresholds(*ink) for ink in zip(*waves(height, width, period_px, angle_deg), strict=True)]
    hard = np.float32(max(1.0, period_px / 2))  # so that the edge of a dot is about a pixel wide
    if channels == 1:
        printed = 1 - _dots(1 - x01[..., 0], screens[3], hard)[..., None]
    else:
        black = np.float32(BLACK_SHARE) * (1 - x01.max(axis=2))
        paper = 1 - _dots(black, screens[3], hard)
        left = 1 - black
        inks = [1 - x01[..., i] / left for i in range(3)]
        printed = np.stack([(1 - _dots(inks[i], screens[i], hard)) * paper for i in range(3)], axis=2)
    return ranges.from_x01(printed, np.uint8) if pixels.dtype == np.uint8 else printed


def _dots(ink: np.ndarray, thresholds: np.ndarray, hard: np.float32) -> np.ndarray:
    """How much of each pixel a dot covers: 0 where there is no ink, 1 where it is full."""
    soft = np.float32(0.5) / hard  # the reach of soft edges, which at both ends would shift the mean
    low = np.sqrt(np.clip(ink, 0, soft) * (4 * soft)) - soft
    high = 1 + soft - np.sqrt(np.clip(1 - ink, 0, soft) * (4 * soft))
    cut = np.where(ink < soft, low, np.where(ink > 1 - soft, high, ink))
    dots = (cut - thresholds) * hard + np.float32(0.5)
    return np.clip(dots, 0, 1, out=dots)


def waves(height: int, width: int, period_px: float, angle_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """What the four screens are made of: cosines and sines across (4, 2, 2, W) and down (4, 2, 2, H) of each
    ink's two waves, float32."""
    across, down = [], []
    for ink in ANGLES_DEG:
        angle, pace = math.radians(ink + angle_deg), 2 * math.pi / period_px
        for turned in (angle, angle + math.pi / 2):
            x = np.arange(width) * pace * math.cos(turned)
            y = np.arange(height) * pace * math.sin(turned)
            across.append((np.cos(x), np.sin(x)))
            down.append((np.cos(y), np.sin(y)))
    shape = (len(ANGLES_DEG), 2, 2, -1)
    return np.array(across, np.float32).reshape(shape), np.array(down, np.float32).reshape(shape)


def _thresholds(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(H, W) float32 of one ink, all of 0..1 equally often, rising from the middle of each dot outwards."""
    crests = [  # cos(down + across)
        np.outer(cos_y, cos_x) - np.outer(sin_y, sin_x)
        for (cos_x, sin_x), (cos_y, sin_y) in zip(across, down, strict=True)
    ]
    spot = (crests[0] + crests[1]) * np.float32(63.75) + np.float32(128)
    return opencv.look_up(spot.astype(np.uint8), ranks())


@functools.cache
def ranks() -> np.ndarray:
    """Which share of a screen has a lower spot value, for each of 256: makes thresholds equally frequent."""
    wave = np.cos((np.arange(1024) + 0.5) * (2 * np.pi / 1024))
    spot = ((wave[:, None] + wave) * 63.75 + 128).astype(np.uint8)
    counts = np.bincount(spot.ravel(), minlength=256)
    return ((np.cumsum(counts) - counts / 2) / counts.sum()).astype(np.float32)
