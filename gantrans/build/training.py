"""From a train config and its data to a Job: device, networks, method, optimizers, schedule."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gantrans.build.checks import check_numbers, steps
from gantrans.build.factory import make
from gantrans.core.device import Core, open_core
from gantrans.core.heap import keep_large_blocks
from gantrans.core.seed import seed_torch
from gantrans.data.dataset import MODES, DegradeClean, PairDataset, fingerprint
from gantrans.data.layouts import Index
from gantrans.draws import seed_of
from gantrans.durations import parse_duration
from gantrans.errors import ConfigError
from gantrans.inference.bundle import Card
from gantrans.methods.base import Method
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets import catalogue
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import PatchGAN, PixelGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet
from gantrans.training.clock import Intervals
from gantrans.training.ema import ema_copy
from gantrans.training.job import Job, Schedule
from gantrans.training.run_folder import RunFolder
from gantrans.training.state import State
from gantrans.training.step import build_optimizers
from gantrans.training.validate import Validation

GENERATORS = (UNet, ResNetGenerator)
DISCRIMINATORS = (PatchGAN, PixelGAN)
METHODS = (Pix2Pix,)
INTERVALS = ("log.every", "val.every", "train.save_every")


def build_core(config: DictConfig) -> Core:
    """Open the device and set threads; the only place where a run changes process-wide settings."""
    core = config.core
    if core.processes != 1:
        raise ConfigError(f"core.processes={core.processes}: this version trains in one process; use 1")
    if core.threads is not None:
        if core.threads < 1:
            raise ConfigError(f"core.threads={core.threads}: must be 1 or more")
        torch.set_num_threads(core.threads)
    keep_large_blocks()
    return open_core(core.device, core.precision, deterministic=core.deterministic)


def build_networks(config: DictConfig, core: Core, method: Method) -> dict[str, nn.Module]:
    """The networks of the method by role, initialised from the seed and placed on the device."""
    source, target = MODES[config.data.source_mode], MODES[config.data.target_mode]
    plugins, networks = list(config.plugins), {}
    for role in method.networks:
        seed_torch("init", config.seed, role)
        if role == "generator":
            network = make(
                config.generator, role, GENERATORS, plugins, in_channels=source, out_channels=target
            )
        else:
            network = make(config.discriminator, role, DISCRIMINATORS, plugins, in_channels=source + target)
        try:
            init_weights(network, config.init.kind, config.init.gain)
        except ValueError as error:
            raise ConfigError(f"init.kind={config.init.kind}: {error}") from error
        networks[role] = core.place(network)
    return networks


def build_job(
    config: DictConfig, run: RunFolder, core: Core, parts: tuple[Index, PairDataset, PairDataset]
) -> Job:
    """Everything the loop needs, in its initial state. Raises ConfigError naming the key that does not
    fit."""
    index, train, val = parts
    check_numbers(config)
    method = make(config.method, "method", METHODS, list(config.plugins))
    networks = build_networks(config, core, method)
    for role in method.networks:
        _check_crop(config.augment.crop, networks[role])
    t, batch = config.train, config.train.batch_size
    state = State(
        networks,
        build_optimizers(networks, method, lr=t.lr, betas=tuple(t.betas)),
        ema_copy(networks["generator"]),
        torch.amp.GradScaler(core.device.type, enabled=core.precision == "fp16"),  # type: ignore[attr-defined]
    )
    total = parse_duration(t.total, "train.total")
    describable = isinstance(networks["generator"], GENERATORS)
    card = _card(config, networks["generator"], index, train, describable=describable)
    state.data = card.provenance["train_images_hash"]
    return Job(
        run=run,
        state=state,
        method=method,
        core=core,
        train=train,
        validation=Validation(train, val, config.val.images, config.val.probes),
        card=card,
        schedule=Schedule(t.schedule, t.flat, t.warmup, t.ema),
        total=total,
        every=Intervals(*(steps(config, key, len(train)) for key in INTERVALS)),
        batch_size=batch,
        workers=_workers(config.data.workers, len(train), batch),
        seed=config.seed,
        best=config.val.best,
        keep_last=t.keep_last,
        config_text=OmegaConf.to_yaml(config, resolve=True),
        stop_at=None if t.stop_at is None else steps(config, "train.stop_at", len(train)),
        describable=describable,
    )


def _card(
    config: DictConfig,
    generator: nn.Module,
    index: Index,
    train: PairDataset,
    *,
    describable: bool,
) -> Card:
    names = fingerprint(train.items, index.root)
    recipe = train.reader.recipe if isinstance(train.reader, DegradeClean) else None
    return Card(
        network=catalogue.describe(generator) if describable else {},
        source_mode=config.data.source_mode,
        target_mode=config.data.target_mode,
        scale=train.scale,
        norm_statistics=config.val.norm_statistics,
        task=config.task,
        provenance={
            "gantrans": version("gantrans"),
            "torch": torch.__version__,
            "seed": config.seed,
            "layout": index.layout,
            "recipe": {"name": recipe.name, "hash": recipe.hash} if recipe else None,
            "train_images": len(names),
            "train_images_hash": f"{seed_of(*names):016x}",
        },
    )


def _check_crop(crop: int | None, discriminator: nn.Module) -> None:
    least = getattr(discriminator, "least", 1)
    if crop is not None and crop < least:
        raise ConfigError(
            f"augment.crop={crop}: this discriminator needs {least} pixels or more; "
            "enlarge the crop or lower discriminator.layers"
        )


def _workers(asked: int | None, images: int, batch_size: int) -> int:
    """One process for every two cores, 1 to 4; none where starting one would cost more than it brings."""
    if asked is not None:
        return asked
    if images * batch_size < 16 or sys.platform == "win32":
        return 0
    return min(4, max(1, (os.cpu_count() or 1) // 2))
