"""From a train config and its data to a Job: device, networks, method, optimizers, schedule."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gantrans.build.checks import check_numbers, steps
from gantrans.build.data import RunData
from gantrans.build.fleet import check_batch, check_devices
from gantrans.build.method import build_networks
from gantrans.build.pace import set_pace
from gantrans.build.transfer import depth_decay, freeze_steps, start_weights
from gantrans.build.validation import without_targets
from gantrans.build.view import build_view
from gantrans.bundles.bundle import Card
from gantrans.core.device import Core, open_core
from gantrans.core.heap import keep_large_blocks
from gantrans.core.ranks import ALONE, Ranks
from gantrans.durations import parse_duration
from gantrans.errors import ConfigError
from gantrans.methods.base import Method, translators
from gantrans.nets import catalogue
from gantrans.nets.catalogue import GENERATORS
from gantrans.nets.norm import synchronise_norm
from gantrans.training.clock import Intervals
from gantrans.training.ema import ema_copy
from gantrans.training.job import Job, Schedule
from gantrans.training.run_folder import RunFolder
from gantrans.training.stages import Stage, parse_stages
from gantrans.training.state import State
from gantrans.training.step import build_optimizers
from gantrans.training.validate import Validation

INTERVALS = ("log.every", "val.every", "train.save_every")


def build_core(config: DictConfig, ranks: Ranks = ALONE) -> Core:
    """Open the device and set threads; the only place where a run changes process-wide settings."""
    core = config.core
    if core.threads is not None:
        if core.threads < 1:
            raise ConfigError(f"core.threads={core.threads}: must be 1 or more")
        torch.set_num_threads(core.threads)
    elif ranks.local_world > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // ranks.local_world))
    keep_large_blocks()
    opened = open_core(core.device, core.precision, deterministic=core.deterministic)
    if ranks.world == 1:
        return opened
    check_batch(config, ranks.world)
    if opened.device.type == "cuda":
        check_devices(ranks.local_world, torch.cuda.device_count())
        return replace(opened, ranks=ranks, device=torch.device("cuda", ranks.local))
    return replace(opened, ranks=ranks)


def build_job(
    config: DictConfig, run: RunFolder, core: Core, data: RunData, method: Method, *, new: bool
) -> Job:
    """Everything the loop needs, in its initial state; `new`: nothing was saved yet, so pretrained weights
    are read. Raises ConfigError naming the key that does not fit."""
    check_numbers(config)
    stages = _stages(config)
    networks = build_networks(config, core, method)
    validation = without_targets(method, data.validation)
    origin = _start(config, core, method, networks) if new else {}
    pace = set_pace(config, core, method, networks)
    t, batch = config.train, config.train.batch_size
    ways = translators(method.roles)
    decay = depth_decay(config, method, networks)
    state = State(
        networks,
        build_optimizers(networks, method, lr=t.lr, betas=tuple(t.betas), decay=decay),
        {role: ema_copy(networks[role]) for role in ways.values()},
        torch.amp.GradScaler(core.device.type, enabled=core.precision == "fp16"),  # type: ignore[attr-defined]
        origin=origin,
    )
    describable = all(isinstance(networks[role], GENERATORS) for role in ways.values())
    cards = _cards(config, networks, ways, data, describable=describable)
    state.data = data.provenance["train_images_hash"]
    state.helpers = tuple(role.name for role in method.roles if role.kind == "helper")
    _synchronise(config, core, networks)
    images = len(data.train)
    return Job(
        run=run,
        state=state,
        method=method,
        core=core,
        train=data.train,
        validation=validation,
        cards=cards,
        data=data.about,
        schedule=Schedule(t.schedule, t.flat, t.warmup, t.ema),
        total=parse_duration(t.total, "train.total"),
        every=Intervals(*(steps(config, key, images) for key in INTERVALS)),
        batch_size=batch,
        workers=_workers(config.data.workers, images, batch, core.ranks.local_world),
        seed=config.seed,
        best=_best(config.val.best, validation),
        keep_last=t.keep_last,
        config_text=OmegaConf.to_yaml(config, resolve=True),
        stop_at=None if t.stop_at is None else steps(config, "train.stop_at", images),
        describable=describable,
        stages=stages,
        freeze=freeze_steps(config, method, networks, images),
        pace=pace,
        view=build_view(config),
        profile=t.profile,
    )


def _start(config: DictConfig, core: Core, method: Method, networks: dict[str, nn.Module]) -> dict[str, Any]:
    """The weights that training starts from, where they are not drawn; and what they were is printed."""
    origin, account = start_weights(config, method, networks)
    if core.ranks.first:
        for number, line in enumerate(account):
            print(f"{'weights' if number == 0 else '':<9} {line}", flush=True)
    return origin


def _synchronise(config: DictConfig, core: Core, networks: dict[str, nn.Module]) -> None:
    """Batch norm over all processes, where asked for; averages are copies of networks and never train."""
    try:
        for network in networks.values():
            synchronise_norm(network, core.ranks.sum if config.core.sync_norm else None)
    except ValueError as error:
        raise ConfigError(f"core.sync_norm=true: {error}") from error


def _stages(config: DictConfig) -> tuple[Stage, ...]:
    stages = parse_stages(OmegaConf.to_container(config.train.stages))  # type: ignore[arg-type]
    if stages and parse_duration(config.train.total, "train.total").is_time:
        raise ConfigError(
            f"train.total={config.train.total}: train.stages divide a number of steps, and their steps take "
            "different times; give train.total in step, img or ep"
        )
    return stages


def _best(metric: str | None, validation: Validation) -> str | None:
    """The metric that chooses the bundle, if this data can be measured by it."""
    if metric is not None and metric not in validation.metrics:
        measured = ", ".join(validation.metrics)
        raise ConfigError(
            f"val.best={metric}: "
            + (
                f"accepted are {measured}, what val.metrics adds, and null, which keeps the latest"
                if measured
                else "there are no targets to compare with; set val.best=null, which keeps the latest"
            )
        )
    return metric


def _cards(
    config: DictConfig,
    networks: dict[str, nn.Module],
    ways: dict[str, str],
    data: RunData,
    *,
    describable: bool,
) -> dict[str, Card]:
    """The card of each way; on the way back the two modes change places."""
    modes = (config.data.source_mode, config.data.target_mode)
    versions = {"gantrans": version("gantrans"), "torch": torch.__version__, "seed": config.seed}
    cards = {}
    for way, role in ways.items():
        source, target = modes if way == "to_target" else modes[::-1]
        cards[way] = Card(
            network=catalogue.describe(networks[role]) if describable else {},
            source_mode=source,
            target_mode=target,
            scale=data.scale,
            mask=config.data.mask,
            outside=config.data.outside if config.data.mask == "input" else "output",
            norm_statistics=config.val.norm_statistics,
            classes=config.data.classes or 0,
            ignore=tuple(config.data.ignore),
            task=config.task,
            licence=config.bundle.licence,
            provenance={**versions, "way": way, **data.provenance},
        )
    return cards


def _workers(asked: int | None, images: int, batch_size: int, processes: int) -> int:
    """One loader for every two cores of a process's, 1 to 4; none where starting one would cost more than it
    brings."""
    if asked is not None:
        return asked
    if images * batch_size < 16 or sys.platform == "win32":
        return 0
    return min(4, max(1, (os.cpu_count() or 1) // 2 // processes))
