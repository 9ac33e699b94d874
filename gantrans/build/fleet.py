"""From the config to the processes of a run: how many, where, and whether the batch divides among them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from omegaconf import DictConfig

from gantrans.core.launch import Fleet, started_by_a_launcher
from gantrans.errors import ConfigError


def build_fleet(config: DictConfig, run: Path | None) -> Fleet:
    """The processes that `core` asks for, of a run in the folder `run` (None: still to be named).

    Raises ConfigError naming the key that does not fit.
    """
    core = config.core
    for key, least in (("processes", 1), ("nodes", 1), ("restarts", 0)):
        if core[key] < least:
            raise ConfigError(f"core.{key}={core[key]}: accepted: {least} or more")
    cuda = core.device != "cpu" and torch.cuda.is_available()
    name = core.run_id or "gantrans"
    fleet = Fleet(core.processes, core.nodes, core.rendezvous, name, core.restarts, cuda)
    if started_by_a_launcher():
        if fleet.world > 1 or fleet.restarts:
            asked = f"core.processes={core.processes}, core.nodes={core.nodes}, core.restarts={core.restarts}"
            raise ConfigError(
                f"{asked}: torchrun has started the processes already; leave these keys as they are and give "
                "torchrun --nproc-per-node, --nnodes and --max-restarts"
            )
        if run is None and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
            raise ConfigError("run.dir=null: with torchrun --max-restarts give a folder, to be found again")
        return fleet
    _check_meeting(fleet, run)
    if fleet.world == 1 and fleet.restarts:
        raise ConfigError(
            f"core.restarts={fleet.restarts}: only several processes are started again (core.processes=2 or "
            "more); one that was killed goes on with `gantrans resume RUN`"
        )
    check_batch(config, fleet.world)
    if cuda and fleet.world > 1:
        check_devices(fleet.processes, torch.cuda.device_count())
    return fleet


def check_batch(config: DictConfig, world: int) -> None:
    """Raise ConfigError where the batch of a step cannot be cut into equal parts."""
    batch = config.train.batch_size
    if batch % world:
        below, above = batch // world * world, (batch // world + 1) * world
        fitting = " or ".join(str(n) for n in (below, above) if n)
        raise ConfigError(
            f"train.batch_size={batch}: is the batch of all processes together, and {world} of them cannot "
            f"share it evenly (core.processes={config.core.processes}, core.nodes={config.core.nodes}); use "
            f"train.batch_size={fitting}"
        )


def check_devices(processes: int, cuda_devices: int) -> None:
    """Raise ConfigError where a process would find no GPU of its own."""
    if processes > cuda_devices:
        raise ConfigError(
            f"core.processes={processes}: this machine has {cuda_devices} CUDA device(s), and each process "
            f"needs one; use core.processes={cuda_devices} or core.device=cpu"
        )


def _check_meeting(fleet: Fleet, run: Path | None) -> None:
    if fleet.nodes == 1:
        if fleet.rendezvous is not None:
            raise ConfigError(
                f"core.rendezvous={fleet.rendezvous}: is where several machines meet; set core.nodes=2 or "
                "more, or leave it out"
            )
        return
    if not re.fullmatch(r"[^\s:]+:\d{1,5}", fleet.rendezvous or ""):
        raise ConfigError(
            f"core.rendezvous={fleet.rendezvous or 'null'}: core.nodes={fleet.nodes} needs HOST:PORT, "
            "a free port of one of the machines, the same in all of their commands"
        )
    if run is None:
        raise ConfigError(
            f"run.dir=null: with core.nodes={fleet.nodes} give a folder that all of the machines see, the "
            "same in all of their commands"
        )
