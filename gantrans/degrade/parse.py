"""From the words of a recipe to degradations, answering each mistake with its place."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from gantrans.degrade import algebra, blur, colour, compress, noise, resolution
from gantrans.degrade.base import Degradation
from gantrans.degrade.marks import (
    cutouts,
    damage,
    dates,
    dust,
    pens,
    stains,
    stamps,
    tears,
    text,
    watermarks,
)
from gantrans.errors import ConfigError
from gantrans.words import close_to

CATALOGUE: dict[str, type] = {
    "gaussian_blur": blur.GaussianBlur,
    "anisotropic_blur": blur.AnisotropicBlur,
    "generalised_blur": blur.GeneralisedBlur,
    "plateau_blur": blur.PlateauBlur,
    "box_blur": blur.BoxBlur,
    "defocus_blur": blur.DefocusBlur,
    "motion_blur": blur.MotionBlur,
    "ringing": blur.Ringing,
    "gaussian_noise": noise.GaussianNoise,
    "poisson_noise": noise.PoissonNoise,
    "speckle_noise": noise.SpeckleNoise,
    "salt_pepper": noise.SaltPepper,
    "row_noise": noise.RowNoise,
    "jpeg": compress.Jpeg,
    "webp": compress.Webp,
    "quantise": compress.Quantise,
    "down_up": resolution.DownUp,
    "downscale": resolution.Downscale,
    "pixelate": resolution.Pixelate,
    "gray": colour.Gray,
    "sepia": colour.Sepia,
    "fading": colour.Fading,
    "colour_cast": colour.ColourCast,
    "exposure": colour.Exposure,
    "gamma": colour.Gamma,
    "low_contrast": colour.LowContrast,
    "halftone": colour.Halftone,
    "text_mark": text.TextMark,
    "watermark": watermarks.Watermark,
    "stamp": stamps.Stamp,
    "date_stamp": dates.DateStamp,
    "stain": stains.Stain,
    "scratches": damage.Scratches,
    "folds": damage.Folds,
    "dust": dust.Dust,
    "tears": tears.Tears,
    "pen_strokes": pens.PenStrokes,
    "cut_boxes": cutouts.CutBoxes,
    "cut_strokes": cutouts.CutStrokes,
    "cut_blobs": cutouts.CutBlobs,
    "cut_border": cutouts.CutBorder,
}
COMBINATIONS = ("maybe", "one_of", "shuffle")
Extra = Mapping[str, type]
# A degradation, and the same as plain data with its defaults written out, of which the hash is made.
Parsed = tuple[Degradation, Any]


def sequence(found: Any, where: str, extra: Extra, *, shuffle: bool = False) -> Parsed:
    """A list of steps, one after another (or in any order)."""
    parsed = _each(found, where, extra)
    return algebra.Compose([step for step, _ in parsed], shuffle), [canonical for _, canonical in parsed]


def _each(found: Any, where: str, extra: Extra) -> list[Parsed]:
    if not isinstance(found, list) or not found:
        raise ConfigError(
            f"{where}: found {found!r}; needed is a list of steps, as [{{jpeg: {{quality: 30}}}}]"
        )
    return [_step(item, f"{where}[{index}]", extra) for index, item in enumerate(found)]


def _step(found: Any, where: str, extra: Extra) -> Parsed:
    if isinstance(found, list):
        return sequence(found, where, extra)
    if isinstance(found, str):
        found = {found: None}
    if not isinstance(found, Mapping) or len(found) != 1:
        raise ConfigError(
            f"{where}: found {found!r}; needed is one name with its parameters, as {{jpeg: {{}}}}"
        )
    ((name, values),) = found.items()
    if name == "maybe":
        step, canonical = _maybe(values, where, extra)
    elif name == "one_of":
        step, canonical = _one_of(values, where, extra)
    elif name == "shuffle":
        step, canonical = sequence(values, f"{where}.shuffle", extra, shuffle=True)
    else:
        step, canonical = _operation(str(name), values, where, extra)
    return step, {str(name): canonical}


def _maybe(found: Any, where: str, extra: Extra) -> Parsed:
    values = _keys(found, f"{where}.maybe", ("p", "do"), required=("p", "do"))
    step, canonical = sequence(values["do"], f"{where}.maybe.do", extra)
    return _made(where, algebra.Maybe, step=step, p=values["p"]), {"p": values["p"], "do": canonical}


def _one_of(found: Any, where: str, extra: Extra) -> Parsed:
    """A list of steps; or {do: [steps], weights: [numbers]}."""
    values = {"do": found} if isinstance(found, list) else found
    values = _keys(values, f"{where}.one_of", ("do", "weights"), required=("do",))
    parsed = _each(values["do"], f"{where}.one_of", extra)
    weights = values.get("weights")
    step = _made(where, algebra.OneOf, choices=[step for step, _ in parsed], weights=weights)
    return step, {"do": [canonical for _, canonical in parsed], "weights": weights}


def _operation(name: str, found: Any, where: str, extra: Extra) -> Parsed:
    accepted = {**CATALOGUE, **extra}
    if name not in accepted:
        raise ConfigError(f"{where}: there is no {name!r}; {close_to(name, [*accepted, *COMBINATIONS])}")
    cls = accepted[name]
    signature = inspect.signature(cls)
    values = _keys(found, f"{where}.{name}", None, required=())
    for key in values:
        if key not in signature.parameters:
            takes = ", ".join(signature.parameters) or "none"
            raise ConfigError(f"{where}: {name} has no parameter {key!r}; it takes {takes}")
    step = _made(f"{where}.{name}", cls, **values)
    for method in ("sample", "forward"):
        if not callable(getattr(step, method, None)):
            raise ConfigError(f"{where}: {name} has no method {method!r}, so it is no degradation")
    if not isinstance(getattr(step, "scale", None), int):
        raise ConfigError(f"{where}: {name} has no whole number 'scale'; set scale = 1 if it keeps the size")
    bound = signature.bind(**values)
    bound.apply_defaults()
    return step, dict(bound.arguments)


def _made(where: str, cls: type, **values: Any) -> Degradation:
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _keys(
    found: Any, where: str, accepted: tuple[str, ...] | None, required: tuple[str, ...]
) -> dict[str, Any]:
    """`found` as a dict with no key but the accepted ones; None stands for {}."""
    if found is None:
        found = {}
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where}: found {found!r}; needed are parameters by name, as {{key: value}}")
    for key in found:
        if accepted is not None and key not in accepted:
            raise ConfigError(f"{where}: has no parameter {key!r}; it takes {', '.join(accepted)}")
    for key in required:
        if key not in found:
            raise ConfigError(f"{where}: lacks {key!r}; it takes {', '.join(accepted or required)}")
    return {str(key): value for key, value in found.items()}
