"""From a train config to what its validation measures."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig

from gantrans.data.dataset import PairDataset
from gantrans.data.pixels import LABELS
from gantrans.errors import ConfigError
from gantrans.metrics import table
from gantrans.training.validate import PAIRWISE, PairValidation
from gantrans.training.validate_labels import LabelValidation
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
        if name not in table.PER_IMAGE:
            raise ConfigError(f"val.metrics: no metric {name!r}; {close_to(name, table.PER_IMAGE)}")
    settings = table.Settings(
        shave=val.scale if val.scale > 1 else 0,
        weights=None if asked.weights is None else Path(asked.weights).expanduser(),
        device=_device(config.core.device),
    )
    each = table.build(names, settings).each if names else {}
    more = {name: _at(settings.device, measure) for name, measure in each.items()}
    lower = tuple(name for name in names if table.PER_IMAGE[name].higher is False)
    return PairValidation(train, val, *sizes, more, lower)


def _at(device: torch.device, measure: table.Measure) -> table.Measure:
    return lambda output, target: measure(output.to(device), target.to(device))


def _device(asked: str) -> torch.device:
    """Where networks among the metrics run: on the run's device."""
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")
