"""What callers of gantrans.api hand in, told apart and refused in words; see gantrans/errors.py."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gantrans.errors import ConfigError, DataError
from gantrans.imaging import decode, filters, ranges

if TYPE_CHECKING:
    from torch import Tensor

    from gantrans.bundles.card import Card

_ROUNDING = 1e-3  # by which arithmetic may leave [0, 1]; far below 1/255


def whole_number(name: str, value: Any, accepted: str, least: int | None = None) -> int:
    """`value` as an int, of NumPy's integers too: a draw's address knows the type. Raises ConfigError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or (least is not None and number < least):
        raise ConfigError(f"{name}={value!r}: accepted are {accepted}")
    return number


def of_kind(name: str, value: Any, kind: type | tuple[type, ...], accepted: str) -> None:
    """Raises ConfigError for a value of another type."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name}={value!r}: is {type(value).__name__}; accepted is {accepted}")


def no_picture(what: str, value: Any, accepted: str) -> DataError:
    """The refusal of what is no picture at all."""
    hint = "; open the file first: Image.open(path)" if isinstance(value, str | Path) else ""
    return DataError(f"{what}: found {type(value).__name__} {str(value)[:60]!r}; needed is {accepted}{hint}")


def samples(what: str, image: Image.Image, *, classes: bool = False) -> decode.Samples:
    """Upright pixels (H, W, C) and alpha (H, W) or None of an opened picture; `classes`: the values of a
    label map as they are. Raises DataError."""
    try:
        image.load()
        plain = image.copy()  # forgets its file, so that Pillow's own 8 bits are what is seen
        pixels, alpha = (np.asarray(plain), None) if classes else decode.samples(plain, lambda: plain)
    except decode.Refused as error:
        raise DataError(f"{what} {error}") from error
    except (OSError, SyntaxError, ValueError) as error:  # a file that is cut short, damaged or closed
        raise DataError(f"{what} cannot be read: {error}; needed is a whole, open picture") from error
    turn = decode.orientation(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return decode.oriented(pixels, turn), None if alpha is None else decode.oriented(alpha, turn)


def check_pixels(what: str, pixels: np.ndarray, channels: tuple[int, ...]) -> None:
    """Raises DataError for what is not (H, W, C) uint8 or uint16 with so many channels."""
    sound = pixels.ndim == 3 and pixels.dtype in (np.uint8, np.uint16) and 0 not in pixels.shape
    if not sound or pixels.shape[2] not in channels:
        counts = " or ".join(map(str, channels))
        hint = ""
        if sound and pixels.shape[2] in (2, 4) and 1 in channels:
            hint = "; if its last channel is alpha, leave it off, or give a PIL picture"
        raise DataError(
            f"{what}: found {pixels.dtype} {pixels.shape}; needed is (H, W, C) with C {counts}, "
            f"uint8 or uint16, no side 0{hint}"
        )


def mask_of(mask: Any, size: tuple[int, ...], card: Card) -> np.ndarray | None:
    """The mask as (H, W, 1) uint8, of several channels the largest, as `translate` reads it. Raises
    DataError."""
    from gantrans.data import masks

    if mask is None:
        return None
    if card.mask != "input" and not copies_outside(card):
        raise DataError(
            f"mask: this model takes none, and makes {card.target_mode} of {card.source_mode} at "
            f"{card.scale} times the size, so that nothing can be copied from the source; leave the mask out"
        )
    if isinstance(mask, Image.Image):
        mask, _ = samples("the mask", mask)
    if not isinstance(mask, np.ndarray):
        raise no_picture("mask", mask, "a PIL picture or an array (H, W), 0 untouched to 255 hidden")
    plane = mask[..., None] if mask.ndim == 2 else mask
    check_pixels("mask", plane, (1, 3))
    if plane.shape[:2] != size:
        raise DataError(
            f"the mask is {plane.shape[1]}x{plane.shape[0]}, the picture {size[1]}x{size[0]}; needed is one "
            "size"
        )
    return masks.of_pixels(plane)


def copies_outside(card: Card) -> bool:
    """Whether a mask may say where the source is kept, for a model that takes none."""
    alike = card.source_mode == card.target_mode != "labels" and card.scale == 1
    return alike and card.mask != "input"


def checked_batch(source_x01: Tensor, card: Card) -> Tensor:
    """(N, C, H, W) x01 of any float type as float32. Raises DataError for what is no such batch."""
    wanted = card.channels(card.source_mode) + (card.mask == "input")
    found, shape = f"found {source_x01.dtype} {tuple(source_x01.shape)}", tuple(source_x01.shape)
    accepted = f"this model takes floats in [0, 1], (N, {wanted}, H, W)"
    if len(shape) != 4 or shape[1] != wanted or not source_x01.is_floating_point():
        raise DataError(f"{found}; {accepted}")
    if 0 in shape:
        raise DataError(f"{found}, which is empty; {accepted}, none of them 0")
    if card.scale > 1 and not card.enlarges:
        raise DataError("this model wants sources that are enlarged first; give it pictures or arrays")
    batch = source_x01.detach().float()
    low, high = (float(end) for end in batch.aminmax())  # NaN, if there is one
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        values = "NaN among its values" if low != low else f"values from {low:g} to {high:g}"
        raise DataError(f"{found} with {values}; {accepted}; divide 8-bit values by 255, or clamp")
    return batch


def picture_of(pixels: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    """A PIL picture of (H, W, C) pixels and alpha, which is brought to their size.

    Pillow has 16 bits for grey alone: colour and grey with alpha are rounded to 8.
    """
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        wide = filters.resize(ranges.to_x01(alpha[..., None]), pixels.shape[0], pixels.shape[1], "bicubic")
        alpha = ranges.from_x01(wide, alpha.dtype)[..., 0]
    if alpha is None and pixels.shape[2] == 1:
        return Image.fromarray(pixels[..., 0])
    pixels = _u8(pixels)
    return Image.fromarray(pixels if alpha is None else np.dstack([pixels, _u8(alpha)]))


def _u8(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.dtype == np.uint8 else ranges.from_x01(ranges.to_x01(pixels), np.uint8)
