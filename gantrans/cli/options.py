"""What every verb understands besides key=value: --help, --cfg job, --config-dir DIR, and -m for sweeps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from gantrans.build.places import conf_dir
from gantrans.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from omegaconf import DictConfig

GROUPS = ("experiment", "recipe", "generator", "discriminator", "method")
FLAGS = "--help, --cfg job, --config-dir DIR, --multirun"


@dataclass
class Options:
    """A verb's command line, taken apart."""

    overrides: list[str] = field(default_factory=list)
    config_dir: str | None = None
    show_config: bool = False
    multirun: bool = False


def parse(verb: str, args: list[str]) -> Options | None:
    """Read the command line of `verb`; None if help was asked for and printed. Raises ConfigError."""
    options, rest = Options(), list(args)
    while rest:
        arg = rest.pop(0)
        if arg in ("-h", "--help"):
            print(_help(verb), end="")
            return None
        if arg in ("--cfg", "-c", "--config-dir", "-cd"):
            if not rest:
                raise ConfigError(f"{arg} needs a value: --cfg job, --config-dir DIR")
            _valued(options, arg, rest.pop(0))
        elif arg in ("-m", "--multirun"):
            options.multirun = True
        elif arg.startswith("-") or "=" not in arg.lstrip("~+"):
            raise ConfigError(
                f"{arg}: {verb} takes key=value and {FLAGS}; `gantrans {verb} --help` lists the keys"
            )
        else:
            options.overrides.append(arg)
    return options


def _valued(options: Options, flag: str, value: str) -> None:
    if flag in ("--config-dir", "-cd"):
        options.config_dir = value
    elif value == "job":
        options.show_config = True
    else:
        raise ConfigError(f"{flag} {value}: accepted is --cfg job")


def _help(verb: str) -> str:
    """The verb's own config file, comments and all, and the choices for each group it names."""
    path = conf_dir() / f"{verb}.yaml"
    text = path.read_text(encoding="utf-8")
    lines = []
    for group in GROUPS:
        names = sorted(p.stem for p in (conf_dir() / group).glob("*.yaml"))
        if f"- {group}:" in text:
            lines.append(f"    {group}={' | '.join(names)}")
    choices = "\nchoices:\n" + "\n".join(lines) + "\n" if lines else ""
    return f"{text}{choices}\nalso: {FLAGS}\n"


def run_verb(verb: str, args: list[str], task: Callable[[DictConfig, list[str]], None]) -> None:
    """Compose the config of `verb` from `args` and hand it to `task` with the overrides."""
    options = parse(verb, args)
    if options is None:
        return
    from omegaconf import OmegaConf

    from gantrans.build.config import compose_verb, require

    if options.multirun:
        _sweep(verb, options, task)
        return
    config = compose_verb(verb, options.overrides, options.config_dir)
    if options.show_config:
        print(OmegaConf.to_yaml(config), end="")
        return
    require(config)
    task(config, options.overrides)


def way_of(direction: str) -> str:
    """The way that `direction` names, by role or by the letters of older suites. Raises ConfigError."""
    ways = {"to_target": "to_target", "AtoB": "to_target", "to_source": "to_source", "BtoA": "to_source"}
    if direction not in ways:
        raise ConfigError(f"direction={direction}: accepted are to_target (AtoB) and to_source (BtoA)")
    return ways[direction]


def _sweep(verb: str, options: Options, task: Callable[[DictConfig, list[str]], None]) -> None:
    """Hydra's own multirun: every combination of comma-separated values, one run folder each.

    All are tried, and the first failure is raised at the end; an interrupt ends the sweep at once.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from gantrans.build.config import complete, existing_folder, quote_path, require
    from gantrans.build.explain import explain

    recipe_file, overrides = _checked(verb, options)
    stopped: list[Interrupted] = []
    here = os.getpid()

    def job(config: DictConfig) -> None:
        given = list(HydraConfig.get().overrides.task)
        try:
            config = complete(config, recipe_file, given)
            require(config)
            task(config, given + ([f"recipe={recipe_file}"] if recipe_file else []))
        except Interrupted as error:
            if os.getpid() != here:  # a launcher gave this job a process of its own
                raise
            stopped.append(error)
            raise KeyboardInterrupt from error  # Hydra would go on with the next job otherwise

    argv = [f"hydra.sweep.dir=runs/sweep-{datetime.now():%Y%m%d-%H%M%S}"]
    if any(o.startswith("hydra.sweep.dir=") for o in overrides):
        argv.clear()
    if options.config_dir:
        argv += ["--config-dir", str(existing_folder(options.config_dir))]
    argv += [quote_path(o, sweep=True) for o in overrides]
    try:
        with _as_hydra_wants(argv):
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=verb)(job)()
    except KeyboardInterrupt:
        raise stopped[0] if stopped else KeyboardInterrupt from None
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, options.config_dir)) from error


def _checked(verb: str, options: Options) -> tuple[str | None, list[str]]:
    """The recipe file, if one is given, and the other overrides, once every swept value has been composed:
    mistakes are answered before the first run, as without --multirun."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from gantrans.build.config import compose_verb, quote_path, require, take_recipe_file
    from gantrans.build.explain import explain

    if options.show_config:
        raise ConfigError("--cfg job shows one config; leave out --multirun")
    recipe_file, overrides = take_recipe_file(options.overrides)
    if recipe_file and "," in recipe_file:
        raise ConfigError(f"recipe={recipe_file}: a sweep takes one recipe file; to sweep over several, put "
                          "them in DIR/recipe/ and give --config-dir DIR recipe=NAME,NAME")  # fmt: skip
    try:
        parsed = OverridesParser.create().parse_overrides([quote_path(o, sweep=True) for o in overrides])
    except HydraException as error:
        raise ConfigError(explain(error)) from error
    fixed = [f"recipe={recipe_file}"] if recipe_file else []
    swept: list[list[str]] = []
    for override, text in zip(parsed, overrides, strict=True):
        if not override.is_sweep_override():
            fixed.append(text)
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            swept.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    first = [values[0] for values in swept]
    # One value varied at a time: the sum of their numbers, not the product.
    others = [[*first[:i], v, *first[i + 1 :]] for i, values in enumerate(swept) for v in values[1:]]
    for combination in [first, *others]:
        require(compose_verb(verb, [*fixed, *combination], options.config_dir))
    return recipe_file, overrides


@contextmanager
def _as_hydra_wants(argv: list[str]) -> Iterator[None]:
    """hydra.main reads sys.argv, and prints errors and exits unless told to raise them."""
    argv_before, full_before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = ["gantrans", "--multirun", *argv]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        sys.argv = argv_before
        os.environ.pop("HYDRA_FULL_ERROR")
        if full_before is not None:
            os.environ["HYDRA_FULL_ERROR"] = full_before
