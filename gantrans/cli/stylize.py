"""gantrans stylize: one picture in the style of another, by optimisation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb
from gantrans.errors import ConfigError, DataError, Interrupted

if TYPE_CHECKING:
    import numpy as np
    from omegaconf import DictConfig

    from gantrans.imaging.read import Picture
    from gantrans.inference.stylize import Wanted

WEIGHTS = ("content_weight", "style_weight", "tv_weight")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def run(args: list[str]) -> None:
    """The verb: read both pictures and the weights, optimise, write one file."""
    run_verb("stylize", args, _stylize)


def _stylize(config: DictConfig, overrides: list[str]) -> None:
    import numpy as np

    from gantrans.core.device import open_core
    from gantrans.imaging import ranges
    from gantrans.imaging.write import write
    from gantrans.inference.stylize import stylize
    from gantrans.nets.features import load_features
    from gantrans.training.signals import StopRequest

    del overrides
    out = _out(config)
    wanted = _wanted(config)
    content, style = (_picture(config, key) for key in ("content", "style"))
    x01 = _shrunk(_x01(content), config)
    features = load_features(config.features, config.weights)
    with StopRequest() as request:
        made = stylize(
            x01, _x01(style), features, wanted, open_core(config.device), lambda: request.number is not None
        )
        write(out, ranges.from_x01(made.x01, np.uint8))
    height, width = made.x01.shape[:2]
    said = f"{width}x{height}, {made.done} of {made.planned} steps -> {out}"
    if request.number is not None:
        raise Interrupted(f"stopped; the best so far is kept: {said}", request.number)
    terms = ", ".join(f"{name} {value:.3g}" for name, value in made.terms.items())
    print(f"made      {said}\nlosses    {terms}")


def _out(config: DictConfig) -> Path:
    """Where the result goes, once nothing stands against it."""
    out = Path(config.out).expanduser()
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"out={out}: needed is a file name that ends in one of {', '.join(SUFFIXES)}")
    if out.resolve() in (Path(config[key]).expanduser().resolve() for key in ("content", "style")):
        raise ConfigError(f"out={out}: is one of the pictures that are read; name another file")
    if out.is_dir():
        raise ConfigError(f"out={out}: is a folder; name a file")
    if out.exists() and not config.overwrite:
        raise ConfigError(f"out={out}: is there already; name another, or give overwrite=true")
    if not out.parent.is_dir():
        raise ConfigError(f"out={out}: its folder does not exist; make it first")
    return out


def _wanted(config: DictConfig) -> Wanted:
    """What the keys say. Raises ConfigError naming one that cannot be."""
    from gantrans.inference.stylize import COLOURS, LEAST, NETWORKS, STARTS, Wanted
    from gantrans.methods.gatys import Weights

    choices = {"features": NETWORKS, "colour": COLOURS, "start": STARTS}
    for key, accepted in choices.items():
        if config[key] not in accepted:
            raise ConfigError(f"{key}={config[key]}: accepted are {', '.join(accepted)}")
    if config.size is not None and config.size < LEAST:
        raise ConfigError(f"size={config.size}: accepted are {LEAST} pixels or more, or null")
    if config.steps < 1:
        raise ConfigError(f"steps={config.steps}: accepted are 1 or more")
    if not 0 < config.style_scale <= 8:
        raise ConfigError(f"style_scale={config.style_scale}: accepted are numbers above 0, to 8")
    weights = [config[key] for key in WEIGHTS]
    for key, value in zip(WEIGHTS, weights, strict=True):
        if not 0 <= value < float("inf"):
            raise ConfigError(f"{key}={value}: accepted are finite numbers >= 0")
    if config.content_weight == config.style_weight == 0:
        raise ConfigError("content_weight=0 and style_weight=0 leave nothing to aim at")
    more = {key: config[key] for key in ("steps", "colour", "start", "style_scale", "seed")}
    return Wanted(config.features, Weights(*weights), **more)


def _picture(config: DictConfig, key: str) -> Picture:
    from gantrans.imaging.read import read
    from gantrans.methods.gatys import LEAST

    path = Path(config[key]).expanduser()
    if not path.exists():
        raise DataError(f"{key}={path}: no such file")
    if path.is_dir():
        raise DataError(f"{key}={path}: is a folder; one picture is needed")
    picture = read(path)
    height, width = picture.pixels.shape[:2]
    if min(height, width) < LEAST:
        raise DataError(
            f"{key}={path}: is {width}x{height} pixels: needed are {LEAST} a side or more; give a larger "
            "picture"
        )
    return picture


def _x01(picture: Picture) -> np.ndarray:
    """(H, W, 3); what is transparent shows white."""
    from gantrans.imaging import colour, ranges

    return ranges.to_x01(colour.to_rgb(colour.over_white(picture.pixels, picture.alpha)))


def _shrunk(x01: np.ndarray, config: DictConfig) -> np.ndarray:
    """The content with its longer side at `size`, unless it is no longer anyway. Raises DataError where its
    shorter side would be too short."""
    from gantrans.imaging import filters
    from gantrans.methods.gatys import LEAST

    height, width, _ = x01.shape
    size, longer, shorter = config.size, max(height, width), min(height, width)
    if size is None or longer <= size:
        return x01
    share = size / longer
    small = round(height * share), round(width * share)
    if min(small) < LEAST:
        raise DataError(
            f"content={config.content}: is {width}x{height} pixels, with size={size} {small[1]}x{small[0]}: "
            f"needed are {LEAST} a side or more; give size={-(-LEAST * longer // shorter)} or more, or "
            "size=null"
        )
    return filters.resize(x01, *small, "bicubic")
