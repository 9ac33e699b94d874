"""A folder of every kind of file that people have, sound or not, with what should become of each."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gantrans.imaging.write import write
from tests import icc
from tests.conftest import draw_picture

Maker = Callable[[Path, np.ndarray, int], None]


def alpha_of(rgb: np.ndarray) -> np.ndarray:
    return np.linspace(0, 255, rgb.shape[0] * rgb.shape[1]).astype(np.uint8).reshape(rgb.shape[:2])


def deep(u8: np.ndarray) -> np.ndarray:
    return u8.astype(np.uint16) * 257 ^ 5


def saved(kind: str, mode: str = "RGB", **options: object) -> Maker:
    return lambda path, rgb, _: Image.fromarray(rgb).convert(mode).save(path, format=kind, **options)


def turned(path: Path, rgb: np.ndarray, number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1 + number % 8
    Image.fromarray(rgb).save(path, format="JPEG", exif=exif)


def rgba(kind: str) -> Maker:
    stack = lambda rgb: Image.fromarray(np.dstack([rgb, alpha_of(rgb)]))  # noqa: E731
    return lambda path, rgb, _: stack(rgb).save(path, format=kind)


def palette(path: Path, rgb: np.ndarray, _: int) -> None:
    Image.fromarray(rgb).quantize(16).save(path, format="PNG", transparency=3)


def animated(kind: str) -> Maker:
    def make(path: Path, rgb: np.ndarray, _: int) -> None:
        frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
        frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=50)

    return make


def truncated(kind: str) -> Maker:
    def make(path: Path, _: np.ndarray, number: int) -> None:
        stream = io.BytesIO()
        noise = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(stream, format=kind)
        path.write_bytes(stream.getvalue()[: len(stream.getvalue()) * 2 // 3])

    return make


def bomb(path: Path, *_: object) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(9))))


def floating(path: Path, rgb: np.ndarray, _: int) -> None:
    Image.fromarray(rgb[..., 0].astype(np.float32)).save(path, format="TIFF")


def put(data: bytes) -> Maker:
    def make(path: Path, *_: object) -> None:
        path.write_bytes(data)

    return make


def linked(path: Path, *_: object) -> None:
    path.symlink_to(path.name)


def dangling(path: Path, *_: object) -> None:
    path.symlink_to("nowhere.png")


def pipe(path: Path, *_: object) -> None:
    os.mkfifo(path)


def locked(path: Path, rgb: np.ndarray, _: int) -> None:
    write(path, rgb)
    path.chmod(0)


def both_depths(write_as: Callable[[np.ndarray], np.ndarray], with_alpha: bool = False) -> Maker:
    def make(path: Path, rgb: np.ndarray, _: int) -> None:
        pixels = write_as(rgb)
        alpha = alpha_of(rgb).astype(pixels.dtype) * (257 if pixels.dtype == np.uint16 else 1)
        write(path, pixels, alpha if with_alpha else None)

    return make


# How the name looks ({} is a number), who makes the file, and a part of why it is refused, or None.
KINDS: list[tuple[str, Maker, str | None]] = [
    ("plain {}.png", saved("PNG"), None),
    ("photo {}.JPG", saved("JPEG"), None),
    ("rgba {}.png", rgba("PNG"), None),
    ("rgba {}.webp", rgba("WEBP"), None),
    ("rgba as {}.jpg", rgba("PNG"), None),
    ("deep {}.png", both_depths(deep), None),
    ("deep grey {}.png", both_depths(lambda rgb: deep(rgb[..., :1])), None),
    ("deep grey {}.tif", both_depths(lambda rgb: deep(rgb[..., :1])), None),
    ("deep rgba {}.png", both_depths(deep, with_alpha=True), None),
    ("cmyk {}.jpg", saved("JPEG", "CMYK", quality=95), None),
    ("cmyk profile {}.jpg", saved("JPEG", "CMYK", quality=95, icc_profile=icc.cmyk()), None),
    ("wide gamut {}.png", saved("PNG", icc_profile=icc.rgb()), None),
    ("palette {}.png", palette, None),
    ("still {}.gif", saved("GIF", "P"), None),
    *(("turned {}.jpg", turned, None),) * 8,
    ("grey {}.jpeg", saved("JPEG", "L"), None),
    ("bits {}.tiff", saved("TIFF", "1"), None),
    ("lossy {}.webp", saved("WEBP"), None),
    ("old {}.bmp", saved("BMP"), None),
    ("raw {}.ppm", saved("PPM"), None),
    ("really png {}.jpg", saved("PNG"), None),
    ("really jpeg {}.png", saved("JPEG"), None),
    ("ünï 漢字 🙂 {}.png", saved("PNG"), None),
    ("line\nend {}.png", saved("PNG"), None),
    ("-dash {}.png", saved("PNG"), None),
    ("n" * 230 + " {}.png", saved("PNG"), None),
    ("a=b, [c] 'd' {}.png", saved("PNG"), None),
    ("folder {}.png/in it.png", saved("PNG"), None),
    ("animated {}.gif", animated("GIF"), "animation frames"),
    ("animated {}.webp", animated("WEBP"), "animation frames"),
    ("animated\n{}.png", animated("PNG"), "animation frames"),
    ("page {}.jpg", put(b"<html>404</html>"), "a web page"),
    ("text {}.png", put(b"not an image"), "text, not an image"),
    ("empty {}.png", put(b""), "is empty (0 bytes)"),
    ("cut {}.png", truncated("PNG"), "truncated or damaged"),
    ("cut {}.jpg", truncated("JPEG"), "truncated or damaged"),
    ("cut {}.webp", truncated("WEBP"), "damaged"),
    ("garbage {}.tif", put(b"\x93\x00\xff" * 50), "not an image"),
    ("bomb {}.png", bomb, "claims more pixels"),
    ("float {}.tif", floating, "floating point"),
    ("loop {}.png", linked, "symbolic links"),
    ("gone {}.png", dangling, "is a link to nothing"),
    ("pipe {}.png", pipe, "is not a regular file"),
]
if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may read anything
    KINDS.append(("locked {}.png", locked, "permission denied"))


def make_mixed(root: Path, count: int) -> dict[str, str | None]:
    """`count` image names below `root`, in three folders: relative path -> None, or why it is refused."""
    expected: dict[str, str | None] = {}
    for i in range(count):
        name, make, reason = KINDS[i % len(KINDS)]
        relative = ("", "sub/", "sub/a b/")[i % 3] + name.format(i)
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, draw_picture(i, 12 + i % 9, 11 + i % 7), i)
        expected[relative] = reason
    (root / "round").symlink_to(root, target_is_directory=True)
    (root / "notes.txt").write_text("no picture, and not called one")
    write(root / "twin.png", draw_picture(1, 9, 9))
    Image.fromarray(draw_picture(2, 9, 9)).save(root / "twin.gif")
    return {**expected, "twin.png": None, "twin.gif": None}
