"""gantrans translate: apply a trained generator to an image, a folder or a video."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantrans.cli.options import run_verb, way_of
from gantrans.cli.translate_fit import choose_style, chosen_format, with_masks
from gantrans.errors import ConfigError, DataError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import nn

    from gantrans.bundles.bundle import Card
    from gantrans.inference.files import Policy
    from gantrans.inference.plan import Planned
    from gantrans.inference.predictor import Predictor
    from gantrans.inference.record import Record
    from gantrans.inference.translate import TranslateSummary


def run(args: list[str]) -> None:
    """The verb: load the bundle, translate every file, print the account."""
    run_verb("translate", args, _translate)


def _translate(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.bundles.bundle import load_bundle
    from gantrans.core.heap import keep_large_blocks
    from gantrans.inference.files import Policy
    from gantrans.inference.record import Record
    from gantrans.inference.video import is_video

    del overrides
    source, out = Path(config.source).expanduser(), Path(config.out).expanduser()
    policy = Policy(config.quality, config.metadata)
    network, card = load_bundle(Path(config.model).expanduser(), way_of(config.direction))
    card = with_masks(config, card)
    choose_style(config, network, card)
    keep_large_blocks()
    record = Record(out, _setup(config))
    if is_video(source):
        _video(config, network, card, record)
        return
    summary = _pictures(config, network, card, record, policy)
    _tell(summary, out)


def _pictures(
    config: DictConfig, network: nn.Module, card: Card, record: Record, policy: Policy
) -> TranslateSummary:
    from gantrans.inference.plan import plan
    from gantrans.inference.translate import translate

    source, masks = Path(config.source).expanduser(), config.masks
    planned = plan(source, record.out, chosen_format(config.format, card), exact=masks is not None)
    if not config.overwrite:
        record.check(planned)
    fitting = None if masks is None else _by_input(planned, source, Path(masks).expanduser())
    predictor = _predictor(config, network, card, many=len(planned) > 1)
    told = None if config.masks_out is None else Path(config.masks_out).expanduser()
    options: dict[str, Any] = {"overwrite": config.overwrite, "policy": policy, "masks": fitting}
    return translate(predictor, planned, record=record, masks_out=told, **options)


def _predictor(config: DictConfig, network: nn.Module, card: Card, *, many: bool) -> Predictor:
    from gantrans.core.device import open_core
    from gantrans.inference.predictor import Predictor
    from gantrans.kernels.conv import for_inference

    if config.tile is not None and config.tile < 0:
        raise ConfigError(
            f"tile={config.tile}: accepted are pixels, 0 for none, and null to choose by itself"
        )
    if many:
        for_inference(network)
    core = open_core(config.device, config.precision)
    return Predictor(network, card, core, tile=config.tile, ensemble=config.ensemble)


def _tell(summary: TranslateSummary, out: Path) -> None:
    """Print the account. Raises DataError (exit code 3) if any file failed."""
    for line in summary.notes:
        print(f"noted: {_one_line(line)}", file=sys.stderr)
    for line in summary.failed:
        print(f"not translated: {_one_line(line)}", file=sys.stderr)
    kept = f", {summary.kept} kept that were there (overwrite=true redoes them)" if summary.kept else ""
    failed = len(summary.failed)
    counts = f"{summary.written} translated{kept}, {failed} failed"
    print(f"found {summary.found} images: {counts} -> {out}")
    if failed == summary.found:
        raise DataError(f"none of {failed} files could be used, first: {_one_line(summary.failed[0])}")
    if failed:
        files = "file was" if failed == 1 else "files were"
        raise DataError(f"{failed} {files} not translated, as said above; all others are in {out}")


def _one_line(text: str) -> str:
    """Names may hold line ends; what is printed is one line a file."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _setup(config: DictConfig) -> dict[str, Any]:
    """What decides how an output looks, besides its input: kept outputs must agree in all of it."""
    import hashlib

    from gantrans.bundles.bundle import JSON, find_bundle

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    way = way_of(config.direction)
    style = None if config.style is None else digest(Path(config.style).expanduser())
    found: dict[str, Any] = {
        "model": digest(find_bundle(Path(config.model).expanduser(), way) / JSON),
        "direction": way,
        "style": style,
        "masks": None if config.masks is None else Path(config.masks).name,
        "masks_out": None if config.masks_out is None else Path(config.masks_out).name,
    }
    return found | {key: config[key] for key in ("format", "quality", "metadata", "ensemble", "precision")}


def _video(config: DictConfig, network: nn.Module, card: Card, record: Record) -> None:
    """Translate the one video that `source` is, and say so. Raises ConfigError for keys of pictures."""
    from gantrans.inference import video
    from gantrans.inference.plan import check_places

    source = Path(config.source).expanduser()
    if not source.is_file():
        raise DataError(f"source={source}: no such file")
    unfit = "makes label maps" if "labels" in (card.source_mode, card.target_mode) else None
    if config.masks is not None or config.masks_out is not None:
        unfit = "has masks to read or write, which are for pictures"
    if unfit or config.format != "keep":
        what = f"the model {unfit}" if unfit else f"format={config.format} is for pictures"
        raise ConfigError(
            f"source={source}: is a video, but {what}; leave it out, or give a folder of frames"
        )
    check_places(source, record.out)
    target = video.output_path(source, record.out)
    if not config.overwrite:
        record.check([(source, target)])
        if record.may_stay(source, target):
            print(f"{target}: kept, as it was there (overwrite=true makes it anew)")
            return
    video.find_ffmpeg()
    predictor = _predictor(config, network, card, many=True)
    frames, said = video.translate_video(source, target, predictor, video.crf_of(config.quality))
    record.wrote(source, target)
    if said:
        print(f"noted: {source}: ffmpeg found it damaged, and went on{said}", file=sys.stderr)
    print(f"{frames} frames translated -> {target}")


def _by_input(planned: Planned, source: Path, masks: Path) -> dict[Path, Path]:
    from gantrans.inference.plan import masks_of

    found, root = masks_of(source, masks), source if source.is_dir() else source.parent
    stems = {path: path.relative_to(root).with_suffix("").as_posix() for path, _ in planned}
    return {path: found[stem] for path, stem in stems.items() if stem in found}
