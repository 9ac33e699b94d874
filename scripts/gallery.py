"""Make docs/recipes.md and docs/gallery.jpg: every operation at three strengths, and every recipe.

All words come from the classes and the recipe files themselves, so the page tells what the code does. Run it
after adding or changing one: python scripts/gallery.py
"""

from __future__ import annotations

import argparse
import inspect
import io
from collections.abc import Mapping
from typing import Any

import gallery_page
import numpy as np
from gallery_page import recipe_of, recipes
from PIL import Image
from tqdm import tqdm

from gantrans.build.places import sample_dir
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import crop_to_multiple, degrade, parse_recipe
from gantrans.imaging import sheet
from gantrans.imaging.read import read
from gantrans.imaging.write import write_atomic, write_text_atomic

PICTURE = gallery_page.PATH.with_name("gallery.jpg")
MOTIF = "harbour-01.png"  # sky and water are even, sails and mountains have edges, letters and fine detail
SEED = 1  # of draws that put marks where they are seen; text_mark's is green on green hills
SEEDS = {"text_mark": 5}
CELL = (144, 108)  # width, height, px
TEXT = 182  # the cell whose letters, 11 px, `sheet.grid` is asked for
LETTERS = 84  # that fit above three cells
COLUMNS = 2  # of the picture, three cells each
QUALITY = 42
STRENGTHS = (0.0, 0.5, 1.0)
DIRECTIONS = ("angle_deg", "hue_deg")  # no strengths: each cell shows another
LOWER_IS_STRONGER = ("quality", "peak_photons", "levels", "cutoff", "contrast")
SHOWN: dict[str, dict[str, list[Any]]] = {  # where the ends of the default range are not what is worth seeing
    "downscale": {"factor": [2, 3, 4]},
    "exposure": {"stops": [-0.7, -1.5, 1.2]},
    "gamma": {"gamma": [0.5, 1.5, 2.0]},
    "generalised_blur": {"beta": [4, 1, 0.5]},
    "plateau_blur": {"beta": [2, 1.5, 1]},
    "dust": {"size": [0.002, 0.003, 0.004]},
    "tears": {"size": [0.12, 0.18, 0.25]},
    "quantise": {"levels": [16, 8, 4], "dither": [0, 0, 1]},
    "text_mark": {
        "opacity": [0.7, 0.85, 1.0],
        "tiled": [0, 0, 1],
        "effects": ["shadow", "outline", "plain"],
    },
    "watermark": {"opacity": [0.35, 0.45, 0.55], "tiled": [0, 0, 1]},
    "stamp": {"size": [0.35, 0.42, 0.5], "opacity": [0.75, 0.85, 0.95]},
    "stain": {"size": [0.4, 0.5, 0.6], "opacity": [0.7, 0.8, 0.9]},
    "scratches": {"count": [8, 14, 20], "width": [0.0015, 0.002, 0.0025], "opacity": [0.75, 0.85, 0.95]},
}


def strengths(name: str) -> list[dict[str, Any]]:
    """Three sets of parameters for an operation: from the weak end of its default ranges to the strong one.

    Of names to choose among each set has another. One set for an operation of which nothing turns.
    """
    defaults = {key: p.default for key, p in inspect.signature(CATALOGUE[name]).parameters.items()}
    sets = [
        {key: _at(key, default, strength, SHOWN.get(name, {})) for key, default in defaults.items()}
        for strength in STRENGTHS
    ]
    return sets if sets[0] != sets[1] else sets[:1]


def _at(key: str, default: Any, strength: float, shown: Mapping[str, list[Any]]) -> Any:
    number = STRENGTHS.index(strength)
    if key in shown:
        return shown[key][number]
    if not isinstance(default, tuple):
        return default
    if isinstance(default[0], str):
        return default[number % len(default)]
    low, high = default
    if key in DIRECTIONS:
        return low + (high - low) * (0.15 + 0.3 * number)
    value = low + (high - low) * (1 - strength if key in LOWER_IS_STRONGER else strength)
    return round(value) if isinstance(low, int) else round(value, 4)


def cell(pixels: np.ndarray, scale: int, whole: bool) -> np.ndarray:
    """What is shown of a degraded picture, (H, W, 3) uint8 of size CELL: all of it, or its middle, pixel for
    pixel; what is 1/scale the size is enlarged, its pixels seen."""
    picture = sheet.to_u8_rgb(pixels)
    if whole:
        return np.asarray(Image.fromarray(picture).resize(CELL, Image.Resampling.LANCZOS))
    width, height = CELL[0] // scale, CELL[1] // scale
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width].repeat(scale, axis=0).repeat(scale, axis=1)


def operation_row(name: str, motif: np.ndarray) -> tuple[list[np.ndarray], str]:
    """Three cells and what is written above them."""
    sets = strengths(name)
    cells = []
    for values in sets:
        recipe = parse_recipe({"name": name, "steps": [{name: values}]})
        clean = crop_to_multiple(motif, recipe.scale)
        cells.append(
            cell(degrade(recipe, clean, seed=SEEDS.get(name, SEED), key=name)[0], recipe.scale, recipe.masked)
        )
    told = [
        f"{key} {', '.join(_short(values[key]) for values in sets)}"
        for key in sets[0]
        if len({str(values[key]) for values in sets}) > 1 and key not in DIRECTIONS
    ]
    while len(text := f"{name}: {'; '.join(told)}") > LETTERS:
        told.pop()
    return cells, text.rstrip(": ")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def recipe_row(name: str, motif: np.ndarray) -> tuple[list[np.ndarray], str]:
    """A recipe drawn for three times."""
    recipe = recipe_of(name)
    clean = crop_to_multiple(motif, recipe.scale)
    cells = [
        cell(degrade(recipe, clean, seed=SEED, key=name, draw=i)[0], recipe.scale, recipe.masked)
        for i in range(3)
    ]
    return cells, f"recipe={name}, three draws"


def picture() -> np.ndarray:
    """The whole gallery, (H, W, 3) uint8."""
    motif = read(sample_dir() / MOTIF).pixels
    clean = [cell(motif, 1, False), cell(motif, 1, True)]
    rows = [(clean, "the clean picture: its middle, pixel for pixel; all of it, smaller")]
    rows += [operation_row(name, motif) for name in tqdm(CATALOGUE, desc="operations", disable=None)]
    rows += [recipe_row(name, motif) for name in tqdm(recipes(), desc="recipes", disable=None)]
    blank = np.full((CELL[1], CELL[0], 3), 255, np.uint8)
    rows += [([], "")] * (-len(rows) % COLUMNS)
    a_column = len(rows) // COLUMNS
    columns = []
    for start in range(0, len(rows), a_column):
        part = rows[start : start + a_column]
        shown = [[*cells, blank, blank, blank][:3] for cells, _ in part]
        columns.append(sheet.grid(shown, [], [text for _, text in part], TEXT))
    return np.hstack(columns)


def main() -> None:
    argparse.ArgumentParser(description=str(__doc__).splitlines()[0]).parse_args()
    stream = io.BytesIO()
    Image.fromarray(picture()).save(stream, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    write_atomic(PICTURE, stream.getvalue())
    write_text_atomic(gallery_page.PATH, gallery_page.text())
    print(f"made {gallery_page.PATH} and {PICTURE} ({PICTURE.stat().st_size / 1000:.0f} KB)")


if __name__ == "__main__":
    main()
