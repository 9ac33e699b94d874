"""From a train config to what its validation measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from gantrans.data.dataset import PairDataset
from gantrans.data.pixels import LABELS
from gantrans.data.unpaired import ImageSet
from gantrans.errors import ConfigError
from gantrans.imaging import colour, sheet
from gantrans.imaging.read import read
from gantrans.methods.base import Method
from gantrans.metrics import table
from gantrans.training.distances import Distances
from gantrans.training.validate import PAIRWISE, PairValidation, Validation
from gantrans.training.validate_labels import LabelValidation
from gantrans.training.validate_look import LookValidation
from gantrans.training.validate_unpaired import UnpairedValidation
from gantrans.words import close_to


def build_validation(
    config: DictConfig, train: PairDataset, val: PairDataset
) -> PairValidation | LabelValidation:
    """The validation of pairs. Raises ConfigError for unknown metrics and missing weights."""
    asked, sizes = config.val, (config.val.images, config.val.probes)
    if config.data.target_mode == LABELS:
        if asked.metrics:
            raise ConfigError(
                f"val.metrics={list(asked.metrics)}: label maps are measured by {', '.join(table.LABELS)}; "
                "leave it out"
            )
        return LabelValidation(train, val, *sizes)
    names = [name for name in dict.fromkeys(asked.metrics) if name not in PAIRWISE]
    for name in names:
        if name not in table.NAMES:
            raise ConfigError(f"val.metrics: no metric {name!r}; {close_to(name, table.NAMES)}")
    settings = table.Settings(
        shave=val.scale if val.scale > 1 else 0,
        weights=None if asked.weights is None else Path(asked.weights).expanduser(),
        device=_device(config.core.device),
    )
    measures = table.build(names, settings)
    more = {name: _at(settings.device, measure) for name, measure in measures.each.items()}
    lower = tuple(n for n in names if (table.PER_IMAGE.get(n) or table.OVER_SETS[n]).higher is False)
    if measures.sets:
        _refuse_few(config, len(val))
    distances = Distances(measures.sets, settings.device) if measures.sets else None
    return PairValidation(train, val, *sizes, more, lower, distances)


def unpaired_distances(config: DictConfig, val: Mapping[str, ImageSet]) -> Distances | None:
    """What val.metrics asks for where there are no pairs: distances of whole sets. Raises ConfigError for
    other metrics, missing weights and where there are fewer than 2 images of a kind."""
    names = list(dict.fromkeys(config.val.metrics))
    if not names:
        return None
    for name in names:
        if name not in table.OVER_SETS:
            why = "compares pairs, and this data has none" if name in table.PER_IMAGE else "is no metric"
            raise ConfigError(f"val.metrics: {name} {why}; accepted are {', '.join(table.OVER_SETS)}")
    _refuse_few(config, *map(len, val.values()))
    folder = None if config.val.weights is None else Path(config.val.weights).expanduser()
    settings = table.Settings(weights=folder, device=_device(config.core.device))
    sets = table.build(names, settings).sets
    assert sets is not None
    return Distances(sets, settings.device)


def _refuse_few(config: DictConfig, *images: int) -> None:
    least = min(config.val.images, *images)
    if least < 2:
        raise ConfigError(
            f"val.metrics={list(config.val.metrics)}: distances of sets need 2 or more validation images of "
            f"each kind, found {least}; raise val.images or data.val_fraction, or leave them out"
        )


def without_targets(method: Method, validation: Validation) -> Validation:
    """The validation of a method that learns the look of a picture: nothing is compared with the photo, and
    strips show the style. Others' as it is. Raises ConfigError where val.metrics asks for more."""
    if getattr(method, "compares", True):
        return validation
    path = getattr(method, "style", None)
    style = None if path is None else _drawn(Path(path).expanduser())
    if isinstance(validation, UnpairedValidation):
        return replace(validation, style=style)
    if not isinstance(validation, PairValidation) or style is None:
        return validation
    if validation.more:
        raise ConfigError(
            f"val.metrics={list(validation.more)}: this method learns a look and has no target that an "
            "output could be compared with; leave it out"
        )
    return LookValidation(validation.train, validation.val, validation.most, validation.probes, style)


def _drawn(path: Path) -> np.ndarray:
    """A picture as strips show it, (H, W, 3) uint8."""
    picture = read(path)
    return sheet.to_u8_rgb(colour.over_white(picture.pixels, picture.alpha))


def _at(device: torch.device, measure: table.Measure) -> table.Measure:
    return lambda output, target: measure(output.to(device), target.to(device))


def _device(asked: str) -> torch.device:
    """Where networks among the metrics run: on the run's device."""
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")
