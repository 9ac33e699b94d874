"""gantrans evaluate: metrics of a model, or of a folder of outputs, against targets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantrans.cli.options import run_verb, way_of
from gantrans.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.core.device import Core
    from gantrans.evaluation.evaluate import Found
    from gantrans.evaluation.plan import Plan
    from gantrans.inference.predictor import Predictor
    from gantrans.metrics.table import Settings

SHOWN = 10  # rejected files that are named on the terminal; metrics.json has all


def run(args: list[str]) -> None:
    """The verb: measure, print the table, write metrics.json and worst.png."""
    run_verb("evaluate", args, _evaluate)


def _evaluate(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.core.device import open_core
    from gantrans.evaluation.plan import plan

    del overrides
    paths = {
        key: None if config[key] is None else Path(config[key]).expanduser()
        for key in ("model", "source", "outputs", "targets", "weights", "out", "json")
    }
    _check(config, paths)
    core = open_core(config.device, config.precision)
    planned = plan(paths["outputs"], paths["source"], paths["targets"]) if config.paired else None  # type: ignore[arg-type]
    out = _out(paths)
    predictor = _predictor(config, paths, core)
    if config.labels is not None or (predictor is not None and predictor.card.target_mode == "labels"):
        _measure_labels(config, paths, out, planned, predictor)
        return
    settings, scale = _settings(config, paths, planned, predictor, core)
    _measure(config, paths, out, planned, predictor, settings, scale)


def _measure_labels(
    config: DictConfig,
    paths: dict[str, Path | None],
    out: Path,
    planned: Plan | None,
    predictor: Predictor | None,
) -> None:
    from gantrans.evaluation.labels import evaluate_labels
    from gantrans.evaluation.made import of_model

    if planned is None or config.metrics is not None:
        raise ConfigError("class maps are measured in pairs by metrics of their own (pixel_accuracy, "
                          "class_accuracy, mean_iou); leave out metrics= and paired=")  # fmt: skip
    ignore = [] if config.ignore is None else [config.ignore]
    classes, maker = config.labels, None
    if predictor:
        classes, maker = predictor.card.classes, of_model(predictor)
        ignore += [value for value in predictor.card.ignore if value not in ignore]
    how = {"labels": classes, "ignore": ignore, "ensemble": config.ensemble}
    found = evaluate_labels(planned, classes, ignore, config.worst, maker)
    _report(found, "pixel_accuracy", paths, out, how, {})


def _measure(
    config: DictConfig,
    paths: dict[str, Path | None],
    out: Path,
    planned: Plan | None,
    predictor: Predictor | None,
    settings: Settings,
    scale: int,
) -> None:
    from gantrans.evaluation.evaluate import evaluate
    from gantrans.evaluation.made import of_model
    from gantrans.evaluation.sets import evaluate_sets
    from gantrans.metrics import table

    names, left_out = table.choose(config.metrics, settings, scale=scale, paired=config.paired)
    measures, maker = table.build(names, settings), of_model(predictor) if predictor else None
    if planned is not None:
        found = evaluate(
            planned, measures, maker=maker, scale=scale, worst=config.worst, device=settings.device
        )
    else:
        found = evaluate_sets(
            paths["outputs"], paths["source"], paths["targets"], measures,  # type: ignore[arg-type]
            maker=maker, device=settings.device,
        )  # fmt: skip
    how = {"scale": scale, "shave": settings.shave, "fid_resize": settings.preprocessing,
           "ensemble": config.ensemble, "weights": table.files(names, settings)}  # fmt: skip
    _report(found, next(iter(measures.each), ""), paths, out, how, left_out)


def _check(config: DictConfig, paths: dict[str, Path | None]) -> None:
    """Raise ConfigError for keys that do not go together."""
    if (paths["model"] is None) == (paths["outputs"] is None):
        raise ConfigError(
            "give either model=RUN source=DIR, or outputs=DIR (a folder of images that are made)"
        )
    if paths["model"] and not paths["source"]:
        raise ConfigError("model=: give source=DIR too, the folder of inputs")
    if config.labels is not None and paths["model"]:
        raise ConfigError(f"labels={config.labels}: the model says its own; leave it out")
    if config.labels is not None and not 2 <= config.labels <= 256:
        raise ConfigError(f"labels={config.labels}: accepted: 2 to 256 classes")
    if config.ignore is not None and config.labels is None and not paths["model"]:
        raise ConfigError("ignore= is a class of label maps; give labels=N, or leave it out")
    if config.worst < 0:
        raise ConfigError(f"worst={config.worst}: accepted: 0 (no picture) or more")
    for key, least in (("scale", 1), ("shave", 0)):
        value = config[key]
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ConfigError(f"{key}={value}: accepted are auto and whole numbers from {least} on")
    if paths["weights"] and not paths["weights"].is_dir():
        raise ConfigError(f"weights={paths['weights']}: no such folder; needed is one that holds the files")
    if config.ensemble and not paths["model"]:
        raise ConfigError("ensemble=true is for what a model makes; with outputs= leave it out")
    if config.scale != "auto" and paths["model"]:
        raise ConfigError(f"scale={config.scale}: the model says its own; leave it out")


def _out(paths: dict[str, Path | None]) -> Path:
    """Where the results go. Raises ConfigError where they would be taken for images to measure."""
    made, model = paths["outputs"], paths["model"]
    default = made.with_name(f"{made.name}-evaluation") if made else model / "evaluation"  # type: ignore[operator]
    out = paths["out"] or default
    for key in ("outputs", "source", "targets"):
        folder = paths[key]
        if folder and folder.resolve() in (out.resolve(), *out.resolve().parents):
            raise ConfigError(f"out={out}: lies in {key}={folder}, whose images are measured; give another")
    return out


def _predictor(config: DictConfig, paths: dict[str, Path | None], core: Core) -> Predictor | None:
    from gantrans.bundles.bundle import load_bundle
    from gantrans.inference.predictor import Predictor
    from gantrans.kernels.conv import for_inference

    if paths["model"] is None:
        return None
    network, card = load_bundle(paths["model"], way_of(config.direction))
    if card.mask == "input":
        raise ConfigError(f"model={config.model}: was trained with masks; apply it by gantrans translate "
                          "masks=DIR, then give outputs=DIR")  # fmt: skip
    for_inference(network)
    return Predictor(network, card, core, ensemble=config.ensemble)


def _settings(
    config: DictConfig, paths: dict[str, Path | None], planned: Plan | None, predictor: Predictor | None,
    core: Core,
) -> tuple[Settings, int]:  # fmt: skip
    """How metrics are to be taken, and the scale."""
    from gantrans.evaluation.plan import scale_of
    from gantrans.metrics.table import Settings

    scale = config.scale
    if scale == "auto":
        known = predictor.card.scale if predictor else None
        scale = known or (scale_of(planned) if planned else 1)
    shave = config.shave if config.shave != "auto" else (scale if scale > 1 else 0)
    return Settings(shave, paths["weights"], config.fid_resize, core.device), scale


def _report(
    found: Found,
    first: str,
    paths: dict[str, Path | None],
    out: Path,
    how: dict[str, Any],
    left_out: dict[str, str],
) -> None:
    from gantrans.evaluation.report import STRIP, networks, table, write_json, write_strip

    for reason in sorted(found.rejected.values())[:SHOWN]:
        print(f"not measured: {reason}", file=sys.stderr)
    if len(found.rejected) > SHOWN:
        print(f"not measured: {len(found.rejected) - SHOWN} more, see the file below", file=sys.stderr)
    print(table(found))
    print("".join(f"{line}\n" for line in networks(how.get("weights", {}))), end="")
    for reason in dict.fromkeys(left_out.values()):  # one file may serve several
        print(f"left out: {', '.join(name for name in left_out if left_out[name] == reason)}: {reason}")
    what = {key: str(paths[key]) for key in ("model", "outputs", "source", "targets") if paths[key]}
    file = paths["json"] or out / "metrics.json"
    write_json(file, found, {**what, **how, "left_out": left_out})
    if found.worst:
        write_strip(out / STRIP, found, first)
    measured = found.found - len(found.rejected)
    strip = f", {out / STRIP}" if found.worst else ""
    print(f"found {found.found}: {measured} measured, {len(found.rejected)} not -> {file}{strip}")
