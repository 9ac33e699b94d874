"""One training or validation pair as arrays: read or degraded, then augmented; every draw is addressed.

Nothing here knows of batches, workers or time: `pair(epoch, index)` is a pure function of its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.random import Generator

from gantrans import draws
from gantrans.data import masks
from gantrans.data.augment import Augment, Geometry
from gantrans.data.cache import NO_CACHE, Cache
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.pixels import MASK, Look, View, enlarged
from gantrans.data.samples import Sample
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade
from gantrans.errors import DataError

Pair = tuple[np.ndarray, np.ndarray]  # source and target, (H, W, C), uint8 or uint16
Masked = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # and where the source is covered (data/masks.py)


class Reader(Protocol):
    """How a layout's files become pairs."""

    def views(self, item: Item, source: Look, target: Look) -> tuple[View, ...]:
        """The pictures that a pair is made of."""
        ...

    def pair(self, item: Item, draw: int, pictures: list[np.ndarray], source: Look, target: Look) -> Masked:
        """The pair, in its looks, and the mask of the source if one is known, from those pictures."""
        ...


@dataclass(frozen=True)
class ReadFiles:
    """A paired layout: two files; with `swap` they change places; with `masks` the mask too, where an item
    has one. The draw plays no part."""

    swap: bool = False
    masks: bool = False

    def views(self, item: Item, source: Look, target: Look) -> tuple[View, ...]:
        files = (item.target, item.source) if self.swap else (item.source, item.target)
        pair = View(files[0], source), View(files[1], target)
        return (*pair, View(item.mask, Look(MASK, source.resize))) if self.masks and item.mask else pair

    def pair(self, item: Item, draw: int, pictures: list[np.ndarray], source: Look, target: Look) -> Masked:
        del item, draw, source, target
        return pictures[0], pictures[1], pictures[2] if len(pictures) > 2 else None


read_files = ReadFiles()


@dataclass(frozen=True)
class ReadHalves:
    """A side-by-side file cut in the middle; `side` ("left" or "right") is the source."""

    side: str

    def views(self, item: Item, source: Look, target: Look) -> tuple[View, ...]:
        other = {"left": "right", "right": "left"}[self.side]
        return View(item.source, source, self.side), View(item.source, target, other)

    def pair(self, item: Item, draw: int, pictures: list[np.ndarray], source: Look, target: Look) -> Masked:
        return read_files.pair(item, draw, pictures, source, target)


@dataclass(frozen=True)
class DegradeClean:
    """A clean image is the target; the source is drawn from the recipe for (seed, key, draw), with `masks`
    the mask of what the recipe covers too, if it covers anything."""

    recipe: Recipe
    seed: int
    masks: bool = False

    def views(self, item: Item, source: Look, target: Look) -> tuple[View, ...]:
        del source, target  # the recipe sees the file's own channels and size
        return (View(item.target),)

    def pair(self, item: Item, draw: int, pictures: list[np.ndarray], source: Look, target: Look) -> Masked:
        clean = crop_to_multiple(pictures[0], self.recipe.scale)
        degraded, params = degrade(self.recipe, clean, seed=self.seed, key=item.key, draw=draw)
        mask = None
        if self.masks and self.recipe.masked:
            mask = self.recipe.mask(clean.shape[0], clean.shape[1], params)[..., None]
            mask = Look(MASK, source.resize).of(mask)
        return source.of(degraded), target.of(clean), mask


