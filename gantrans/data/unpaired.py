"""Images that have no partner: two folders of different kinds and counts, and real images beside pairs.

Each folder is a row of its own: endless, in an order and with augmentation of its own, every draw addressed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gantrans import draws
from gantrans.data.augment import Augment
from gantrans.data.cache import NO_CACHE, Cache
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.pixels import Look, View
from gantrans.data.samples import Sample
from gantrans.errors import DataError


@dataclass(frozen=True)
class ImageSet:
    """The images of one kind. `name` ("source", "target", "unpaired") is part of the address of every draw.

    mode: "rgb" or "grey". jitter: brightness, contrast and saturation by up to +- this share. resampler: what
    does augment.resize (data/pixels.py).
    """

    name: str
    items: list[Item]
    augment: Augment
    seed: int
    mode: str = "rgb"
    jitter: float = 0.0
    resampler: str = "pillow"
    cache: Cache = field(default=NO_CACHE, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    def whole(self, index: int) -> np.ndarray:
        """Image `index` without random augmentation, (H, W, C) uint8 or uint16; resized if so configured."""
        return np.ascontiguousarray(self._whole(index))

    def view(self, item: Item) -> View:
        """The picture that `item` is seen as."""
        return View(item.source, self._look)

    @cached_property
    def _look(self) -> Look:
        return Look(self.mode, self.augment.resize, self.resampler)

    def _whole(self, index: int) -> np.ndarray:
        """The same in whatever order memory has it; read-only where it is the cache's."""
        return self.cache.fetch(self.view(self.items[index]))[0]

    def at(self, position: int) -> tuple[str, np.ndarray]:
        """The key of what comes at `position` of this row, and the image as it is seen then."""
        epoch, index = place(position, len(self.items), self.seed, self.name)
        item, pixels = self.items[index], self._whole(index)
        height, width = pixels.shape[:2]
        crop = self.augment.crop
        if crop and min(height, width) < crop:
            raise DataError(
                f"{item.source}: {width}x{height} is smaller than the crop of {crop}; "
                f"set augment.crop={min(height, width)} or less, or augment.resize={crop}"
            )
        rng = draws.generator("augment", self.seed, self.name, item.key, epoch)
        geometry = self.augment.draw(rng, height, width)
        return item.key, self.augment.jitter(rng, geometry.apply(pixels), self.jitter)


@dataclass(frozen=True)
class UnpairedDataset:
    """Sources and targets that do not belong together. An epoch is as long as the larger of the two."""

    source: ImageSet
    target: ImageSet

    def __len__(self) -> int:
        return max(len(self.source), len(self.target))

    def sample(self, position: int) -> Sample:
        """What comes at `position`: a pure function of it."""
        (source_key, source), (target_key, target) = self.source.at(position), self.target.at(position)
        return Sample(f"{source_key} + {target_key}", source, target)


@dataclass(frozen=True)
class HybridDataset:
    """Pairs, and beside each a real image without a target. An epoch is one of the pairs."""

    pairs: PairDataset
    unpaired: ImageSet

    def __len__(self) -> int:
        return len(self.pairs)

    def sample(self, position: int) -> Sample:
        """What comes at `position`: a pure function of it."""
        pair, (key, real) = self.pairs.sample(position), self.unpaired.at(position)
        return replace(pair, key=f"{pair.key} + {key}", unpaired=real)
