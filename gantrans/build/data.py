"""From a train config to its data: the files found, checked and paired, as datasets."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gantrans.build.checks import check_choice
from gantrans.build.recipe import build_recipe
from gantrans.data.augment import Augment
from gantrans.data.dataset import MODES, DegradeClean, PairDataset, Reader, ReadHalves, Swapped, read_files
from gantrans.data.layouts import Index, find_items
from gantrans.data.preflight import check_headers
from gantrans.errors import ConfigError


def build_data(config: DictConfig) -> tuple[Index, PairDataset, PairDataset]:
    """The index and the train and val datasets, their headers checked. Raises DataError or ConfigError."""
    data = config.data
    check_choice("data.side", data.side, ("left", "right"))
    for name in ("source_mode", "target_mode"):
        check_choice(f"data.{name}", data[name], tuple(MODES))
    if not 0 < data.val_fraction < 1:
        raise ConfigError(f"data.val_fraction={data.val_fraction}: must lie between 0 and 1")
    augment = Augment(**{**OmegaConf.to_container(config.augment), "scale": tuple(config.augment.scale)})  # type: ignore[dict-item]
    root = Path(data.root).expanduser()
    index = find_items(root, data.layout, val_fraction=data.val_fraction, seed=config.seed)
    items = [*index.splits["train"], *index.splits["val"]]
    halves = index.layout == "side_by_side"
    scale = check_headers(items, crop=augment.crop, resize=augment.resize, halves=halves)
    reader = _reader(config, index.layout)
    if isinstance(reader, DegradeClean):
        scale = reader.recipe.scale
    if scale > 1 and (augment.resize or data.swap):
        raise ConfigError(
            f"augment.resize and data.swap do not go with sources of 1/{scale} the size; leave them out"
        )
    train, val = (
        PairDataset(
            index.splits[split], reader, augment, config.seed, data.source_mode, data.target_mode, scale
        )
        for split in ("train", "val")
    )
    return index, train, val


def _reader(config: DictConfig, layout: str) -> Reader:
    if layout == "clean" and config.data.swap:
        raise ConfigError("data.swap=true: clean images have no source to exchange; leave it out")
    if layout == "paired":
        return Swapped(read_files) if config.data.swap else read_files
    if layout == "side_by_side":
        other = {"left": "right", "right": "left"}[config.data.side]
        return ReadHalves(other if config.data.swap else config.data.side)
    return DegradeClean(build_recipe(config.recipe, list(config.plugins)), config.seed)
