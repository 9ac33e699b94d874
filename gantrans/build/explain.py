"""One line for a mistake in a config: the key or the file, what was found and what is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml
from hydra.errors import MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from gantrans.words import close_to

KINDS = {"integer": "whole numbers", "float": "numbers", "bool": "true and false"}  # as OmegaConf calls them


def explain(error: BaseException, config_dir: str | None = None) -> str:
    """One line for the mistake behind a Hydra or OmegaConf error."""
    if isinstance(error, MissingConfigException):
        return _explain_choice(str(error), config_dir)
    if isinstance(error, yaml.YAMLError):
        return f"{_yaml_place(error)}: not valid YAML: {yaml_problem(error)}"
    chain = list(_causes(error))
    for cause in chain:
        key = _key_of(cause)
        if isinstance(cause, OmegaConfBaseException) and key:
            text = str(cause).splitlines()[0]
            if "not in" in text:
                return _explain_key(cause, str(key))
            return _explain_value(cause, str(key), text) or f"{key}: {text}"
    lines = [(str(e).splitlines() or [type(e).__name__])[0] for e in (error, chain[-1])]
    lines[1] = lines[0] if lines[1] == "None" else lines[1]  # the parser's own error may have no words
    return f"{' ('.join(dict.fromkeys(lines))}{')' * (lines[0] != lines[1])}; write overrides as key=value"


def _key_of(error: BaseException) -> str | None:
    """The key that an OmegaConf error is about; some tell it only in their text."""
    told = re.search(r"^\s*full_key: (\S+)", str(error), re.MULTILINE)
    return getattr(error, "full_key", None) or (told[1] if told else None)


def _explain_value(cause: OmegaConfBaseException, key: str, text: str) -> str:
    """A value of another kind than its key has: what was found, and what is accepted; "" for other errors."""
    found = re.match(r"Value '(.*)' (?:of type .* could not be converted to|is not a valid) (\w+)", text)
    accepted = KINDS.get(found[2].lower()) if found else None
    if found is None or accepted is None:
        return ""
    child: Any = cause.child_node
    unset = ", or null" if child is not None and child._is_optional() else ""
    return f"{key}={found[1]}: accepted are {accepted}{unset}"


def _explain_key(cause: OmegaConfBaseException, key: str) -> str:
    parent: Any = cause.parent_node
    accepted = [str(k) for k in parent if k != "hydra"] if isinstance(parent, DictConfig) else []
    prefix, _, name = key.rpartition(".")
    where = f"in {prefix}" if prefix else "at the top"
    return f"unknown key {key}: there is no {name} {where}; {close_to(name, accepted)}"


def _explain_choice(text: str, config_dir: str | None) -> str:
    choice = re.search(r"Could not find '([^']+)'", text)
    group, _, name = choice[1].rpartition("/") if choice else ("", "", "")
    if not group:
        return text.splitlines()[0]
    block = text.partition("Available options")[2].partition("Config search path")[0]
    options = {line.strip() for line in block.splitlines()[1:] if line.strip()}
    own = f" (also looked in {config_dir})" if config_dir else ""
    return f"{group}={name}: there is no such {group}{own}; {close_to(name, options)}"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def yaml_problem(error: yaml.YAMLError) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{problem or str(error).splitlines()[0]}{place}"


def _yaml_place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return mark.name if mark else "a config file"
