"""Colour, tone and few levels as calls: tables and matrices."""

from __future__ import annotations

import numpy as np

from gantrans import lab
from gantrans.degrade import compress
from gantrans.degrade_batch.program import Asked, Call, Form
from gantrans.imaging import ranges, screen, tone

_FINE = 65536  # places at which a curve is known for pictures in floating point


def gray(asked: Asked) -> list[Call]:
    if asked.size.channels == 1:
        return []
    if asked.step.by == "luma":
        return [Call("luma", (), (asked.size.channels,))]
    light, greys = lab.lightness_tables()
    return [Call("lightness", (light.astype(np.int32), greys) if asked.size.whole else ())]


def curve(asked: Asked) -> list[Call]:
    """What the step does to each value, read off a ramp that runs through all of them."""
    count = 256 if asked.size.whole else _FINE
    ramp = np.arange(count, dtype=np.float32) / np.float32(count - 1)
    ramp = np.broadcast_to(ramp[:, None, None], (count, 1, asked.size.channels))
    found = asked.step.forward(
        ranges.from_x01(ramp, np.uint8) if asked.size.whole else np.ascontiguousarray(ramp), asked.params
    )
    table = found[:, 0].T * np.float32(1 if asked.size.whole else 255)
    return [Call("curve", (np.ascontiguousarray(table, np.float32),))]


def toned(share: float) -> Form:
    """Colours dulled by `share` of the amount, then a curve, which is all that a grey ramp shows of it."""

    def form(asked: Asked) -> list[Call]:
        dull = tone.saturation(1 - share * asked.params["amount"])
        mixed = [Call("matrix", (dull.astype(np.float32),))] if asked.size.channels == 3 else []
        return [*mixed, *curve(asked)]

    return form


def contrast(asked: Asked) -> list[Call]:
    luma = tone.LUMA if asked.size.channels == 3 else np.ones(1, np.float32)
    return [Call("contrast", (np.array([asked.params["contrast"]], np.float32), luma))]


def quantise(asked: Asked) -> list[Call]:
    steps = asked.params["levels"] - 1
    order = compress.bayer() if asked.params["dither"] else np.full((8, 8), 32, np.int16)
    values = ranges.from_x01(np.minimum(np.arange(256), steps) / np.float32(steps), np.uint8)
    return [Call("quantise", (np.array([steps], np.int32), order, values))]


def halftone(asked: Asked) -> list[Call]:
    waves = screen.waves(
        asked.size.height, asked.size.width, asked.params["period_px"], asked.params["angle_deg"]
    )
    hard = np.array([max(1.0, asked.params["period_px"] / 2)], np.float32)
    return [Call("halftone", (*waves, hard, screen.ranks()))]
