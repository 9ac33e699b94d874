"""Pairs of source and target: folders, halves of files, or clean images with a recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from gantrans.build.recipe import build_recipe
from gantrans.build.run_data import RunData, build_augment, build_cache
from gantrans.data.dataset import (
    DegradeClean,
    PairDataset,
    Reader,
    ReadFiles,
    ReadHalves,
    fingerprint,
)
from gantrans.data.layouts import find_items
from gantrans.data.preflight import check_headers, read_headers
from gantrans.draws import seed_of
from gantrans.errors import ConfigError
from gantrans.training.validate import PairValidation


def pair_data(config: DictConfig) -> RunData:
    """The pairs of a config. Raises DataError or ConfigError."""
    data, augment = config.data, build_augment(config)
    root = Path(data.root).expanduser()
    index = find_items(root, data.layout, val_fraction=data.val_fraction, seed=config.seed)
    items = [*index.splits["train"], *index.splits["val"]]
    halves = index.layout == "side_by_side"
    headers = read_headers(items)
    scale = check_headers(items, headers, crop=augment.crop, resize=augment.resize, halves=halves)
    reader = _reader(config, index.layout)
    recipe = reader.recipe if isinstance(reader, DegradeClean) else None
    scale = recipe.scale if recipe else scale
    if scale > 1 and (augment.resize or data.swap):
        raise ConfigError(
            f"augment.resize and data.swap do not go with sources of 1/{scale} the size; leave them out"
        )
    modes = (data.source_mode, data.target_mode)
    train, val = (
        PairDataset(index.splits[split], reader, augment, config.seed, *modes, scale, data.resampler)
        for split in ("train", "val")
    )
    views = (view for pairs in (train, val) for item in pairs.items for view in pairs.views(item))
    cache = build_cache(config, views, headers)
    train, val = replace(train, cache=cache), replace(val, cache=cache)
    names = fingerprint(train.items, index.root)
    provenance = {
        "layout": index.layout,
        "recipe": {"name": recipe.name, "hash": recipe.hash} if recipe else None,
        "train_images": len(names),
        "train_images_hash": f"{seed_of(*names):016x}",
    }
    how = f"clean, degraded by {recipe.name}" if recipe else index.layout
    about = f"{len(train)} training and {len(val)} validation images ({how})"
    if train.items == val.items:
        about += "; validation looks at the training image itself"
    validation = PairValidation(train, val, config.val.images, config.val.probes)
    return RunData(train, validation, about, provenance, scale)


def _reader(config: DictConfig, layout: str) -> Reader:
    if layout == "clean" and config.data.swap:
        raise ConfigError("data.swap=true: clean images have no source to exchange; leave it out")
    if layout == "paired":
        return ReadFiles(config.data.swap)
    if layout == "side_by_side":
        other = {"left": "right", "right": "left"}[config.data.side]
        return ReadHalves(other if config.data.swap else config.data.side)
    return DegradeClean(build_recipe(config.recipe, list(config.plugins)), config.seed)
