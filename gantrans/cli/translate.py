"""gantrans translate: apply a trained generator to an image or a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb, way_of

if TYPE_CHECKING:
    from omegaconf import DictConfig


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
    planned = plan(source, out, config.format)
    network, card = load_bundle(Path(config.model).expanduser(), way_of(config.direction))
    keep_large_blocks()
    if len(planned) > 1:
        for_inference(network)
    predictor = Predictor(network, card, open_core(config.device, config.precision))
    summary = translate(predictor, planned, overwrite=config.overwrite)
    for line in summary.failed:
        print(f"not translated: {line}", file=sys.stderr)
    kept = f", {summary.kept} kept that were there (overwrite=true redoes them)" if summary.kept else ""
    counts = f"{summary.written} translated{kept}, {len(summary.failed)} failed"
    print(f"found {summary.found} images: {counts} -> {out}")
