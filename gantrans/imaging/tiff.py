"""TIFF files of 16-bit colour, which Pillow reads but does not write: it has no mode for such pixels.

TIFF 6.0, one strip, deflate with horizontal differencing, little endian; Pillow puts the tags into bytes.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from gantrans.imaging.metadata import Extras

_SHOT = 0x8769  # the folder of how a picture was shot, within EXIF
_DEFLATE, _DIFFERENCES, _RGB, _INCH, _UNASSOCIATED, _BYTES = 8, 2, 2, 2, 2, 7


def encode(array: np.ndarray, extras: Extras) -> bytes:
    """(H, W, 3 or 4: RGB, RGBA) uint16 as the bytes of a file."""
    from isal import isal_zlib  # not at the top: who writes no such file does not pay for it

    height, width, channels = array.shape
    stored = array.astype("<u2")
    stored[:, 1:] -= array[:, :-1]  # each sample minus the one to its left, modulo 2**16
    data = isal_zlib.compress(stored.tobytes(), 1)
    tags = ImageFileDirectory_v2()
    _tell(tags, extras)
    plain = {256: width, 257: height, 258: (16,) * channels, 259: _DEFLATE, 262: _RGB, 277: channels,
             278: height, 279: len(data), 284: 1, 317: _DIFFERENCES, 273: 0}  # fmt: skip
    for tag, value in plain.items():
        tags[tag] = value
    if channels == 4:
        tags[338] = _UNASSOCIATED
    stream = io.BytesIO()
    tags.save(stream)  # moves the strip's place, tag 273, to where the tags end
    return stream.getvalue() + data


def _tell(tags: ImageFileDirectory_v2, extras: Extras) -> None:
    """What goes beside the pixels: EXIF, whose tags are TIFF's own, resolution and profile."""
    if extras.exif:
        exif = Image.Exif()
        exif.load(b"Exif\x00\x00" + extras.exif)
        for tag, value in exif.items():
            tags[tag] = exif.get_ifd(_SHOT) if tag == _SHOT else value
    if extras.dpi:
        tags[282], tags[283], tags[296] = *extras.dpi, _INCH
    if extras.icc:
        tags.tagtype[34675] = _BYTES
        tags[34675] = extras.icc
