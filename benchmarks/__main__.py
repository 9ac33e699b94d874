"""All benchmarks of the CPU, one after another: tables as they come, and a JSON file of each.

    python -m benchmarks --reference DIR --json FOLDER

DIR: a checkout of junyanz/pytorch-CycleGAN-and-pix2pix, without which ours are measured alone. Takes about a
quarter of an hour on two cores, with nothing else beside it. On a machine with CUDA: benchmarks/gpu.sh.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

WITH_REFERENCE = {"step": False, "data": True}  # whether it is needed
ALONE = ("inference", "startup", "pairs", "methods")


def main() -> int:
    """Run them; the exit code is 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reference", help="checkout of the reference implementation")
    parser.add_argument("--json", type=Path, help="folder for the numbers")
    options = parser.parse_args()
    failed = []
    for name in (*WITH_REFERENCE, *ALONE):
        arguments = []
        if name in WITH_REFERENCE and options.reference:
            arguments += ["--reference", options.reference]
        elif WITH_REFERENCE.get(name):
            print(
                f"## {name}\n\nleft out: it compares with the reference, give --reference DIR\n", flush=True
            )
            continue
        if options.json and name != "methods":  # which writes none
            options.json.mkdir(parents=True, exist_ok=True)
            arguments += ["--json", str(options.json / f"{name}.json")]
        print(f"## {name}\n", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments]).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
