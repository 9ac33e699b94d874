"""Marks as layers: where ink lies over a picture and how thick, painted on it or told as a mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gantrans.degrade.base import Params
from gantrans.imaging.colour import BT601
from gantrans.imaging.opencv import cv

# Thinner cover, of 255, may round away to no change in 8 bits, so picture and mask both leave it out.
FAINTEST = 4


@dataclass(frozen=True)
class Layer:
    """Ink over the box at (top, left).

    alpha: (h, w) uint8, 0 where nothing lies to 255 where all is ink; 0 or FAINTEST at least.
    ink: RGB uint8, (3,) or (h, w, 3) for paper that has a texture; None for the mean of the picture.
    dye: ink that light passes through, p (1 - alpha (1 - ink)), as stains and markers do; else ink that
    hides, p (1 - alpha) + alpha ink (Porter and Duff 1984, operator over).
    """

    alpha: np.ndarray
    ink: np.ndarray | None
    top: int = 0
    left: int = 0
    dye: bool = False


class Mark:
    """What all marks share: picture and mask come from the same layers, so they cannot disagree.

    A mark draws its parameters in `sample` and lays them out for any size in `layers`.
    """

    scale = 1
    takes_u8 = True
    # The last that was laid out, as a picture and its mask are asked for one after the other.
    _laid: tuple[int, int, Params, tuple[Layer, ...]] | None = None

    def layers(self, height: int, width: int, params: Params) -> Iterable[Layer]:
        """What lies over a picture of that size, lowest first."""
        raise NotImplementedError

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        """(H, W, 1 or 3) uint8 or x01 float32 -> the same with the mark over it."""
        return paint(pixels, self.laid_out(pixels.shape[0], pixels.shape[1], params))

    def mask(self, height: int, width: int, params: Params) -> np.ndarray:
        """(H, W) uint8: the cover of the thickest layer, 0 exactly where `forward` changes no picture."""
        return cover(height, width, self.laid_out(height, width, params))

    def laid_out(self, height: int, width: int, params: Params) -> tuple[Layer, ...]:
        """`layers`, those of the last call where it was the same."""
        laid = self._laid
        if laid is None or laid[:2] != (height, width) or laid[2] is not params:
            laid = (height, width, params, tuple(self.layers(height, width, params)))
            self._laid = laid
        return laid[3]

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_laid"}


def layer(
    size: tuple[int, int],
    alpha: np.ndarray,
    ink: Sequence[float] | np.ndarray | None,
    *,
    top: int = 0,
    left: int = 0,
    opacity: float = 1.0,
    dye: bool = False,
) -> Layer:
    """`alpha` (h, w) uint8 times `opacity`, cut to a picture of `size` (height, width) and to what it covers.

    `ink` is RGB x01, or uint8 (h, w, 3) like alpha. The box may lie partly or wholly outside the picture.
    """
    height, width = size
    rows = slice(max(0, -top), max(0, min(alpha.shape[0], height - top)))
    columns = slice(max(0, -left), max(0, min(alpha.shape[1], width - left)))
    part = alpha[rows, columns]
    texture = ink[rows, columns] if isinstance(ink, np.ndarray) and ink.ndim == 3 else None
    if part.size:
        part = _thinned(np.ascontiguousarray(part), opacity)
        x, y, w, h = cv().boundingRect(part)
        part = part[y : y + h, x : x + w]
        texture = texture[y : y + h, x : x + w] if texture is not None else None
        top, left = top + rows.start + y, left + columns.start + x
    if texture is None and ink is not None:
        texture = np.round(np.asarray(ink, np.float64) * 255).astype(np.uint8)
    return Layer(part, texture, top, left, dye)


def paint(pixels: np.ndarray, layers: Iterable[Layer]) -> np.ndarray:
    """A copy of (H, W, 1 or 3) uint8 or x01 float32 with the layers over it, each within its box alone."""
    result = pixels.copy()
    for each in layers:
        if not each.alpha.size:
            continue
        height, width = each.alpha.shape
        box = result[each.top : each.top + height, each.left : each.left + width]
        ink = _mean(pixels) if each.ink is None else _in_channels(each.ink, pixels.shape[2])
        blend = _blend_u8 if pixels.dtype == np.uint8 else _blend_x01
        box[...] = blend(box, each.alpha, ink, each.dye).reshape(box.shape)
    return result


def cover(height: int, width: int, layers: Iterable[Layer]) -> np.ndarray:
    """(H, W) uint8: the greatest alpha of any layer."""
    mask = np.zeros((height, width), np.uint8)
    for each in layers:
        h, w = each.alpha.shape
        box = mask[each.top : each.top + h, each.left : each.left + w]
        np.maximum(box, each.alpha, out=box)
    return mask


def luma(rgb: Sequence[float]) -> float:
    """The grey of an RGB ink."""
    return float(np.dot(rgb, BT601))


def _thinned(alpha: np.ndarray, opacity: float) -> np.ndarray:
    thin = cv().convertScaleAbs(alpha, alpha=opacity)
    return cv().threshold(thin, FAINTEST - 1, 0, cv().THRESH_TOZERO)[1]


def _in_channels(ink: np.ndarray, channels: int) -> np.ndarray:
    if channels == 3:
        return ink
    return np.round(ink.astype(np.float32) @ np.asarray(BT601, np.float32))[..., None].astype(np.uint8)


def _mean(pixels: np.ndarray) -> np.ndarray:
    """Of each channel, uint8 (C,)."""
    if pixels.dtype == np.uint8:
        means = cv().mean(pixels)[: pixels.shape[2]]
        return np.round(np.asarray(means)).astype(np.uint8)
    return np.round(pixels.mean(axis=(0, 1), dtype=np.float64) * 255).astype(np.uint8)


def _blend_x01(box: np.ndarray, alpha: np.ndarray, ink: np.ndarray, dye: bool) -> np.ndarray:
    share = (alpha * np.float32(1 / 255))[..., None]
    colour = ink * np.float32(1 / 255)
    if dye:
        return box * (1 - share * (1 - colour))
    return box * (1 - share) + share * colour


def _blend_u8(box: np.ndarray, alpha: np.ndarray, ink: np.ndarray, dye: bool) -> np.ndarray:
    """In 8-bit integers, a tenth of the time of floats; where alpha is 0, x * 255 / 255 is x, bit for bit."""
    cv2 = cv()
    alpha = np.ascontiguousarray(alpha)
    channels = box.shape[2]
    thick = cv2.merge([alpha] * channels) if channels > 1 else alpha
    if dye:
        return cv2.multiply(box, cv2.bitwise_not(_share(alpha, 255 - ink)), scale=1 / 255)
    below = cv2.multiply(box, cv2.bitwise_not(thick), scale=1 / 255)
    if ink.ndim == 1:
        return cv2.add(below, _share(alpha, ink))
    return cv2.add(below, cv2.multiply(np.ascontiguousarray(ink), thick, scale=1 / 255))


def _share(alpha: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """alpha * ink / 255 of one ink, rounded: (H, W, C)."""
    planes = [cv().convertScaleAbs(alpha, alpha=float(level) / 255) for level in ink]
    return cv().merge(planes) if len(planes) > 1 else planes[0]