@dataclass(frozen=True)
class PairDataset:
    """The images of one split. `source_mode` and `target_mode` are "rgb" or "grey"; `resampler` does what
    augment.resize asks for (data/pixels.py).

    Sources are 1/`scale` the size of their targets (recipe lowres, or such files). mask: "input" makes it the
    last channel of what `pair` gives as the source.
    """

    items: list[Item]
    reader: Reader
    augment: Augment
    seed: int
    source_mode: str = "rgb"
    target_mode: str = "rgb"
    scale: int = 1
    resampler: str = "pillow"
    mask: str = "none"
    cache: Cache = field(default=NO_CACHE, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def views(self, item: Item) -> tuple[View, ...]:
        """The pictures that the pair of `item` is made of."""
        return self.reader.views(item, *self._looks)

    @cached_property
    def _looks(self) -> tuple[Look, Look]:
        resize = self.augment.resize
        return Look(self.source_mode, resize, self.resampler), Look(self.target_mode, resize, self.resampler)

    def whole(self, index: int, draw: int = 0) -> Pair:
        """Item `index` without random augmentation, as a user has it: whole, in the chosen modes, a source of
        1/`scale` the target's size; resized if so configured."""
        source, target, _ = self.masked(index, draw)
        return source, target

    def masked(self, index: int, draw: int = 0) -> Masked:
        """`whole`, and the mask of the source, (H, W, 1) uint8, or None where none is known."""
        source, target, mask = self._whole(index, draw)
        known = None if mask is None else np.ascontiguousarray(mask)
        return np.ascontiguousarray(source), np.ascontiguousarray(target), known

    def _whole(self, index: int, draw: int) -> Masked:
        item, looks = self.items[index], self._looks  # any order of memory; read-only where it is the cache's
        pictures = self.cache.fetch(*self.reader.views(item, *looks))
        source, target, mask = self.reader.pair(item, draw, pictures, *looks)
        (sh, sw), (th, tw) = source.shape[:2], target.shape[:2]
        if (sh, sw) != (th // self.scale, tw // self.scale):
            raise DataError(
                f"{item.source} is {sw}x{sh} but {item.target} is {tw}x{th}: sources must be 1/{self.scale} "
                "of their targets' size here, as the others are; resize or remove it"
            )
        if mask is not None and mask.shape[:2] != source.shape[:2]:
            raise DataError(
                f"{item.mask} is {mask.shape[1]}x{mask.shape[0]} but its source is {sw}x{sh}: a mask has the "
                "size of its source; make it anew"
            )
        return source, target, mask

    def sample(self, position: int) -> Sample:
        """What comes at `position` of the row of epochs: a pure function of it."""
        epoch, index = place(position, len(self.items), self.seed)
        return Sample(self.items[index].key, *self.pair(epoch, index))

    def pair(self, epoch: int, index: int) -> Pair:
        """Item `index` as it is seen in `epoch`: degraded and augmented by draws of (seed, epoch, key).

        May be read-only, and in any order of memory.
        """
        source, target, mask = self._whole(index, epoch)
        source = enlarged(source, target)
        height, width = target.shape[:2]
        rng, geometry = self.geometry(epoch, index, height, width)
        source = self.augment.jitter(rng, geometry.apply(source), self.augment.jitter_source)
        target = self.augment.jitter(rng, geometry.apply(target), self.augment.jitter_target)
        if self.mask == "input":
            if mask is None:
                raise DataError(f"{self.items[index].source}: has no mask, and data.mask=input needs one")
            source = masks.attached(source, geometry.apply_mask(masks.resized(mask, height, width)))
        return source, target

    def geometry(self, epoch: int, index: int, height: int, width: int) -> tuple[Generator, Geometry]:
        """How an item of that size is cut and turned, and the generator, of which jitter draws next."""
        item, crop = self.items[index], self.augment.crop
        if crop and min(height, width) < crop:
            raise DataError(
                f"{item.target}: {width}x{height} is smaller than the crop of {crop}; "
                f"set augment.crop={min(height, width)} or less, or augment.resize={crop}"
            )
        rng = draws.generator("augment", self.seed, item.key, epoch)
        return rng, self.augment.draw(rng, height, width)


def fingerprint(items: list[Item], root: Path) -> list[str]:
    """The names of the training images, relative to the data folder, for provenance and change detection."""
    return [
        str(i.target.relative_to(root)) if i.target.is_relative_to(root) else str(i.target) for i in items
    ]
