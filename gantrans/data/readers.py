"""How the files of a layout become pairs: two files, two halves of one, or a clean image and a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gantrans.data.layouts import Item
from gantrans.data.pixels import MASK, Look, View
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade

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
