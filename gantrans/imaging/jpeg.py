"""JPEG streams: decoded the short way where they are plain and sound, or stripped to what is picture."""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np
from PIL import Image

from gantrans.imaging.opencv import cv

_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # stuffed bytes and restarts are of the scan
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_KEPT = {0xE0, 0xEE}  # JFIF and Adobe: they say which colours the components are


def decoded(image: Image.Image, stream: BinaryIO) -> np.ndarray | None:
    """The (H, W, 3) uint8 samples of an opened colour JPEG, those of Pillow in two thirds of its time; None
    for any other file, and for one at which libjpeg as much as wonders: Pillow has the last word on those."""
    if image.format != "JPEG" or image.mode != "RGB":
        return None
    stream.seek(0)
    try:
        pixels = samples(stream.read())
    except ValueError:
        return None
    return pixels if pixels.shape[:2] == image.size[::-1] else None


def samples(data: bytes | memoryview) -> np.ndarray:
    """The (H, W, 3) uint8 samples of a colour JPEG, as Pillow decodes it. Raises ValueError."""
    import simplejpeg  # not at the top: who reads no JPEG does not pay for it

    return simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False, strict=True)


def encoded(u8: np.ndarray, quality: int) -> bytes:
    """(H, W, 1 or 3) uint8 as a JPEG stream, `quality` 1 to 100, colours at half resolution (4:2:0): the very
    samples that Pillow's stream decodes to, in three quarters of its time."""
    ordered = cv().cvtColor(u8, cv().COLOR_RGB2BGR) if u8.shape[2] == 3 else u8
    halved = (cv().IMWRITE_JPEG_SAMPLING_FACTOR, cv().IMWRITE_JPEG_SAMPLING_FACTOR_420)
    return cv().imencode(".jpg", ordered, [cv().IMWRITE_JPEG_QUALITY, quality, *halved])[1].tobytes()


def bare(data: bytes) -> bytes | None:
    """The file without metadata, comments and whatever follows its picture; None if it is no grey or
    three-component JPEG of one picture. It decodes to the same samples (ITU-T T.81, Annex B)."""
    if data[:2] != b"\xff\xd8":
        return None
    kept, position, in_scan = [data[:2]], 2, False
    while True:
        if in_scan:
            found = _END_OF_SCAN.search(data, position)
            if found is None:
                return None
            kept.append(data[position : found.start()])
            position, in_scan = found.start(), False
        head = data[position : position + 4]
        if len(head) < 2 or head[0] != 0xFF:
            return None
        if head[1] == _EOI:
            return b"".join([*kept, b"\xff\xd9"])
        length = int.from_bytes(head[2:], "big") + 2
        segment = data[position : position + length]
        if len(segment) < length or length < 4 or head[1] == _SOI:
            return None
        if head[1] in _FRAMES and segment[9:10] not in (b"\x01", b"\x03"):
            return None
        if not (0xE0 <= head[1] <= 0xEF or head[1] == _COM) or head[1] in _KEPT:
            kept.append(segment)
        in_scan = head[1] == _SOS
        position += length
