"""gantrans pairs: make paired data from clean images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(args: list[str]) -> None:
    """The verb: parse the recipe, make what is missing, print the account."""
    run_verb("pairs", args, _make)


def _make(config: DictConfig, overrides: list[str]) -> None:
    from omegaconf import OmegaConf

    from gantrans.build.recipe import build_recipe
    from gantrans.data.pairs import PairsJob, make_pairs

    del overrides
    out = Path(config.out).expanduser()
    job = PairsJob(
        source=Path(config.source).expanduser(),
        out=out,
        recipe=build_recipe(config.recipe, list(config.plugins)),
        recipe_text=OmegaConf.to_yaml(config.recipe, resolve=True),
        seed=config.seed,
        workers=config.workers or os.cpu_count() or 1,
        size=config.size,
        shard=config.shard,
        splits=OmegaConf.to_container(config.splits),  # type: ignore[arg-type]
    )
    summary = make_pairs(job)
    splits = ", ".join(f"{count} {name}" for name, count in summary.per_split.items())
    print(
        f"found {summary.found} files: {summary.used} used ({splits}), {summary.rejected} rejected\n"
        f"made {summary.made} pairs now, kept {summary.kept} made before, in {summary.seconds:.1f} s\n"
        f"look at   {out / 'contact.png'}\n"
        + (f"rejected  {out / 'rejected.jsonl'}\n" if summary.rejected else "")
        + f"next      gantrans train experiment=restore data.root={out}"
    )
