"""What a run learns from and looks at, as `build` hands it on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.build.checks import check_choice
from gantrans.data.augment import Augment
from gantrans.data.cache import Cache, plan
from gantrans.data.memory import free_bytes
from gantrans.data.pixels import View
from gantrans.data.preflight import Headers
from gantrans.data.quarantine import Quarantine, read_quarantine
from gantrans.data.samples import Samples
from gantrans.degrade.recipe import Recipe
from gantrans.errors import ConfigError
from gantrans.training.validate import Validation

MIB = 2**20
ENGINES = ("worker", "device")  # data.degrade
DEFAULT_MIB = 4096  # of data.cache_mib, where a quarter of the free memory is more


@dataclass(frozen=True)
class RunData:
    """`about` says in words what it is, `provenance` goes into the bundle's card.

    Sources are 1/`scale` the size of their targets.
    """

    train: Samples
    validation: Validation
    about: str
    provenance: dict[str, Any]
    scale: int = 1


def degrades_on_device(config: DictConfig, recipe: Recipe | None, layout: str) -> bool:
    """Whether data.degrade asks for it. Raises ConfigError where there is nothing to degrade, or the crop
    does not fit the recipe's scale."""
    check_choice("data.degrade", config.data.degrade, ENGINES)
    if config.data.degrade == "worker":
        return False
    if recipe is None:
        raise ConfigError(
            f"data.degrade=device: only clean images are degraded, and these are {layout}; leave it out"
        )
    crop = config.augment.crop
    if crop and crop % recipe.scale:
        raise ConfigError(
            f"augment.crop={crop}: with data.degrade=device the crop is reduced to 1/{recipe.scale}, so it "
            f"must be a multiple of {recipe.scale}, as {crop // recipe.scale * recipe.scale or recipe.scale}"
        )
    return True


def build_augment(config: DictConfig) -> Augment:
    """The augmentation of a run. Raises ConfigError naming the key that is out of range."""
    values: Any = OmegaConf.to_container(config.augment)
    return Augment(**{**values, "scale": tuple(values["scale"])})


def build_cache(config: DictConfig, views: Iterable[View], headers: Headers, taken: int = 0) -> Cache:
    """The cache of data.cache_mib for these pictures, the most wanted first; `taken` bytes of it are in use.

    Raises ConfigError.
    """
    asked, free = config.data.cache_mib, free_bytes()
    if asked is not None and asked < 0:
        raise ConfigError(
            f"data.cache_mib={asked}: accepted: 0 (none) or more MiB, or null (what fits, {DEFAULT_MIB} at "
            "the most)"
        )
    limit = min(DEFAULT_MIB * MIB, free // 4) if asked is None else min(asked * MIB, free * 3 // 4)
    processes = max(config.core.processes, int(os.environ.get("LOCAL_WORLD_SIZE", 1)))  # on this machine
    return plan(views, headers, limit // processes - taken)


def build_quarantine(config: DictConfig) -> Quarantine:
    """The files that data.quarantine names, which are left out. Raises ConfigError."""
    listed = config.data.quarantine
    root = Path(config.data.root).expanduser()
    return read_quarantine(None if listed is None else Path(listed).expanduser(), root)
