"""What `gantrans match-recipe` measures of each picture, and of clean pictures made alike."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from gantrans.degrade.estimate_blur import edge_ratio
from gantrans.degrade.estimate_jpeg import JpegFound, from_comb, luma_steps, of_tables
from gantrans.degrade.estimate_noise import NoiseFound, noise
from gantrans.degrade.recipe import degrade, parse_recipe
from gantrans.errors import DataError
from gantrans.imaging import colour, decode, stored
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import FORMATS, UnreadableImage, read

MAX_SIDE = 768  # px; of larger pictures the middle is measured
MIN_SIDE = 64
BLURS_PX = (0.0, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0)  # of the curve from ratio to blur
_AS_STORED = {6: 8, 8: 6}  # the EXIF orientation that takes another back; the rest are their own


@dataclass(frozen=True)
class Looked:
    """One picture: `pixels` (H, W, 1 or 3) uint8, its middle, blocks beginning at its corner as stored."""

    key: str
    pixels: np.ndarray
    jpeg: JpegFound | None

    def noise(self) -> NoiseFound:
        return noise(self.pixels, self.jpeg)


def chosen(folder: Path, key: str, most: int) -> tuple[list[str], int]:
    """Up to `most` image names, spread evenly, and how many there are. Raises DataError if there are none."""
    names = list_images(folder)
    if not names:
        raise DataError(f"{key}={folder}: holds no images; needed is a folder of them, subfolders included")
    picks = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    return [names[i] for i in picks], len(names)


def look(folder: Path, name: str) -> Looked:
    """Read and crop one picture, and tell its JPEG quality. Raises UnreadableImage."""
    pixels, data = middle(folder, name)
    tables = _tables(data)
    return Looked(name, pixels, of_tables(tables) if tables is not None else from_comb(pixels))


def middle(folder: Path, name: str) -> tuple[np.ndarray, bytes]:
    """The middle of one picture, as it is stored, in 8 bits; and the file's bytes. Raises UnreadableImage."""
    path = folder / name
    try:
        with stored.opened(path) as stream:
            data = stream.read()
    except OSError as error:
        raise UnreadableImage(path, f"could not be read: {error.strerror or error}") from error
    picture = read(path, data or None)
    pixels = colour.over_white(picture.pixels, picture.alpha)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    pixels = decode.oriented(pixels, _AS_STORED.get(picture.turn, picture.turn))
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise UnreadableImage(path, f"is too small to measure; needed are {MIN_SIDE} pixels a side")
    return _cut(pixels), data


def _cut(pixels: np.ndarray) -> np.ndarray:
    """The middle, MAX_SIDE a side at most, from a multiple of 8 pixels on, as JPEG's blocks are."""
    tops = [max(0, side - MAX_SIDE) // 16 * 8 for side in pixels.shape[:2]]
    return np.ascontiguousarray(pixels[tops[0] :, tops[1] :][:MAX_SIDE, :MAX_SIDE])


def _tables(data: bytes) -> Sequence[int] | None:
    """The luma table of a JPEG's bytes; None for other formats, and for colours that are not luma first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    found = getattr(image, "quantization", None)
    return found[0] if image.mode in ("RGB", "L") and found and 0 in found else None


def ratios_of(folder: Path, names: Sequence[str], noise_levels: float) -> np.ndarray:
    """The edge ratio of each picture that has enough edges."""
    ratios = [edge_ratio(middle(folder, name)[0], noise_levels) for name in bar(names, "measuring edges")]
    return np.array([r for r in ratios if r is not None])


def bar(names: Sequence[Any], what: str) -> Any:
    return tqdm(names, what, unit="image", disable=None, delay=2)


def made_alike(clean: Sequence[Looked], steps: list[dict[str, Any]]) -> list[Looked]:
    """Clean pictures after steps of a recipe; the JPEG that comes last, if one does, is known."""
    if not steps:
        return list(clean)
    recipe = parse_recipe({"name": "alike", "steps": steps})
    quality = steps[-1].get("jpeg", {}).get("quality")
    jpeg = JpegFound(quality, luma_steps(quality), True) if quality else None
    return [Looked(c.key, degrade(recipe, c.pixels, seed=0, key=c.key)[0], jpeg) for c in clean]


def blur_curve(
    clean: Sequence[Looked], after: list[dict[str, Any]], noise_levels: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """For each of BLURS_PX, the median edge ratio of clean pictures so blurred and then degraded by `after`,
    and all their ratios."""
    ratios = []
    for blur in bar(BLURS_PX, "blurring clean images"):
        alike = made_alike(clean, [{"gaussian_blur": {"sigma_px": blur}}, *after])
        found = [edge_ratio(one.pixels, noise_levels) for one in alike]
        ratios.append(np.array([r for r in found if r is not None]))
    medians = [float(np.median(r)) if len(r) else float("nan") for r in ratios]
    return np.array(medians), ratios
