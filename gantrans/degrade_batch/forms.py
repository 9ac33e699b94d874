"""The form that each operation has for the device: which calls it comes to, for one picture's parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gantrans.degrade import blur, colour, compress, noise, resolution
from gantrans.degrade.algebra import Compose, Maybe, OneOf, label
from gantrans.degrade.base import Degradation, Params
from gantrans.degrade.marks.canvas import Mark
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe
from gantrans.degrade_batch import forms_filters, forms_noise, forms_tone, weights
from gantrans.degrade_batch.program import Asked, Call, Form

# Operations of ours that the loader processes do for the device engine, with whatever a recipe has before
# them. A user's own degradations are done there too.
ON_THE_HOST = ("webp",)


def find(step: Degradation, params: Params) -> Form | None:
    """How the step is done on a device; None: it is done on the host."""
    if type(step) in (resolution.DownUp, resolution.Downscale):
        asked = (params.get("down"), params.get("up"), params.get("method"))
        if any(method not in (None, *weights.METHODS) for method in asked):
            return None
    return _FORMS.get(type(step))


def left_to_the_host(recipe: Recipe) -> list[str]:
    """The operations of a recipe that its loader processes do for the device engine, by name."""
    return sorted({label(step) for step in every_operation(recipe.steps) if type(step) not in _FORMS})


def every_operation(step: Degradation) -> Iterator[Degradation]:
    """The plain degradations that a step may come to, drawn or not."""
    parts = {Compose: "steps", OneOf: "choices"}.get(type(step))
    if type(step) is Maybe:
        yield from every_operation(step.step)
    elif parts is None:
        yield step
    else:
        for inner in getattr(step, parts):
            yield from every_operation(inner)


def _jpeg(asked: Asked) -> list[Call]:
    return [Call("jpeg", (np.array([asked.params["quality"]], np.int32),))]


def _mark(asked: Asked) -> list[Call]:
    """Its layers as they are drawn for the worker engine."""
    layers = [
        layer
        for layer in asked.step.laid_out(asked.size.height, asked.size.width, asked.params)
        if layer.alpha.size
    ]
    inputs: list[np.ndarray] = []
    for layer in layers:
        inputs += [layer.alpha, np.zeros(0, np.uint8) if layer.ink is None else layer.ink]
    places = tuple((layer.top, layer.left, layer.dye) for layer in layers)
    return [Call("marks", tuple(inputs), places)] if layers else []


_FORMS: dict[type, Form] = {
    blur.GaussianBlur: forms_filters.gaussian,
    blur.BoxBlur: forms_filters.box,
    blur.AnisotropicBlur: forms_filters.kernel,
    blur.GeneralisedBlur: forms_filters.kernel,
    blur.PlateauBlur: forms_filters.kernel,
    blur.DefocusBlur: forms_filters.kernel,
    blur.MotionBlur: forms_filters.kernel,
    blur.Ringing: forms_filters.kernel,
    noise.GaussianNoise: forms_noise.gaussian_noise,
    noise.SpeckleNoise: forms_noise.speckle,
    noise.SaltPepper: forms_noise.salt_pepper,
    noise.PoissonNoise: forms_noise.poisson,
    noise.RowNoise: forms_noise.rows,
    compress.Jpeg: _jpeg,
    compress.Quantise: forms_tone.quantise,
    resolution.DownUp: forms_filters.down_up,
    resolution.Downscale: forms_filters.downscale,
    resolution.Pixelate: forms_filters.pixelate,
    colour.Gray: forms_tone.gray,
    colour.Sepia: forms_tone.toned(1.0),
    colour.Fading: forms_tone.toned(0.7),
    colour.ColourCast: forms_tone.curve,
    colour.Exposure: forms_tone.curve,
    colour.Gamma: forms_tone.curve,
    colour.LowContrast: forms_tone.contrast,
    colour.Halftone: forms_tone.halftone,
    **{cls: _mark for cls in CATALOGUE.values() if issubclass(cls, Mark)},
}
