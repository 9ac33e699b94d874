"""Writes images and files so that a reader, a crash or a full disk never sees half of one.

Everything goes to a temporary file in the same folder, is flushed to disk and then renamed over its target.
Image bytes depend on pixels, settings and the metadata that are given alone; without any, none are written.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
from pathlib import Path

import numpy as np
from PIL import Image

from gantrans.errors import StorageError
from gantrans.imaging import png, tiff
from gantrans.imaging.metadata import Extras

TEMPORARY = ".gantrans-"  # how the names of temporary files begin; hidden, so never listed as data
PNG_LEVEL = png.FAST
_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
_WITH_ALPHA = ("PNG", "WEBP", "TIFF")


def write(
    path: Path,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    quality: int = 95,
    extras: Extras | None = None,
) -> None:
    """Write (H, W, C) uint8 or uint16, C 1 or 3, with alpha (H, W) of the same dtype; format by suffix.

    `quality` is that of JPEG (4:4:4 from 90 up) and WebP (lossless at 100). 16 bits go to .png, and to .tif
    but for grey with alpha. Raises ValueError for what the format cannot hold, StorageError where the disk
    fails.
    """
    path = Path(path)
    write_atomic(path, encode(path, pixels, alpha, quality=quality, extras=extras))


def encode(
    path: Path,
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    quality: int = 95,
    png_level: int = PNG_LEVEL,
    extras: Extras | None = None,
) -> bytes:
    """The bytes that `write` writes; `png_level` is 0 (stored), 1 (fast: imaging/png.py) to 9 (smallest)."""
    extras = extras or Extras()
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        found, accepted = path.suffix or "a file without suffix", ", ".join(_SUFFIXES)
        raise ValueError(f"{path}: cannot write {found}; accepted are {accepted}")
    array = _joined(path, pixels, alpha)
    if alpha is not None and kind not in _WITH_ALPHA:
        raise ValueError(f"{path}: {kind} cannot hold alpha; use .png, .webp or .tif, or drop it")
    if kind == "PNG" and (array.dtype == np.uint16 or png_level <= png.FAST or extras):
        return png.encode(array, png_level, extras.chunks())
    if array.dtype == np.uint16 and kind == "TIFF" and array.shape[2] > 2:
        return tiff.encode(array, extras)
    if array.dtype == np.uint16 and (kind != "TIFF" or array.shape[2] == 2):
        raise ValueError(f"{path}: 16-bit pixels cannot be written as {path.suffix} here; use .png")
    stream = io.BytesIO()
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
    try:
        image.save(stream, format=kind, **_options(kind, quality, png_level) | extras.options(kind))
    except (OSError, ValueError, SystemError) as error:  # in memory, so a limit of the format
        raise ValueError(f"{path}: {array.shape[1]}x{array.shape[0]} as {kind}: {error}") from error
    return stream.getvalue()


def _joined(path: Path, pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    shaped = pixels.ndim == 3 and pixels.shape[2] in (1, 3) and pixels.size > 0
    if not shaped or pixels.dtype not in (np.uint8, np.uint16):
        found = f"{pixels.dtype} {pixels.shape}"
        raise ValueError(f"{path}: pixels are {found}; needed: uint8 or uint16, (height, width, 1 or 3)")
    if alpha is None:
        return np.ascontiguousarray(pixels)
    if alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype:
        found, needed = f"{alpha.dtype} {alpha.shape}", f"{pixels.dtype} {pixels.shape[:2]}"
        raise ValueError(f"{path}: alpha is {found}; needed: {needed}, as the pixels")
    return np.concatenate([pixels, alpha[..., None]], axis=2)


def _options(kind: str, quality: int, png_level: int) -> dict[str, object]:
    if kind == "PNG":
        return {"compress_level": png_level}
    if kind == "JPEG":
        return {"quality": quality, "subsampling": 0 if quality >= 90 else 2}
    if kind == "WEBP":
        return {"quality": quality, "lossless": quality >= 100, "exact": True}
    return {"compression": "tiff_deflate"} if kind == "TIFF" else {}


def write_text_atomic(path: Path, text: str) -> None:
    """`write_atomic` for UTF-8 text, line ends as they are."""
    write_atomic(path, text.encode("utf-8"))


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by a file holding `data`: at any moment the old one or the new one, whole.

    Without `durable` a power cut may leave an empty or old file: for those who check hashes, then `flush`.
    Raises StorageError naming the path and the remedy; no temporary file stays.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}.tmp")
    try:
        try:
            _put(temporary, data, durable)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def _put(path: Path, data: bytes, durable: bool) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


def flush() -> None:
    """Everything written so far is on the disk when this returns; one wait for any number of files."""
    if hasattr(os, "sync"):  # not on Windows
        os.sync()


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (not on Windows or some network disks)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "permission denied; choose another folder or change its rights",
    errno.EPERM: "not permitted; choose another folder or change its rights",
    errno.ENOENT: "its folder does not exist; create it",
    errno.ENOTDIR: "a part of its path is a file; choose another folder",
    errno.EISDIR: "is a folder; choose another name",
    errno.EEXIST: "a file or folder of that name is in the way; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the disk reports an input/output error; check it",
}


def storage_error(path: Path, error: OSError) -> StorageError:
    """What `error` means for someone who wanted to write `path`, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}; check the disk")
    return StorageError(f"{path}: cannot be written: {remedy}")
