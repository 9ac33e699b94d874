"""Speed of whole training steps on one GPU, way by way, beside the reference implementation.

    python -m benchmarks.gpu --reference DIR    DIR: a checkout of junyanz/pytorch-CycleGAN-and-pix2pix
    python -m benchmarks.gpu --device cpu --size 64 --width 8 --batches 1 --seconds 1    a trial of the script

Ends within --minutes whatever happens: cells run one after another in a process of their own, the most
telling first, each with a limit, and results go to a JSON as they come. What there was no time for is listed.
Ours takes its batches from pinned host memory and keeps a weight average; the reference does neither.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

BATCHES = {"pix2pix": (1, 16, 64), "cyclegan": (1, 8, 16)}
LIMIT_S = {"compile": 150.0, "other": 60.0}  # a cell that takes longer is given up
START_S = 60.0  # for a process to import PyTorch and to find the card


def main() -> None:
    """Measure, and print a table in Markdown."""
    options = parse()
    if options.worker:
        work(options)
        return
    results = {"options": vars(options), "cells": []}
    jobs = plan(options)
    deadline = time.monotonic() + 60 * options.minutes
    while jobs and time.monotonic() < deadline:
        jobs = run_worker(jobs, options, results, deadline)
    results["left_out"] = jobs
    save(options, results)
    from benchmarks.gpu_table import table

    print(table(results))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--width", type=int, default=64, help="channels of the first layers")
    parser.add_argument("--batches", type=int, nargs="*", help="instead of 1 16 64 and 1 8 16")
    parser.add_argument("--seconds", type=float, default=2.0, help="measured for so long, each")
    parser.add_argument("--minutes", type=float, default=8.5, help="the whole benchmark ends before that")
    parser.add_argument("--reference", default="", help="a checkout of the reference implementation")
    parser.add_argument("--compile-mode", default="default", help="mode of torch.compile")
    parser.add_argument("--out", default="gpu.json", help="where the results are kept")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.reference = str(Path(options.reference).resolve()) if options.reference else ""
    return options


def plan(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What is to be measured, the most telling first: everything that needs no compiler, then the rest."""
    on_cuda = options.device == "cuda"
    precisions = ("bf16", "tf32") if on_cuda else ("bf16", "fp32")
    rounds = list(zip(*(options.batches or batches for batches in BATCHES.values()), strict=True))
    cells: list[dict[str, Any]] = []
    compiled: list[dict[str, Any]] = []
    for sizes in rounds:
        for method, batch in zip(BATCHES, sizes, strict=True):
            cell = {"method": method, "batch": batch}
            if options.reference:
                cells.append({**cell, "precision": precisions[1], "way": "reference"})
            for precision in precisions:
                ways = ("eager", "graph") if on_cuda else ("eager",)
                cells += [{**cell, "precision": precision, "way": way} for way in ways]
    for precision in precisions if on_cuda else ():
        for way in ("compile+graph", "compile"):
            for sizes in rounds:
                for method, batch in zip(BATCHES, sizes, strict=True):
                    compiled.append({"method": method, "batch": batch, "precision": precision, "way": way})
    checks = ["parity", "peaks"] if on_cuda else ["peaks"]
    return [*({"way": name} for name in checks), *cells, *compiled]


def run_worker(
    jobs: list[dict[str, Any]], options: argparse.Namespace, results: dict[str, Any], deadline: float
) -> list[dict[str, Any]]:
    """Give the jobs to a new process until one kills it or the time is up; returns what is left to do."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gpu", "--worker", *sys.argv[1:]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    spare = START_S
    try:
        while jobs:
            job, *rest = jobs
            limit = LIMIT_S["compile" if "compile" in job["way"] else "other"] + spare
            spare = 0.0
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
            left = deadline - time.monotonic()
            answer = _answer(lines, min(limit, left))
            if answer is None and left <= limit:
                return jobs
            note(results, job, answer or {"error": f"no answer within {limit:.0f} s, or the process ended"})
            save(options, results)
            jobs = rest
            # The parity check's deterministic kernels leave settings behind that cannot be taken back.
            if answer is None or answer.get("fatal") or job["way"] == "parity":
                return jobs
        return jobs
    finally:
        process.kill()
        process.wait()


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put("")


def _answer(lines: queue.Queue[str], seconds: float) -> dict[str, Any] | None:
    """The worker's next answer; None where it has ended or takes too long. Other output is passed over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if line == "":
            return None
        if line.startswith("{"):
            return json.loads(line)


def note(results: dict[str, Any], job: dict[str, Any], answer: dict[str, Any]) -> None:
    if job["way"] in ("peaks", "parity"):
        results[job["way"]] = answer
    else:
        results["cells"].append({**job, **answer})
    shown = answer.get("error") or f"{answer.get('steps_per_s', 0):.2f} steps/s"
    print(" ".join(str(value) for value in job.values()), "->", shown, file=sys.stderr, flush=True)


def save(options: argparse.Namespace, results: dict[str, Any]) -> None:
    Path(options.out).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def work(options: argparse.Namespace) -> None:
    """The worker: one job a line on stdin, one answer a line on stdout."""
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = _do(job, options)
        except Exception as error:  # a cell may run out of memory, or the card refuse it; the next goes on
            first = " ".join(str(error).split())[:300]
            answer = {
                "error": f"{type(error).__name__}: {first}",
                "fatal": "CUDA error" in first or "capture" in first,
            }
        print(json.dumps(answer), flush=True)


def _do(job: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks.gpu_cells import Cell, measure
    from benchmarks.gpu_floor import peaks
    from benchmarks.gpu_parity import parity
    from gantrans.core.device import open_core

    if job["way"] == "peaks":
        core = open_core(options.device)
        return {"device": core.describe(), "torch": torch.__version__, **peaks(core.device)}
    if job["way"] == "parity":
        return parity(options.device)
    cell = Cell(**job)
    assert asdict(cell) == job
    return measure(cell, options)


if __name__ == "__main__":
    main()
