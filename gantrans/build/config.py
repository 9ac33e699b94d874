"""Composes a verb's config with Hydra and answers every mistake with the key, what was found and what is
accepted."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from gantrans.build import schema
from gantrans.build.places import conf_dir, sample_dir
from gantrans.errors import ConfigError

# Values taken as they are: Hydra's grammar would trip over spaces, brackets and commas in a path.
PATHS = ("data.root", "run.dir", "source", "out", "model")
HINTS = {
    "data.root": "a folder of clean images or of pairs, or a .csv / .jsonl",
    "source": "the image or folder to read",
    "out": "the folder to write to",
    "model": "a run folder or a bundle",
}


def prepare_hydra() -> None:
    """Register the schemas and the ${sample_data:} resolver; may be called again."""
    schema.register()
    OmegaConf.register_new_resolver("sample_data", lambda: str(sample_dir()), replace=True)


def compose_verb(verb: str, overrides: list[str], config_dir: str | None = None) -> DictConfig:
    """The complete config of `verb`. `config_dir` is a folder of the user's own config files, beside ours.

    Raises ConfigError for anything that does not fit.
    """
    prepare_hydra()
    recipe_file, rest = _take_recipe_file(overrides)
    quoted = [quote_path(o) for o in rest]
    if config_dir:
        if not Path(config_dir).is_dir():
            raise ConfigError(f"--config-dir {config_dir}: no such folder")
        quoted.append(f"hydra.searchpath=['file://{Path(config_dir).resolve()}']")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            config = compose(verb, overrides=quoted)
        if recipe_file:
            with_recipe = OmegaConf.create({"recipe": _read_yaml(Path(recipe_file), "recipe")})
            config.recipe = OmegaConf.merge(with_recipe, _dotted(rest, "recipe.")).recipe
        OmegaConf.resolve(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, config_dir)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"a config file is not valid YAML: {error}") from error
    return config


def require(config: DictConfig) -> None:
    """Raise ConfigError naming the keys that have no value yet."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        wanted = "; ".join(f"{key}=... ({HINTS.get(key, 'a value')})" for key in missing)
        raise ConfigError(f"missing: {wanted}")


def load_config(path: Path, overrides: list[str]) -> DictConfig:
    """A run's own config.yaml with `overrides` (plain key=value) applied; every key must exist already."""
    prepare_hydra()
    try:
        config = OmegaConf.merge(OmegaConf.structured(schema.TrainSchema), OmegaConf.load(path))
        OmegaConf.set_struct(config, True)
        for override in overrides:
            key, equals, value = override.partition("=")
            if not equals or key.startswith(("+", "~")):
                raise ConfigError(f"{override}: resume takes key=value")
            OmegaConf.update(config, key, value if key in PATHS else yaml.safe_load(value), merge=True)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(explain(error)) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    assert isinstance(config, DictConfig)
    return config


def explain(error: BaseException, config_dir: str | None = None) -> str:
    """One line for the mistake behind a Hydra or OmegaConf error."""
    if isinstance(error, MissingConfigException):
        return _explain_choice(str(error), config_dir)
    chain = list(_causes(error))
    for cause in chain:
        key = getattr(cause, "full_key", None)
        if isinstance(cause, ConfigKeyError | OmegaConfBaseException) and key:
            text = str(cause).splitlines()[0]
            if "not in" in text:
                return _explain_key(cause, str(key))
            return f"{key}: {text}"
    line = str(chain[-1] if str(chain[-1]) else error).splitlines()[0]
    return f"{str(error).splitlines()[0]} ({line}); write overrides as key=value" if line else str(error)


def quote_path(override: str) -> str:
    """A path override in Hydra's quotes, so that any file name is taken as it is."""
    key, equals, value = override.partition("=")
    plain = re.fullmatch(r"[\w./~@%+-]*", value)
    if not equals or key not in PATHS or plain or value[:1] in "'\"$":
        return override
    return f"{key}='" + value.replace("'", "\\'") + "'"


def close_to(name: str, accepted: Iterable[str]) -> str:
    """ "did you mean X? accepted: ..." for a misspelled name."""
    names = sorted(accepted)
    near = difflib.get_close_matches(name, names, 1, 0.6)
    return (f"did you mean {near[0]}? " if near else "") + f"accepted: {', '.join(names)}"


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


def _take_recipe_file(overrides: list[str]) -> tuple[str | None, list[str]]:
    """recipe=FILE.yaml chooses a file anywhere on disk, not a name in the catalogue."""
    files = [o for o in overrides if o.startswith("recipe=") and o.endswith((".yaml", ".yml"))]
    rest = [o for o in overrides if o not in files]
    return (files[-1].partition("=")[2] if files else None), rest


def _read_yaml(path: Path, key: str) -> DictConfig:
    try:
        loaded = OmegaConf.load(path)
    except OSError as error:
        raise ConfigError(f"{key}={path}: cannot be read: {error.strerror}") from error
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{key}={path}: must hold keys (name, steps), found a {type(loaded).__name__}")
    return loaded


def _dotted(overrides: list[str], prefix: str) -> DictConfig:
    return OmegaConf.from_dotlist([o for o in overrides if o.startswith(prefix)])
