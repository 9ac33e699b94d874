"""Pictures for people: error maps and labelled grids of images, uint8 RGB."""

from __future__ import annotations

from functools import cache
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gantrans.imaging import colour, ranges

ERROR_GAIN = 4  # an error of a quarter of the range is drawn as brightly as a whole one
# Black, indigo, magenta, orange, pale yellow: luma rises evenly along it, so brighter always means worse.
_RAMP = np.array(
    [
        [0, 0, 0],
        [48, 16, 104],
        [150, 30, 120],
        [222, 72, 72],
        [250, 152, 40],
        [255, 220, 90],
        [255, 255, 224],
    ],
    np.float32,
)
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 32, 32), (96, 96, 96)
_GAP = 6
_TITLE_EMS = 6  # the longest title that widens its column, in font sizes: a word or two


def to_u8_rgb(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) uint8, uint16 or x01 float -> (H, W, 3) uint8."""
    if pixels.dtype != np.uint8:
        x01 = ranges.to_x01(pixels) if pixels.dtype == np.uint16 else pixels
        pixels = ranges.from_x01(x01, np.uint8)
    return colour.to_rgb(pixels)


def error_map(output_u8: np.ndarray, target_u8: np.ndarray) -> np.ndarray:
    """The absolute error, mean over channels, in colour: black where equal, pale where a quarter of the range
    (64 levels) or more; (H, W, 3) uint8. Raises ValueError for different shapes."""
    if output_u8.shape != target_u8.shape:
        raise ValueError(f"error_map: {output_u8.shape} and {target_u8.shape} differ in shape")
    error = np.abs(output_u8.astype(np.float32) - target_u8.astype(np.float32)).mean(axis=2)
    position = np.clip(error * ERROR_GAIN / 255, 0, 1)
    stops = np.linspace(0, 1, len(_RAMP))
    ramped = [np.interp(position, stops, _RAMP[:, i]) for i in range(3)]
    return np.floor(np.stack(ramped, axis=2) + 0.5).astype(np.uint8)


def grid(
    rows: list[list[np.ndarray]],
    titles: list[str],
    row_names: list[str] | None = None,
    cell: int | None = None,
) -> np.ndarray:
    """A labelled grid of uint8 RGB images on white: `titles` above the columns, `row_names` above the rows.

    `cell` is the side in pixels of the square each image is fitted in: shrunk where larger, enlarged by whole
    factors where much smaller, never distorted or interpolated upwards; by default the largest image's side,
    at most 512. Short titles have room above small images, longer ones are cut in their middle. Raises
    ValueError where there is no image.
    """
    sides = [side for row in rows for image in row for side in image.shape[:2]]
    if not sides:
        raise ValueError("grid: no images")
    cell = cell or min(512, max(sides))
    row_names = row_names or []
    fitted = [[_fit(image, cell) for image in row] for row in rows]
    columns = max(len(titles), *(len(row) for row in rows))
    widths = [max((row[c].shape[1] for row in fitted if c < len(row)), default=1) for c in range(columns)]
    heights = [max((image.shape[0] for image in row), default=1) for row in fitted]
    size = max(11, min(18, cell // 14))
    font = ImageFont.load_default(size)
    for c, title in enumerate(titles[: len(widths)]):
        wanted = ceil(font.getlength("".join(map(_drawable, title))))
        widths[c] = max(widths[c], wanted if wanted <= _TITLE_EMS * size else 0)
    title_height = round(size * 1.6) if any(titles) else 0
    name_height = round(size * 1.4) if any(row_names) else 0

    width = sum(widths) + _GAP * (columns + 1)
    height = title_height + sum(heights) + (name_height + _GAP) * len(rows) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    lefts = [_GAP + sum(widths[:c]) + _GAP * c for c in range(columns)]
    for left, room, title in zip(lefts, widths, titles, strict=False):
        _label(draw, (left, _GAP // 2), title, room, size, _INK)
    top = title_height + _GAP
    for number, row in enumerate(fitted):
        if number < len(row_names):
            _label(draw, (_GAP, top), row_names[number], width - 2 * _GAP, size - 2, _FAINT)
        top += name_height
        for left, room, image in zip(lefts, widths, row, strict=False):
            sheet.paste(Image.fromarray(image), (left + (room - image.shape[1]) // 2, top))
        top += heights[number] + _GAP
    return np.asarray(sheet)


def _fit(image: np.ndarray, cell: int) -> np.ndarray:
    height, width = image.shape[:2]
    if max(height, width) > cell:
        scale = cell / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.LANCZOS))
    factor = cell // max(height, width)
    return np.ascontiguousarray(image.repeat(factor, axis=0).repeat(factor, axis=1))


def _label(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    width: int,
    size: int,
    ink: tuple[int, int, int],
) -> None:
    """Text cut to the width, its middle replaced by dots, since names differ at their ends."""
    font = ImageFont.load_default(max(9, size))
    text = "".join(map(_drawable, text))
    shown, keep = text, len(text)
    while draw.textlength(shown, font) > width and keep > 2:
        keep -= 1
        shown = f"{text[: keep // 2]}...{text[len(text) - (keep - keep // 2) :]}"
    draw.text(at, shown, ink, font)


@cache
def _drawable(letter: str) -> str:
    """The letter, or its number where the font would draw the box that it draws for all it lacks."""
    lacks = not letter.isprintable() or _drawn(letter) == _drawn("\uffff")
    return letter.encode("unicode_escape").decode() if lacks else letter


def _drawn(letter: str) -> bytes:
    plane = Image.new("L", (24, 24))
    ImageDraw.Draw(plane).text((4, 4), letter, 255, ImageFont.load_default(9))
    return plane.tobytes()
