"""Geometry that multiplies a small set: clean images are mirrored, turned, scaled, sheared and bent at will.

It happens before degrading, so source and target stay aligned. Where a turned picture would show what lies
beyond its border, its mirror image is seen: no corner is black.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gantrans import draws
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.opencv import cv

Box = tuple[int, int, int, int]  # left, top, width, height, px
Drawn = dict[str, Any]
_CELLS = 4  # warp: a mesh of 4 x 4 cells, whose corners are shifted
_MARGIN = 3  # px that a bicubic sample needs around it
_MAX_SIDE = 32766  # of cv2.remap, whose sizes are 16 bit


@dataclass(frozen=True)
class OfflineAugment:
    """What may be drawn: mirroring (each with probability 1/2), an angle in +-`rotate_deg`, a magnification
    in `scale`, a shear in +-`shear_deg`, and shifts of a 4x4 mesh's corners by +-`warp` of the sides."""

    flip_x: bool = False
    flip_y: bool = False
    rotate_deg: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shear_deg: float = 0.0
    warp: float = 0.0

    @staticmethod
    def of(found: Mapping[str, Any]) -> OfflineAugment:
        """From plain config values; `scale` a number or [low, high]. Raises ConfigError."""
        accepted = [field.name for field in fields(OfflineAugment)]
        for key in found:
            if key not in accepted:
                raise ConfigError(f"augment.{key}: no such key; accepted are {', '.join(accepted)}")
        values = dict(found)
        for key in ("flip_x", "flip_y"):
            if not isinstance(values.get(key, False), bool):
                raise ConfigError(f"augment.{key}={values[key]}: accepted are true and false")
        for key, high in (("rotate_deg", 180), ("shear_deg", 45), ("warp", 0.1)):
            values[key] = _number(key, values.get(key, 0), 0, high)
        scale = values.get("scale", 1)
        ends = list(scale) if isinstance(scale, list | tuple) else [scale, scale]
        if len(ends) != 2:
            raise ConfigError(f"augment.scale={scale}: accepted is a number from 0.5 to 4, or [low, high]")
        low, high = (_number("scale", end, 0.5, 4) for end in ends)
        if low > high:
            raise ConfigError(f"augment.scale={scale}: accepted is [low, high], the lower one first")
        return OfflineAugment(**{**values, "scale": (low, high)})

    @property
    def acts(self) -> bool:
        return self != OfflineAugment()

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Every draw is made whatever is asked for, so that one key never changes what another draws."""
        uniforms = rng.random(6)
        spread = 2 * uniforms - 1
        return {
            "flip_x": bool(self.flip_x and uniforms[0] < 0.5),
            "flip_y": bool(self.flip_y and uniforms[1] < 0.5),
            "angle_deg": float(spread[2]) * self.rotate_deg,
            "magnification": float(self.scale[0] + (self.scale[1] - self.scale[0]) * uniforms[3]),
            "shear_deg": float(spread[4]) * self.shear_deg,
            "warp": self.warp,
            "warp_seed": int(uniforms[5] * 2**32),
        }


def cut(pixels: np.ndarray, box: Box, drawn: Drawn | None) -> np.ndarray:
    """The box of a picture (H, W, C) uint8 or uint16, moved as drawn around its middle; what moves into the
    box comes from the picture around it. Bicubic, but for mirroring alone, which is exact.

    Raises DataError where a side of what is needed is longer than 32,766 px.
    """
    left, top, width, height = box
    if drawn is None:
        return pixels[top : top + height, left : left + width]
    still = drawn["angle_deg"] == drawn["shear_deg"] == drawn["warp"] == 0 and drawn["magnification"] == 1
    if still:
        moved = pixels[top : top + height, left : left + width]
    else:
        moved = _sampled(pixels, *_places(box, drawn))
    moved = moved[:, ::-1] if drawn["flip_x"] else moved
    return np.ascontiguousarray(moved[::-1] if drawn["flip_y"] else moved)


def _places(box: Box, drawn: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """x and y, (height, width) each, px: where in the picture every pixel of the box comes from."""
    left, top, width, height = box
    x = np.arange(width, dtype=np.float32)[None, :] - np.float32((width - 1) / 2)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
    angle, shear = math.radians(drawn["angle_deg"]), math.tan(math.radians(drawn["shear_deg"]))
    cos, sin = (f(angle) / drawn["magnification"] for f in (math.cos, math.sin))
    # The inverse of: shear along x, magnify, turn. u = R (x + shear y) / magnification.
    from_x = np.float32(cos) * x + np.float32(cos * shear - sin) * y
    from_y = np.float32(sin) * x + np.float32(sin * shear + cos) * y
    if drawn["warp"]:
        shift_x, shift_y = _bend(drawn, height, width)
        from_x, from_y = from_x + shift_x, from_y + shift_y
    return from_x + np.float32(left + (width - 1) / 2), from_y + np.float32(top + (height - 1) / 2)


def _bend(drawn: Drawn, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The mesh's shifts at every pixel, (height, width), px, smooth."""
    rng = draws.generator("pairs-warp", drawn["warp_seed"])
    shifts = ((rng.random((2, _CELLS + 1, _CELLS + 1)) * 2 - 1) * drawn["warp"]).astype(np.float32)
    grown = [cv().resize(shift, (width, height), interpolation=cv().INTER_CUBIC) for shift in shifts]
    return grown[0] * np.float32(width), grown[1] * np.float32(height)


def _sampled(pixels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The picture at those places, bicubic, mirrored at its borders without repeating the outermost pixel."""
    cv2 = cv()
    height, width, channels = pixels.shape
    x, y = _folded(x, width), _folded(y, height)
    left, top = (max(0, math.floor(float(v.min())) - _MARGIN) for v in (x, y))
    right, bottom = (math.ceil(float(v.max())) + _MARGIN + 1 for v in (x, y))
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    if max(part.shape) > _MAX_SIDE or max(x.shape) > _MAX_SIDE:
        raise DataError(
            f"{width}x{height} is more than the {_MAX_SIDE} px a side that augment takes; use tile= or size="
        )
    # OpenCV mirrors a single row or column for ever; places are within the picture, so any border will do.
    border = cv2.BORDER_REFLECT_101 if min(part.shape[:2]) > 1 else cv2.BORDER_REPLICATE
    out = cv2.remap(part, x - np.float32(left), y - np.float32(top), cv2.INTER_CUBIC, borderMode=border)
    return out.reshape(*x.shape, channels)


def _folded(at: np.ndarray, side: int) -> np.ndarray:
    """Places beyond 0 .. side - 1 mirrored back inside, as often as it takes."""
    last = side - 1
    if last == 0:
        return np.zeros_like(at)
    return np.float32(last) - np.abs(np.abs(at) % np.float32(2 * last) - np.float32(last))


def _number(name: str, found: Any, low: float, high: float) -> float:
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if not number or not low <= found <= high:
        raise ConfigError(f"augment.{name}={found}: accepted is a number from {low:g} to {high:g}")
    return float(found)
