"""The pictures of its run that an exported graph is compared on: sources of the newest probe strip.

The strip and not the data: it lies in the run folder, wherever that is moved to, and shows sources as the
network was given them, degraded ones too. Nothing of the run's config is looked up or executed for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from gantrans.bundles.card import Card
    from gantrans.bundles.export_check import Own

MOST = 4
MOST_SIDE = 256  # pixels that a network works on, of the middle: RRDBNet takes minutes for more


def own_probes(model: Path, card: Card, way: str) -> Own:
    """Sources of the validation of the run at `model`, for the generator of `way`; none, and why, where there
    are none that can be had."""
    from gantrans.bundles.export_check import Own
    from gantrans.errors import DataError

    try:
        path = _newest(model, card)
        pictures = [_given(row, card) for row in _rows(path, way)]
    except DataError as error:
        return Own(why_none=str(error))
    fitting = tuple(picture for picture in pictures if picture is not None)[:MOST]
    if not fitting:
        return Own(why_none=f"{path.name} shows none that this model takes")
    return Own(fitting, f"samples/{path.name}")


def _newest(model: Path, card: Card) -> Path:
    """The run's newest strip of validation pictures. Raises DataError with the reason where there is none."""
    from gantrans.errors import DataError
    from gantrans.report.run import STRIP, is_inside

    if not (model / "config.yaml").is_file():
        raise DataError("a bundle without its run has no pictures of its own")
    if card.source_mode == "labels":
        raise DataError("its strips show the colours of label maps, not their classes")
    found = [
        (int(name[1]), path)
        for path in (model / "samples").glob("*.png")
        if (name := STRIP.fullmatch(path.name)) and not name[2] and path.is_file() and is_inside(path, model)
    ]
    if not found:
        raise DataError("the run's samples/ holds no strip")
    return max(found)[1]


def _rows(path: Path, way: str) -> list[list[np.ndarray]]:
    """The pictures of a strip, row by row; those of the second way, if it is drawn, stand below. Raises
    DataError."""
    from gantrans.errors import DataError
    from gantrans.imaging import sheet
    from gantrans.imaging.read import probe, read
    from gantrans.report.cells import cells
    from gantrans.report.pictures import MOST_PIXELS

    header = probe(path)
    if header.width * header.height > MOST_PIXELS:
        raise DataError(f"{path.name} is too large")
    rows = cells(sheet.to_u8_rgb(read(path).pixels))
    if not rows:
        raise DataError(f"{path.name} cannot be cut into its pictures")
    return rows if way == "to_target" else rows[::-1]


def _given(row: list[np.ndarray], card: Card) -> Tensor | None:
    """The source of a row as the network is given it, x11 (1, C, H, W); None where it takes no such one."""
    import torch

    from gantrans.bundles.export_network import least_side
    from gantrans.imaging import ranges
    from gantrans.inference.source import Source

    source, mask = _middle(row[0], card), None
    if card.mask == "input":
        mask = _middle(row[1], card)[..., :1]
        if len(row) != 5 or mask.shape[:2] != source.shape[:2]:
            return None
    if min(source.shape[:2]) < least_side(card.network["name"]):
        return None
    x01 = Source(card, source, mask).all()
    return ranges.x11_from_x01(torch.from_numpy(x01).permute(2, 0, 1)[None].contiguous())


def _middle(pixels: np.ndarray, card: Card) -> np.ndarray:
    side = MOST_SIDE // card.scale
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]
