"""Every metric by name: what `gantrans evaluate` prints, and what a validation may choose by.

measures = build(["psnr", "lpips_squeeze"], Settings(device=...)).each
measures["psnr"](output_x01, target_x01)    (N, C, H, W), (N, C, H, W) in [0, 1] -> (N,), NaN: no figure
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from gantrans.errors import ConfigError
from gantrans.metrics import colours, pairwise, superres
from gantrans.metrics.distribution import (
    PREPROCESSING,
    Collected,
    Distance,
    InceptionFeatures,
    SqueezeFeatures,
    frechet,
    kernel_distance,
)
from gantrans.metrics.lpips_metric import BACKBONES, Lpips
from gantrans.nets import weights
from gantrans.words import close_to

Measure = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Settings:
    """shave: pixels cut from each border for SUPERRES, CHANNELS. weights: a folder of weights, or None: the
    usual ones (nets/weights.py). preprocessing: of fid and kid. device: for those that are networks."""

    shave: int = 0
    weights: Path | None = None
    preprocessing: str = PREPROCESSING[0]
    device: torch.device = torch.device("cpu")  # noqa: RUF009


@dataclass(frozen=True)
class Metric:
    """`higher`: is more better? None where it describes a picture and judges nothing. `weights`: the key of
    nets.weights.TABLE that it needs. `of_picture`: it looks at the output alone, so targets have it too."""

    higher: bool | None
    make: Callable[[Settings], Measure]
    unit: str = ""
    weights: str | None = None
    of_picture: bool = False


@dataclass(frozen=True)
class SetMetric:
    """A distance of all outputs from all targets; lower is better. `encoder`: key of ENCODERS."""

    encoder: str
    weights: str
    distance: Distance
    higher: bool = False
    unit: str = ""


def _plain(measure: Measure) -> Callable[[Settings], Measure]:
    return lambda _: measure


def _shaved(measure: Callable[[Tensor, Tensor, int], Tensor]) -> Callable[[Settings], Measure]:
    return lambda settings: lambda output, target: measure(output, target, settings.shave)


def _lpips(net: str) -> Callable[[Settings], Measure]:
    return lambda settings: Lpips(net, settings.weights).to(settings.device)


PER_IMAGE: dict[str, Metric] = {
    "psnr": Metric(True, _plain(pairwise.psnr), "dB"),
    "ssim": Metric(True, _plain(pairwise.ssim)),
    "ms_ssim": Metric(True, _plain(pairwise.ms_ssim)),
    "psnr_y": Metric(True, _shaved(superres.psnr_y), "dB"),
    "ssim_y": Metric(True, _shaved(superres.ssim_y)),
    "psnr_rgb": Metric(True, _shaved(superres.psnr_rgb), "dB"),
    **{f"psnr_{c}": Metric(True, _shaved(partial(superres.psnr_rgb, channel=i)), "dB")
       for i, c in enumerate("rgb")},
    "ab_error": Metric(False, _plain(colours.ab_error)),
    "colourfulness": Metric(None, _plain(lambda output, _: colours.colourfulness(output)), of_picture=True),
    **{
        f"lpips_{net}": Metric(False, _lpips(net), weights=backbone)
        for net, backbone in BACKBONES.items()
    },
}  # fmt: skip
OVER_SETS: dict[str, SetMetric] = {
    "squeeze_distance": SetMetric("squeezenet", "squeezenet1_1", frechet),
    "fid": SetMetric("inception", "inception_fid", frechet),
    "kid": SetMetric("inception", "inception_fid", kernel_distance),
}
ENCODERS: dict[str, Callable[[Settings], nn.Module]] = {
    "squeezenet": lambda settings: SqueezeFeatures(settings.weights),
    "inception": lambda settings: InceptionFeatures(settings.preprocessing, settings.weights),
}
LABELS = ("pixel_accuracy", "class_accuracy", "mean_iou")  # of class maps: metrics/labels.py
SUPERRES = ("psnr_y", "ssim_y", "psnr_rgb")  # measured unasked where there is a scale
CHANNELS = ("psnr_r", "psnr_g", "psnr_b")  # measured where they are named
NAMES = (*PER_IMAGE, *OVER_SETS)


@dataclass(frozen=True)
class Measures:
    """`each`: name -> function of one batch. `sets`: what collects all pictures; None if nothing needs it."""

    each: dict[str, Measure]
    sets: Collected | None

    @property
    def names(self) -> list[str]:
        return [*self.each, *(self.sets.distances if self.sets else ())]


def choose(
    names: Iterable[str] | None, settings: Settings, *, scale: int, paired: bool
) -> tuple[list[str], dict[str, str]]:
    """The metrics that are named, or those that suit: with a `scale` the protocol of
    super-resolution first, without pairs
    the distances of sets alone. Of the latter, those whose weights are missing are told with the reason.

    Raises ConfigError for names that are unknown or need pairs that there are not, and where none is left.
    """
    if names is not None:
        chosen = list(dict.fromkeys(names))
        check_names(chosen)
        bad = [name for name in chosen if not paired and name in PER_IMAGE]
        if bad or not chosen:
            raise ConfigError(
                f"metrics: {bad[0]} compares pairs, and paired=false" if bad else "metrics=[] names none"
            )
        return chosen, {}
    each = [name for name in PER_IMAGE if name not in (*SUPERRES, *CHANNELS)]
    suits = [*((list(SUPERRES) if scale > 1 else []) + each if paired else []), *OVER_SETS]
    kept, left_out = found(suits, settings)
    if not kept:
        raise ConfigError(f"metrics: none can be had: {'; '.join(left_out.values())}")
    return kept, left_out


def files(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """The file of weights that each metric uses, of those that use one."""
    needed = {name: (PER_IMAGE.get(name) or OVER_SETS[name]).weights for name in names}
    return {name: str(weights.find(key, settings.weights)) for name, key in needed.items() if key}


def check_names(names: Iterable[str]) -> None:
    """Raise ConfigError for a name that is none of ours, with what is accepted."""
    for name in names:
        if name not in NAMES:
            raise ConfigError(f"metrics: no metric {name!r}; {close_to(name, NAMES)}")


def found(names: Iterable[str], settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Those whose weights are there or that need none, and of the others why they are left out."""
    kept, left_out = [], {}
    for name in names:
        needed = (PER_IMAGE.get(name) or OVER_SETS[name]).weights
        try:
            if needed:
                weights.find(needed, settings.weights)
            kept.append(name)
        except ConfigError as error:
            left_out[name] = str(error)
    return kept, left_out


def build(names: Iterable[str], settings: Settings) -> Measures:
    """Make every metric that is named. Raises ConfigError for an unknown name and for missing weights,
    CheckpointError for damaged ones."""
    names = list(dict.fromkeys(names))
    check_names(names)
    _refuse_missing(names, settings)
    if settings.preprocessing not in PREPROCESSING:
        raise ConfigError(f"fid_resize={settings.preprocessing}: accepted are {', '.join(PREPROCESSING)}")
    each = {name: PER_IMAGE[name].make(settings) for name in names if name in PER_IMAGE}
    wanted = {name: OVER_SETS[name] for name in names if name in OVER_SETS}
    encoders = {
        name: ENCODERS[name](settings).to(settings.device)
        for name in {m.encoder: None for m in wanted.values()}
    }
    distances = {name: (metric.encoder, metric.distance) for name, metric in wanted.items()}
    return Measures(each, Collected(encoders, distances) if wanted else None)


def _refuse_missing(names: list[str], settings: Settings) -> None:
    kept, left_out = found(names, settings)
    for name, reason in left_out.items():
        others = ", ".join([*kept, *(n for n in found(NAMES, settings)[0] if n not in kept)])
        raise ConfigError(f"metrics: {name}: {reason}. Without it work {others}")
