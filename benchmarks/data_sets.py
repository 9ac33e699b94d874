"""Our data set and the reference code's, for the same pictures; and how far their pixels differ."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

LOAD, CROP = 286, 256


def reference_data(folder: Path, layout: str, suffix: str) -> Any:
    from importlib import import_module

    module = import_module(f"data.{layout}_dataset")
    options = SimpleNamespace(
        dataroot=str(folder / suffix), phase="train", max_dataset_size=float("inf"), direction="AtoB",
        load_size=LOAD, crop_size=CROP, preprocess="resize_and_crop", no_flip=False, serial_batches=False,
        input_nc=3, output_nc=3,
    )  # fmt: skip
    return getattr(module, f"{layout.capitalize()}Dataset")(options)


def our_data(way: str, folder: Path, layout: str, suffix: str) -> Any:
    from gantrans.build.config import compose_verb
    from gantrans.build.data import build_data

    experiment, learns = ("restore", "pairs") if layout == "aligned" else ("cyclegan", "unpaired")
    root = folder / suffix / "train" if layout == "aligned" else folder / suffix
    keys = [
        f"experiment={experiment}", f"data.root={root}", f"augment.resize={LOAD}", f"augment.crop={CROP}",
        f"data.resampler={'torch' if way == 'torch' else 'pillow'}", "data.val_fraction=0.01",
        f"data.cache_mib={64 if way in ('cached', 'floats') else 0}",
        *(["data.layout=side_by_side"] if layout == "aligned" else []),
    ]  # fmt: skip
    return build_data(compose_verb("train", keys), learns).train


def compare(folder: Path, layout: str, suffix: str) -> dict[str, Any]:
    """The largest and the mean difference to the reference over two epochs, given our cut and mirror."""
    reference = reference_data(folder, layout, suffix)
    found = {}
    for way in ("pillow", "torch", "cached"):
        data = our_data(way, folder, layout, suffix)
        levels = np.zeros(256, int)
        for position in range(2 * len(data)):
            ours = data.sample(position)
            for mine, theirs in zip(
                (ours.source, ours.target), _theirs(reference, data, position), strict=True
            ):
                off = np.abs(mine.astype(int) - theirs)
                levels += np.bincount(off.ravel(), minlength=256)
        found[way] = {
            "max": int(np.flatnonzero(levels).max()),
            "mean": float(levels @ np.arange(256) / levels.sum()),
            "share_above_1": float(levels[2:].sum() / levels.sum()),
        }
    return found


def _theirs(reference: Any, data: Any, position: int) -> list[np.ndarray]:
    """What the reference makes of the files at `position` of our row, cut and mirrored as ours are."""
    from data.base_dataset import get_transform  # type: ignore[import-not-found]

    from gantrans import draws
    from gantrans.data.order import place

    sets = [data] if hasattr(data, "items") else [data.source, data.target]
    shown = []
    for images in sets:
        row = getattr(images, "name", "")
        epoch, index = place(position, len(images.items), images.seed, row)
        item = images.items[index]
        address = [name for name in (row,) if name]
        rng = draws.generator("augment", images.seed, *address, item.key, epoch)
        geometry = images.augment.draw(rng, LOAD, LOAD)
        params = {"crop_pos": geometry.box[:2], "flip": geometry.flip}
        with Image.open(item.source) as opened:
            image = opened.convert("RGB")
        middle = image.width // 2
        halves = (
            [(0, 0, middle, 256), (middle, 0, image.width, 256)] if not row else [(0, 0, image.width, 256)]
        )
        for box in halves:
            x11 = get_transform(reference.opt, params)(image.crop(box))
            shown.append(((x11.numpy() + 1) * 127.5).round().astype(int).transpose(1, 2, 0))
    return shown
