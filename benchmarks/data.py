"""Pairs a second and core, from files to batches, beside the reference code; and how far pixels differ.

    python -m benchmarks.data --reference DIR      DIR: a checkout of junyanz/pytorch-CycleGAN-and-pix2pix

Pictures of 256 pixels, brought to 286, cut to 256 and mirrored half of the time, as the reference does by
default; in batches of 8, both through a DataLoader without workers. The reference hands out normalised
floats, gantrans bytes, which the device normalises; "+ floats" does it on the CPU. CPU time, medians.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.common import Answer, answer_turns, median, picture, print_table, take_turns, write_json
from benchmarks.data_sets import CROP, LOAD, compare, our_data, reference_data

WAYS = {
    "reference": "reference",
    "pillow": "gantrans, no cache",
    "torch": "gantrans, no cache, data.resampler=torch",
    "cached": "gantrans, cached",
    "floats": "gantrans, cached, + floats",
}
CASES = [(layout, suffix) for layout in ("aligned", "unaligned") for suffix in ("jpg", "png")]
COUNT, BATCH = 16, 8
GPU_RATES = (1000, 4000)  # images a second that a GPU step might take


def main() -> None:
    """Measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reference", required=True, help="the checkout; it needs torchvision")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--json", help="write the numbers to this file as well")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--pictures", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, options.reference)
    if options.only:
        answer_turns(_measure(options.only, Path(options.pictures)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _draw(Path(folder))
        words = ["-m", "benchmarks.data", "--reference", options.reference, "--pictures", folder, "--only"]
        found = take_turns({way: [*words, way] for way in WAYS}, options.rounds)
        pixels = {f"{layout} {suffix}": compare(Path(folder), layout, suffix) for layout, suffix in CASES}
    speed = {way: {case: median(turns, case) for case in pixels} for way, turns in found.items()}
    _print(speed, pixels)
    write_json(options.json, {"pairs_per_second_and_core": speed, "pixels": pixels, "turns": found})


def _draw(folder: Path) -> None:
    for suffix in ("jpg", "png"):
        for name in ("train", "trainA", "trainB"):
            place = folder / suffix / name
            place.mkdir(parents=True)
            for i in range(COUNT):
                drawn = picture(100 * len(name) + ord(name[-1]) + i, 256, 512 if name == "train" else 256)
                Image.fromarray(drawn).save(place / f"{i:02}.{suffix}", quality=90)  # of JPEG; PNG has none


def _print(speed: dict[str, dict[str, float]], pixels: dict[str, Any]) -> None:
    print(f"{CROP} px from {LOAD}, pairs a second and core\n")
    base = speed["reference"]
    rows = [
        (WAYS[way], *(f"{rate:,.0f} ({rate / base[case]:.1f}x)" for case, rate in rates.items()))
        for way, rates in speed.items()
    ]
    print_table(["", *base], rows)
    print("Pixels against the reference's, the same cut and mirrored: levels of 255\n")
    ways = list(next(iter(pixels.values())))
    print_table(
        ["", *pixels],
        [(WAYS[way], *(_off(p[way]) for p in pixels.values())) for way in ways],
    )
    print("Cores that keep a GPU busy\n")
    print_table(
        [
            "",
            *(f"{rate:,} pairs/s ({case})" for rate in GPU_RATES for case in ("aligned jpg", "aligned png")),
        ],
        [
            (
                WAYS[way],
                *(f"{rate / rates[c]:.2f}" for rate in GPU_RATES for c in ("aligned jpg", "aligned png")),
            )
            for way, rates in speed.items()
        ],
    )


def _off(p: dict[str, Any]) -> str:
    more = f", above 1: {p['share_above_1']:.0e}" if p["share_above_1"] else ""
    return f"max {p['max']}, mean {p['mean']:.4f}{more}"


def _measure(way: str, folder: Path) -> Callable[[], Answer]:
    """A function that takes batches of every case and tells pairs a second of CPU time."""
    import torch

    from gantrans.core.heap import keep_large_blocks

    torch.set_num_threads(1)
    if way != "reference":  # `gantrans train` does so; the reference does not
        keep_large_blocks()
    streams = {case: _stream(way, folder, *case) for case in CASES}
    batches = 2 if way in ("reference", "pillow", "torch") else 50

    def measure() -> Answer:
        found = {}
        for case, stream in streams.items():
            begun = time.process_time()
            for _ in islice(stream, batches):
                pass
            found[" ".join(case)] = batches * BATCH / (time.process_time() - begun)
        return found

    return measure


def _stream(way: str, folder: Path, layout: str, suffix: str) -> Iterator[object]:
    if way == "reference":
        from torch.utils.data import DataLoader

        loader = DataLoader(reference_data(folder, layout, suffix), batch_size=BATCH, shuffle=True)
        while True:
            yield from loader
    from gantrans.data.stream import batches
    from gantrans.imaging.ranges import x11_from_u8

    for batch in batches(our_data(way, folder, layout, suffix), batch_size=BATCH, first_step=0, workers=0):
        yield (x11_from_u8(batch.source), x11_from_u8(batch.target)) if way == "floats" else batch


if __name__ == "__main__":
    main()
