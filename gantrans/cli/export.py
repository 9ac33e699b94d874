"""gantrans export: write a model for other programs, as ONNX, as a program of torch.export, or under the
names of another suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.export_probes import own_probes
from gantrans.cli.options import run_verb, way_of
from gantrans.cli.translate_fit import choose_style
from gantrans.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from gantrans.bundles.card import Card
    from gantrans.bundles.export_check import Own

FORMATS = {"onnx": ".onnx", "program": ".pt2", "reference": ".pth"}


def run(args: list[str]) -> None:
    """The verb: load the bundle, write it in the format that the suffix of `out` names."""
    run_verb("export", args, _export)


def _export(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.bundles.bundle import load_bundle

    del overrides
    out, way = Path(config.out).expanduser(), way_of(config.direction)
    kind = _format(config.format, out)
    if out.exists() and not config.overwrite:
        raise ConfigError(f"out={out} exists; choose another file, or overwrite=true")
    model = Path(config.model).expanduser()
    network, card = load_bundle(model, way)
    if kind == "reference":
        from gantrans.bundles.interop import write_reference

        if config.style is not None:
            raise ConfigError(f"style={config.style}: a .pth file holds no style; leave it out")
        write_reference(network, out)
        checked = ""
    else:
        choose_style(config, network, card)
        checked = f"; {_write_graph(kind, network, card, out, own_probes(model, card, way))}"
    parameters = sum(p.numel() for p in network.parameters())
    print(f"{way:<12} {out}: {card.network['name']}, {parameters:,} parameters{checked}")


def _write_graph(kind: str, network: nn.Module, card: Card, out: Path, own: Own) -> str:
    """What was checked, in words."""
    from gantrans.bundles.export_check import about
    from gantrans.bundles.export_graph import write_onnx, write_program

    made = (write_onnx if kind == "onnx" else write_program)(network, card, out, own)
    return (
        f"batch, height ({about(card)['gantrans.sizes']}) and width are free; at most {made.apart:.0e} from "
        f"PyTorch on {own.said}"
    )


def _format(asked: str, out: Path) -> str:
    """The format that a suffix names, or that is asked for. Raises ConfigError where they do not agree."""
    by_suffix = next((kind for kind, suffix in FORMATS.items() if out.suffix.lower() == suffix), None)
    if asked not in ("auto", *FORMATS):
        raise ConfigError(f"format={asked}: accepted are auto (by the suffix of out), {', '.join(FORMATS)}")
    if by_suffix is None or asked not in ("auto", by_suffix):
        accepted = FORMATS if asked == "auto" else {asked: FORMATS[asked]}
        wanted = ", ".join(f"{suffix} ({kind})" for kind, suffix in accepted.items())
        raise ConfigError(f"out={out}: accepted for format={asked} are files that end in {wanted}")
    return by_suffix
