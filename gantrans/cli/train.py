"""gantrans train: launch a training job from config."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.build.data import RunData
    from gantrans.core.device import Core
    from gantrans.core.ranks import Ranks
    from gantrans.methods.base import Method
    from gantrans.training.job import Job
    from gantrans.training.reporting import Reporting
    from gantrans.training.run_folder import RunFolder

    Parts = tuple[Core, Method, RunData]


def run(args: list[str]) -> None:
    """The verb: compose, check the data, make the run folder, train."""
    run_verb("train", args, launch)


def launch(config: DictConfig, overrides: list[str]) -> float | None:
    """Train in a new run folder, in as many processes as asked for; returns the best validation value."""
    from gantrans.build.fleet import build_fleet
    from gantrans.cli.sweep import best_value
    from gantrans.cli.workers import Order, join, start
    from gantrans.core.launch import started_by_a_launcher
    from gantrans.training.run_folder import create_run

    path = Path(config.run.dir).expanduser() if config.run.dir else None
    fleet = build_fleet(config, path)
    if started_by_a_launcher():
        join(Order("train", config, overrides, path))
        return best_value(path)
    parts = prepare(config)
    if fleet.nodes > 1:
        start(Order("train", config, overrides, path), fleet, None)
        return best_value(path)
    folder = create_run(path, config.task or "train")
    try:
        if fleet.world > 1:
            start(Order("train", config, overrides, folder.path, locked=True), fleet, folder)
        else:
            begin(config, overrides, folder, parts)
        return best_value(folder.path)
    except BaseException:
        folder.discard_if_unused()
        raise
    finally:
        folder.close()


def prepare(config: DictConfig, ranks: Ranks | None = None) -> Parts:
    """What can be refused before there is a run folder."""
    from gantrans.build.checks import check_numbers
    from gantrans.build.data import build_data
    from gantrans.build.method import build_method
    from gantrans.build.training import build_core
    from gantrans.core.ranks import ALONE

    core = build_core(config, ranks or ALONE)
    method = build_method(config)
    data = build_data(config, method.learns_from)
    check_numbers(config)
    return core, method, data


def begin(config: DictConfig, overrides: list[str], folder: RunFolder, parts: Parts) -> None:
    """Train from the first step on; rank 0 writes down from what."""
    from gantrans.build.training import build_job

    core, method, data = parts
    job = build_job(config, folder, core, data, method, new=True)
    if core.ranks.first:
        folder.write("config.yaml", job.config_text)
        folder.make_folders()
        folder.write("overrides.txt", "".join(f"{o}\n" for o in overrides))
        folder.write("env.json", json.dumps(environment(), indent=2) + "\n")
    fit(job)


def fit(job: Job) -> None:
    """Say what will happen, train, say what came of it."""
    from gantrans.training.loop import train

    if job.core.ranks.first:
        announce(job)
    report = train(job)
    if job.core.ranks.first:
        conclude(job, report)


def announce(job: Job) -> None:
    sizes = {role: sum(p.numel() for p in n.parameters()) / 1e6 for role, n in job.state.networks.items()}
    networks = ", ".join(f"{role} {millions:.2f} M" for role, millions in sizes.items() if millions)
    print(f"run       {job.run.path}\ndata      {job.data}\nnetworks  {networks} parameters")
    graph = ", steps as CUDA graphs" if job.pace.graph else ""
    print(
        f"device    {job.core.describe()}{graph}; {job.workers} loader processes{_several(job)}", flush=True
    )
    if job.state.step < job.freeze:
        print(f"frozen    {_frozen(job)}")
    if job.pace.eager_because:
        print(f"note      no CUDA graph: {job.pace.eager_because}", file=sys.stderr)
    if not job.describable:
        print("note      the generator is a class of your own: no bundle will be written", file=sys.stderr)


def _frozen(job: Job) -> str:
    """What waits, and until when."""
    from gantrans.training.depth import pretrained_part

    generators = [job.state.networks[role.name] for role in job.method.roles if role.kind == "generator"]
    waits = sum(p.numel() for network in generators for p in pretrained_part(network)) / 1e6
    return (
        f"until step {job.freeze}: {waits:.2f} M pretrained parameters, and the averages of their batch norm"
    )


def _several(job: Job) -> str:
    world = job.core.ranks.world
    return f" each, {world} processes, {job.batch_size // world} images a step each" if world > 1 else ""


def conclude(job: Job, report: Reporting) -> None:
    from gantrans.cli.scores import scores

    state, path = job.state, job.run.path
    if state.total is None or state.step < state.total:
        print(f"\nstopped at step {state.step}, saved; go on with `{_program('gantrans')} resume {path}`")
        return
    print(
        f"\nstep {state.step} of {state.total}, {state.seconds:.0f} s. On {job.validation.images} validation "
        f"images:\n{scores(report.validated)}\n\n"
        f"pictures     {report.sample}\n"
        f"curves       {_program('gantrans')} board {job.run.path}"
    )
    if job.describable:
        chosen = f"best {job.best}" if job.best else "latest"
        both = "   (direction=to_source: the way back)" if len(job.cards) > 1 else ""
        print(
            f"bundle       {job.run.bundle}   ({chosen}, of step {state.best['step']})\n"
            f"your photos  {_program('gantrans')} translate model={path} source=PHOTOS out=RESULTS{both}"
        )


def _program(name: str) -> str:
    """How to call a program of this environment: by name where the shell finds it, else by its path."""
    return name if shutil.which(name) else os.path.relpath(Path(sys.executable).with_name(name))


def environment() -> dict[str, object]:
    """The versions and the machine that a run depends on."""
    import torch

    names = ("gantrans", "torch", "numpy", "pillow", "hydra-core", "tensorboard", "safetensors")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in names},
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
        "cpu_threads": torch.get_num_threads(),
    }
