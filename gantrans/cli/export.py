"""gantrans export: write a model in the format of another suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb, way_of
from gantrans.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

FORMATS = ("reference",)


def run(args: list[str]) -> None:
    """The verb: load the bundle, write it under the other suite's names."""
    run_verb("export", args, _export)


def _export(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.inference.bundle import load_bundle
    from gantrans.inference.interop import write_reference

    del overrides
    out, way = Path(config.out).expanduser(), way_of(config.direction)
    if config.format not in FORMATS:
        raise ConfigError(f"format={config.format}: accepted is {', '.join(FORMATS)}")
    if out.suffix != ".pth":
        raise ConfigError(f"out={out}: format=reference writes a .pth file, as out=latest_net_G.pth")
    if out.exists() and not config.overwrite:
        raise ConfigError(f"out={out} exists; choose another file, or overwrite=true")
    network, card = load_bundle(Path(config.model).expanduser(), way)
    write_reference(network, out)
    parameters = sum(p.numel() for p in network.parameters())
    print(f"{way:<12} {out}: {card.network['name']}, {parameters:,} parameters")
