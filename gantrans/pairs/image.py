"""One original into the files of its pairs: read once, cut, moved, degraded, encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gantrans import draws
from gantrans.data.pixels import resized
from gantrans.degrade.algebra import Compose, label
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade
from gantrans.errors import DataError
from gantrans.imaging import colour, jpeg, ranges
from gantrans.imaging.read import Picture, read
from gantrans.imaging.write import encode, write_atomic
from gantrans.pairs import augment as pairs_augment
from gantrans.pairs.making import Box, Making

ROLES = ("source", "target")
ALL_ROLES = (*ROLES, "mask")

Entry = dict[str, Any]  # one line of the manifest, or of the list of rejected files


@dataclass(frozen=True)
class Setup:
    """What all tasks of a job share."""

    source: Path
    out: Path
    recipe: Recipe
    seed: int
    size: int | None
    making: Making = field(default_factory=Making)


def entries(setup: Setup, key: str, name: str, split: str, data: bytes, digest: str) -> Iterator[Entry]:
    """Write every pair of one original, a manifest line each. Raises DataError for what cannot be used."""
    picture = read(setup.source / key, data)
    whole = fitted(setup, without_alpha(setup, picture))
    boxes = setup.making.boxes(*whole.shape[:2])
    if not boxes:
        height, width = whole.shape[:2]
        raise DataError(f"{width}x{height} is smaller than tile={setup.making.tile}, and is never enlarged")
    for box in boxes:
        ready: _File | None = None
        for variant in range(1, setup.making.variants + 1):
            address = key if setup.making.tile is None else f"{key}#{box[0]},{box[1]}"
            entry: Entry = {"key": key, "split": split}
            target, drawn = placed(setup, whole, box, address, variant)
            if drawn is not None or ready is None:
                same = data if target.shape == picture.pixels.shape and drawn is None else None
                ready = _encoded_target(setup, name, target, picture, same, digest)
            source, params = _source(setup, name, target, address, variant)
            path = setup.making.name(name, box, boxes, variant)
            entry |= _write(setup.out, split, path, {"source": source, "target": ready})
            if setup.recipe.masked:
                mask = setup.recipe.mask(target.shape[0], target.shape[1], params)
                entry |= _write(setup.out, split, path, {"mask": _file(setup, "mask.png", mask[..., None])})
            entry |= {
                "original_sha256": digest,
                "seed": setup.seed,
                "recipe": setup.recipe.name,
                "recipe_hash": setup.recipe.hash,
                "engine": "worker",  # the other, of degrade_batch, works in training alone
            }
            if setup.making.multiplies:
                entry |= {"variant": variant, "tile": list(box)}
            if drawn is not None:
                entry["augment"] = drawn
            yield entry | {"params": params}


@dataclass(frozen=True)
class _File:
    data: bytes
    size: tuple[int, int]  # width, height, px
    sha256: str


def _file(setup: Setup, name: str, pixels: np.ndarray, data: bytes | None = None) -> _File:
    if data is None:
        making = setup.making
        try:
            data = encode(Path(name), pixels, quality=making.quality, png_level=making.png_level)
        except ValueError as error:  # larger than the format can be
            raise DataError(str(error)) from error
    return _File(data, (pixels.shape[1], pixels.shape[0]), hashlib.sha256(data).hexdigest())


def _write(out: Path, split: str, name: str, files: dict[str, _File]) -> Entry:
    """Nothing is flushed here: the journal has the hashes, and one flush comes before the manifest."""
    entry: Entry = {}
    for role, file in files.items():
        path = f"{split}/{role}/{name}"
        entry[role] = path if role != "mask" else str(Path(path).with_suffix(".png").as_posix())
        (out / entry[role]).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out / entry[role], file.data, durable=False)
        entry[f"{role}_size"] = list(file.size)
        entry[f"{role}_sha256"] = file.sha256
    return entry


def without_alpha(setup: Setup, picture: Picture) -> np.ndarray:
    """Without alpha, which a pair has not, and in 8 bits where the format has no more."""
    clean = colour.over_white(picture.pixels, picture.alpha)
    if clean.dtype == np.uint16 and setup.making.format != "png":
        return ranges.from_x01(ranges.to_x01(clean), np.uint8)
    return clean


def fitted(setup: Setup, pixels: np.ndarray) -> np.ndarray:
    """The middle `size` x `size` once the shorter side is scaled down to it; with tiles, all of that.

    Raises DataError if it is smaller.
    """
    size = setup.size
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    if shorter < size:
        raise DataError(f"{width}x{height} is smaller than size={size}, and images are never enlarged")
    if shorter > size:
        height, width = (max(size, round(side * size / shorter)) for side in (height, width))
        pixels = resized(pixels, height, width)
    if setup.making.tile is not None:
        return pixels
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[top : top + size, left : left + size]


def placed(
    setup: Setup, whole: np.ndarray, box: Box, address: str, variant: int
) -> tuple[np.ndarray, pairs_augment.Drawn | None]:
    drawn = None
    if setup.making.augment.acts:
        drawn = setup.making.augment.draw(draws.generator("pairs-augment", setup.seed, address, variant - 1))
    target = crop_to_multiple(pairs_augment.cut(whole, box, drawn), setup.recipe.scale)
    if not target.size:
        raise DataError(f"{whole.shape[1]}x{whole.shape[0]} is smaller than the recipe's scale")
    return target, drawn


def _encoded_target(
    setup: Setup, name: str, target: np.ndarray, picture: Picture, same: bytes | None, digest: str
) -> _File:
    """`same` are the original's bytes where target and original have one shape, so maybe one content."""
    stream = None
    if same is not None and setup.making.format == "jpg" and _is_untouched(picture, target):
        stream = jpeg.bare(same)
        if stream is not None and stream == same:
            return _File(stream, (target.shape[1], target.shape[0]), digest)
    return _file(setup, name, target, stream)


