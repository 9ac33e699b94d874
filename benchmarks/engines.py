"""Images a second of the two engines of a recipe: the worker's, one process, and the device's, in batches.

    python -m benchmarks.engines                            every recipe, on CUDA where there is one
    python -m benchmarks.engines --recipes blur jpeg --size 256 --batch 16 --device cpu

worker     recipe.apply, one picture after another, on one thread.
drawn      what is left to a loader process with data.degrade=device: parameters, random bits, layers of
           marks, and the packing of a batch.
device     the copy to the device and the degradation there.
How far the two are apart, in levels, stands beside. Wall-clock time, means of the runs within a second.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.common import picture, print_table, steady, write_json
from gantrans import draws
from gantrans.degrade.recipe import Recipe, parse_recipe
from gantrans.degrade_batch.engine import sources
from gantrans.degrade_batch.making import program_of
from gantrans.degrade_batch.packed import Packed, pack

RECIPES = Path(__file__).parent.parent / "conf" / "recipe"


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    parser.add_argument("--recipes", nargs="+", default=names, help="names in conf/recipe/")
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the device engine")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", help="write the numbers to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    found = {name: _measure(_recipe(name), options, device) for name in options.recipes}
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {options.threads} threads"
    print(f"{options.size} px, batches of {options.batch}, {where}; images a second\n")
    rows = [
        (name, *(f"{each[k]:.0f}" for k in ("worker", "drawn", "device")), f"{each['apart']:.3f}")
        for name, each in found.items()
    ]
    print_table(["recipe", "worker", "drawn", "device", "apart, levels"], rows)
    write_json(options.json, {"device": where, "size": options.size, "batch": options.batch, **found})


def _recipe(name: str) -> Recipe:
    text = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").replace('"${recipe.scale}"', "2")
    return parse_recipe(yaml.safe_load(text))


def _measure(recipe: Recipe, options: argparse.Namespace, device: torch.device) -> dict[str, float]:
    pictures = [picture(i, options.size, options.size) for i in range(options.batch)]
    params = [recipe.draw(draws.generator("degrade", 0, str(i), 0)) for i in range(options.batch)]

    def work() -> list[np.ndarray]:
        return [recipe.apply(*each) for each in zip(pictures, params, strict=True)]

    def drawn() -> Packed:
        fresh = (recipe.draw(draws.generator("degrade", 0, str(i), 0)) for i in range(options.batch))
        packed = pack([program_of(recipe, *each) for each in zip(pictures, fresh, strict=True)])
        return packed.pin_memory() if device.type == "cuda" else packed

    ready = drawn()

    def degrade() -> torch.Tensor:
        made = sources(ready.to(device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return made

    wanted = np.stack(work()).transpose(0, 3, 1, 2)
    apart = float(np.abs(degrade().cpu().numpy().astype(np.float32) - wanted).mean())
    took = {"worker": steady(work, options.seconds), "drawn": steady(drawn, options.seconds),
            "device": steady(degrade, options.seconds)}  # fmt: skip
    return {**{name: options.batch / seconds for name, seconds in took.items()}, "apart": apart}


if __name__ == "__main__":
    main()
