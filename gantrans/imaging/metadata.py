"""What a file says besides its pixels, as far as a picture made from it may carry it on: its ICC profile, how
it was taken and by whom (EXIF), its resolution. Never where it was taken, and nothing that is no longer true.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gantrans.imaging.read import opened

# Of EXIF (CIPA DC-008-2023): description, maker, model, software, date, artist, copyright; the titles,
# comments, authors, keywords and subjects of Windows. Not among them: orientation, place, thumbnail, sizes.
_KEPT = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F)
_SHOT = 0x8769  # the folder of how it was shot: exposure, lens, time
# A maker's own notes (may hold the place, and offsets that no longer hold), sizes, a pointer to other tags.
_UNTRUE = (0x927C, 0xA002, 0xA003, 0xA005)
_LONGEST = 60_000  # bytes of EXIF; a JPEG holds 65,533
_DPI = (1.0, 65535.0)
_INCH = 0.0254  # metres


@dataclass(frozen=True)
class Extras:
    """What is written beside pixels. icc: a profile; exif: a TIFF structure, as in PNG's eXIf; dpi: across,
    down."""

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None

    def __bool__(self) -> bool:
        return bool(self.icc or self.exif or self.dpi)

    def options(self, kind: str) -> dict[str, object]:
        """Arguments of Pillow's `save`, for one of its formats other than PNG."""
        found: dict[str, object] = {}
        if self.icc and kind != "BMP":
            found["icc_profile"] = self.icc
        if self.exif and kind != "BMP":
            found["exif"] = b"Exif\x00\x00" + self.exif
            if kind == "TIFF":
                found["compression"] = None  # libtiff, which compresses, cannot be given folders of tags
        if self.dpi and kind != "WEBP":
            found["dpi"] = self.dpi
        return found

    def chunks(self) -> list[tuple[bytes, bytes]]:
        """The same as chunks of a PNG (ISO/IEC 15948, 11.3)."""
        found = []
        if self.icc:
            found.append((b"iCCP", b"ICC profile\x00\x00" + zlib.compress(self.icc)))
        if self.dpi:
            x, y = (round(dpi / _INCH) for dpi in self.dpi)
            found.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
        if self.exif:
            found.append((b"eXIf", self.exif))
        return found


@dataclass(frozen=True)
class Found(Extras):
    """What a file holds that may be kept, and the mode of its pixels as Pillow names them."""

    mode: str = ""


def of_file(path: Path) -> Found:
    """What `path` tells that is sound; broken metadata count as none. Raises UnreadableImage."""
    with opened(path) as image:
        return Found(_icc(image), _exif(image), _dpi(image), image.mode)


def _icc(image: Image.Image) -> bytes | None:
    icc = image.info.get("icc_profile")
    return icc if isinstance(icc, bytes) and len(icc) > 128 else None


def _exif(image: Image.Image) -> bytes | None:
    try:
        given, kept = image.getexif(), Image.Exif()
        for tag in _KEPT:
            if tag in given:
                kept[tag] = given[tag]
        shot = {tag: value for tag, value in given.get_ifd(_SHOT).items() if tag not in _UNTRUE}
        if shot:
            kept.get_ifd(_SHOT).update(shot)
            kept[_SHOT] = kept.get_ifd(_SHOT)
        data = kept.tobytes().removeprefix(b"Exif\x00\x00") if len(kept) else None
    except Exception:  # Pillow raises whatever comes; the pixels are sound all the same
        return None
    return data if data and len(data) <= _LONGEST else None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sound = all(math.isfinite(v) and _DPI[0] <= v <= _DPI[1] for v in (x, y))
    return (x, y) if sound else None
