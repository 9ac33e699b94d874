"""-m: several runs from one command line, by Hydra's sweepers and launchers (docs/cluster.md)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.build.places import conf_dir
from gantrans.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.cli.options import Options, Task

SWEEPER, DIRECTION = "hydra/sweeper=", "hydra.sweeper.direction="
NO_PLUGIN = ("Invalid plugin", "Unknown plugin", "Could not instantiate plugin")  # Hydra's words


def sweep(verb: str, options: Options, task: Task) -> None:
    """Every combination of comma-separated values, or what a sweeper proposes; one run folder each.

    All are tried, and the first failure is raised at the end; an interrupt ends the sweep at once.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from gantrans.build.config import existing_folder, quote_path
    from gantrans.build.explain import explain

    recipe_file, overrides, first = _checked(verb, options)
    stopped: list[Interrupted] = []
    argv: list[str] = []
    if options.config_dir:  # ahead of all overrides: argparse takes them in one piece only
        argv += ["--config-dir", str(existing_folder(options.config_dir))]
    argv += _sought(overrides, first)
    if not any(o.startswith("hydra.sweep.dir=") for o in overrides):
        argv.append(f"hydra.sweep.dir=runs/sweep-{datetime.now():%Y%m%d-%H%M%S}")
    argv += [quote_path(o, sweep=True) for o in overrides]
    try:
        with _as_hydra_wants(argv):
            job = _job(task, recipe_file, stopped)
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=verb)(job)()
    except KeyboardInterrupt:
        raise stopped[0] if stopped else KeyboardInterrupt from None
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, options.config_dir)) from error
    except (RuntimeError, ImportError) as error:
        if not str(error).startswith(NO_PLUGIN):
            raise
        raise _no_plugin(str(error), overrides) from error


def _no_plugin(said: str, overrides: list[str]) -> ConfigError:
    chosen = " ".join(o for o in overrides if o.startswith((SWEEPER, "hydra/launcher=")))
    return ConfigError(f"{chosen or 'hydra'}: {said.splitlines()[0]}; its _target_ must be a class of "
                       "Hydra's own or of an installed package below hydra_plugins")  # fmt: skip


def _job(
    task: Task, recipe_file: str | None, stopped: list[Interrupted]
) -> Callable[[DictConfig], float | None]:
    """What Hydra calls for each run; the value it returns is what a sweeper looks at."""
    from hydra.core.hydra_config import HydraConfig

    from gantrans.build.config import complete, require

    here = os.getpid()

    def job(config: DictConfig) -> float | None:
        given = list(HydraConfig.get().overrides.task)
        try:
            config = _within(complete(config, recipe_file, given))
            require(config)
            return task(config, given + ([f"recipe={recipe_file}"] if recipe_file else []))
        except Interrupted as error:
            if os.getpid() != here:  # a launcher gave this job a process of its own
                raise
            stopped.append(error)
            raise KeyboardInterrupt from error  # Hydra would go on with the next job otherwise

    return job


def _within(config: DictConfig) -> DictConfig:
    """A run that was given no folder lies in the sweep's, by its number, so that one name finds them all."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    if "run" in config and config.run.dir is None:
        config.run.dir = str(Path(hydra.sweep.dir) / f"run-{hydra.job.num}")
    return config


def _sought(overrides: list[str], config: DictConfig) -> list[str]:
    """Which way is better, for a sweeper that looks for the best and was not told.

    Raises ConfigError where no metric says what the best is.
    """
    from omegaconf import OmegaConf

    named = next((o.removeprefix(SWEEPER) for o in overrides if o.startswith(SWEEPER)), "basic")
    best = OmegaConf.select(config, "val.best")
    if named == "basic":
        return []
    if best is None:
        raise ConfigError(f"hydra/sweeper={named} looks for the best run, and nothing says which that is; "
                          "give train val.best=METRIC, as psnr")  # fmt: skip
    if any(o.startswith(DIRECTION) for o in overrides):
        return []
    return [f"{DIRECTION}{'minimize' if _is_lower(best) else 'maximize'}"]


def best_value(run: Path | None) -> float | None:
    """The best validation value of a run, of the metric that chose its bundle; None where none chose."""
    from gantrans.training.run_folder import RunFolder

    best = RunFolder(run, lock=False).read_status().get("best", {}) if run else {}
    metric, value = best.get("metric", "step"), best.get("value")
    if metric == "step" or value is None:
        return None
    return -value if _is_lower(metric) else value  # kept with its sign turned: training/reporting.py


def _is_lower(metric: str) -> bool:
    from gantrans.metrics import table

    about = table.PER_IMAGE.get(metric) or table.OVER_SETS.get(metric)
    return about is not None and about.higher is False


def _checked(verb: str, options: Options) -> tuple[str | None, list[str], DictConfig]:
    """The recipe file, if one is given, the other overrides, and the first config, once every swept value has
    been composed: mistakes are answered before the first run, as without --multirun."""
    from gantrans.build.config import compose_verb, require, take_recipe_file

    if options.show_config:
        raise ConfigError("--cfg job shows one config; leave out --multirun")
    recipe_file, overrides = take_recipe_file(options.overrides)
    if recipe_file and "," in recipe_file:
        raise ConfigError(f"recipe={recipe_file}: a sweep takes one recipe file; to sweep over several, put "
                          "them in DIR/recipe/ and give --config-dir DIR recipe=NAME,NAME")  # fmt: skip
    fixed, swept = _parted(overrides)
    if recipe_file:
        fixed.append(f"recipe={recipe_file}")
    first = [values[0] for values in swept]
    # One value varied at a time: the sum of their numbers, not the product.
    others = [[*first[:i], v, *first[i + 1 :]] for i, values in enumerate(swept) for v in values[1:]]
    configs = [
        compose_verb(verb, [*fixed, *combination], options.config_dir) for combination in [first, *others]
    ]
    for config in configs:
        require(config)
    return recipe_file, overrides, configs[0]


def _parted(overrides: list[str]) -> tuple[list[str], list[list[str]]]:
    """Overrides with one value, and of each that is swept its values; of an interval its two ends."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import IntervalSweep
    from hydra.errors import HydraException

    from gantrans.build.config import quote_path
    from gantrans.build.explain import explain

    try:
        parsed = OverridesParser.create().parse_overrides([quote_path(o, sweep=True) for o in overrides])
    except HydraException as error:
        raise ConfigError(explain(error)) from error
    fixed: list[str] = []
    swept: list[list[str]] = []
    for override, text in zip(parsed, overrides, strict=True):
        key, value = override.get_key_element(), override.value()
        if not override.is_sweep_override():
            fixed.append(text)
        elif override.is_discrete_sweep():
            swept.append([f"{key}={one}" for one in override.sweep_string_iterator()])
        elif isinstance(value, IntervalSweep):
            ends = (value.start or 0, value.end or 0)
            swept.append([f"{key}={int(end) if float(end).is_integer() else end}" for end in ends])
    return fixed, swept


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
