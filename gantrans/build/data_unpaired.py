"""Images without partners: sources and targets of their own, or real images beside pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from gantrans.build.data_colours import check_colours
from gantrans.build.run_data import RunData, build_augment, build_cache, build_quarantine, degrades_on_device
from gantrans.build.validation import unpaired_distances
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset, fingerprint
from gantrans.data.layouts import Item
from gantrans.data.layouts_unpaired import find_folder, find_unpaired, refuse_shared
from gantrans.data.pixels import View
from gantrans.data.preflight import Headers, check_images, read_headers
from gantrans.data.unpaired import HybridDataset, ImageSet, UnpairedDataset
from gantrans.draws import seed_of
from gantrans.errors import ConfigError
from gantrans.training.validate import PairValidation
from gantrans.training.validate_unpaired import HybridValidation, UnpairedValidation


def unpaired_data(config: DictConfig) -> RunData:
    """Sources and targets that are no pairs. Raises DataError or ConfigError."""
    data, augment = config.data, build_augment(config)
    degrades_on_device(config, None, "unpaired")
    targets = None if data.targets is None else Path(data.targets).expanduser()
    root = Path(data.root).expanduser()
    without = build_quarantine(config)
    index = find_unpaired(root, targets, val_fraction=data.val_fraction, seed=config.seed, without=without)
    kinds, where = {"source": index.source, "target": index.target}, index.where
    if data.swap:
        kinds = {"source": index.target, "target": index.source}
        where = {"source": where["target"], "target": where["source"]}
    headers: Headers = {}
    for splits in kinds.values():
        headers |= _headers(splits, augment)
    check_colours(config, [View(item.target) for item in kinds["target"]["train"]])
    sets = {
        split: {kind: _image_set(config, augment, kind, splits[split]) for kind, splits in kinds.items()}
        for split in ("train", "val")
    }
    cache = build_cache(config, _views(*sets["train"].values(), *sets["val"].values()), headers)
    sets = {
        split: {kind: replace(images, cache=cache) for kind, images in found.items()}
        for split, found in sets.items()
    }
    train = UnpairedDataset(**sets["train"])
    ways = {
        split: {"to_target": found["source"], "to_source": found["target"]} for split, found in sets.items()
    }
    sizes, distances = (config.val.images, config.val.probes), unpaired_distances(config, ways["val"])
    validation = UnpairedValidation(ways["train"], ways["val"], *sizes, distances)
    names = [
        f"{kind}: {name}"
        for kind, splits in kinds.items()
        for name in fingerprint(splits["train"], where[kind])
    ]
    provenance = {
        "layout": "unpaired",
        "train_images": {kind: len(splits["train"]) for kind, splits in kinds.items()},
        "train_images_hash": f"{seed_of(*names):016x}",
    }
    counts = [
        f"{len(sets['train'][kind])} {kind} images for training and {len(sets['val'][kind])} to look at"
        for kind in kinds
    ]
    about = f"unpaired: {', '.join(counts)}"
    if any(sets["train"][kind].items == sets["val"][kind].items for kind in kinds):
        about += "; with one image of a kind, it is the one looked at too"
    return RunData(train, validation, about, provenance)


def hybrid_data(config: DictConfig, pairs: RunData) -> RunData:
    """The pairs, and the real images that data.unpaired names. Raises DataError or ConfigError."""
    if pairs.scale > 1:
        raise ConfigError(
            f"method=hybrid needs sources of their targets' size, these are 1/{pairs.scale} of it; "
            "choose another recipe than lowres"
        )
    augment, path = build_augment(config), Path(config.data.unpaired).expanduser()
    fraction = config.data.val_fraction
    without = build_quarantine(config)
    splits = find_folder(path, "data.unpaired", val_fraction=fraction, seed=config.seed, without=without)
    headers = _headers(splits, augment)
    train, val = (_image_set(config, augment, "unpaired", splits[split]) for split in ("train", "val"))
    assert isinstance(pairs.train, PairDataset) and isinstance(pairs.validation, PairValidation)
    cache = build_cache(config, _views(train, val), headers, taken=pairs.train.cache.nbytes)
    train, val = replace(train, cache=cache), replace(val, cache=cache)
    targets = {"train": pairs.train.items, "val": pairs.validation.val.items}
    refuse_shared(targets, splits, "clean and bad at once; data.unpaired must lie apart from data.root")
    names = [pairs.provenance["train_images_hash"], *fingerprint(train.items, path)]
    provenance = {
        **pairs.provenance,
        "unpaired_images": len(train),
        "train_images_hash": f"{seed_of(*names):016x}",
    }
    about = f"{pairs.about}; {len(train)} unpaired for training and {len(val)} to look at"
    return RunData(
        HybridDataset(pairs.train, train), HybridValidation(pairs.validation, val), about, provenance
    )


def _image_set(config: DictConfig, augment: Augment, kind: str, items: list[Item]) -> ImageSet:
    """The images of one kind; real images without a target are of the source's."""
    side = "target" if kind == "target" else "source"
    jitter = config.augment[f"jitter_{side}"]
    mode = config.data[f"{side}_mode"]
    return ImageSet(kind, items, augment, config.seed, mode, jitter, config.data.resampler)


def _headers(splits: dict[str, list[Item]], augment: Augment) -> Headers:
    """The headers of one folder's images, held against the crop. Raises DataError."""
    items = [*splits["train"], *splits["val"]]
    headers = read_headers(items)
    check_images(items, headers, crop=augment.crop, resize=augment.resize)
    return headers


def _views(*sets: ImageSet) -> Iterator[View]:
    return (images.view(item) for images in sets for item in images.items)
