"""Everything about the data of a train config before it runs: what `gantrans check` tells."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from gantrans.build.run_data import RunData, build_augment, build_quarantine
from gantrans.check.fit import misfits
from gantrans.check.layout import Survey, lookalikes, survey
from gantrans.check.scan import Facts, scan
from gantrans.check.twins import Twins, find_twins
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.unpaired import HybridDataset, UnpairedDataset
from gantrans.errors import ConfigError, DataError
from gantrans.training.validate import PairValidation

_PATIENCE_S, _EXAMPLES = 3.0, 24  # to time the making of training examples


@dataclass(frozen=True)
class Account:
    """What was found. `refusal`: why training would not start, or not get far; None where it would.

    unusable: files that stand in its way, with the reason. noticed: unreadable files that training would not
    read. splits: of each file, with what is held out as "val". examples_per_s: made by one core; None where
    none could be.
    """

    survey: Survey
    facts: Mapping[Path, Facts]
    splits: Mapping[Path, str]
    unusable: Mapping[Path, str]
    noticed: Mapping[Path, str]
    twins: list[Twins]
    lookalikes: list[tuple[Path, Path, int]]
    examples_per_s: float | None
    refusal: DataError | None


def examine(config: DictConfig, learns_from: str, data: RunData | None, refusal: DataError | None) -> Account:
    """The account of a complete config. `data` is what training would have, or None and why not.

    Raises DataError where there is no folder to look at, ConfigError for a key out of range.
    """
    if not 0 <= config.near_bits <= 12:
        raise ConfigError(f"near_bits={config.near_bits}: accepted is a whole number from 0 to 12")
    found = _survey(config, learns_from)
    masks = _masks(data) if config.data.mask == "input" else []
    facts = scan([*found.split_of, *found.unusable, *masks])
    splits = _splits(found, data)
    broken = {path: f.problem for path, f in facts.items() if f.problem}
    read = {path: reason for path, reason in broken.items() if splits.get(path) != "test"}
    augment = build_augment(config)
    unusable = found.unusable | misfits(found, facts, crop=augment.crop, resize=augment.resize) | read
    if refusal is None and read:
        path, reason = next(iter(read.items()))
        refusal = DataError(
            f"training would start, and stop at the first of {len(read)} damaged images: {path}: {reason}"
        )
    root = Path(config.data.root).expanduser()
    return Account(
        survey=found, facts=facts, splits=splits, unusable=unusable,
        noticed={path: reason for path, reason in broken.items() if path not in unusable},
        twins=find_twins(facts, splits, config.near_bits, found.pairs),
        lookalikes=lookalikes(root, _folders(found)),
        examples_per_s=None if data is None or refusal else _speed(data), refusal=refusal,
    )  # fmt: skip


def _survey(config: DictConfig, learns_from: str) -> Survey:
    targets, unpaired = (
        None if config.data[key] is None else Path(config.data[key]).expanduser()
        for key in ("targets", "unpaired")
    )
    root = Path(config.data.root).expanduser()
    if not root.exists():
        raise DataError(f"data.root={root}: no such file or folder")
    without = build_quarantine(config)
    return survey(
        root, config.data.layout, learns_from=learns_from, targets=targets, unpaired=unpaired, without=without
    )


def _folders(found: Survey) -> set[Path]:
    """The folders whose images are told apart by role already."""
    return {p.parent for role in ("source", "target") for p in found.of_role(role)} | {
        path.parent for path in found.unusable
    }


def _splits(found: Survey, data: RunData | None) -> dict[Path, str]:
    """The split of each file; those of train that training holds out are of val."""
    trained = None if data is None else {p for i in _trained(data) for p in (i.source, i.target)}
    return {
        path: "val" if split == "train" and trained is not None and path not in trained else split
        for path, split in found.split_of.items()
    }


def _trained(data: RunData) -> list[Item]:
    train = data.train
    if isinstance(train, HybridDataset):
        return [*train.pairs.items, *train.unpaired.items]
    if isinstance(train, UnpairedDataset):
        return [*train.source.items, *train.target.items]
    return train.items if isinstance(train, PairDataset) else []


def _masks(data: RunData | None) -> list[Path]:
    """The masks that training and validation will read."""
    validation = data.validation if data else None
    if not isinstance(validation, PairValidation):
        return []
    return [i.mask for pairs in (validation.train, validation.val) for i in pairs.items if i.mask]


def _speed(data: RunData) -> float:
    """Training examples a second: read, degraded, augmented, by one core, none of them from the cache."""
    began, count = time.perf_counter(), 0
    for position in range(min(_EXAMPLES, len(data.train))):
        data.train.sample(position)
        count += 1
        if time.perf_counter() - began > _PATIENCE_S:
            break
    return count / (time.perf_counter() - began)
