"""How long it takes until something happens, in fresh interpreters.

    python -m benchmarks.startup

help          wall time of `gantrans --help`
first step    CPU time of the imports before the first training step: everything that a run of one step on the
              CPU has imported by its end, in the same order
torch         the same of `import torch` alone, which is the least
peers         the same of torch, torchvision and hydra, which peers import at once (left out where missing)
Medians; the contenders take turns.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.common import picture, print_table, write_json

GOALS = {"help": 0.15, "first step": 4.0}
PEERS = ("torch", "torchvision", "hydra")
HELP = "from gantrans.cli.main import main; main(['--help'])"
# Modules that cannot be imported on their own were made by others, which are in the list too.
IMPORT = """
import importlib, json, sys, time
names = json.load(open(sys.argv[1]))
begun = time.process_time()
for name in names:
    try: importlib.import_module(name)
    except Exception: pass
print(time.process_time() - begun)
"""
STEP = """
import json, sys
from gantrans.cli.main import main
before = set(sys.modules)
code = main(sys.argv[2:])
json.dump([name for name in sys.modules if name not in before], open(sys.argv[1], 'w'))
sys.exit(code)
"""


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--json", help="write the numbers to this file as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lists = {"first step": _imported_by_a_step(folder), "torch": ["torch"]}
        if all(importlib.util.find_spec(peer) for peer in PEERS):
            lists["peers"] = list(PEERS)
        found: dict[str, list[float]] = {what: [] for what in ("help", *lists)}
        for what, modules in lists.items():
            (folder / f"{what}.json").write_text(json.dumps(modules))
        for _ in range(options.rounds):
            begun = time.perf_counter()
            _python(HELP)
            found["help"].append(time.perf_counter() - begun)
            for what in lists:
                found[what].append(float(_python(IMPORT, str(folder / f"{what}.json")).split()[-1]))
    medians = {what: statistics.median(seconds) for what, seconds in found.items()}
    rows = []
    for what, seconds in medians.items():
        goal = GOALS.get(what)
        verdict = "" if goal is None else f"{goal} s: {'met' if seconds <= goal else 'missed'}"
        rows.append((what, f"{seconds:.3f}", verdict))
    print_table(["", "s", "goal"], rows)
    heavy = [name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in lists["first step"]]
    print(f"imported before the first step, and better not: {', '.join(heavy) or 'nothing'}")
    write_json(options.json, {"medians": medians, "seconds": found, "heavy": heavy})


def _python(code: str, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def _imported_by_a_step(folder: Path) -> list[str]:
    (folder / "pictures").mkdir()
    for i in range(3):
        Image.fromarray(picture(i, 64, 64)).save(folder / "pictures" / f"{i}.png")
    keys = ["experiment=restore", f"data.root={folder / 'pictures'}", f"run.dir={folder / 'run'}",
            "generator.width=2", "discriminator.width=2", "augment.crop=64", "train.batch_size=1",
            "train.total=1step", "val.images=1", "val.probes=1", "data.workers=0", "core.device=cpu",
            "core.threads=1"]  # fmt: skip
    _python(STEP, str(folder / "names.json"), "train", *keys)
    return json.loads((folder / "names.json").read_text())


if __name__ == "__main__":
    main()
