"""Draw the pictures of docs/guide into docs/pictures, from data/sample: python scripts/guide_pictures.py

Each is a palette PNG of less than 150 kB. Run it again after a change of a recipe that is shown.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from gantrans.build.config import compose_verb
from gantrans.build.places import sample_dir
from gantrans.build.recipe import build_recipe
from gantrans.degrade.recipe import degrade
from gantrans.imaging.labels import coloured, palette
from gantrans.imaging.read import read
from gantrans.imaging.write import write_atomic

OUT = Path(__file__).parent.parent / "docs" / "pictures"
GAP, SIDE = 4, 162
SEED = 4  # of draws whose marks are seen at a glance


def photo(name: str) -> np.ndarray:
    """The middle SIDE x SIDE of a sample picture, (H, W, 3) uint8."""
    pixels = read(sample_dir() / f"{name}.png").pixels
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def spoilt(clean: np.ndarray, recipe: str, *keys: str, key: str = "a") -> tuple[np.ndarray, np.ndarray]:
    """What a recipe makes of a picture, at its size again, and the mask that goes with it."""
    made = build_recipe(compose_verb("pairs", [f"recipe={recipe}", *keys]).recipe, [])
    height, width = (side // made.scale * made.scale for side in clean.shape[:2])
    pixels, params = degrade(made, clean[:height, :width], seed=SEED, key=key)
    mask = made.mask(height, width, params)
    larger = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return np.asarray(larger), np.repeat(mask[..., None], 3, axis=2)


def classes(pixels: np.ndarray) -> np.ndarray:
    """Four classes by lightness, (H, W, 1) uint8: an example of a label map, no segmentation."""
    soft = np.asarray(
        Image.fromarray(pixels).convert("L").reduce(6).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    )
    return np.digitize(soft, np.quantile(soft, [0.25, 0.5, 0.75])).astype(np.uint8)[..., None]


def pages() -> dict[str, list[list[np.ndarray]]]:
    """Picture -> its rows of cells, each (SIDE, SIDE, 3) uint8."""
    harbour, flowers, street = photo("harbour-01"), photo("flowers-02"), photo("street-01")
    grey = spoilt(flowers, "gray")[0]
    half, quarter = (spoilt(street, "lowres", f"recipe.scale={scale}")[0] for scale in (2, 4))
    labels = classes(harbour)
    return {
        "guide-1-restore": [
            [harbour, *(spoilt(harbour, name)[0] for name in ("blur", "jpeg"))],
            [spoilt(harbour, name)[0] for name in ("noise", "crappify", "oldphoto")],
        ],
        "guide-2-colour-and-size": [[grey, flowers], [half, quarter, street]],
        "guide-3-marks-and-holes": [
            [street, *spoilt(street, "marks", key="e")],
            [street, *spoilt(street, "cutout")],
        ],
        "guide-4-two-folders": [
            [photo(f"{kind}-0{i}") for i in (1, 2, 3, 4)] for kind in ("landscape", "map")
        ],
        "guide-5-labels": [[harbour, np.repeat(labels, 3, axis=2), coloured(labels, palette(4))]],
    }


def sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Cells in rows on white, the rows begin at the left."""
    across = max(len(row) for row in rows)
    step = SIDE + GAP
    canvas = np.full((len(rows) * step - GAP, across * step - GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            height, width = cell.shape[:2]
            canvas[i * step : i * step + height, j * step : j * step + width] = cell
    return canvas


def encoded(pixels: np.ndarray) -> bytes:
    """A PNG of 256 colours."""
    few = Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def main() -> None:
    """Draw and write them all."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, rows in pages().items():
        data = encoded(sheet(rows))
        write_atomic(OUT / f"{name}.png", data)
        print(f"{name}.png  {len(data) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
