"""From a train config to what TensorBoard is given of the run."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.errors import ConfigError
from gantrans.training.job import View

BOUNDS = {"worst": (0, 64), "width": (64, 8192)}


def build_view(config: DictConfig) -> View:
    """Raises ConfigError naming the key that is out of bounds."""
    for key, (least, most) in BOUNDS.items():
        if not least <= config.log[key] <= most:
            raise ConfigError(f"log.{key}={config.log[key]}: accepted are {least} to {most}")
    keys: Any = OmegaConf.to_container(config, resolve=True)
    return View(config.log.worst, config.log.width, keys)
