"""From a train config to its data: the files found, checked and paired."""

from __future__ import annotations

from omegaconf import DictConfig

from gantrans.build.checks import check_choice
from gantrans.build.data_kinds import check_kinds, enlargement
from gantrans.build.data_pairs import pair_data
from gantrans.build.data_unpaired import hybrid_data, unpaired_data
from gantrans.build.run_data import RunData
from gantrans.data import masks
from gantrans.data.layouts import LAYOUTS
from gantrans.data.pixels import LABELS, MODES, RESAMPLERS
from gantrans.errors import ConfigError


def build_data(config: DictConfig, learns_from: str) -> RunData:
    """The data that a method learns from ("pairs", "unpaired" or "hybrid"), its headers checked.

    Raises DataError or ConfigError.
    """
    data = config.data
    check_choice("data.layout", data.layout, LAYOUTS)
    check_choice("data.side", data.side, ("left", "right"))
    for name in ("source_mode", "target_mode"):
        check_choice(f"data.{name}", data[name], (*MODES, LABELS))
    check_choice("data.resampler", data.resampler, RESAMPLERS)
    check_choice("data.mask", data.mask, masks.USES)
    check_choice("data.outside", data.outside, masks.OUTSIDE)
    if not 0 < data.val_fraction < 1:
        raise ConfigError(f"data.val_fraction={data.val_fraction}: must lie between 0 and 1")
    _check_keys(config, learns_from)
    check_kinds(config)
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
    if learns_from != "pairs" and (data.source_mode == LABELS or data.target_mode == LABELS):
        raise ConfigError(
            "data.source_mode=labels and data.target_mode=labels: this method learns from images without "
            "partners; use one that learns from pairs, as method=pix2pix"
        )
    if learns_from != "pairs" and enlargement(config) > 1:
        raise ConfigError(
            f"generator.scale={enlargement(config)}: this method keeps sizes; choose another generator, or "
            "experiment=superres"
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
