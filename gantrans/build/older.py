"""Configs of runs that an older version of gantrans began: keys that came later take their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.build.places import conf_dir
from gantrans.errors import ConfigError

SECTIONS = ("data", "augment", "train", "val", "core")  # every run's config has always had them


def add_defaults(config: DictConfig, saved: DictConfig, path: Path) -> dict[str, Any]:
    """Give keys of a train config that have no value the one of conf/train.yaml; returns them by name.

    saved: what the file at `path` holds. Keys without a default stay as they are. Raises ConfigError where a
    whole section is missing, as then the file is not what a run left.
    """
    lost = [name for name in SECTIONS if name not in saved]
    if lost:
        raise ConfigError(
            f"{path}: lacks all of {', '.join(lost)}, which every run writes; it is not whole, copy it again"
        )
    defaults, added = OmegaConf.load(conf_dir() / "train.yaml"), {}
    for key in sorted(OmegaConf.missing_keys(config)):
        if _has(defaults, key):
            added[key] = OmegaConf.select(defaults, key)
            OmegaConf.update(config, key, added[key])
    return added


def _has(config: Any, key: str) -> bool:
    """Whether the key has a value, which may be null."""
    *sections, name = key.split(".")
    for section in sections:
        config = config.get(section) if isinstance(config, DictConfig) else None
    return isinstance(config, DictConfig) and name in config  # which is false of ???
