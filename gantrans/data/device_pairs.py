"""Pairs whose source the device makes (data.degrade=device): here they are read, cut and drawn for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gantrans import draws
from gantrans.data import masks
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.order import place
from gantrans.data.pixels import MODES, shorter_side, to_mode
from gantrans.data.readers import DegradeClean
from gantrans.data.samples import Sample
from gantrans.degrade.recipe import crop_to_multiple
from gantrans.degrade_batch.making import drawn, finished
from gantrans.degrade_batch.program import Program

_LATER = np.zeros((0, 0, 3), np.uint8)  # in place of the source that is still to be made


@dataclass(frozen=True)
class DevicePairs(PairDataset):
    """Clean images, read by DegradeClean: what PairDataset draws for them, but geometry comes first, and the
    recipe sees the crop. `whole` and `masked`, and so validation, are as ever."""

    def sample(self, position: int) -> Sample:
        """What comes at `position` of the endless row of epochs: a pure function of it."""
        epoch, index = place(position, len(self.items), self.seed)
        item, augment = self.items[index], self.augment
        (clean,) = self.cache.fetch(*self.reader.views(item, *self._looks))
        if augment.resize:
            clean = shorter_side(clean, augment.resize, self.resampler)
        clean = crop_to_multiple(clean, self.scale)
        rng, geometry = self.geometry(epoch, index, *clean.shape[:2])
        clean = geometry.apply(clean)
        program = self._program(item.key, epoch, clean, _factors(rng, augment))
        target = augment.jitter(rng, to_mode(clean, self.target_mode), augment.jitter_target)
        return Sample(item.key, _LATER, target, program=program)

    def _program(self, key: str, epoch: int, clean: np.ndarray, jitter: list[float]) -> Program:
        assert isinstance(self.reader, DegradeClean)
        recipe, (height, width) = self.reader.recipe, clean.shape[:2]
        program, params = drawn(recipe, clean, seed=self.reader.seed, key=key, draw=epoch)
        mask = None
        if self.mask == "input":  # from the layers that the program lays, drawn once for both
            mask = masks.resized(recipe.mask(height, width, params)[..., None], height, width)
        channels = MODES[self.source_mode]
        return finished(program, channels=channels, height=height, width=width, jitter=jitter, mask=mask)


def _factors(rng: np.random.Generator, augment: Augment) -> list[float]:
    """The draws of Augment.jitter for the source; none where it draws none."""
    most = augment.jitter_source
    return [draws.uniform(rng, 1 - most, 1 + most) for _ in range(3)] if most else []
