"""What `translate` must ask for, or refuse, because of the model it was given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.errors import ConfigError, DataError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from gantrans.bundles.bundle import Card


def choose_style(config: DictConfig, network: nn.Module, card: Card) -> None:
    """Tell a model of arbitrary style which. Raises ConfigError, DataError."""
    from gantrans.methods.style_fast import UNCUT, style_picture

    told = callable(getattr(network, "set_style", None))
    if config.style is None:
        if told:
            raise ConfigError(
                f"model={config.model}: takes any style; give style=FILE, the picture that has it"
            )
        return
    if not told:
        raise ConfigError(f"style={config.style}: this model takes no style; leave it out")
    path = Path(config.style).expanduser()
    if not path.is_file():
        raise DataError(f"style={path}: no such file")
    network.set_style(style_picture(path, UNCUT, grey=card.source_mode == "grey"))  # type: ignore[operator]


def chosen_format(asked: str, card: Card) -> str:
    """Label maps are PNG files. Raises ConfigError where another format is asked for."""
    if card.target_mode != "labels":
        return asked
    if asked not in ("keep", "png"):
        raise ConfigError(
            f"format={asked}: this model makes label maps, whose classes only png keeps; use png"
        )
    return "png"


def with_masks(config: DictConfig, card: Card) -> Card:
    """The card, as the masks that are given or missing make it. Raises ConfigError where they do not fit."""
    from dataclasses import replace

    if config.masks is None:
        if card.mask == "input":
            raise ConfigError(
                f"model={config.model}: was trained with masks of what is covered; give masks=DIR, a mask "
                "for each image under its name (0 untouched, to 255 hidden)"
            )
        return card
    if card.mask == "input":
        return card
    if card.source_mode != card.target_mode or card.target_mode == "labels" or card.scale > 1:
        raise ConfigError(
            f"masks={config.masks}: this model makes {card.target_mode} of {card.source_mode} at "
            f"{card.scale} times the size, so that nothing can be copied from the source; leave masks out"
        )
    return replace(card, outside="copy")
