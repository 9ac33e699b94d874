"""Makes the object that a `_target_` names: one of ours, or a class of a module that `plugins` names.

A config never decides which module is imported; the command line does, through `plugins`.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.errors import ConfigError
from gantrans.words import close_to

HYDRA_WORDS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_", "_mode_")


def make(node: Any, where: str, ours: tuple[type, ...], plugins: list[str], **given: Any) -> Any:
    """An instance of what `node` describes. `given` are arguments that the run itself decides.

    Raises ConfigError naming `where`, the offending key and what is accepted.
    """
    target = target_of(node, where, ours, plugins)
    plain: Any = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    values = {str(key): value for key, value in plain.items() if key != "_target_"}
    _refuse_nested(values, where)
    signature = inspect.signature(target)
    accepts = {name for name in signature.parameters if name not in given}
    for key in values:
        if key in given:
            raise ConfigError(f"{where}.{key}: is set by the run itself (from data.*_mode); remove it")
        if key not in accepts:
            raise ConfigError(
                f"{where}: {target.__name__} has no parameter {key!r}; {close_to(str(key), accepts)}"
            )
    try:
        return target(**values, **given)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def target_of(node: Any, where: str, ours: tuple[type, ...], plugins: list[str]) -> type:
    """The class that `node._target_` names. Raises ConfigError naming `where` and what is accepted."""
    if not isinstance(node, DictConfig | Mapping) or "_target_" not in node:
        raise ConfigError(f"{where}: needs a _target_ that names a class, as in conf/{where}/")
    path = node["_target_"]
    if not isinstance(path, str):
        raise ConfigError(f"{where}._target_={_shown(path)}: needed is the name of a class, as a text")
    return resolve(path, where, ours, plugins)


def _refuse_nested(found: Any, where: str) -> None:
    """Hydra would make an object of a `_target_` at any depth; arguments of ours are values."""
    if isinstance(found, Mapping):
        bad = next((key for key in found if key in HYDRA_WORDS), None)
        if bad is not None:
            raise ConfigError(f"{where}: {bad} makes nothing here; arguments are values, not objects")
    parts = (
        found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, list) else ()
    )
    for key, value in parts:
        _refuse_nested(value, f"{where}.{_shown(key)}")


def _shown(value: Any) -> str:
    """In one short line; look-alikes of letters are told apart."""
    return ascii(str(value))[1:-1][:100]


def takes(target: type, name: str) -> bool:
    """Whether a class's constructor has a parameter `name`."""
    return name in inspect.signature(target).parameters


def resolve(path: str, where: str, ours: tuple[type, ...], plugins: list[str]) -> type:
    """The class that `path` names, if it is one of `ours` or lives in one of `plugins`."""
    known = {f"{cls.__module__}.{cls.__qualname__}": cls for cls in ours}
    if path in known:
        return known[path]
    module_name, _, name = path.rpartition(".")
    shown = _shown(path)
    if module_name not in plugins:
        raise ConfigError(
            f"{where}._target_={shown}: accepted are {', '.join(known)}; for a class of your own "
            f"add its module: plugins=[{_shown(module_name) or 'MODULE'}]"
        )
    found = getattr(import_plugin(module_name), name, None)
    if not inspect.isclass(found):
        raise ConfigError(f"{where}._target_={shown}: module {module_name} has no class {name!r}")
    if found.__module__ != module_name and not found.__module__.startswith(f"{module_name}."):
        raise ConfigError(
            f"{where}._target_={shown}: {name} is of {found.__module__}, which {module_name} only imports; "
            f"name a class that is defined there, or add plugins=[{found.__module__}]"
        )
    return found


def import_plugin(name: str) -> Any:
    """A module that the user named; the current folder is looked in first, as `python` itself does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"plugins: cannot import {name!r}: {error}") from error


def plugin_classes(plugins: list[str]) -> dict[str, type]:
    """Every class that the plugins define, by dotted name: what a recipe may use beside our operations."""
    classes = {}
    for module_name in plugins:
        for name, value in vars(import_plugin(module_name)).items():
            if inspect.isclass(value) and value.__module__ == module_name:
                classes[f"{module_name}.{name}"] = value
    return classes
