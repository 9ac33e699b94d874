"""Degrades a batch on its device: what the samples have in common is done at once, each with its own numbers.

Pictures are float32 in 8-bit levels, 0 to 255, (n, C, H, W). Those that came in 8 bits are rounded to whole
levels after each step, as the worker engine rounds them; others are not. The bounds on how far the two
engines are apart stand in tests/test_engines.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from gantrans.degrade.base import Params
from gantrans.degrade.recipe import Recipe
from gantrans.degrade_batch import blurs, finish, jpegs, marks, noises, prints, sizes, tones
from gantrans.degrade_batch.making import program_of
from gantrans.degrade_batch.packed import Packed, Step, pack
from gantrans.degrade_batch.stacks import Given, Op
from gantrans.imaging import ranges

KINDS: dict[str, Op] = {
    "separable": blurs.separable,
    "kernel": blurs.kernel,
    "normal_noise": noises.normal,
    "speckle": noises.speckle,
    "dead_samples": noises.dead_samples,
    "poisson": noises.poisson,
    "lines": noises.lines,
    "jpeg": jpegs.jpeg,
    "quantise": tones.quantise,
    "resize": sizes.resize,
    "mosaic": sizes.mosaic,
    "luma": tones.luma,
    "lightness": tones.lightness,
    "curve": tones.curve,
    "matrix": tones.matrix,
    "contrast": tones.contrast,
    "halftone": prints.halftone,
    "marks": marks.marks,
    "rgb": finish.rgb,
    "jitter": finish.jitter,
    "mask": finish.mask,
}


def degrade_batch(
    recipe: Recipe, pictures: Sequence[np.ndarray], params: Sequence[Params], device: torch.device
) -> list[np.ndarray]:
    """recipe.apply for many pictures at once, on a device: (H, W, C) uint8 or uint16, answered in kind.

    The way in for a training loop of your own (ours goes through data/device_pairs.py). Pictures may differ
    in size and type; each has the parameters at its place, drawn by recipe.draw. Raises ConfigError.
    """
    packed = pack([program_of(recipe, *each) for each in zip(pictures, params, strict=True)]).to(device)
    made = [levels.permute(1, 2, 0).cpu().numpy() / np.float32(255) for levels in run(packed)]
    return [ranges.from_x01(x01, like.dtype) for x01, like in zip(made, pictures, strict=True)]


def run(packed: Packed) -> list[Tensor]:
    """Each sample's picture, (C, H, W) float32 in levels, on the device where `packed` lies."""
    whole = [place.dtype == "u1" for place in packed.starts]
    with torch.no_grad(), _ieee(packed.memory.device):
        pictures = [_levels(packed.tensor(place)) for place in packed.starts]
        done = [0] * len(pictures)
        while kind := _next(packed.steps, done):
            groups: dict[object, list[int]] = {}
            for i, steps in enumerate(packed.steps):
                if done[i] < len(steps) and steps[done[i]].kind == kind:
                    alike = (steps[done[i]].alike, pictures[i].shape, whole[i])
                    groups.setdefault(alike, []).append(i)
            for members in groups.values():
                steps = [packed.steps[i][done[i]] for i in members]
                made = _together(packed, steps, [pictures[i] for i in members], whole[members[0]])
                for i, picture in zip(members, made.unbind(), strict=True):
                    pictures[i] = picture
                    done[i] += 1
    return pictures


def sources(packed: Packed) -> Tensor:
    """The pictures of a batch as one tensor, (N, C, H, W): uint8, or x01 where any has more bits."""
    levels = torch.stack(run(packed))
    if all(place.dtype == "u1" for place in packed.starts):
        return levels.to(torch.uint8)
    return torch.floor(levels * 257 + 0.5) / 65535


def _levels(start: Tensor) -> Tensor:
    planes = start.permute(2, 0, 1)
    return planes.float() if start.dtype == torch.uint8 else planes * 255


def _next(steps: Sequence[Sequence[Step]], done: Sequence[int]) -> str | None:
    """The kind to do now: one that nobody has still ahead behind another, else the most frequent."""
    ready = Counter(each[at].kind for each, at in zip(steps, done, strict=True) if at < len(each))
    later = {step.kind for each, at in zip(steps, done, strict=True) for step in each[at + 1 :]}
    return max(ready, key=lambda kind: (kind not in later, ready[kind]), default=None)


def _together(packed: Packed, steps: list[Step], pictures: list[Tensor], whole: bool) -> Tensor:
    inputs = [tuple(packed.tensor(place) for place in step.inputs) for step in steps]
    levels = KINDS[steps[0].kind](torch.stack(pictures), Given(inputs, steps[0].alike, whole))
    levels = levels.clamp(0, 255)
    return levels.round() if whole else levels


@contextmanager
def _ieee(device: torch.device) -> Iterator[None]:
    """TF32 would be a level off: its numbers have 11 bits."""
    if device.type != "cuda":
        yield
        return
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]  # type: ignore[attr-defined]
    try:
        for place in places:
            place.fp32_precision = "ieee"  # type: ignore[attr-defined]
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision  # type: ignore[attr-defined]
