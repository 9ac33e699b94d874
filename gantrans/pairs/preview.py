"""One picture that shows what a recipe does: some clean images, and each after every step drawn for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gantrans.degrade.recipe import Recipe, degrade
from gantrans.degrade.trace import told, trace
from gantrans.errors import ConfigError, DataError, StorageError
from gantrans.imaging import ranges
from gantrans.imaging.listing import is_image_name
from gantrans.imaging.read import UnreadableImage, read
from gantrans.imaging.write import write
from gantrans.pairs import image as pairs_image
from gantrans.pairs import plan as pairs_plan
from gantrans.pairs.image import Setup
from gantrans.pairs.preview_sheet import Layout, Panel, stacked

IMAGES = 3
_TRIES = 20  # images that are looked at, at most, for one that can be used


def panels(recipe: Recipe, clean: np.ndarray, *, seed: int, key: str, draw: int = 0) -> Iterator[Panel]:
    """The clean image, it after each operation drawn for this address, and the mask of a masking recipe.

    (H, W, C) uint8 or uint16, sides multiples of the scale. The draws are those of `degrade`, whose result is
    the last picture before the mask. Raises as `degrade` does.
    """
    _, params = degrade(recipe, clean, seed=seed, key=key, draw=draw)
    height, width = clean.shape[:2]
    yield Panel("clean", f"{width}x{height}", clean)
    pixels = clean if clean.dtype == np.uint8 else ranges.to_x01(clean)
    for number, (name, its_params, after) in enumerate(trace(recipe.steps, pixels, params), start=1):
        shown = after if clean.dtype == np.uint8 else ranges.from_x01(after, clean.dtype)
        yield Panel(f"{number} {name}", told(its_params), shown)
    if recipe.masked:
        mask = recipe.mask(height, width, params)
        yield Panel("mask", f"{(mask > 0).mean():.1%} covered", mask[..., None])


def make_preview(setup: Setup) -> list[str]:
    """Write the PNG `setup.out`: up to three images, spread evenly over the source, drawn for as `pairs` does
    for each image's first pair (of a tiled one, its middle tile). Answers why others were passed over.

    Raises ConfigError (keys that do not fit), DataError (nothing that can be used) and StorageError.
    """
    _check(setup)
    names = [name for name in pairs_plan.listing(setup.source) if is_image_name(name)]
    count = min(IMAGES, len(names))
    starts = [i * len(names) // count for i in range(count + 1)]
    lines: list[np.ndarray] = []
    headings: list[str] = []
    passed_over: list[str] = []
    for start, end in itertools.pairwise(starts):
        for key in names[start : min(end, start + _TRIES)]:
            try:
                rows, heading = _image(setup, key)
            except DataError as error:
                reason = error.reason if isinstance(error, UnreadableImage) else str(error)
                passed_over.append(f"{key}: {reason}")
                continue
            lines += rows
            headings += [heading, *[""] * (len(rows) - 1)]
            break
    if not lines:
        raise DataError(f"source={setup.source}: no image can be used, first: {passed_over[0]}")
    _write(setup.out, stacked(lines, headings))
    return passed_over


def _write(out: Path, shown: np.ndarray) -> None:
    try:
        write(out, shown)
    except StorageError as error:  # some file systems, as /proc, say of a new file that there is no such one
        if isinstance(error.__cause__, FileNotFoundError) and out.absolute().parent.is_dir():
            raise StorageError(f"out={out}: no file can be made in that folder; give another out=") from error
        raise


def _check(setup: Setup) -> None:
    out, size, scale = setup.out, setup.size, setup.recipe.scale
    if out.suffix.lower() != ".png" or out.is_dir():
        raise ConfigError(
            f"out={out}: preview makes one picture, no pairs; accepted is a file name that ends in .png, "
            "or leave out= away"
        )
    if setup.source.resolve() in out.resolve().parents:
        raise ConfigError(
            f"out={out}: lies within source={setup.source}, whose images it would join; "
            "give out=FILE.png elsewhere"
        )
    if size is not None and (size < 1 or size % scale):
        raise ConfigError(
            f"size={size}: accepted is a whole number from 1, a multiple of the recipe's scale {scale}"
        )
    setup.making.check(scale)


def _image(setup: Setup, key: str) -> tuple[list[np.ndarray], str]:
    """The panels of one image, drawn, in rows; and its heading. Raises DataError."""
    clean, address = without_alpha(setup, key)
    layout = Layout(max(clean.shape[:2]))
    shown = [layout.fit(panel) for panel in panels(setup.recipe, clean, seed=setup.seed, key=address)]
    done = any(one.title not in ("clean", "mask") for one in shown)
    return layout.rows(shown), key if done else f"{key}: no step was drawn for it"


def without_alpha(setup: Setup, key: str) -> tuple[np.ndarray, str]:
    """The target of an image's first pair, and the address its draws are made under."""
    whole = pairs_image.fitted(setup, pairs_image.without_alpha(setup, read(setup.source / key)))
    height, width = whole.shape[:2]
    boxes = setup.making.boxes(height, width)
    if not boxes:
        raise DataError(f"{width}x{height} is smaller than tile={setup.making.tile}, and is never enlarged")
    box = boxes[len(boxes) // 2]
    address = key if setup.making.tile is None else f"{key}#{box[0]},{box[1]}"
    return pairs_image.placed(setup, whole, box, address, 1)[0], address
