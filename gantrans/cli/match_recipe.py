"""gantrans match-recipe: proposes a recipe that makes clean images as bad as those of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb
from gantrans.errors import ConfigError, DataError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(args: list[str]) -> None:
    """The verb: measure, print a table, write the recipe."""
    run_verb("match-recipe", args, _match)


def _match(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.imaging.write import write_text_atomic
    from gantrans.match.propose import FEWEST, match
    from gantrans.match.text import as_json, recipe_yaml, table

    del overrides
    out, source = Path(config.out).expanduser(), Path(config.source).expanduser()
    clean = Path(config.clean).expanduser() if config.clean else None
    if out.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"out={out}: needed is a file name that ends in .yaml, as pairs reads it")
    if out.exists() and not config.overwrite:
        raise ConfigError(f"out={out}: is there already; name another, or give overwrite=true")
    if config.images < FEWEST:
        raise ConfigError(f"images={config.images}: needed are {FEWEST} or more")
    if clean and clean.resolve() == source.resolve():
        raise ConfigError(
            f"clean={clean}: is source= itself; needed are clean images, of other pictures or not"
        )
    account = match(source, clean, config.images)
    print(table(account))
    if config.json is not None:
        write_text_atomic(Path(config.json).expanduser(), as_json(account))
    if not account.fit.steps:
        raise DataError(
            f"source={source}: nothing found that a recipe could copy, so none was written"
            + ("" if clean else "; clean=FOLDER, of clean images, shows more")
        )
    write_text_atomic(out, recipe_yaml(account, source.name))
    print(f"recipe    {out}\nlook      gantrans pairs source=CLEAN recipe={out} preview=true")
