"""Why a file could not be read as an image, in words that say what to do about it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from gantrans.imaging import stored

ACCEPTED = "JPEG, PNG, WebP, TIFF, BMP, GIF, PPM"

# How files of other kinds begin: (offset, bytes, what it is).
_SIGNATURES = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "an icon (ICO)"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself (run git lfs pull)"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (4, b"ftyp", "a video (MP4 or alike)"),
)
_WEB = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<svg")
_CUT_SHORT = (
    "truncated",
    "not enough image data",
    "unexpected end",
    "unrecognized data stream",
    "broken data",
)


def explain(path: Path, data: bytes | None, error: Exception) -> str:
    """One plain sentence for `error`, raised when the file at `path` (or its bytes `data`) was decoded."""
    if isinstance(error, FileNotFoundError):
        return "is a link to nothing" if path.is_symlink() else "no such file"
    if isinstance(error, PermissionError):
        return "permission denied; make it readable"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    if isinstance(error, Image.DecompressionBombError):
        return "claims more pixels than are read; scale it down or cut it into tiles"
    try:
        start = data[:512] if data is not None else _start(path)
    except OSError as unreadable:
        return f"could not be read: {unreadable.strerror or unreadable}"
    if not start:
        return "is empty (0 bytes); the download or copy did not finish"
    if isinstance(error, UnidentifiedImageError):
        return f"is {_kind(start)}; accepted are {ACCEPTED}"
    words = str(error).strip() or type(error).__name__
    if isinstance(error, EOFError) or any(sign in words.lower() for sign in _CUT_SHORT):
        return f"is truncated or damaged ({words}); fetch it again"
    return f"is damaged ({type(error).__name__}: {words}); fetch it again or save it anew"


def _start(path: Path) -> bytes:
    with stored.opened(path) as stream:
        return stream.read(512)


def _kind(start: bytes) -> str:
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB):
        return "a web page or XML text, not an image"
    for offset, signature, what in _SIGNATURES:
        if start[offset:].startswith(signature):
            return what
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in start):
        return "text, not an image"
    return "not an image, or damaged at its very start"
