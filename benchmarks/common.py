"""What benchmarks share: contenders that take turns in processes of their own, tables, JSON, pictures."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Answer = dict[str, Any]


def take_turns(commands: dict[str, list[str]], rounds: int, threads: int = 1) -> dict[str, list[Answer]]:
    """Start `python ARGUMENTS` for each contender, so many threads each, and let them measure in turn.

    They live as long as the benchmark, so that imports are paid once, and a machine that grows slower slows
    all of them. Raises RuntimeError naming a contender that failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    running: dict[str, subprocess.Popen[str]] = {}
    found: dict[str, list[Answer]] = {name: [] for name in commands}
    try:
        for name, arguments in commands.items():
            running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        for turn in range(rounds + 1):  # the first is not counted: caches fill
            for name, process in running.items():
                answer = _ask(name, process)
                if turn:
                    found[name].append(answer)
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return found


def _ask(name: str, process: subprocess.Popen[str]) -> Answer:
    assert process.stdin and process.stdout
    try:
        print(flush=True, file=process.stdin)
        return json.loads(process.stdout.readline())
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{name} gave no numbers; its own message stands above") from error


def answer_turns(measure: Callable[[], Answer]) -> None:
    """The other side of `take_turns`: measure whenever asked."""
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)


def steady(run: Callable[[], object], seconds: float = 1.0) -> float:
    """Seconds of one `run` among its like: the first, which finds sleeping threads and another's caches, is
    not counted; then the mean of as many as begin within `seconds`."""
    run()
    count, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds or not count:
        run()
        count += 1
    return spent / count


def options(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The command line that benchmarks of turns have in common."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each contender")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each")
    parser.add_argument("--json", help="write the numbers to this file as well")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser


def median(answers: Sequence[Answer], key: str) -> float:
    return statistics.median(answer[key] for answer in answers)


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table in Markdown."""
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    print(flush=True)


def write_json(path: str | None, found: object) -> None:
    if path:
        Path(path).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 whose amplitudes fall as 1/f, as those of photographs do."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    noise = [np.fft.rfft2(rng.standard_normal((height, width))) / frequency for _ in range(3)]
    planes = np.stack([np.fft.irfft2(n, (height, width)) for n in noise], axis=2)
    mixed = 0.3 * planes + planes.mean(axis=2, keepdims=True)  # colours of photographs vary less than light
    return np.clip(128 + 50 * (mixed - mixed.mean()) / mixed.std(), 0, 255).astype(np.uint8)
