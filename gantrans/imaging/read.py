"""Reads an image file into arrays, safely: a picture is what the file says, or refused with a reason.

Read       EXIF orientation is applied. Palettes become RGB, their transparency (and a PNG colour key) alpha.
           1-bit and grey stay one channel. CMYK, YCbCr and LAB become RGB; ICC profiles are not applied.
           16 bits stay 16 bits: grey, and RGB or RGBA of PNG and TIFF, which Pillow alone would cut to 8.
           32-bit integers are kept as 16 where every value fits. A wrong file name suffix does not matter.
Refused    Floating point, other colour of more than 8 bits, more than 2**27 pixels, animations and
           multi-page files (of an MPO the first picture is read), truncated or damaged files.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from gantrans.errors import DataError
from gantrans.imaging import decode, jpeg, stored
from gantrans.imaging.why import explain

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")  # of Pillow; its JPEG opens MPO as well
MAX_PIXELS = 2**27


class UnreadableImage(DataError):
    """An image file that is refused; `path` is the file, `reason` says why in plain words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return type(self), (self.path, self.reason)  # so that it survives the way out of a worker process


@dataclass(frozen=True)
class Picture:
    """One image: `pixels` (H, W, C) uint8 or uint16, C 1 or 3; `alpha` (H, W) of the same type, or None.

    `turn` is the EXIF orientation, 1 to 8, that was applied: 1 where pixels are as stored.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    turn: int = 1

    @property
    def depth(self) -> int:
        """Bits per sample: 8 or 16."""
        return self.pixels.dtype.itemsize * 8


@dataclass(frozen=True)
class Header:
    """What `read` would return, told from the file's header: sizes after EXIF orientation."""

    width: int
    height: int
    channels: int
    depth: int
    has_alpha: bool


def read(path: Path | str, data: bytes | None = None) -> Picture:
    """Decode one image file; `data` are its bytes where they are in memory already.

    Raises UnreadableImage (exit code 3) for anything that is not a sound image of the accepted kinds.
    """
    path = Path(path)
    with _refusals(path, data), _stream(path, data) as stream:
        image = _checked(_open(stream))
        alike = lambda: _open(stream)  # noqa: E731
        plain = jpeg.decoded(image, stream)
        pixels, alpha = decode.samples(image, alike) if plain is None else (plain, None)
        turn = decode.orientation(image)
        pixels = decode.oriented(pixels, turn)
        alpha = None if alpha is None else decode.oriented(alpha, turn)
        if pixels.size == 0:
            raise decode.Refused("has no pixels")
        return Picture(pixels, alpha, turn)


def probe(path: Path | str) -> Header:
    """Size, channels, depth and alpha from the header alone: no pixel is decoded, so damage may go unseen.

    Raises UnreadableImage as `read` does.
    """
    path = Path(path)
    with _refusals(path, None), _stream(path, None) as stream:
        image = _checked(_open(stream))
        width, height = image.size
        if image.format != "TIFF" and _header_orientation(image, stream) >= 5:  # a TIFF tells its turned size
            width, height = height, width
        channels, depth, has_alpha = decode.kind(image)
        return Header(width, height, channels, depth, has_alpha)


def _open(stream: BinaryIO) -> Image.Image:
    stream.seek(0)
    return Image.open(stream, formats=FORMATS)


def _checked(image: Image.Image) -> Image.Image:
    """The image, if its header promises one picture of a size that is safe to decode."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise decode.Refused(
            f"{width}x{height} is {width * height:,} pixels, more than the {MAX_PIXELS:,} that are read; "
            "scale it down or cut it into tiles"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        what = "pages" if image.format == "TIFF" else "animation frames"
        raise decode.Refused(f"holds {frames} {what}; save the one that is wanted as a file of its own")
    return image


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A file as Pillow's image of an accepted kind and size, for those who ask for more than `read` tells;
    whatever goes wrong inside the block is an UnreadableImage."""
    with _refusals(path, None), _stream(path, None) as stream:
        yield _checked(_open(stream))


@contextmanager
def _stream(path: Path, data: bytes | None) -> Iterator[BinaryIO]:
    """The file, opened without ever blocking on a pipe."""
    if data is not None:
        yield io.BytesIO(data)
        return
    if path.exists() and not path.is_file():
        raise decode.Refused("is a folder" if path.is_dir() else "is not a regular file")
    with stored.opened(path) as stream:
        yield stream


@contextmanager
def _refusals(path: Path, data: bytes | None) -> Iterator[None]:
    """Turn whatever goes wrong inside into one UnreadableImage with a reason.

    On damaged files Pillow raises far more than OSError (SyntaxError, struct.error, KeyError, ...), and which
    ones changes between versions; a file is never worth a traceback, so everything is caught here.
    Warnings about metadata, or about sizes that are checked above, say nothing on the pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except decode.Refused as refused:
        raise UnreadableImage(path, str(refused)) from None
    except Exception as error:
        raise UnreadableImage(path, explain(path, data, error)) from error


def _header_orientation(image: Image.Image, stream: BinaryIO) -> int:
    """Pillow decodes a whole PNG to see whether EXIF data follow the pixels; walking its chunks is enough."""
    if image.format != "PNG" or _has_late_metadata(stream):
        return decode.orientation(image)
    return decode.orientation(image, Image.Image.getexif)


def _has_late_metadata(stream: BinaryIO) -> bool:
    position, seen_pixels = 8, False
    while True:
        stream.seek(position)
        head = stream.read(8)
        if len(head) < 8:
            return False
        length, kind = struct.unpack(">I4s", head)
        if seen_pixels and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt"):
            return True
        seen_pixels |= kind == b"IDAT"
        position += 12 + length
