"""Masks: where a source is covered. (H, W, 1) uint8, 0 untouched to 255 hidden.

Whatever is done to a mask, it is above 0 wherever what is done to its picture mixes covered pixels in, so
that what it calls untouched can be copied from the source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageFilter

from gantrans.data.layouts import ROLES, Item
from gantrans.errors import DataError
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import read

USES = ("none", "input")  # data.mask
OUTSIDE = ("copy", "output")  # data.outside
FOLDER = "mask"
BICUBIC_PX = 2.0  # how far a bicubic filter reaches, in pixels of the coarser of its two grids


def of_pixels(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8 or uint16 as a mask: the largest channel; 16 bits are rounded up: 1 stays above 0."""
    widest = pixels.max(axis=2, keepdims=True)
    return widest if widest.dtype == np.uint8 else ((widest.astype(np.uint32) + 256) // 257).astype(np.uint8)


def read_mask(path: Path) -> np.ndarray:
    """The mask in a file; an alpha channel plays no part. Raises UnreadableImage."""
    return of_pixels(read(path).pixels)


def attached(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W, C) pixels with the mask of their size as one more channel, in their dtype."""
    plane = mask if pixels.dtype == np.uint8 else mask.astype(np.uint16) * np.uint16(257)
    return np.concatenate([pixels, plane], axis=2)


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """As its picture is when that is resized by a bicubic filter: the share that is covered (means over
    boxes), and at least 1 wherever the filter reaches a covered pixel."""
    if mask.shape[:2] == (height, width):
        return mask
    plane = Image.fromarray(mask[..., 0].astype(np.float32))
    share = np.asarray(plane.resize((width, height), Image.Resampling.BOX))
    touched = _reached(_reached(mask[..., 0] > 0, height, 0), width, 1)
    return floored(share, touched)[..., None]


def floored(share: np.ndarray, touched: np.ndarray) -> np.ndarray:
    """`share` (0 to 255, float) as uint8: rounded, at least 1 where `touched`, 0 elsewhere."""
    levels = np.clip(np.floor(share + 0.5), 1, 255)
    return np.where(touched, levels, 0).astype(np.uint8)


def grown(covered: np.ndarray) -> np.ndarray:
    """(H, W) bool, and each neighbour of a covered pixel too."""
    image = Image.fromarray(covered.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(3))) > 0


def _reached(covered: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Which of `size` pixels along `axis` a bicubic filter makes of any covered one."""
    before = covered.shape[axis]
    if before == size:
        return covered
    centre, reach = (np.arange(size) + 0.5) * before / size, BICUBIC_PX * max(before / size, 1.0)
    low = np.clip(np.floor(centre - reach + 0.5), 0, before).astype(int)
    high = np.clip(np.ceil(centre + reach - 0.5), 0, before).astype(int)
    nothing = np.zeros_like(covered.take([0], axis), np.int64)
    counts = np.concatenate([nothing, np.cumsum(covered, axis, dtype=np.int64)], axis)
    return counts.take(high, axis) > counts.take(low, axis)


def with_masks(items: Iterable[Item]) -> list[Item]:
    """The items of a paired layout, each with its mask file where there is one: in mask/ beside source/,
    under the same relative path and stem."""
    folders: dict[Path, dict[str, Path]] = {}
    found = []
    for item in items:
        folder = None if item.mask else _mask_folder(item)
        if folder is not None and folder not in folders:
            folders[folder] = by_stem(folder) if folder.is_dir() else {}
        mask = item.mask if folder is None else folders[folder].get(item.key)
        found.append(replace(item, mask=mask) if mask else item)
    return found


def expected(item: Item) -> str:
    """Where the mask of an item is looked for, for messages."""
    folder = _mask_folder(item)
    return f"{item.source} (from a table, which has no column for it)" if folder is None else (
        str(folder / f"{item.key}.png")
    )  # fmt: skip


def by_stem(folder: Path) -> dict[str, Path]:
    """Relative path without its ending -> file. Raises DataError where two files share one."""
    stems: dict[str, Path] = {}
    for name in list_images(folder):
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in stems:
            raise DataError(f"{folder}: {stems[stem].name} and {name} share the stem {stem!r}; rename one")
        stems[stem] = folder / name
    return stems


def _mask_folder(item: Item) -> Path | None:
    """source/ -> mask/, source/train -> mask/train, trainA or train_source -> train_mask; None for a file
    that lies in no such folder."""
    depth = len(PurePosixPath(item.key).parts)
    parents = item.source.parents
    if len(parents) <= depth or item.source.with_suffix("") != parents[depth - 1] / item.key:
        return None
    folder, roles = parents[depth - 1], {source for source, _ in ROLES}
    if folder.name in roles:
        return folder.parent / FOLDER
    if folder.parent.name in roles:
        return folder.parent.parent / FOLDER / folder.name
    role = next((role for role in sorted(roles, key=len)[::-1] if folder.name.endswith(role)), None)
    return folder.parent / f"{folder.name.removesuffix(role).rstrip('_')}_{FOLDER}" if role else None
