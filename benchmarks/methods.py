"""Time and memory of a training step, method by method.

    python -m benchmarks.methods                 CycleGAN, CUT and FastCUT as in their papers, at 128 pixels
    python -m benchmarks.methods --size 256 --device cuda --rounds 5

Every method runs in a process of its own, so that its peak memory is its own, and the processes take turns,
so that a machine that grows slower slows all of them. Medians over all steps; ratios to the first method.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

EXPERIMENTS = ("cyclegan", "cut", "fastcut")


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="pixels a side of the crops")
    parser.add_argument(
        "--steps", type=int, default=2, help="steps measured in a turn, after one that is not"
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each method")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--only", choices=EXPERIMENTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(_measure(options.only, options)))
        return
    found: dict[str, list[dict]] = {name: [] for name in EXPERIMENTS}
    for _ in range(options.rounds):
        for name in EXPERIMENTS:
            command = [sys.executable, "-m", "benchmarks.methods", "--only", name, *sys.argv[1:]]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            found[name].append(json.loads(answer.stdout.splitlines()[-1]))
    _print(found, options)


def _print(found: dict[str, list[dict]], options: argparse.Namespace) -> None:
    print(f"{options.size}x{options.size}, batch 1, {options.device}, {options.threads} thread(s), "
          f"{options.rounds} turns of {options.steps} steps, medians\n")  # fmt: skip
    print("| method | s a step | ratio | peak MiB above start | ratio |\n|---|---|---|---|---|")
    first: tuple[float, float] | None = None
    for name, turns in found.items():
        seconds = statistics.median(second for turn in turns for second in turn["seconds"])
        memory = statistics.median(turn["memory_mib"] for turn in turns)
        first = first or (seconds, memory)
        print(
            f"| {name} | {seconds:.3f} | {seconds / first[0]:.2f} | {memory:.0f} | {memory / first[1]:.2f} |"
        )


def _measure(name: str, options: argparse.Namespace) -> dict[str, object]:
    import torch

    from gantrans.build.config import compose_verb
    from gantrans.build.method import build_method, build_networks
    from gantrans.build.training import build_core
    from gantrans.methods.base import translators
    from gantrans.training.ema import ema_copy
    from gantrans.training.guard import NanGuard
    from gantrans.training.state import State
    from gantrans.training.step import build_optimizers, train_step
    from gantrans.types import Batch

    keys = [f"core.device={options.device}", f"core.threads={options.threads}"]
    keys.append(f"augment.crop={options.size}")
    config = compose_verb("train", [f"experiment={name}", "data.root=x", *keys])
    core, method = build_core(config), build_method(config)
    start = core.peak_memory_mib()
    networks = build_networks(config, core, method)
    averages = {role: ema_copy(networks[role]) for role in translators(method.roles).values()}
    optimizers = build_optimizers(networks, method, lr=2e-4, betas=(0.5, 0.999))
    scaler = torch.amp.GradScaler(enabled=False)  # type: ignore[attr-defined]
    state = State(networks, optimizers, averages, scaler)
    shape = (1, 3, options.size, options.size)
    source, target = (torch.rand(shape, device=core.device) * 2 - 1 for _ in range(2))
    batch = Batch(source, target)
    seconds = []
    for _ in range(options.steps + 1):
        before = time.perf_counter()
        train_step(state, batch, method, core, NanGuard(), seed=0, rate=1.0, ema=0.999)
        if core.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - before)
    return {"seconds": seconds[1:], "memory_mib": core.peak_memory_mib() - start}


if __name__ == "__main__":
    main()
