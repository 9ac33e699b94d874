"""A recipe: named degradations in the order of a YAML file, and `degrade`, which applies it to one image.

name: crappify
steps:
  - down_up: {factor: [2, 3]}
  - maybe: {p: 0.7, do: [{text_mark: {}}]}
  - one_of: [{jpeg: {quality: [10, 70]}}, {gaussian_noise: {}}]
  - shuffle: [{gaussian_blur: {sigma_px: 1.5}}, {poisson_noise: {}}]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gantrans import draws
from gantrans.degrade import parse
from gantrans.degrade.base import Degradation, Params, apply, mask_of, masks
from gantrans.errors import ConfigError, GantransError
from gantrans.imaging import ranges

KEYS = ("name", "about", "scale", "steps")


@dataclass(frozen=True)
class Recipe:
    """What is done to an image. `hash` (16 hex digits) changes whenever a step or an amount of it does."""

    name: str
    steps: Degradation
    hash: str

    @property
    def scale(self) -> int:
        """The degraded image is 1/scale the size of the clean one."""
        return self.steps.scale

    def draw(self, rng: np.random.Generator) -> Params:
        return self.steps.sample(rng)

    @property
    def masked(self) -> bool:
        """Whether it covers parts of the picture and tells where."""
        return masks(self.steps)

    def apply(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        """(H, W, C) uint8 or x01 -> (H / scale, W / scale, C) of that type; ConfigError where a step breaks
        that."""
        degraded = apply(self.steps, pixels, params)
        expected = (pixels.shape[0] // self.scale, pixels.shape[1] // self.scale, pixels.shape[2])
        if degraded.shape != expected or degraded.dtype != pixels.dtype:
            raise ConfigError(
                f"recipe {self.name}: made {degraded.dtype} {degraded.shape} of {pixels.dtype} "
                f"{pixels.shape}; with scale {self.scale} {expected} is needed; mend the step's forward or "
                "its scale"
            )
        return degraded

    def mask(self, height: int, width: int, params: Params) -> np.ndarray:
        """Where marks and cut-outs cover a degraded image made of `height` x `width` pixels: (H / scale,
        W / scale) uint8, 0 untouched to 255 hidden."""
        return mask_of(self.steps, height, width, params)


def parse_recipe(config: Mapping[str, Any], extra: Mapping[str, type] | None = None) -> Recipe:
    """A recipe from its plain config. `extra` adds degradations of the user's own, by dotted name.

    Raises ConfigError naming the place in the recipe, what was found and what is accepted.
    """
    unknown = [key for key in config if key not in KEYS]
    if unknown:
        raise ConfigError(f"recipe.{unknown[0]}: no such key; accepted are {', '.join(KEYS)}")
    if not config.get("steps"):
        raise ConfigError("recipe.steps: needed is a list of degradations, as [{jpeg: {quality: 30}}]")
    steps, canonical = parse.sequence(config["steps"], "recipe.steps", extra or {})
    stated = config.get("scale", steps.scale)
    if stated != steps.scale:
        raise ConfigError(f"recipe.scale={stated}: the steps scale by {steps.scale}; make the two agree")
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Recipe(str(config.get("name", "unnamed")), steps, digest)


def crop_to_multiple(pixels: np.ndarray, multiple: int) -> np.ndarray:
    """(H, W, C) cut at its right and bottom so that both sides are multiples; a view, maybe empty."""
    height, width = (side // multiple * multiple for side in pixels.shape[:2])
    return pixels[:height, :width]


def degrade(
    recipe: Recipe, pixels: np.ndarray, *, seed: int, key: str, draw: int = 0
) -> tuple[np.ndarray, Params]:
    """The degraded image, of the same dtype (uint8 or uint16), and every parameter drawn for it.

    (H, W, C) pixels, sides multiples of `recipe.scale` (else ValueError). Draws depend on (seed, key, draw)
    alone, so training on the fly and `gantrans pairs` see the same image under the same address.
    """
    height, width = pixels.shape[:2]
    if height % recipe.scale or width % recipe.scale:
        raise ValueError(
            f"{width}x{height} is not a multiple of the scale {recipe.scale}; crop_to_multiple first"
        )
    try:
        params = recipe.draw(draws.generator("degrade", seed, key, draw))
        if pixels.dtype == np.uint8:
            return recipe.apply(pixels, params), params
        degraded = recipe.apply(ranges.to_x01(pixels), params)
    except GantransError:
        raise
    except Exception as error:  # a step may be the user's own code
        raise ConfigError(
            f"recipe {recipe.name}: a step failed on {key}: {type(error).__name__}: {error}; "
            "mend the step or leave it out"
        ) from error
    return ranges.from_x01(degraded, pixels.dtype), params