def _is_untouched(picture: Picture, target: np.ndarray) -> bool:
    return picture.turn == 1 and picture.alpha is None and np.shares_memory(target, picture.pixels)


def _source(
    setup: Setup, name: str, target: np.ndarray, address: str, variant: int
) -> tuple[_File, dict[str, Any]]:
    """Degraded and encoded; a recipe that ends with a JPEG hands over that very stream as the .jpg file."""
    recipe, address_of = setup.recipe, {"seed": setup.seed, "key": address, "draw": variant - 1}
    last = _last_jpeg(recipe) if setup.making.format == "jpg" else None
    if last is None:
        source, params = degrade(recipe, target, **address_of)
        return _file(setup, name, source), params
    front = Recipe(recipe.name, _AllButLast(recipe.steps), recipe.hash)  # type: ignore[arg-type]
    source, params = degrade(front, target, **address_of)
    stream = last.stream(source, params["steps"][-1][label(last)])
    return _file(setup, name, source, stream), params


def _last_jpeg(recipe: Recipe) -> Any:
    """The recipe's last step, if it always comes last and tells its stream; else None."""
    steps = recipe.steps
    if not isinstance(steps, Compose) or steps.shuffle:
        return None
    return steps.steps[-1] if callable(getattr(steps.steps[-1], "stream", None)) else None


class _AllButLast:
    """Draws for every step of a recipe, and does all but the last."""

    takes_u8 = True

    def __init__(self, steps: Compose) -> None:
        self.steps, self.scale, self.sample = steps, steps.scale, steps.sample
        self.first = Compose(steps.steps[:-1]) if len(steps.steps) > 1 else None

    def forward(self, pixels: np.ndarray, params: dict[str, Any]) -> np.ndarray:
        return self.first.forward(pixels, {"steps": params["steps"][:-1]}) if self.first else pixels
