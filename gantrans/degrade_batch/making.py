"""From a recipe's drawn parameters to a program.

A step that has no form for the device is done here, as the worker engine does it, with all that come before
it; the device goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gantrans import draws
from gantrans.degrade.algebra import label
from gantrans.degrade.base import Params, apply
from gantrans.degrade.recipe import Recipe
from gantrans.degrade.trace import operations
from gantrans.degrade_batch import forms
from gantrans.degrade_batch.forms_filters import enlarged
from gantrans.degrade_batch.program import Asked, Call, Program, Size
from gantrans.errors import ConfigError, GantransError
from gantrans.imaging import ranges


def program_of(recipe: Recipe, pixels: np.ndarray, params: Params) -> Program:
    """The program of (H, W, C) uint8, uint16 or x01 pixels, for `params` that recipe.draw drew.

    Raises ConfigError where a step breaks its word on sizes.
    """
    steps = list(operations(recipe.steps, params))
    if np.issubdtype(pixels.dtype, np.integer) and pixels.dtype != np.uint8:
        pixels = ranges.to_x01(pixels)
    first = 1 + max(
        (i for i, (step, drawn) in enumerate(steps) if forms.find(step, drawn) is None), default=-1
    )
    for step, drawn in steps[:first]:
        height, width, channels = pixels.shape
        expected = (height // step.scale, width // step.scale, channels)
        pixels = apply(step, pixels, drawn)
        if pixels.shape != expected:
            raise ConfigError(
                f"recipe {recipe.name}: {label(step)} made {pixels.shape}; with scale {step.scale} "
                f"{expected} is needed; mend the step's forward or its scale"
            )
    height, width, channels = pixels.shape
    size = Size(height, width, channels, pixels.dtype == np.uint8)
    calls: list[Call] = []
    for step, drawn in steps[first:]:
        form = forms.find(step, drawn)
        assert form is not None
        calls += form(Asked(step, size, drawn))
        size = replace(size, height=size.height // step.scale, width=size.width // step.scale)
    return Program(np.ascontiguousarray(pixels), tuple(calls), size)


def drawn(
    recipe: Recipe, pixels: np.ndarray, *, seed: int, key: str, draw: int = 0
) -> tuple[Program, Params]:
    """`program_of` for the parameters that degrade/recipe.py draws under the same address.

    Raises ConfigError where a step fails.
    """
    try:
        params = recipe.draw(draws.generator("degrade", seed, key, draw))
        return program_of(recipe, pixels, params), params
    except GantransError:
        raise
    except Exception as error:  # a step may be the user's own code
        raise ConfigError(
            f"recipe {recipe.name}: a step failed on {key}: {type(error).__name__}: {error}; "
            "mend the step or leave it out"
        ) from error


def finished(
    program: Program,
    *,
    channels: int,
    height: int,
    width: int,
    jitter: Sequence[float] = (),
    mask: np.ndarray | None = None,
) -> Program:
    """With what a source goes through until the network sees it: its mode's channels, its target's size,
    factors of brightness, contrast and saturation, and its mask (H, W, 1) uint8 as the last channel."""
    calls: list[Call] = []
    size = program.size
    if size.channels != channels:
        calls.append(Call("luma", (), (1,)) if channels == 1 else Call("rgb"))
    if (size.height, size.width) != (height, width):
        calls.append(enlarged(size, height, width))
    if jitter:
        calls.append(Call("jitter", (np.array(jitter, np.float32),)))
    if mask is not None:
        calls.append(Call("mask", (np.ascontiguousarray(mask.transpose(2, 0, 1)),)))
        channels += 1
    return program.then(calls, height=height, width=width, channels=channels)
