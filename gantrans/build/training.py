"""From a train config to a Job: data, networks, method, optimizers, schedule."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gantrans.build.config import close_to
from gantrans.build.factory import make
from gantrans.build.recipe import build_recipe
from gantrans.core.device import Core, open_core
from gantrans.core.heap import keep_large_blocks
from gantrans.core.seed import seed_torch
from gantrans.data.augment import Augment
from gantrans.data.dataset import (
    MODES,
    DegradeClean,
    PairDataset,
    Reader,
    ReadHalves,
    fingerprint,
    read_files,
)
from gantrans.data.layouts import Index, Item, find_items
from gantrans.data.preflight import check_headers
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
from gantrans.training import schedule
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


def build_data(config: DictConfig) -> tuple[Index, PairDataset, PairDataset]:
    """The index and the train and val datasets, their headers checked. Raises DataError or ConfigError."""
    data = config.data
    _check_choice("data.side", data.side, ("left", "right"))
    for name in ("source_mode", "target_mode"):
        _check_choice(f"data.{name}", data[name], tuple(MODES))
    if not 0 < data.val_fraction < 1:
        raise ConfigError(f"data.val_fraction={data.val_fraction}: must lie between 0 and 1")
    augment = Augment(**{**OmegaConf.to_container(config.augment), "scale": tuple(config.augment.scale)})  # type: ignore[dict-item]
    root = Path(data.root).expanduser()
    index = find_items(root, data.layout, val_fraction=data.val_fraction, seed=config.seed)
    if data.swap:
        swapped = {s: [Item(i.key, i.target, i.source) for i in items] for s, items in index.splits.items()}
        index = Index(index.root, index.layout, swapped)
    items = [*index.splits["train"], *index.splits["val"]]
    halves = index.layout == "side_by_side"
    check_headers(items, crop=augment.crop, resize=augment.resize, halves=halves)
    reader = _reader(config, index.layout)
    train, val = (
        PairDataset(index.splits[split], reader, augment, config.seed, data.source_mode, data.target_mode)
        for split in ("train", "val")
    )
    return index, train, val


def _reader(config: DictConfig, layout: str) -> Reader:
    if layout == "paired":
        return read_files
    if layout == "side_by_side":
        return ReadHalves(config.data.side)
    return DegradeClean(build_recipe(config.recipe, list(config.plugins)), config.seed)


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
    _check_numbers(config)
    method = make(config.method, "method", METHODS, list(config.plugins))
    networks = build_networks(config, core, method)
    t, batch = config.train, config.train.batch_size
    state = State(
        networks,
        build_optimizers(networks, method, lr=t.lr, betas=tuple(t.betas)),
        ema_copy(networks["generator"]),
        torch.amp.GradScaler(core.device.type, enabled=core.precision == "fp16"),  # type: ignore[attr-defined]
    )
    total = parse_duration(t.total, "train.total")
    steps = {
        key: _steps(OmegaConf.select(config, key), key, len(train), batch)
        for key in ("log.every", "val.every", "train.save_every")
    }
    describable = isinstance(networks["generator"], GENERATORS)
    card = _card(config, networks["generator"], index, train, val, describable=describable)
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
        every=Intervals(steps["log.every"], steps["val.every"], steps["train.save_every"]),
        batch_size=batch,
        workers=_workers(config.data.workers, len(train), batch),
        seed=config.seed,
        best=config.val.best,
        keep_last=t.keep_last,
        config_text=OmegaConf.to_yaml(config, resolve=True),
        stop_at=None if t.stop_at is None else _steps(t.stop_at, "train.stop_at", len(train), batch),
        describable=describable,
    )


def _card(
    config: DictConfig,
    generator: nn.Module,
    index: Index,
    train: PairDataset,
    val: PairDataset,
    *,
    describable: bool,
) -> Card:
    names = fingerprint(train.items, index.root)
    recipe = train.reader.recipe if isinstance(train.reader, DegradeClean) else None
    return Card(
        network=catalogue.describe(generator) if describable else {},
        source_mode=config.data.source_mode,
        target_mode=config.data.target_mode,
        scale=recipe.scale if recipe else _file_scale(val),
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


def _file_scale(val: PairDataset) -> int:
    """How many times larger the targets are than the source files (pairs made by recipe lowres), by the
    first."""
    source, target = val.reader(val.items[0], 0)
    return max(1, target.shape[0] // source.shape[0])


def _check_numbers(config: DictConfig) -> None:
    t = config.train
    checks = {
        "train.batch_size": (t.batch_size >= 1, "1 or more"),
        "train.lr": (t.lr > 0, "more than 0"),
        "train.flat": (0 <= t.flat <= 1, "0 to 1"),
        "train.warmup": (t.warmup >= 0, "0 or more"),
        "train.ema": (0 <= t.ema < 1, "0 to less than 1"),
        "train.keep_last": (t.keep_last >= 1, "1 or more"),
        "train.betas": (
            len(t.betas) == 2 and all(0 <= b < 1 for b in t.betas),
            "two numbers from 0 to less than 1",
        ),
        "val.images": (config.val.images >= 1, "1 or more"),
        "val.probes": (1 <= config.val.probes <= 64, "1 to 64"),
        "data.workers": (config.data.workers is None or config.data.workers >= 0, "0 or more, or null"),
    }
    for key, (fits, accepted) in checks.items():
        if not fits:
            raise ConfigError(f"{key}={OmegaConf.select(config, key)}: accepted: {accepted}")
    _check_choice("train.schedule", t.schedule, schedule.KINDS)
    _check_choice("val.best", config.val.best, ("psnr", "ssim", None))
    _check_choice("val.norm_statistics", config.val.norm_statistics, ("running", "image"))


def _check_choice(key: str, value: Any, accepted: tuple[Any, ...]) -> None:
    if value not in accepted:
        raise ConfigError(f"{key}={value}: {close_to(str(value), [str(a) for a in accepted])}")


def _steps(text: str, key: str, images: int, batch_size: int) -> int:
    duration = parse_duration(text, key)
    if duration.is_time:
        raise ConfigError(f"{key}={text}: must be counted in step, img or ep; only train.total takes a time")
    return duration.steps(images, batch_size)


def _workers(asked: int | None, images: int, batch_size: int) -> int:
    """One process for every two cores, 1 to 4; none where starting one would cost more than it brings."""
    if asked is not None:
        return asked
    if images * batch_size < 16 or sys.platform == "win32":
        return 0
    return min(4, max(1, (os.cpu_count() or 1) // 2))
