"""One training or validation pair as arrays: read or degraded, then augmented; every draw is addressed.

Nothing here knows of batches, workers or time: `pair(epoch, index)` is a pure function of its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.random import Generator

from gantrans import draws
from gantrans.data import masks
from gantrans.data.augment import Augment, Geometry
from gantrans.data.cache import NO_CACHE, Cache
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.pixels import LABELS, Look, View, enlarged
from gantrans.data.readers import Masked, Pair, Reader
from gantrans.data.samples import Sample
from gantrans.errors import DataError
from gantrans.imaging.labels import Palette, coloured, one_hot, palette


@dataclass(frozen=True)
class PairDataset:
    """The images of one split. `source_mode` and `target_mode`: "rgb", "grey", or "labels", of which `pair`
    gives `classes` channels (imaging/labels.py, one_hot); palette: the colours by which "labels" targets tell
    them, in pictures. `resampler` does what augment.resize asks for.

    Sources are 1/`scale` the size of their targets (recipe lowres, or such files); `pair` enlarges them
    unless they are to stay `small`, for generators that enlarge. mask: "input" makes it the last channel of
    the source.
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
    classes: int = 0
    palette: Palette | None = None
    small: bool = False
    cache: Cache = field(default=NO_CACHE, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def views(self, item: Item) -> tuple[View, ...]:
        """The pictures that the pair of `item` is made of."""
        return self.reader.views(item, *self._looks)

    @cached_property
    def _looks(self) -> tuple[Look, Look]:
        resize = self.augment.resize
        source = Look(self.source_mode, resize, self.resampler)
        return source, Look(self.target_mode, resize, self.resampler, self.palette)

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
        height, width = target.shape[:2]
        rng, geometry = self.geometry(epoch, index, height, width)
        if self.small:
            there = geometry.reduced(self.scale)
        else:
            source, there = enlarged(source, target), geometry
        source = self._side(rng, there, source, self.source_mode, self.augment.jitter_source)
        target = self._side(rng, geometry, target, self.target_mode, self.augment.jitter_target)
        if self.mask == "input":
            if mask is None:
                raise DataError(f"{self.items[index].source}: has no mask, and data.mask=input needs one")
            source = masks.attached(source, geometry.apply_mask(masks.resized(mask, height, width)))
        return source, target

    def shown(self, pixels: np.ndarray, side: str) -> np.ndarray:
        """Pixels of "source" or "target" as a picture to look at: of label maps, their colours."""
        mode = self.source_mode if side == "source" else self.target_mode
        return coloured(pixels, palette(self.classes)) if mode == LABELS else pixels

    def _side(
        self, rng: Generator, geometry: Geometry, pixels: np.ndarray, mode: str, jitter: float
    ) -> np.ndarray:
        if mode == LABELS:
            return one_hot(geometry.apply_labels(pixels), self.classes)
        return self.augment.jitter(rng, geometry.apply(pixels), jitter)

    def geometry(self, epoch: int, index: int, height: int, width: int) -> tuple[Generator, Geometry]:
        """How an item of that size is cut and turned, and the generator, of which jitter draws next."""
        item, crop = self.items[index], self.augment.crop
        if crop and min(height, width) < crop:
            raise DataError(
                f"{item.target}: {width}x{height} is smaller than the crop of {crop}; "
                f"set augment.crop={min(height, width)} or less, or augment.resize={crop}"
            )
        rng, cell = draws.generator("augment", self.seed, item.key, epoch), self.scale if self.small else 1
        augment = replace(self.augment, crop=crop and crop // cell, resize=None) if cell > 1 else self.augment
        return rng, augment.draw(rng, height // cell, width // cell).magnified(cell)


def fingerprint(items: list[Item], root: Path) -> list[str]:
    """The names of the training images, relative to the data folder, for provenance and change detection."""
    return [
        str(i.target.relative_to(root)) if i.target.is_relative_to(root) else str(i.target) for i in items
    ]
