"""gantrans translate: apply a trained generator to an image or a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb, way_of
from gantrans.errors import ConfigError, DataError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from gantrans.inference.bundle import Card


def run(args: list[str]) -> None:
    """The verb: load the bundle, translate every file, print the account."""
    run_verb("translate", args, _translate)


def _translate(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.core.device import open_core
    from gantrans.core.heap import keep_large_blocks
    from gantrans.inference.bundle import load_bundle
    from gantrans.inference.predictor import Predictor
    from gantrans.inference.translate import plan, translate
    from gantrans.kernels.conv import for_inference

    del overrides
    source, out = Path(config.source).expanduser(), Path(config.out).expanduser()
    masks = None if config.masks is None else Path(config.masks).expanduser()
    network, card = load_bundle(Path(config.model).expanduser(), way_of(config.direction))
    card = _with_masks(config, card)
    _choose_style(config, network, card)
    planned = plan(source, out, _format(config.format, card), exact=masks is not None)
    keep_large_blocks()
    if len(planned) > 1:
        for_inference(network)
    predictor = Predictor(network, card, open_core(config.device, config.precision))
    fitting = None if masks is None else _by_input(planned, source, masks)
    summary = translate(predictor, planned, overwrite=config.overwrite, masks=fitting)
    for line in summary.failed:
        print(f"not translated: {line}", file=sys.stderr)
    kept = f", {summary.kept} kept that were there (overwrite=true redoes them)" if summary.kept else ""
    counts = f"{summary.written} translated{kept}, {len(summary.failed)} failed"
    print(f"found {summary.found} images: {counts} -> {out}")


def _choose_style(config: DictConfig, network: nn.Module, card: Card) -> None:
    """Tell a model of arbitrary style which. Raises ConfigError, DataError."""
    from gantrans.methods.style_fast import UNCUT, style_picture

    told = callable(getattr(network, "set_style", None))
    if config.style is None:
        if told:
            raise ConfigError(
                f"model={config.model}: takes any style; give style=FILE, the picture that has it"
            )
        return
    if not told:
        raise ConfigError(f"style={config.style}: this model takes no style; leave it out")
    path = Path(config.style).expanduser()
    if not path.is_file():
        raise DataError(f"style={path}: no such file")
    network.set_style(style_picture(path, UNCUT, grey=card.source_mode == "grey"))  # type: ignore[operator]


def _format(asked: str, card: Card) -> str:
    """Label maps are PNG files. Raises ConfigError where another format is asked for."""
    if card.target_mode != "labels":
        return asked
    if asked not in ("keep", "png"):
        raise ConfigError(
            f"format={asked}: this model makes label maps, whose classes only png keeps; use png"
        )
    return "png"


def _with_masks(config: DictConfig, card: Card) -> Card:
    """The card, as the masks that are given or missing make it. Raises ConfigError where they do not fit."""
    from dataclasses import replace

    if config.masks is None:
        if card.mask == "input":
            raise ConfigError(
                f"model={config.model}: was trained with masks of what is covered; give masks=DIR, a mask "
                "for each image under its name (0 untouched, to 255 hidden)"
            )
        return card
    if card.mask == "input":
        return card
    if card.source_mode != card.target_mode or card.scale > 1:
        raise ConfigError(
            f"masks={config.masks}: this model makes {card.target_mode} of {card.source_mode} at "
            f"{card.scale} times the size, so that nothing can be copied from the source; leave masks out"
        )
    return replace(card, outside="copy")


def _by_input(planned: list[tuple[Path, Path]], source: Path, masks: Path) -> dict[Path, Path]:
    from gantrans.inference.translate import masks_of

    found, root = masks_of(source, masks), source if source.is_dir() else source.parent
    stems = {path: path.relative_to(root).with_suffix("").as_posix() for path, _ in planned}
    return {path: found[stem] for path, stem in stems.items() if stem in found}
