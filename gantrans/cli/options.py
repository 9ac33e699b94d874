"""What every verb understands besides key=value: --help, --cfg job, --config-dir DIR, and -m for sweeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gantrans.build.places import conf_dir
from gantrans.cli.help import FLAGS, help_text
from gantrans.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

VALUED = ("--cfg", "-c", "--config-dir", "-cd")  # flags that a value follows
Task = Callable[["DictConfig", list[str]], float | None]


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
            print(help_text(verb, conf_dir()), end="")
            return None
        if arg in VALUED:
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


def refuse_config_flags(verb: str, args: list[str]) -> None:
    """Raise ConfigError where a verb without a config is asked for one, by --cfg job or --config-dir."""
    asked = next((arg for arg in args if arg.partition("=")[0] in VALUED), None)
    if asked is not None:
        verbs = ", ".join(sorted([*(path.stem for path in conf_dir().glob("*.yaml")), "resume"]))
        raise ConfigError(
            f"{asked}: {verb} has no config that could be shown or replaced; `gantrans {verb} --help` says "
            f"all it takes. --cfg job goes with {verbs}"
        )


def _valued(options: Options, flag: str, value: str) -> None:
    if flag in ("--config-dir", "-cd"):
        options.config_dir = value
    elif value == "job":
        options.show_config = True
    else:
        raise ConfigError(f"{flag} {value}: accepted is --cfg job")


def run_verb(verb: str, args: list[str], task: Task) -> None:
    """Compose the config of `verb` from `args` and hand it to `task` with the overrides.

    What `task` returns is for a sweeper that looks for the best (cli/sweep.py).
    """
    options = parse(verb, args)
    if options is None:
        return
    from omegaconf import OmegaConf

    from gantrans.build.config import compose_verb, require

    if options.multirun:
        from gantrans.cli.sweep import sweep

        sweep(verb, options, task)
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
