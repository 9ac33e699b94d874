"""Images a second and core of `gantrans pairs`, beside a plain Pillow loop.

    python -m benchmarks.pairs                     recipe crappify, on JPEGs of 512 and 1024 pixels
    python -m benchmarks.pairs --recipe blur --sizes 256
    python -m benchmarks.pairs --photos PHOTOS         your own, the middle square scaled to each size

pillow     decode, a half to a third of the size and back (bicubic), words across, JPEG at a random quality,
           saved: one file.
pillow2    the same, and a copy of the original beside it: two files, as pairs writes.
pairs      what a worker process does for an image: read, degrade, both files (and a mask) as PNG, checksums.
jpg        the same with format=jpg: the recipe's own JPEG and the original's, neither encoded again.
variants   the same with variants=8: eight pairs of each image, decoded once; counted are pairs.
degrade    read and degrade, nothing written.
CPU time, medians; each contender is one process with one thread. A recipe with marks writes
a third file, the mask. Files are written anew in every turn, not over those of the turn before.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from benchmarks.common import Answer, answer_turns, median, picture, print_table, take_turns, write_json

WAYS = ("pillow", "pillow2", "pairs", "jpg", "variants", "degrade")
VARIANTS = 8
COUNT = 8


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="pixels a side")
    parser.add_argument("--recipe", default="crappify", help="a name in conf/recipe/")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--photos", help="a folder of photographs to take; otherwise 1/f noise is")
    parser.add_argument("--json", help="write the numbers to this file as well")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--pictures", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        answer_turns(_measure(options.only, Path(options.pictures), options.recipe))
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            (Path(folder) / str(size)).mkdir()
            for i, drawn in enumerate(_pictures(options.photos, size)):
                drawn.save(Path(folder) / str(size) / f"{i}.jpg", quality=90)
        words = ["-m", "benchmarks.pairs", "--recipe", options.recipe, "--pictures", folder, "--only"]
        found = take_turns({way: [*words, way] for way in WAYS}, options.rounds)
    speed = {way: {str(s): median(turns, str(s)) for s in options.sizes} for way, turns in found.items()}
    print(f"recipe {options.recipe}, images a second and core\n")
    base = speed["pillow"]
    rows = [(way, *(f"{v:.1f} ({v / base[s]:.2f}x)" for s, v in at.items())) for way, at in speed.items()]
    print_table(["", *(f"{size} px" for size in options.sizes)], rows)
    write_json(options.json, {"images_per_second_and_core": speed, "turns": found})


def _pictures(photos: str | None, size: int) -> list[Image.Image]:
    if photos is None:
        return [Image.fromarray(picture(size + i, size, size)) for i in range(COUNT)]
    files = sorted(file for file in Path(photos).iterdir() if file.suffix.lower() in (".jpg", ".png"))[:COUNT]
    return [ImageOps.fit(Image.open(file).convert("RGB"), (size, size)) for file in files]


def _measure(way: str, folder: Path, recipe: str) -> Callable[[], Answer]:
    """A function that works through every size once and tells images a second of CPU time."""
    outs = {place: place / "out" / way for place in sorted(folder.iterdir()) if place.is_dir()}
    sizes = {place: _worker(way, place, out, recipe) for place, out in outs.items()}

    def measure() -> Answer:
        found = {}
        for place, work in sizes.items():
            files = sorted(place.glob("*.jpg"))
            shutil.rmtree(outs[place], ignore_errors=True)
            outs[place].mkdir(parents=True)
            begun = time.process_time()
            for file in files:
                work(file)
            made = len(files) * (VARIANTS if way == "variants" else 1)
            found[place.name] = made / (time.process_time() - begun)
        return found

    return measure


def _worker(way: str, place: Path, out: Path, name: str) -> Callable[[Path], Any]:
    if way.startswith("pillow"):
        rng = random.Random(0)
        return lambda file: _by_pillow(file, out / file.name, rng, copy=way == "pillow2")
    from gantrans.build.config import compose_verb
    from gantrans.build.recipe import build_recipe
    from gantrans.data.pixels import opaque
    from gantrans.degrade.recipe import degrade
    from gantrans.pairs.making import Making
    from gantrans.pairs.worker import Setup, Task, work

    recipe = build_recipe(compose_verb("pairs", [f"recipe={name}", "source=x", "out=x"]).recipe, [])
    if way == "degrade":
        return lambda file: degrade(recipe, opaque(file), seed=0, key=file.name)
    form = "png" if way == "pairs" else "jpg"
    making = Making(format=form, variants=VARIANTS if way == "variants" else 1)
    setup = Setup(place, out, recipe, seed=0, size=None, making=making)
    return lambda file: work(setup, Task(file.name, f"{file.stem}.{form}", "train"))


def _by_pillow(file: Path, out: Path, rng: random.Random, *, copy: bool) -> None:
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    factor = rng.uniform(2, 3)
    size = (round(image.width / factor), round(image.height / factor))
    small = image.resize(size, Image.Resampling.BICUBIC)
    worse = small.resize(image.size, Image.Resampling.BICUBIC)
    place = (rng.random() * image.width / 2, rng.random() * image.height)
    ImageDraw.Draw(worse).text(place, "preview only", fill="white", font_size=image.height / 10)
    worse.save(out, quality=rng.randint(10, 70))
    if copy:
        shutil.copy(file, out.with_suffix(".target.jpg"))


if __name__ == "__main__":
    main()
