"""Holds the values of a train config against what is accepted, naming the key."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrans.durations import parse_duration
from gantrans.errors import ConfigError
from gantrans.training import schedule
from gantrans.words import close_to


def check_numbers(config: DictConfig) -> None:
    """Raise ConfigError for the first number or choice of the engine that is out of range."""
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
    check_choice("train.schedule", t.schedule, schedule.KINDS)
    check_choice("val.norm_statistics", config.val.norm_statistics, ("running", "image"))
    check_choice("core.kernels", config.core.kernels, ("auto", "plain"))


def check_choice(key: str, value: Any, accepted: tuple[Any, ...]) -> None:
    """Raise ConfigError if `value` is none of `accepted`."""
    if value not in accepted:
        raise ConfigError(f"{key}={value}: {close_to(str(value), [str(a) for a in accepted])}")


def steps(config: DictConfig, key: str, images: int) -> int:
    """The interval at `key` in steps. Raises ConfigError for a wall-clock time."""
    text = OmegaConf.select(config, key)
    duration = parse_duration(text, key)
    if duration.is_time:
        raise ConfigError(f"{key}={text}: must be counted in step, img or ep; only train.total takes a time")
    return duration.steps(images, config.train.batch_size)
