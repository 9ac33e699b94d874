"""Looks at every byte of a file that training may read: whether it decodes, how fast, and what it is."""

from __future__ import annotations

import hashlib
import io
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from gantrans.imaging import decode, stored
from gantrans.imaging.listing import irregular
from gantrans.imaging.phash import has_features, phash
from gantrans.imaging.read import FORMATS, UnreadableImage, read

MAX_LABELS = 64  # more different values than that are a picture, not class ids


@dataclass(frozen=True)
class Facts:
    """What one file holds. `problem` says why it cannot be read; then nothing that follows it is known.

    bytes: its size. digest: of its bytes. format: as "JPEG". mode: Pillow's, as "RGB", "CMYK", "P". size:
    (width, height) upright. turned: EXIF says so. ids: the class ids of what looks like a label map.
    print_: 64 bits that alike pictures share, None for flat ones. seconds: to read and decode it.
    """

    bytes: int
    digest: str
    problem: str | None = None
    format: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    channels: int = 0
    depth: int = 0
    alpha: bool = False
    turned: bool = False
    ids: tuple[int, ...] | None = None
    print_: int | None = None
    seconds: float = 0.0


def scan(files: Iterable[Path]) -> dict[Path, Facts]:
    """The facts of each file, in order, each read and decoded once; files are never written to."""
    ordered = sorted(set(files))
    bar = tqdm(ordered, "looking at every image", unit="image", disable=None, delay=2)
    return {path: look_at(path) for path in bar}


def look_at(path: Path) -> Facts:
    """The facts of one file; never raises for what is in it."""
    began = time.perf_counter()
    if (what := irregular(path)) is not None:
        return Facts(0, "", what)
    try:
        with stored.opened(path) as stream:
            data = stream.read()
    except OSError as error:
        return Facts(0, "", f"could not be read: {error.strerror or error}")
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    try:
        picture = read(path, data if data else None)
    except UnreadableImage as error:
        return Facts(len(data), digest, error.reason)
    seconds = time.perf_counter() - began
    kind, mode, turned, indices = _header(data)
    height, width, channels = picture.pixels.shape
    values = indices if indices is not None else picture.pixels if channels == 1 else None
    return Facts(
        bytes=len(data), digest=digest, format=kind, mode=mode, size=(width, height), channels=channels,
        depth=picture.depth, alpha=picture.alpha is not None, turned=turned,
        ids=None if values is None else _ids(values),
        print_=phash(picture.pixels) if has_features(picture.pixels) else None,
        seconds=seconds,
    )  # fmt: skip


def _header(data: bytes) -> tuple[str, str, bool, np.ndarray | None]:
    """Format, mode, whether EXIF turns it, and the indices of a palette."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        turned = decode.orientation(image) > 1
        indices = np.asarray(image) if image.mode == "P" else None
        return image.format or "", image.mode, turned, indices


def _ids(values: np.ndarray) -> tuple[int, ...] | None:
    """The values of a label map: few, and mostly equal to their neighbours; None for a picture."""
    plane = values.reshape(values.shape[0], values.shape[1])
    found = np.flatnonzero(np.bincount(plane.ravel(), minlength=1)) if plane.size else np.array([])
    if not 0 < len(found) <= MAX_LABELS:
        return None
    calm = float((plane[:, 1:] == plane[:, :-1]).mean()) if plane.shape[1] > 1 else 1.0
    return tuple(int(v) for v in found) if calm > 0.6 or len(found) <= 2 else None
