"""The contact sheet of a folder of pairs: some of them side by side, with what was drawn for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gantrans.data.shards_read import path_of
from gantrans.degrade.algebra import label
from gantrans.degrade.recipe import Recipe
from gantrans.degrade.trace import operations, told
from gantrans.imaging import sheet
from gantrans.imaging.read import UnreadableImage, read
from gantrans.pairs.image import ALL_ROLES, Entry

PAIRS = 12
_A_ROW = 2
_CELLS = (96, 360)  # the least and the largest side of a picture in the sheet, px


def contact(out: Path, entries: list[Entry], recipe: Recipe) -> np.ndarray:
    """The pairs of these lines of the manifest, (H, W, 3) uint8: pictures below a name and a line of the
    parameters."""
    pictures = [_pair(out, entry) for entry in entries]
    largest = max((max(p.shape[:2]) for pair in pictures for p in pair), default=0)
    if not largest:
        return sheet.grid([[np.full((64, 64, 3), 255, np.uint8)]], [], ["no pairs yet"], _CELLS[0])
    cell = max(_CELLS[0], min(_CELLS[1], largest))
    shown = []
    for entry, pair in zip(entries, pictures, strict=True):
        if pair:
            roles = [role for role in ALL_ROLES if role in entry]
            shown.append(sheet.grid([[], pair], roles, [_name(entry), drawn(recipe, entry)], cell))
    across = max(picture.shape[1] for picture in shown)
    rows = [shown[start : start + _A_ROW] for start in range(0, len(shown), _A_ROW)]
    return np.vstack([_beside(row, across) for row in rows])


def drawn(recipe: Recipe, entry: Entry) -> str:
    """What was done to the source, in words: "gaussian_blur sigma_px 1.2; jpeg quality 35"."""
    steps = operations(recipe.steps, entry["params"])
    return "; ".join(f"{label(step)} {told(params)}".strip() for step, params in steps) or "no step was drawn"


def _beside(row: list[np.ndarray], width: int) -> np.ndarray:
    """Each on white of `width`, `_A_ROW` of them."""
    height = max(picture.shape[0] for picture in row)
    paper = np.full((height, width * _A_ROW, 3), 255, np.uint8)
    for number, picture in enumerate(row):
        paper[: picture.shape[0], number * width : number * width + picture.shape[1]] = picture
    return paper


def _name(entry: Entry) -> str:
    return entry["target"].split("/", 2)[2] if "variant" in entry else entry["key"]


def _pair(out: Path, entry: Entry) -> list[np.ndarray]:
    try:
        return [sheet.to_u8_rgb(read(path_of(out, entry, r)).pixels) for r in ALL_ROLES if r in entry]
    except UnreadableImage:  # of another shard, deleted since; its own next run will see to it
        return []
