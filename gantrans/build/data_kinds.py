"""What kinds of pictures a run has: label maps with so many classes, sources that stay small."""

from __future__ import annotations

import numpy as np
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from gantrans.data.layouts import Item
from gantrans.data.pixels import LABELS, MODES, Look, View
from gantrans.data.readers import Reader, ReadFiles, ReadHalves
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.decode import Refused
from gantrans.imaging.label_colours import as_palette
from gantrans.imaging.labels import MOST_CLASSES, Palette

SCALE = 2  # what `scale` is unless it is set


def channels_of(config: DictConfig, side: str) -> int:
    """Channels of "source" or "target", by its mode; of label maps one a class."""
    mode = config.data[f"{side}_mode"]
    return config.data.classes if mode == LABELS else MODES[mode]


def check_kinds(config: DictConfig) -> None:
    """Raise ConfigError where keys on label maps do not go together."""
    data, augment = config.data, config.augment
    sides = [side for side in ("source", "target") if data[f"{side}_mode"] == LABELS]
    if not sides:
        for key, unset in (("classes", None), ("ignore", []), ("palette", None)):
            if data[key] != unset:
                raise ConfigError(
                    f"data.{key}={data[key]}: is for label maps; set data.source_mode=labels or "
                    "data.target_mode=labels, or leave it out"
                )
        return
    if data.classes is None or not 1 <= data.classes <= MOST_CLASSES:
        raise ConfigError(
            f"data.classes={data.classes}: label maps need the number of their classes, 1 to {MOST_CLASSES}; "
            "`gantrans check` tells which a folder holds"
        )
    known = [value for value in data.ignore if value < data.classes]
    if known:
        raise ConfigError(
            f"data.ignore={list(data.ignore)}: {known[0]} is one of the {data.classes} classes; accepted are "
            "values from data.classes on"
        )
    for side in sides:
        if augment[f"jitter_{side}"]:
            raise ConfigError(f"augment.jitter_{side}: label maps have no colours to change; leave it out")
    if data.mask != "none":
        raise ConfigError("data.mask=input: is for pictures, not for label maps; leave it out")


def build_palette(config: DictConfig) -> Palette | None:
    """The colours of data.palette, the first of class 0. Raises ConfigError where they do not fit the
    classes."""
    data = config.data
    if data.palette is None:
        return None
    if data.target_mode != LABELS:
        raise ConfigError(
            "data.palette: turns coloured targets into classes; set data.target_mode=labels, or leave it "
            "out: as sources, colours are colours"
        )
    colours = as_palette(data.palette if isinstance(data.palette, str) else OmegaConf.to_object(data.palette))
    accepted = {*range(data.classes), *data.ignore}
    if len(colours) < data.classes or not accepted >= {*range(len(colours))}:
        raise ConfigError(
            f"data.palette: {len(colours)} colours for data.classes={data.classes}; needed is one a class, "
            "and more only for values in data.ignore"
        )
    return colours


def check_labels(config: DictConfig, items: list[Item], reader: Reader, palette: Palette | None) -> int:
    """The number of classes; 0 where nothing is a label map. Looks into every map.

    Raises DataError naming the first file with a class or colour that is out of range, ConfigError for other
    layouts.
    """
    data = config.data
    modes = data.source_mode, data.target_mode
    if LABELS not in modes:
        return 0
    coloured = isinstance(reader, ReadHalves) and palette is not None and data.source_mode != LABELS
    if not isinstance(reader, ReadFiles) and not coloured:
        raise ConfigError(
            "data.source_mode=labels and data.target_mode=labels need pairs of files, source/ and target/; "
            "halves of one file are colours: leave the modes at rgb, or for targets give data.palette"
        )
    looks = Look(modes[0]), Look(modes[1], palette=palette)
    views = {v for i in items for v in reader.views(i, *looks)[:2] if v.look and v.look.mode == LABELS}
    accepted = {*range(data.classes), *data.ignore}
    for view in tqdm(sorted(views, key=lambda v: v.path), "reading label maps", disable=None, delay=2):
        strange = sorted({int(value) for value in np.unique(_classes(view))} - accepted)
        if strange:
            raise DataError(
                f"{view.path}: holds class {strange[0]}, but data.classes={data.classes} has 0 to "
                f"{data.classes - 1}; set data.classes={strange[-1] + 1}, or data.ignore=[{strange[0]}] if "
                "it stands for no class"
            )
    return data.classes


def _classes(view: View) -> np.ndarray:
    pixels = view.decode()
    try:
        return view.of(pixels)
    except Refused as error:
        raise DataError(f"{view.path}: {error}") from error


def enlargement(config: DictConfig) -> int:
    """How many times larger than its source the generator makes its output; 1 for those that keep sizes."""
    return int(config.generator.get("scale", 1))


def build_small(config: DictConfig, scale: int) -> bool:
    """Whether sources stay 1/`scale` the size of targets. Raises ConfigError where keys contradict each other
    or the data."""
    data, augment, made = config.data, config.augment, enlargement(config)
    if config.scale not in (SCALE, scale) and made == 1:
        raise ConfigError(f"scale={config.scale}: nothing here changes sizes; choose experiment=superres")
    if scale > 1 and (augment.resize or data.swap):
        raise ConfigError(
            f"augment.resize and data.swap do not go with sources of 1/{scale} the size; leave them out"
        )
    if made == 1:
        return False
    if made != scale:
        raise ConfigError(
            f"generator.scale={made}: the sources here are 1/{scale} the size of their targets; set "
            f"scale={scale}, or choose a generator that keeps sizes, as generator=restorer"
        )
    if augment.crop and augment.crop % scale:
        raise ConfigError(
            f"augment.crop={augment.crop}: sources are cut to 1/{scale} of it, so it must be a multiple of "
            f"{scale}, as {augment.crop // scale * scale or scale}"
        )
    bent = [key for key in ("rotate_deg", "warp") if augment[key]]
    bent += ["scale"] if list(augment.scale) != [1, 1] else []
    if bent:
        raise ConfigError(
            f"augment.{bent[0]}: would resample the small sources, whose resolution is what is learned; "
            "leave it out (flip and quarter_turns are exact)"
        )
    if data.mask != "none":
        raise ConfigError("data.mask=input: does not go with a generator that enlarges; leave it out")
    return True
