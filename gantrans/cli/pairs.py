"""gantrans pairs: make paired data from clean images."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gantrans.cli.options import run_verb
from gantrans.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.pairs.generate import PairsJob, PairsSummary
    from gantrans.pairs.making import Making


def run(args: list[str]) -> None:
    """The verb: parse the recipe, make what is missing, print the account; or show what it would do."""
    with near_bits_told(", or null to compare none"):
        run_verb("pairs", args, _verb)


@contextmanager
def near_bits_told(more: str = "") -> Iterator[None]:
    """Add what is accepted to what the schema says of a near_bits= that is no number."""
    try:
        yield
    except ConfigError as error:
        if str(error).startswith("near_bits: "):
            raise ConfigError(f"{error}; accepted is a whole number from 0 to 12{more}") from error
        raise


def _verb(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.build.config import require

    if config.preview:
        _preview(config)
        return
    if config.out is None:
        config.out = "???"
        require(config)
    _make(config, overrides)


def _make(config: DictConfig, overrides: list[str]) -> None:
    from omegaconf import OmegaConf

    from gantrans.build.recipe import build_recipe
    from gantrans.pairs.generate import PairsJob

    del overrides
    launched = _launched(config)
    out = Path(config.out).expanduser()
    job = PairsJob(
        source=Path(config.source).expanduser(),
        out=out,
        recipe=build_recipe(config.recipe, list(config.plugins)),
        recipe_text=OmegaConf.to_yaml(config.recipe, resolve=True),
        seed=config.seed,
        workers=launched.workers if config.workers is None else config.workers,
        size=config.size,
        shard=config.shard,
        splits=OmegaConf.to_container(config.splits),  # type: ignore[arg-type]
        making=_making(config),
        timeout_s=config.timeout_s,
        shards=config.shards,
        near_bits=config.near_bits,
    )
    summary = launched.make(job)
    splits = ", ".join(f"{count} {name}" for name, count in summary.per_split.items())
    print(
        f"found {summary.found} files: {summary.used} used ({splits}), {summary.rejected} rejected\n"
        f"made {summary.made} now, kept {summary.kept} made before: "
        f"{summary.pairs} pairs, in {summary.seconds:.1f} s\n"
        + _weights(config.splits)
        + _likeness(summary)
        + _unnamed(summary, out)
        + f"look at   {out / 'contact.png'}\n"
        + (f"rejected  {out / 'rejected.jsonl'}\n" if summary.rejected else "")
        + f"next      gantrans train experiment=restore data.root={out}"
    )


def _weights(splits: DictConfig) -> str:
    """Splits may be given as weights; as which shares they were taken."""
    from gantrans.data.splits import normalised

    total = sum(splits.values())
    if abs(total - 1) < 1e-6:
        return ""
    shares = ", ".join(f"{name} {share:.1%}" for name, share in normalised(dict(splits)).items())  # type: ignore[arg-type]
    return f"splits    sum to {total:g}, not 1, and were taken as weights: {shares}\n"


def _likeness(summary: PairsSummary) -> str:
    if not summary.groups:
        return ""
    groups = f"{summary.groups} groups of images" if summary.groups > 1 else "1 group of images"
    return f"alike     {groups}, up to {summary.largest} in one; each group is in one split\n"


def _unnamed(summary: PairsSummary, out: Path) -> str:
    if not summary.unnamed:
        return ""
    what = "1 file" if summary.unnamed == 1 else f"{summary.unnamed} files"
    where = f"to {out / 'unnamed'}, where training does not read"
    return f"moved     {what} that lay among the pairs and no line of manifest.jsonl names, {where}\n"


class _Launched(NamedTuple):
    """What makes the pairs, and in how many processes unless the user says."""

    make: Callable[[PairsJob], PairsSummary]
    workers: int


def _launched(config: DictConfig) -> _Launched:
    """What `launcher` names. Raises ConfigError for another word, or keys that only the other has."""
    from gantrans.pairs.generate import make_pairs

    if config.launcher == "ray":
        from gantrans.cli.pairs_ray import Cluster, make_on_ray

        cluster = Cluster(config.ray.address, config.ray.tasks)
        return _Launched(lambda job: make_on_ray(job, cluster), 1)
    if config.launcher != "local":
        raise ConfigError(f"launcher={config.launcher}: accepted are local and ray")
    for key, value in config.ray.items():
        if value is not None:
            raise ConfigError(f"ray.{key}={value}: counts with launcher=ray only; add that, or leave it out")
    return _Launched(make_pairs, os.cpu_count() or 1)


def _preview(config: DictConfig) -> None:
    from gantrans.build.recipe import build_recipe
    from gantrans.pairs.image import Setup
    from gantrans.pairs.preview import make_preview

    recipe = build_recipe(config.recipe, list(config.plugins))
    name = re.sub(r"[^\w.-]+", "_", f"preview-{recipe.name}.png")
    out = Path(name if config.out is None else config.out).expanduser()
    source = Path(config.source).expanduser()
    setup = Setup(source, out, recipe, config.seed, config.size, _making(config))
    for reason in make_preview(setup):
        print(f"passed over  {reason}")
    print(f"look at      {out}")


def _making(config: DictConfig) -> Making:
    from omegaconf import OmegaConf

    from gantrans.pairs.making import Making

    keys = ("variants", "tile", "overlap", "format", "quality", "png_level")
    augment = OmegaConf.to_container(config.augment)
    return Making.of(augment, **{key: config[key] for key in keys})  # type: ignore[arg-type]
