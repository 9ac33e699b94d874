"""Pairs of source and target: folders, halves of files, or clean images with a recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from gantrans.build.data_colours import check_colours
from gantrans.build.data_kinds import build_palette, build_small, check_labels
from gantrans.build.recipe import build_recipe
from gantrans.build.run_data import RunData, build_augment, build_cache, build_quarantine, degrades_on_device
from gantrans.build.validation import build_validation
from gantrans.data.dataset import PairDataset, fingerprint
from gantrans.data.device_pairs import DevicePairs
from gantrans.data.layouts import Index, Item, find_items
from gantrans.data.masks import expected, with_masks
from gantrans.data.pixels import Look
from gantrans.data.preflight import Headers, check_headers, read_headers
from gantrans.data.readers import DegradeClean, Reader, ReadFiles, ReadHalves
from gantrans.degrade.recipe import Recipe
from gantrans.degrade_batch.forms import left_to_the_host
from gantrans.draws import seed_of
from gantrans.errors import ConfigError, DataError


def pair_data(config: DictConfig) -> RunData:
    """The pairs of a config. Raises DataError or ConfigError."""
    data, augment = config.data, build_augment(config)
    index = _found(config)
    items = [*index.splits["train"], *index.splits["val"]]
    halves = index.layout == "side_by_side"
    headers = read_headers(items)
    headers |= _mask_headers(items, headers)
    scale = check_headers(items, headers, crop=augment.crop, resize=augment.resize, halves=halves)
    reader = _reader(config, index.layout)
    if data.mask == "input":
        _check_masks(config, items, reader, scale)
    recipe = reader.recipe if isinstance(reader, DegradeClean) else None
    scale = recipe.scale if recipe else scale
    small = build_small(config, scale)
    on_device = degrades_on_device(config, recipe, index.layout)
    palette = build_palette(config)
    classes = check_labels(config, items, reader, palette)
    check_colours(config, [reader.views(item, Look(), Look())[:2][-1] for item in items])
    given = {
        "source_mode": data.source_mode,
        "target_mode": data.target_mode,
        "scale": scale,
        "resampler": data.resampler,
        "mask": data.mask,
        "classes": classes,
        "palette": palette,
        "small": small,
    }
    train, val = (
        kind(index.splits[split], reader, augment, config.seed, **given)
        for split, kind in (("train", DevicePairs if on_device else PairDataset), ("val", PairDataset))
    )
    val = replace(val, reader=_measured(reader))
    views = (view for pairs in (train, val) for item in pairs.items for view in pairs.views(item))
    cache = build_cache(config, views, headers)
    train, val = replace(train, cache=cache), replace(val, cache=cache)
    names = fingerprint(train.items, index.root)
    provenance = {
        "layout": index.layout,
        "recipe": {"name": recipe.name, "hash": recipe.hash, "engine": data.degrade} if recipe else None,
        "train_images": len(names),
        "train_images_hash": f"{seed_of(*names):016x}",
    }
    how = _how(recipe, data.degrade) if recipe else index.layout
    about = f"{len(train)} training and {len(val)} validation images ({how})"
    if train.items == val.items:
        about += "; validation looks at the training image itself"
    validation = build_validation(config, train, val)
    return RunData(train, validation, about, provenance, scale)


def _found(config: DictConfig) -> Index:
    """The files, split, and of pairs their masks too."""
    data = config.data
    index = find_items(
        Path(data.root).expanduser(),
        data.layout,
        val_fraction=data.val_fraction,
        seed=config.seed,
        without=build_quarantine(config),
    )
    if index.layout != "paired":
        return index
    return replace(index, splits={split: with_masks(items) for split, items in index.splits.items()})


def _reader(config: DictConfig, layout: str) -> Reader:
    masks = config.data.mask == "input"
    if layout == "clean" and config.data.swap:
        raise ConfigError("data.swap=true: clean images have no source to exchange; leave it out")
    if layout in ("paired", "shards"):
        return ReadFiles(config.data.swap, masks)
    if layout == "side_by_side":
        other = {"left": "right", "right": "left"}[config.data.side]
        return ReadHalves(other if config.data.swap else config.data.side)
    return DegradeClean(build_recipe(config.recipe, list(config.plugins)), config.seed, masks)


def _how(recipe: Recipe, engine: str) -> str:
    """What is done to clean images, in words; steps that the device engine leaves to the loaders by name."""
    left = left_to_the_host(recipe) if engine == "device" else []
    where = " on the device" if engine == "device" else ""
    but = f", but {', '.join(left)} and what comes before by the loader processes" if left else ""
    return f"clean, degraded by {recipe.name}{where}{but}"


def _measured(reader: Reader) -> Reader:
    """The reader of validation, which measures inside and outside of masks wherever there are any."""
    return replace(reader, masks=True) if isinstance(reader, ReadFiles | DegradeClean) else reader


def _mask_headers(items: list[Item], headers: Headers) -> Headers:
    """The headers of the masks. Raises DataError naming those that cannot be read or are of another size."""
    masks = [Item(item.key, item.mask, item.mask) for item in items if item.mask]
    found = read_headers(masks) if masks else {}
    for item in items:
        if item.mask:
            source, mask = headers[item.source], found[item.mask]
            if (source.width, source.height) != (mask.width, mask.height):
                raise DataError(
                    f"{item.mask} is {mask.width}x{mask.height} but {item.source} is "
                    f"{source.width}x{source.height}: a mask has the size of its source; make it anew"
                )
    return found


def _check_masks(config: DictConfig, items: list[Item], reader: Reader, scale: int) -> None:
    """Raise ConfigError or DataError where data.mask=input has no masks to tell, or nothing can be copied."""
    data = config.data
    if isinstance(reader, ReadHalves):
        raise ConfigError("data.mask=input: files that hold both pictures have no masks; use data.mask=none")
    if isinstance(reader, DegradeClean) and not reader.recipe.masked:
        raise ConfigError(
            f"data.mask=input: the recipe {reader.recipe.name} covers nothing; choose one that does, as "
            "recipe=marks, or use data.mask=none"
        )
    without = [item for item in items if not item.mask] if isinstance(reader, ReadFiles) else []
    if without:
        raise DataError(
            f"data.mask=input: {len(without)} of {len(items)} pairs have no mask; looked for "
            f"{', '.join(expected(item) for item in without[:3])}; add them (0 untouched to 255 hidden), or "
            "use data.mask=none"
        )
    if data.outside == "copy" and (data.source_mode != data.target_mode or scale > 1):
        raise ConfigError(
            f"data.outside=copy: sources are {data.source_mode} of 1/{scale} the size and targets "
            f"{data.target_mode}, so that nothing can be copied; use data.outside=output"
        )
