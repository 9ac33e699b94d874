"""From an opened Pillow image to arrays: modes, 16-bit samples, transparency, orientation."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile

Opener = Callable[[], Image.Image]  # opens the same file once more
Samples = tuple[np.ndarray, np.ndarray | None]

_GREY = ("1", "L", "LA", "La", "I")
_ORIENTATION = 0x0112  # EXIF tag
_NATIVE, _SWAPPED = (";16L", ";16B") if sys.byteorder == "little" else (";16B", ";16L")
_OTHER_BYTE = {";16L": ";16B", ";16B": ";16L", ";16N": _SWAPPED}  # libtiff hands out native order, "N"


class Refused(Exception):
    """A sound file of a kind that is not read; the message is the reason."""


def kind(image: Image.Image) -> tuple[int, int, bool]:
    """(channels, depth in bits, has alpha) that `samples` would return, from the header alone."""
    if image.mode == "F":
        raise Refused("holds 32-bit floating point samples; save it with 8 or 16 bits")
    if _rawmode(image) == "LA;16B":
        return 1, 16, True
    channels = 1 if image.mode in _GREY or image.mode.startswith("I;16") else 3
    deep = image.mode.startswith("I") or _is_deep(image)
    if deep and channels == 3:
        _other_byte(image)  # refuses what cannot be kept whole
    return channels, 16 if deep else 8, image.has_transparency_data


def samples(image: Image.Image, again: Opener) -> Samples:
    """Pixels (H, W, C) and alpha (H, W) or None, uint8 or uint16, before orientation. Raises Refused."""
    channels, depth, has_alpha = kind(image)
    if image.mode.startswith("I"):
        return _split(_grey16(image), image)
    if depth == 16:
        return _split(_deep(image, again, channels), image)
    if image.mode == "1":
        return _split(np.asarray(image).astype(np.uint8) * 255, image)
    plain = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}[channels, has_alpha]
    if image.mode in ("L", "RGB"):
        plain = image.mode  # transparency, if any, is a colour key: `_split` sees to it
    image.load()
    return _split(np.array(image if image.mode == plain else image.convert(plain)), image)


def _split(array: np.ndarray, image: Image.Image) -> Samples:
    """Take alpha off the channels, or make it from the one colour that a PNG or GIF calls transparent."""
    pixels = array if array.ndim == 3 else array[..., None]
    if pixels.shape[2] in (2, 4):
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    key = image.info.get("transparency")
    if not isinstance(key, int | tuple):
        return pixels, None
    maximum = np.iinfo(pixels.dtype).max
    transparent = (pixels == np.asarray(key) % (int(maximum) + 1)).all(axis=2)
    return pixels, np.where(transparent, 0, maximum).astype(pixels.dtype)


def _grey16(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    if image.mode == "I" and values.size and (values.min() < 0 or values.max() > 65535):
        raise Refused(f"holds integers from {values.min()} to {values.max()}; save it with 8 or 16 bits")
    values = values.astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    white_is_zero = image.format == "TIFF" and tags.get(262) == 0  # Pillow inverts these at 8 bits only
    return 65535 - values if white_is_zero else values


def _rawmode(image: Image.Image) -> str:
    """How the samples lie in the file, in Pillow's terms, as "RGB;16B"; "" where there is no such name."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    args = tiles[0].args if tiles else ""
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _is_deep(image: Image.Image) -> bool:
    """Whether the file holds colour of more than 8 bits where Pillow's mode would keep 8."""
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, (8,))
        return max(bits if isinstance(bits, tuple) else (bits,)) > 8
    if image.format == "PPM" and isinstance(image, ImageFile.ImageFile) and image.tile:
        tile = image.tile[0]
        return tile.codec_name.startswith("ppm") and isinstance(tile.args, tuple) and int(tile.args[-1]) > 255
    return ";16" in _rawmode(image)


def _other_byte(image: Image.Image) -> str:
    """The raw mode that yields the low byte of each 16-bit sample, where Pillow's own yields the high one."""
    rawmode = _rawmode(image)
    layout, order = rawmode[:-4], rawmode[-4:]
    planes = getattr(image, "tag_v2", {}).get(284, 1)
    if layout not in ("RGB", "RGBA") or order not in _OTHER_BYTE or planes != 1:
        raise Refused(
            f"holds {image.mode} colour of more than 8 bits in a {image.format} layout that Pillow cuts; "
            "save it as a 16-bit PNG"
        )
    return layout + _OTHER_BYTE[order]


def _deep(image: Image.Image, again: Opener, channels: int) -> np.ndarray:
    """16-bit samples through Pillow's 8-bit modes: decode the high bytes and the low bytes, and join them."""
    if channels == 1:  # grey with alpha: both bytes of both fit the four channels of RGBA
        high_low = _bytes(image, "RGBA").astype(np.uint16)
        return high_low[..., 0::2] << 8 | high_low[..., 1::2]
    low = _bytes(again(), _other_byte(image))
    high = _bytes(image, _rawmode(image))
    return high.astype(np.uint16) << 8 | low


def _bytes(image: Image.Image, rawmode: str) -> np.ndarray:
    assert isinstance(image, ImageFile.ImageFile)
    image.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile in image.tile
    ]
    return np.asarray(image)


def orientation(image: Image.Image, getexif: Callable[[Image.Image], Image.Exif] | None = None) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or none that makes sense."""
    try:
        value = (getexif(image) if getexif else image.getexif()).get(_ORIENTATION, 1)
    except Exception:  # broken metadata do not make the pixels unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def oriented(array: np.ndarray, turn: int) -> np.ndarray:
    """The upright array, for the EXIF orientation `turn` (Exif 2.3, tag 0x0112)."""
    if turn >= 5:
        array = array.swapaxes(0, 1)  # 5 is the transpose; 6, 7 and 8 are it, mirrored
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
