"""From a train config to its data: the files found, checked and paired."""

from __future__ import annotations

from omegaconf import DictConfig

from gantrans.build.checks import check_choice
from gantrans.build.data_pairs import pair_data
from gantrans.build.data_unpaired import hybrid_data, unpaired_data
from gantrans.build.run_data import RunData
from gantrans.data import masks
from gantrans.data.layouts import LAYOUTS
from gantrans.data.pixels import MODES, RESAMPLERS
from gantrans.errors import ConfigError


def build_data(config: DictConfig, learns_from: str) -> RunData:
    """The data that a method learns from ("pairs", "unpaired" or "hybrid"), its headers checked.

    Raises DataError or ConfigError.
    """
    data = config.data
    check_choice("data.layout", data.layout, LAYOUTS)
    check_choice("data.side", data.side, ("left", "right"))
    for name in ("source_mode", "target_mode"):
        check_choice(f"data.{name}", data[name], tuple(MODES))
    check_choice("data.resampler", data.resampler, RESAMPLERS)
    check_choice("data.mask", data.mask, masks.USES)
    check_choice("data.outside", data.outside, masks.OUTSIDE)
    if not 0 < data.val_fraction < 1:
        raise ConfigError(f"data.val_fraction={data.val_fraction}: must lie between 0 and 1")
    _check_keys(config, learns_from)
    if learns_from == "unpaired":
        return unpaired_data(config)
    pairs = pair_data(config)
    return pairs if learns_from == "pairs" else hybrid_data(config, pairs)


def _check_keys(config: DictConfig, learns_from: str) -> None:
    """Keys that this kind of method would not look at are refused, as they were meant to do something."""
    data = config.data
    if learns_from == "unpaired" and data.layout not in ("auto", "unpaired"):
        raise ConfigError(
            f"data.layout={data.layout}: this method learns from unpaired images; accepted are auto, unpaired"
        )
    if learns_from != "unpaired" and data.layout == "unpaired":
        raise ConfigError(
            "data.layout=unpaired: this method learns from pairs; choose experiment=cyclegan, cut or fastcut"
        )
    if learns_from != "unpaired" and data.targets is not None:
        raise ConfigError(
            f"data.targets={data.targets}: only unpaired methods read it; choose experiment=cyclegan, cut or "
            "fastcut, or leave it out"
        )
    if learns_from != "pairs" and data.mask != "none":
        raise ConfigError(
            f"data.mask={data.mask}: this method learns from images without partners, which have no masks; "
            "leave it out, or use a method that learns from pairs, as method=pix2pix"
        )
    if learns_from == "hybrid" and data.unpaired is None:
        raise ConfigError("missing: data.unpaired=... (a folder of real images that have no target)")
    if learns_from != "hybrid" and data.unpaired is not None:
        raise ConfigError(
            f"data.unpaired={data.unpaired}: only method=hybrid reads it; choose experiment=hybrid, or leave "
            "it out"
        )
