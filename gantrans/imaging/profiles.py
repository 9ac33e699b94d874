"""ICC colour profiles: the pixels of a picture as sRGB, which is what networks have learned to see.

ICC.1:2022; sRGB as in IEC 61966-2-1. Relative colorimetric with black point compensation, as browsers do.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from gantrans.imaging import colour, decode, ranges
from gantrans.imaging.read import opened

ALIKE = 2  # levels of 255: a profile that moves no colour further is sRGB in all but name
# Columns: the primaries of sRGB as XYZ, adapted to D50 (ICC.1:2022, annex E).
_XYZ_OF_SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_ROWS = 256  # of a 16-bit picture at a time, so that the floats stay small


class ProfileError(Exception):
    """A profile that says nothing of the pixels: damaged, or of other colours; the message is the reason."""


class ProfileRefused(Exception):
    """A sound profile that cannot be applied here; the message is the reason, and what to do."""


def space(icc: bytes) -> str:
    """The colour space that the profile describes: "RGB", "GRAY", "CMYK" and others (7.2.6); "" where the
    bytes are no profile."""
    return icc[16:20].decode("ascii", "replace").strip() if icc[36:40] == b"acsp" else ""


def to_srgb(pixels: np.ndarray, icc: bytes) -> np.ndarray:
    """(H, W, 1 or 3) uint8 or uint16 in the space of `icc` -> sRGB of the same shape and dtype; the same
    array, bit for bit, where that is sRGB already. Raises ProfileError, ProfileRefused."""
    found = space(icc)
    if found not in ("RGB", "GRAY") or (found == "GRAY" and pixels.shape[2] == 3):
        raise _unfit(found, "RGB" if pixels.shape[2] == 3 else "grey")
    mode = "RGB" if found == "RGB" else "L"
    by_cms = _transform(icc, mode)
    samples = _samples(mode)
    moved = by_cms(samples).astype(int) - colour.to_rgb(samples)
    if np.abs(moved).max() <= ALIKE:
        return pixels
    given = colour.to_rgb(pixels) if mode == "RGB" else pixels
    if pixels.dtype == np.uint8 and mode == "RGB":
        converted = by_cms(given)
    else:
        converted = _by_curves(given, icc, mode)
    return converted if pixels.shape[2] == 3 else np.ascontiguousarray(converted[..., 1:2])


def cmyk_to_srgb(path: Path, icc: bytes) -> np.ndarray:
    """The (H, W, 3) uint8 sRGB pixels, upright, of a CMYK file whose profile is `icc`. Raises ProfileError,
    UnreadableImage."""
    if space(icc) != "CMYK":
        raise _unfit(space(icc), "CMYK")
    convert = _transform(icc, "CMYK")
    with opened(path) as image:
        image.load()
        return decode.oriented(convert(np.asarray(image)), decode.orientation(image))


def _unfit(found: str, pixels: str) -> ProfileError:
    if not found:
        return ProfileError("its colour profile is damaged (it does not begin as one)")
    return ProfileError(f"its colour profile is one of {found} colours, but its pixels are {pixels}")


def _samples(mode: str) -> np.ndarray:
    """Colours that tell whether a profile is sRGB: every grey, and a cube of colours; (1, N, C) uint8."""
    greys = np.arange(256, dtype=np.uint8)[None, :, None]
    if mode == "L":
        return greys
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    return np.concatenate([colour.to_rgb(greys), cube], axis=1)


def _transform(icc: bytes, mode: str) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 (H, W, C) of `mode` -> sRGB (H, W, 3), by the colour engine. Raises ProfileError."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileError(f"its colour profile is damaged ({error})") from error

    def convert(u8: np.ndarray) -> np.ndarray:
        image = Image.frombytes(mode, u8.shape[1::-1], np.ascontiguousarray(u8).data)
        return np.asarray(ImageCms.applyTransform(image, transform))

    return convert


def _by_curves(pixels: np.ndarray, icc: bytes, mode: str) -> np.ndarray:
    """By the curves and the matrix of the profile (annex F), as nearly all profiles of cameras and screens
    have them. For 16 bits, which Pillow does not hand to the engine, and for grey, where the engine is up to
    15 levels of 255 off in the dark. Raises ProfileRefused for other profiles."""
    tags = _tags(icc)
    try:
        curves = [_curve(tags[f"{c}TRC"]) for c in ("rgb" if mode == "RGB" else "k")]
        columns = [_xyz(tags[f"{c}XYZ"]) for c in "rgb"] if mode == "RGB" else None
    except (KeyError, struct.error, ValueError, IndexError) as error:
        raise ProfileRefused(
            "its colour profile works by tables, which are applied to 8-bit colours only; convert the "
            "picture to sRGB, or use metadata=keep, which carries pixels and profile over as they are"
        ) from error
    levels = np.iinfo(pixels.dtype).max
    linear = [curve(np.arange(levels + 1) / levels).astype(np.float32) for curve in curves]
    matrix = None if columns is None else np.linalg.inv(_XYZ_OF_SRGB) @ np.stack(columns, 1)
    out = np.empty((*pixels.shape[:2], 3), pixels.dtype)
    for top in range(0, pixels.shape[0], _ROWS):
        rows = pixels[top : top + _ROWS]
        light = np.stack([table[rows[..., i]] for i, table in enumerate(linear)], -1)
        light = colour.to_rgb(light) if matrix is None else light @ matrix.T.astype(np.float32)
        out[top : top + _ROWS] = ranges.from_x01(_encoded(light), pixels.dtype)
    return out


def _encoded(light: np.ndarray) -> np.ndarray:
    """Linear light, any, -> sRGB in [0, 1] (IEC 61966-2-1, 5.2)."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055)


def _tags(icc: bytes) -> dict[str, bytes]:
    """Signature -> data (7.3); what is cut off is short."""
    try:
        count = min(struct.unpack_from(">I", icc, 128)[0], 100)
        entries = [struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(count)]
    except struct.error:
        return {}
    return {name.decode("latin-1"): icc[start : start + size] for name, start, size in entries}


def _xyz(data: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", data, 8)) / 65536  # s15Fixed16


def _curve(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A `curv` (10.6) or `para` (10.18) tag as a function on [0, 1]. Raises ValueError, struct.error."""
    if data[:4] == b"curv":
        count = struct.unpack_from(">I", data, 8)[0]
        if count == 0:
            return lambda x: x
        values = np.array(struct.unpack_from(f">{count}H", data, 12))
        if count == 1:
            return lambda x: x ** (values[0] / 256)  # u8Fixed8
        return lambda x: np.interp(x, np.linspace(0, 1, count), values / 65535)
    if data[:4] != b"para":
        raise ValueError(data[:4])
    kind = struct.unpack_from(">H", data, 8)[0]
    given = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", data, 12)) / 65536
    g, a, b, c, d, e, f = (*given, *(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)[len(given) - 1 :])
    if kind == 2:  # Y = (aX + b)^g + c, and c below
        d, e, f, c = -b / a, c, c, 0.0
    elif kind == 1:
        d = -b / a
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
