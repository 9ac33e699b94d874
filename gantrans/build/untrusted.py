"""Config files that may come from someone else: the config.yaml of a run folder, a recipe.

OmegaConf would replace `${oc.env:TOKEN}` in them by a secret of whoever reads them, and we would write it to
outputs. So a saved run may ask for nothing (ours are written with every value in place), and a recipe for
nothing but its own keys.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from gantrans.errors import ConfigError

MOST_BYTES = 2**20
DEEPEST = 64  # lists in lists; a recipe needs some five


def check_saved(path: Path) -> None:
    """Refuse a run's config.yaml that names one part many times, as a small file of a billion values does.
    Raises ConfigError; what cannot be read at all is left to the reader."""
    alias = next((event for event in _events(path) if isinstance(event, yaml.AliasEvent)), None)
    if alias is not None:
        raise ConfigError(f"{path}: *{ascii(alias.anchor)[1:-1]} stands for another part; write its values")


def check_size(path: Path, where: str) -> None:
    """Refuse a file that is larger, or nested deeper, than any config: YAML's reader would take minutes.
    Raises ConfigError, `where` before it."""
    depth = 0
    with contextlib.suppress(OSError):
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{where}: has more than {MOST_BYTES:,} bytes; no config has")
    for event in _events(path):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{where}: is nested too deep; at most {DEEPEST} levels")


def _events(path: Path) -> Iterator[yaml.Event]:
    """What YAML's parser sees, as far as it gets."""
    with (
        contextlib.suppress(OSError, UnicodeDecodeError, yaml.YAMLError),
        path.open(encoding="utf-8") as text,
    ):
        yield from yaml.parse(text)


def refuse_interpolations(node: DictConfig, where: str, *, resolvers_only: bool = False) -> None:
    """Raise ConfigError naming the first key that asks for a value from elsewhere; `resolvers_only`: that
    calls for more than another key of the config, as `${oc.env:NAME}` does and `${oc.select:KEY,1}` does not.
    """
    for key, text in _texts(OmegaConf.to_container(node, resolve=False)):
        asked = (text.replace("${oc.select:", "${") if resolvers_only else text).partition("${")[2]
        if asked and (":" in asked or not resolvers_only):
            raise ConfigError(
                f"{where}: {key}: {ascii(text)[1:-1][:80]} asks for a value from outside this file, which "
                "may be someone else's; write the value itself, or give it as key=value"
            )


def _texts(found: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested values with its key, and every key."""
    if isinstance(found, str):
        yield place, found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from _texts(str(key), place or "keys")
            yield from _texts(value, f"{place}.{key}" if place else str(key))
    elif isinstance(found, list):
        for number, value in enumerate(found):
            yield from _texts(value, f"{place}[{number}]")
