"""Types of the keys of `gantrans train`: see schema.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class Run:
    dir: str | None = MISSING


@dataclass
class Data:
    root: str = MISSING
    layout: str = MISSING
    side: str = MISSING
    swap: bool = MISSING
    targets: str | None = MISSING
    unpaired: str | None = MISSING
    classes: int | None = MISSING
    ignore: list[int] = MISSING
    palette: Any = MISSING
    source_mode: str = MISSING
    target_mode: str = MISSING
    mask: str = MISSING
    outside: str = MISSING
    val_fraction: float = MISSING
    quarantine: str | None = MISSING
    degrade: str = MISSING
    resampler: str = MISSING
    cache_mib: int | None = MISSING
    workers: int | None = MISSING


@dataclass
class Init:
    kind: str = MISSING
    gain: float = MISSING


@dataclass
class Augment:
    resize: int | None = MISSING
    crop: int | None = MISSING
    flip: bool = MISSING
    quarter_turns: bool = MISSING
    rotate_deg: float = MISSING
    scale: list[float] = MISSING
    warp: float = MISSING
    jitter_source: float = MISSING
    jitter_target: float = MISSING


@dataclass
class Adversary:
    smooth: float = MISSING
    r1: float = MISSING
    r1_every: int = MISSING
    gradient_penalty: float = MISSING
    augment: list[str] = MISSING
    augment_p: float | None = MISSING


@dataclass
class Train:
    total: str = MISSING
    stop_at: str | None = MISSING
    stages: list[Any] = MISSING
    batch_size: int = MISSING
    accumulate: int = MISSING
    lr: float = MISSING
    betas: list[float] = MISSING
    schedule: str = MISSING
    flat: float = MISSING
    warmup: int = MISSING
    ema: float = MISSING
    init_from: str | None = MISSING
    freeze: str | None = MISSING
    lr_decay_by_depth: float = MISSING
    save_every: str = MISSING
    keep_last: int = MISSING
    profile: bool = MISSING


@dataclass
class Val:
    every: str = MISSING
    images: int = MISSING
    probes: int = MISSING
    metrics: list[str] = MISSING
    weights: str | None = MISSING
    best: str | None = MISSING
    norm_statistics: str = MISSING


@dataclass
class Log:
    every: str = MISSING
    worst: int = MISSING
    width: int = MISSING


@dataclass
class Bundle:
    licence: str = MISSING


@dataclass
class Core:
    device: str = MISSING
    precision: str = MISSING
    kernels: str = MISSING
    compile: Any = MISSING  # a word, but YAML reads off as a boolean
    graph: Any = MISSING  # auto, true or false
    recompute: bool = MISSING
    deterministic: bool = MISSING
    threads: int | None = MISSING
    processes: int = MISSING
    sync_norm: bool = MISSING
    restarts: int = MISSING
    nodes: int = MISSING
    rendezvous: str | None = MISSING
    run_id: str | None = MISSING


@dataclass
class TrainSchema:
    task: str = MISSING
    scale: int = MISSING
    seed: int = MISSING
    plugins: list[str] = MISSING
    run: Run = field(default_factory=Run)
    data: Data = field(default_factory=Data)
    init: Init = field(default_factory=Init)
    augment: Augment = field(default_factory=Augment)
    adversary: Adversary = field(default_factory=Adversary)
    train: Train = field(default_factory=Train)
    val: Val = field(default_factory=Val)
    log: Log = field(default_factory=Log)
    bundle: Bundle = field(default_factory=Bundle)
    core: Core = field(default_factory=Core)
    recipe: Any = MISSING
    generator: Any = MISSING
    discriminator: Any = MISSING
    method: Any = MISSING
