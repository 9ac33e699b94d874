"""What a run learns from and looks at, as `build` hands it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.data.augment import Augment
from gantrans.data.samples import Samples
from gantrans.training.validate import Validation


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


def build_augment(config: DictConfig) -> Augment:
    """The augmentation of a run. Raises ConfigError naming the key that is out of range."""
    values: Any = OmegaConf.to_container(config.augment)
    return Augment(**{**values, "scale": tuple(values["scale"])})
