"""What every verb understands besides key=value: --help, --cfg job, --config-dir DIR, and -m for sweeps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gantrans.build.places import conf_dir
from gantrans.errors import ConfigError

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


def _sweep(verb: str, options: Options, task: Callable[[DictConfig, list[str]], None]) -> None:
    """Hydra's own multirun: every combination of comma-separated values, one run folder each."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from gantrans.build.config import prepare_hydra, require

    prepare_hydra()

    def job(config: DictConfig) -> None:
        OmegaConf.resolve(config)
        require(config)
        task(config, list(HydraConfig.get().overrides.task))

    directory = ["--config-dir", options.config_dir] if options.config_dir else []
    sys.argv = ["gantrans", "--multirun", *directory, *options.overrides]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=verb)(job)()
