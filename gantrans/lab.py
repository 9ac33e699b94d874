"""sRGB <-> CIE XYZ <-> CIELAB, D65 and the 2 degree observer, on numpy arrays and tensors alike.

The constants are those that scikit-image's `rgb2lab` and `lab2rgb` publish: IEC 61966-2-1 for sRGB, ITU-R
BT.709-5 primaries, the white point (0.95047, 1, 1.08883), CIE 1976 for L*a*b*. One formula, of operators that
both have, so that what is trained is what is measured; gradients stay finite everywhere.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", np.ndarray, "Tensor")

XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
RGB_FROM_XYZ = np.linalg.inv(np.array(XYZ_FROM_RGB)).tolist()
WHITE = (0.95047, 1.0, 1.08883)
_TINY = 1e-6  # of light, where black and white have no room for colour: there is no 0 / 0


def lab_from_rgb(x01: Array, axis: int = -1) -> Array:
    """sRGB in [0, 1] with its 3 channels along `axis` -> L in [0, 100], a and b (about -128 to 127).

    Floating point of any precision, answered in the same; grey has a and b below 0.01.
    """
    planes = [_linear(plane) for plane in _planes(x01, axis)]
    xyz = _product(XYZ_FROM_RGB, planes)
    x, y, z = (_cube_root(plane / white) for plane, white in zip(xyz, WHITE, strict=True))
    return _joined([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis)


def rgb_from_lab(lab: Array, axis: int = -1) -> Array:
    """The inverse of `lab_from_rgb`, in [0, 1]. Not every L, a, b is a colour of sRGB: one that is none loses
    as much colour as it must to become one, and keeps its lightness, within 0.001 of L from 0 to 100.
    """
    lightness, a, b = _planes(lab, axis)
    y = (lightness + 16) / 116
    x, z = y + a / 500, (y - b / 200).clip(min=0)
    xyz = [_cube(plane) * white for plane, white in zip((x, y, z), WHITE, strict=True)]
    light = _into_gamut(_product(RGB_FROM_XYZ, xyz), xyz[1].clip(min=0, max=1))
    return _joined([_companded(plane).clip(min=0, max=1) for plane in light], axis)


def grey_of_lightness(x01: Array, axis: int = -1) -> Array:
    """sRGB in [0, 1] with its 3 channels along `axis` -> the grey in [0, 1] of the same L, 1 channel."""
    light = [_linear(plane) for plane in _planes(x01, axis)]
    return _joined([_companded(_product(XYZ_FROM_RGB[1:2], light)[0]).clip(min=0, max=1)], axis)


@functools.cache
def lightness_tables() -> tuple[np.ndarray, np.ndarray]:
    """The same for 8 bits, in whole numbers, equal on every machine: what each level of R, G and B adds to Y,
    (3, 256) uint16, white 65535; and the grey of each Y, (65536,) uint8. At most 0.6 of a level off."""
    levels = np.arange(256) / 255
    light = np.stack([np.rint(weight * _linear(levels) * 65535) for weight in XYZ_FROM_RGB[1]])
    greys = np.rint(255 * _companded(np.arange(65536) / 65535))
    return light.astype(np.uint16), greys.astype(np.uint8)


def _into_gamut(light: list[Any], y: Any) -> list[Any]:
    """Linear R, G, B of luminance `y` mixed with grey of the same, by the least share that brings each into
    [0, 1]. Luminance is linear in them, so it stays; so does the dominant wavelength (the hue in CIELAB
    turns by 3 degrees on average)."""
    share = _kept(light[0], y)
    for plane in light[1:]:
        other = _kept(plane, y)
        share = _either(other < share, other, share)
    return [plane * share + y * (1 - share) for plane in light]


def _kept(plane: Any, y: Any) -> Any:
    """The share of its distance from grey that a channel may keep: exactly 1 inside the gamut."""
    apart = plane - y
    above = apart > 0
    room = _either(above, 1 - y, y) + _TINY
    far = _either(above, apart, -apart) + _TINY
    return room / _either(far > room, far, room)


def _linear(v: Any) -> Any:
    """sRGB's transfer function, undone."""
    return _either(v > 0.04045, ((v.clip(min=0.04045) + 0.055) / 1.055) ** 2.4, v / 12.92)


def _companded(v: Any) -> Any:
    return _either(v > 0.0031308, 1.055 * v.clip(min=0.0031308) ** (1 / 2.4) - 0.055, v * 12.92)


def _cube_root(t: Any) -> Any:
    """CIE's f: a cube root, straight near 0."""
    return _either(t > 0.008856, t.clip(min=0.008856) ** (1 / 3), 7.787 * t + 16 / 116)


def _cube(f: Any) -> Any:
    return _either(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)


def _either(test: Any, yes: Any, no: Any) -> Any:
    """`where`, of operators alone; both sides are finite."""
    return test * yes + ~test * no


def _product(matrix: Any, planes: list[Any]) -> list[Any]:
    return [sum(weight * plane for weight, plane in zip(row, planes, strict=True)) for row in matrix]


def _planes(pixels: Any, axis: int) -> Any:
    if pixels.shape[axis] != 3:
        raise ValueError(f"{tuple(pixels.shape)} has {pixels.shape[axis]} channels along {axis}; needed: 3")
    return list(pixels.swapaxes(0, axis))


def _joined(planes: list[Any], axis: int) -> Any:
    if isinstance(planes[0], np.ndarray):
        return np.ascontiguousarray(np.stack(planes).swapaxes(0, axis))
    import torch

    return torch.stack(planes).swapaxes(0, axis).contiguous()
