"""Draw the sample pictures of data/sample: clean scenes that stand in for photographs.

Each picture is a function of (seed, family, number) alone, so the same command gives the same folder again,
and asking for more pictures changes none of the first ones. Needs NumPy and Pillow, no font of the system.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from sample_scenes import (
    butterflies,
    cloth,
    dials,
    garden,
    harbour,
    indoors,
    landscape,
    night,
    paper,
    table,
    town,
    wall,
)
from tqdm import tqdm

from gantrans.draws import generator

Scene = Callable[[np.random.Generator, int], Image.Image]

FAMILIES: dict[str, Scene] = {
    "landscape": landscape.landscape,
    "street": town.street,
    "harbour": harbour.harbour,
    "flowers": garden.flowers,
    "fruit": table.still_life,
    "map": paper.town_map,
    "fabric": cloth.fabric,
    "books": indoors.books,
    "skyline": night.skyline,
    "butterfly": butterflies.butterflies,
    "poster": wall.poster,
    "dials": dials.dials,
}
SEED = 4  # of the committed pictures
FOLDER = Path(__file__).resolve().parents[1] / "data" / "sample"


def draw(seed: int, family: str, number: int) -> Image.Image:
    """One picture, RGB u8; `number` counts from 1 and also chooses the variant (hour, palette, motif)."""
    return FAMILIES[family](generator("sample", seed, family, number), number)


def names(count: int) -> Iterator[tuple[str, int]]:
    """The first `count` pictures as (family, number): every family once, then every family again."""
    families = list(FAMILIES)
    for index in range(count):
        yield families[index % len(families)], index // len(families) + 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder to write to (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=SEED, help="another seed draws other pictures (default: %(default)s)"
    )
    parser.add_argument(
        "--count", type=int, default=48, help="pictures to draw, family by family (default: 48)"
    )
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"--count is {options.count}; it takes a number from 1 on")
    options.out.mkdir(parents=True, exist_ok=True)
    for family, number in tqdm([*names(options.count)], desc="drawing", unit="picture", disable=None):
        path = options.out / f"{family}-{number:02d}.png"
        # zlib's strategy for filtered data (1) gives files 6 % smaller here than optimize=True.
        draw(options.seed, family, number).save(path, compress_level=9, compress_type=1)


if __name__ == "__main__":
    main()
