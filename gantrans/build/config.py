"""Composes a verb's config with Hydra and answers every mistake with the key, what was found and what is
accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gantrans.build import schema
from gantrans.build.explain import explain, yaml_problem
from gantrans.build.older import add_defaults
from gantrans.build.places import conf_dir, sample_dir
from gantrans.build.untrusted import check_saved, check_size, refuse_interpolations
from gantrans.errors import ConfigError

# Values taken as they are: Hydra's grammar would trip over spaces, brackets and commas in a path.
PATHS = (
    *("data.root", "data.targets", "data.unpaired", "data.quarantine", "run.dir", "train.init_from"),
    *("source", "out", "model", "masks", "file", "json", "fix", "clean", "outputs", "targets", "weights"),
    *("content", "style", "method.style", "method.weights", "val.weights"),
)
HINTS = {
    "run.dir": "a folder of the run's own; null: runs/TASK-DATE-TIME",
    "data.root": "a folder of clean images or of pairs, or a .csv / .jsonl",
    "data.targets": "a folder of images of the target's kind; null: they are below data.root",
    "data.unpaired": "a folder of real images that have no target; null for methods that need none",
    "data.quarantine": "a list of files to leave out, as `gantrans check fix=FILE` writes it; null: none",
    "train.init_from": "a run folder, a bundle or a .pth; null: weights as drawn",
    "source": "the image or folder to read",
    "clean": "a folder of clean images of the same kind; null: none",
    "content": "the picture to be kept",
    "style": "the picture whose style is taken over",
    "method.style": "the picture whose style is learned",
    "outputs": "a folder of images that are there already; null: those of model=",
    "targets": "a folder of what the outputs ought to be",
    "weights": "a folder with files of pretrained weights, or one file; null: the usual places",
    "masks": "a folder of masks, named as the images; null: none",
    "out": "where to write to",
    "model": "a run folder or a bundle",
    "file": "the .pth file to read",
    "json": "the file to write all that was found to; null: none",
    "fix": "the file to write a list of unusable files to; true: quarantine.txt in this folder; false: none",
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
    recipe_file, rest = take_recipe_file(overrides)
    quoted = [quote_path(o) for o in rest]
    if config_dir:
        folder = existing_folder(config_dir)
        quoted.append(f"hydra.searchpath=[{_in_quotes(f'file://{folder}')}]")
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            config = compose(verb, overrides=quoted)
        return complete(config, recipe_file, rest)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(explain(error, config_dir)) from error


def complete(config: DictConfig, recipe_file: str | None, overrides: list[str]) -> DictConfig:
    """What Hydra composed, with the recipe of a file in its place and every interpolation replaced."""
    if recipe_file:
        path = Path(recipe_file).expanduser()
        recipe = _read_yaml(path, f"recipe={recipe_file}", "name, steps")
        refuse_interpolations(recipe, f"recipe={recipe_file}", resolvers_only=True)
        with_recipe = OmegaConf.create({"recipe": recipe})
        config.recipe = OmegaConf.merge(with_recipe, _dotted(overrides, "recipe.")).recipe
    _resolve(config)
    _refuse_empty_paths(config)
    return config


def existing_folder(config_dir: str) -> Path:
    """The folder that --config-dir names, absolute. Raises ConfigError if there is none."""
    folder = Path(config_dir).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    return folder.resolve()


def require(config: DictConfig, file: Path | None = None) -> None:
    """Raise ConfigError naming the keys that have no value yet; `file` is where they ought to be."""
    missing = sorted(OmegaConf.missing_keys(config))
    if missing and file:
        raise ConfigError(f"{file}: lacks {', '.join(missing)}; write them there, or give them as key=value")
    if missing:
        wanted = "; ".join(f"{key}=... ({HINTS.get(key, 'a value')})" for key in missing)
        raise ConfigError(f"missing: {wanted}")


def load_config(path: Path, overrides: list[str]) -> tuple[DictConfig, dict[str, Any]]:
    """A run's own config.yaml with `overrides` (plain key=value of known keys), and the defaults it took."""
    prepare_hydra()
    saved = _read_yaml(path, str(path), "those of `gantrans train --cfg job`", check_saved)
    refuse_interpolations(saved, str(path))
    try:
        config = OmegaConf.merge(OmegaConf.structured(schema.TrainSchema), saved)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{path}: {explain(error)}") from error
    assert isinstance(config, DictConfig)
    OmegaConf.set_struct(config, True)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or key.startswith(("+", "~")):
            raise ConfigError(f"{override}: resume takes key=value")
        try:
            OmegaConf.update(config, key, value if key in PATHS else yaml.safe_load(value), merge=True)
        except yaml.YAMLError as error:
            raise ConfigError(f"{override}: not a value: {yaml_problem(error)}") from error
        except OmegaConfBaseException as error:
            raise ConfigError(explain(error)) from error
    try:
        added = add_defaults(config, saved, path)
        _resolve(config)
        require(config, path)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    _refuse_empty_paths(config)
    return config, added


def quote_path(override: str, *, sweep: bool = False) -> str:
    """A path override in Hydra's quotes, so that any file name is taken as it is.

    Left alone are null, values in quotes, interpolations and, in a sweep, lists with commas.
    """
    key, equals, value = override.partition("=")
    given = value in ("", "null") or value.startswith("${") or re.fullmatch(r"'.*'|\".*\"", value)
    if not equals or key not in PATHS or given or (sweep and "," in value):
        return override
    return f"{key}={_in_quotes(value)}"


def _in_quotes(value: str) -> str:
    """Hydra reads a backslash as itself, except before a quote: there each is doubled."""
    doubled = re.sub(r"(\\+)(?='|\Z)", r"\1\1", value)
    return "'" + doubled.replace("'", "\\'") + "'"


def _resolve(config: DictConfig) -> None:
    """Replace every interpolation by its value; the reading first, as only it fails with the key."""
    OmegaConf.to_container(config, resolve=True)
    OmegaConf.resolve(config)


def _refuse_empty_paths(config: DictConfig) -> None:
    for key in PATHS:
        value = OmegaConf.select(config, key)
        if isinstance(value, str) and not value.strip():
            raise ConfigError(f"{key}= is empty; needed is {HINTS[key]}")


def take_recipe_file(overrides: list[str]) -> tuple[str | None, list[str]]:
    """recipe=FILE.yaml chooses a file anywhere on disk, not a name in the catalogue."""
    files = [o for o in overrides if o.startswith("recipe=") and o.endswith((".yaml", ".yml"))]
    rest = [o for o in overrides if o not in files]
    return (files[-1].partition("=")[2] if files else None), rest


def _read_yaml(
    path: Path, where: str, keys: str, check: Callable[[Path], None] = lambda _: None
) -> DictConfig:
    """The file at `path`, which must hold `keys`, and pass `check`; `where` names it in messages."""
    check_size(path, where)
    check(path)
    try:
        loaded = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML: {yaml_problem(error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{where}: cannot be read: {reason}") from error
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{where}: must hold keys ({keys}), found a {type(loaded).__name__}")
    return loaded


def _dotted(overrides: list[str], prefix: str) -> DictConfig:
    return OmegaConf.from_dotlist([o for o in overrides if o.startswith(prefix)])
