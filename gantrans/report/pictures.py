"""Pictures for the page, as JPEGs that keep to a limit whatever the run holds."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gantrans.errors import DataError
from gantrans.imaging import sheet
from gantrans.imaging.read import probe, read
from gantrans.report.cells import cells
from gantrans.report.run import RunRecord

BYTES = 5 * 2**20  # of all JPEGs of a page; base64 makes a third more of them
STRIPS = 16  # steps shown of each kind of strip: the first, the last, and those between, evenly
KINDS = 3  # of strips, as probes and real images without target
WIDTH, TALL = 1280, 4  # pixels across at most, and that many times as tall
PAIRS, PAIR_WIDTH = 4, 768  # before and after: the first rows of the last strip
MOST_PIXELS = 2**26  # of a strip that is read
QUALITY, LEAST = 82, 40


@dataclass(frozen=True)
class Frame:
    """A strip at one step."""

    step: int
    jpeg: bytes


@dataclass(frozen=True)
class Shown:
    """The pictures of one run: strips by kind; (source, output) pairs; what could not be shown, in words."""

    strips: dict[str, list[Frame]]
    pairs: list[tuple[bytes, bytes]]
    notes: list[str]


def count(run: RunRecord) -> int:
    """How many files `show` reads."""
    return sum(len(_spread(found)) for found in _kinds(run).values())


def show(run: RunRecord, share: float, step: Callable[[], object] = lambda: None) -> Shown:
    """The run's pictures in `share` of the page's BYTES; `step` is called after each file."""
    room = BYTES * share
    kinds = _kinds(run)
    each = int(room * 0.75 / max(1, count(run)))
    notes, strips = [], {}
    last: np.ndarray | None = None
    for kind, found in kinds.items():
        frames: list[Frame] = []
        for number, path in _spread(found):
            try:
                if (header := probe(path)).width * header.height > MOST_PIXELS:
                    raise DataError(f"{path}: {header.width}x{header.height} is more than is shown")
                pixels = sheet.to_u8_rgb(read(path).pixels)
                frames.append(Frame(number, jpeg(pixels, WIDTH, each)))
                last = pixels if kind == next(iter(kinds)) else last
            except DataError as error:
                notes.append(f"not shown: {error}")
            step()
        strips[kind] = frames
    pairs = [] if last is None else list(_pairs(last, int(room * 0.25 / (2 * PAIRS))))
    if last is not None and not pairs:
        notes.append("the last strip could not be cut into source and output, so there is no comparison")
    return Shown(strips, pairs, notes)


def _kinds(run: RunRecord) -> dict[str, list]:
    return dict(list(run.strips.items())[:KINDS])


def _spread(found: list) -> list:
    """STRIPS of them at most, evenly, the first and the last among them."""
    if len(found) <= STRIPS:
        return found
    return [found[i * (len(found) - 1) // (STRIPS - 1)] for i in range(STRIPS)]


def _pairs(strip: np.ndarray, most_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Source and output of the first rows; a mask, told or predicted, stands between them in rows of five."""
    for row in cells(strip)[:PAIRS]:
        made = row[2] if len(row) == 5 else row[1]
        yield jpeg(row[0], PAIR_WIDTH, most_bytes), jpeg(made, PAIR_WIDTH, most_bytes)


def jpeg(pixels: np.ndarray, width: int, most_bytes: int) -> bytes:
    """(H, W, 3) uint8 as a JPEG at most `width` across and of `most_bytes`: first quality is given up for
    that, then size."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale, quality = min(1.0, width / image.width, TALL * width / image.height), QUALITY
    while True:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        drawn = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        held = io.BytesIO()
        drawn.save(held, "JPEG", quality=quality)
        if held.tell() <= most_bytes or max(size) <= 16:
            return held.getvalue()
        if quality > LEAST:
            quality -= 14
        else:
            scale *= 0.8
