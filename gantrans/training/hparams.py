"""What a run was told, as TensorBoard's HParams tab compares it: the main keys, and those given by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plain = int | float | str
MAIN = (
    "task",
    "seed",
    "generator._target_",
    "discriminator._target_",
    "method._target_",
    "method.gan",
    "method.lambda_l1",
    "augment.crop",
    "train.total",
    "train.batch_size",
    "train.lr",
    "train.schedule",
    "train.ema",
    "core.precision",
)
# Where a run lies, how it is watched and on what machine it is computed is no hyperparameter, and mostly the
# same in all runs of a sweep, of whose few columns it would take one.
_LEFT_OUT = (
    "run", "val", "log", "bundle", "plugins", "core", "hydra",
    "data.workers", "data.cache_mib", "data.root", "data.targets", "data.unpaired", "data.quarantine",
    "train.save_every", "train.keep_last", "train.stop_at", "train.profile",
)  # fmt: skip
# What of these changes the weights or what comes of them.
_KEPT = ("val.norm_statistics", "core.precision", "core.sync_norm")
# The columns of results: charts whose last value counts; those that a run lacks stay out.
RESULTS = ("val/psnr", "val/ssim", "val/psnr_gain", "val/pixel_accuracy", "val/mean_iou", "val/cycle_l1",
           "health/change", "health/diversity", "speed/seconds_per_step")  # fmt: skip


def hyperparameters(config: Mapping[str, Any], overrides: str) -> dict[str, Plain]:
    """The main keys of a resolved config and those that `overrides` (overrides.txt) names, flat: {"train.lr":
    0.0002}. A group chosen anew ("method=cut") stands under its own name."""
    found = {key: _plain(value) for key in MAIN if (value := _at(config, key)) is not None}
    found = {key.removesuffix("._target_"): value for key, value in found.items()}
    for line in overrides.splitlines():
        key, equals, given = line.strip().lstrip("+~").partition("=")
        if not equals or key.startswith("#") or _left_out(key):
            continue
        value = _at(config, key)
        found.pop(key, None)  # to the end: the later it was given
        found[key] = given if isinstance(value, Mapping) or value is None else _plain(value)
    return found


def foremost(keys: Mapping[str, Plain], most: int = 5) -> list[str]:
    """Those to show first: the last that were given by hand, as what is swept mostly stands last."""
    return list(keys)[-most:]


def results(charts: list[str]) -> list[str]:
    """The columns of results of a run that draws these charts."""
    return [name for name in RESULTS if name in charts]


def _left_out(key: str) -> bool:
    return key not in _KEPT and any(
        key == left or key.startswith((f"{left}.", f"{left}/")) for left in _LEFT_OUT
    )


def _at(config: Mapping[str, Any], key: str) -> Any:
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _plain(value: Any) -> Plain:
    if isinstance(value, str):
        return value.rpartition(".")[2] if value.startswith("gantrans.") else value
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, int | float) else str(value)
