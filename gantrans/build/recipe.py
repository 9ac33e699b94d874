"""From a config to a recipe; without torch, so that `gantrans pairs` starts at once."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.build.factory import plugin_classes
from gantrans.degrade.recipe import Recipe, parse_recipe
from gantrans.errors import ConfigError


def build_recipe(node: Any, plugins: list[str]) -> Recipe:
    """The recipe of a config, with the plugins' degradations beside ours. Raises ConfigError."""
    plain = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    if not isinstance(plain, dict):
        raise ConfigError(f"recipe: must hold keys (name, steps), found {plain!r}")
    return parse_recipe(plain, plugin_classes(plugins))  # type: ignore[arg-type]
