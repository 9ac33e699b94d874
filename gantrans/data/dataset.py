"""One training or validation pair as arrays: read or degraded, then augmented; every draw is addressed.

Nothing here knows of batches, workers or time: `pair(epoch, index)` is a pure function of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrans import draws
from gantrans.data.augment import Augment
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.pixels import enlarged, opaque, shorter_side, to_mode
from gantrans.data.samples import Sample
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade
from gantrans.errors import DataError

Pair = tuple[np.ndarray, np.ndarray]  # source and target, (H, W, C), uint8 or uint16
Reader = Callable[[Item, int], Pair]


def read_files(item: Item, draw: int) -> Pair:
    """A paired layout: two files. The draw plays no part."""
    del draw
    return opaque(item.source), opaque(item.target)


@dataclass(frozen=True)
class Swapped:
    """Another reader with source and target exchanged."""

    reader: Reader

    def __call__(self, item: Item, draw: int) -> Pair:
        source, target = self.reader(item, draw)
        return target, source


@dataclass(frozen=True)
class ReadHalves:
    """A side-by-side file cut in the middle; `side` ("left" or "right") is the source."""

    side: str

    def __call__(self, item: Item, draw: int) -> Pair:
        del draw
        pixels = opaque(item.source)
        half = pixels.shape[1] // 2
        left, right = pixels[:, :half], pixels[:, half : 2 * half]
        return (left, right) if self.side == "left" else (right, left)


@dataclass(frozen=True)
class DegradeClean:
    """A clean image is the target; the source is drawn from the recipe for (seed, key, draw)."""

    recipe: Recipe
    seed: int

    def __call__(self, item: Item, draw: int) -> Pair:
        target = crop_to_multiple(opaque(item.target), self.recipe.scale)
        source, _ = degrade(self.recipe, target, seed=self.seed, key=item.key, draw=draw)
        return source, target


@dataclass(frozen=True)
class PairDataset:
    """The images of one split. `source_mode` and `target_mode` are "rgb" or "grey".

    Sources are 1/`scale` the size of their targets (recipe lowres, or such files).
    """

    items: list[Item]
    reader: Reader
    augment: Augment
    seed: int
    source_mode: str = "rgb"
    target_mode: str = "rgb"
    scale: int = 1

    def __len__(self) -> int:
        return len(self.items)

    def whole(self, index: int, draw: int = 0) -> Pair:
        """Item `index` without random augmentation, as a user has it: whole, in the chosen modes, a source of
        1/`scale` the target's size; resized if so configured."""
        item = self.items[index]
        source, target = self.reader(item, draw)
        target = to_mode(target, self.target_mode)
        source = to_mode(source, self.source_mode)
        expected = tuple(side // self.scale for side in target.shape[:2])
        if source.shape[:2] != expected:
            (sh, sw), (th, tw) = source.shape[:2], target.shape[:2]
            raise DataError(
                f"{item.source} is {sw}x{sh} but {item.target} is {tw}x{th}: sources must be 1/{self.scale} "
                "of their targets' size here, as the others are; resize or remove it"
            )
        if self.augment.resize:
            source, target = (shorter_side(p, self.augment.resize) for p in (source, target))
        return source, target

    def sample(self, position: int) -> Sample:
        """What comes at `position` of the endless row of epochs: a pure function of it."""
        epoch, index = place(position, len(self.items), self.seed)
        return Sample(self.items[index].key, *self.pair(epoch, index))

    def pair(self, epoch: int, index: int) -> Pair:
        """Item `index` as it is seen in `epoch`: degraded and augmented by draws of (seed, epoch, key)."""
        source, target = self.whole(index, draw=epoch)
        source = enlarged(source, target)
        key, crop = self.items[index].key, self.augment.crop
        height, width = target.shape[:2]
        if crop and min(height, width) < crop:
            raise DataError(
                f"{self.items[index].target}: {width}x{height} is smaller than the crop of {crop}; "
                f"set augment.crop={min(height, width)} or less, or augment.resize={crop}"
            )
        rng = draws.generator("augment", self.seed, key, epoch)
        geometry = self.augment.draw(rng, height, width)
        source = self.augment.jitter(rng, geometry.apply(source), self.augment.jitter_source)
        target = self.augment.jitter(rng, geometry.apply(target), self.augment.jitter_target)
        return source, target


def fingerprint(items: list[Item], root: Path) -> list[str]:
    """The names of the training images, relative to the data folder, for provenance and change detection."""
    return [
        str(i.target.relative_to(root)) if i.target.is_relative_to(root) else str(i.target) for i in items
    ]
