"""What is to be done: which files, under which names, into a folder that holds this very job or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantrans.data.splits import normalised
from gantrans.degrade.recipe import Recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.listing import IMAGE_SUFFIXES, is_image_name, list_files
from gantrans.imaging.write import write_text_atomic
from gantrans.pairs.making import Making

IDENTITY = "pairs.json"
FORMAT = 3  # 1: degraded in floats, always PNG; 2: PNG by Pillow, near-duplicates not looked for
RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class Share:
    """Every `count`th file of the listing, from number `index` on."""

    index: int
    count: int

    @property
    def label(self) -> str:
        return f"{self.index}-of-{self.count}"

    def of(self, listing: list[str]) -> list[str]:
        return listing[self.index :: self.count]


def check(
    source: Path, out: Path, recipe: Recipe, size: int | None, shard: str | None, workers: int
) -> Share:
    """The share that `shard` names. Raises ConfigError for keys that do not fit, with what is accepted."""
    here, there = source.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError(f"out={out}: lies within source={source} or around it; give a folder beside it")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"out={out}: is a file; give a folder")
    if not isinstance(workers, int) or workers < 0:
        raise ConfigError(f"workers={workers}: accepted is a whole number from 0 (in this process)")
    if size is not None and (not isinstance(size, int) or size < 1 or size % recipe.scale):
        raise ConfigError(
            f"size={size}: accepted is a whole number from 1, a multiple of the recipe's scale {recipe.scale}"
        )
    _refuse_foreign(out)
    found = re.fullmatch(r"(\d+)/(\d+)", "1/1" if shard is None else str(shard))
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise ConfigError(f"shard={shard}: accepted is I/N, as 1/3, 2/3 and 3/3 on three machines")
    return Share(index % count, count)


def listing(source: Path) -> list[str]:
    """Every file of the source. Raises DataError where there is not one image name among them."""
    names = list_files(source)
    if not any(is_image_name(name) for name in names):
        accepted = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"source={source}: {len(names)} files, no image among them; accepted are {accepted}")
    return names


@dataclass(frozen=True)
class Identity:
    """What all pairs of one folder have in common."""

    format: int
    recipe: str
    recipe_hash: str
    seed: int
    size: int | None
    splits: dict[str, float]
    making: dict[str, Any]  # what differs from the defaults
    near_bits: int | None = None

    @staticmethod
    def of(
        recipe: Recipe,
        seed: int,
        size: int | None,
        splits: Mapping[str, float],
        making: Making,
        near_bits: int | None = None,
    ) -> Identity:
        plain = json.loads(json.dumps(making.told()))  # tuples become lists, as they come back from the file
        return Identity(FORMAT, recipe.name, recipe.hash, seed, size, normalised(splits), plain, near_bits)

    def claim(self, out: Path, recipe_text: str) -> None:
        """Make `out` the folder of this job, or see that it is. Raises ConfigError saying what differs."""
        path = out / IDENTITY
        if not path.exists():
            write_text_atomic(path, json.dumps(asdict(self), indent=2) + "\n")
        if not (out / RECIPE).exists():
            write_text_atomic(out / RECIPE, recipe_text)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError(f"holds {type(found).__name__}, not an object")
        except ValueError as error:
            raise ConfigError(f"{path}: is damaged ({error}); give another out=") from error
        wanted = asdict(self)
        differing = [
            f"{key} is {found.get(key)}, asked for is {value}"
            for key, value in wanted.items()
            if key != "recipe" and found.get(key) != value  # the name may change, what it does may not
        ]
        if differing:
            raise ConfigError(
                f"out={out}: holds pairs of another job: {'; '.join(differing)}; "
                "give another out=, or the keys these pairs were made with"
            )


def _refuse_foreign(out: Path) -> None:
    """Raise ConfigError if `out` holds anything before it ever held pairs."""
    foreign = sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) if out.exists() else []
    # Asked after listing: another shard may be starting right now, and it writes this file before any other.
    if foreign and not (out / IDENTITY).exists():
        raise ConfigError(
            f"out={out}: is not empty ({', '.join(foreign[:3])}) and was not made by gantrans pairs; "
            "give a new or empty folder"
        )
