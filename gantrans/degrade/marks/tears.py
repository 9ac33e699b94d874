"""Tears: corners and edges torn off, rips that run in from an edge; along them white fibres of the paper."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer
from gantrans.degrade.marks.cutouts import SIDES
from gantrans.imaging.opencv import cv

KINDS = ("corner", "edge", "rip")
_TABLES = ((0.97, 0.97, 0.96), (0.05, 0.05, 0.05), (0.28, 0.22, 0.17), (0.82, 0.79, 0.72))
_CELLS = 10  # knots of the torn line's roughest waves, along the longer side of its box


class Tears(Mark):
    """`count` places where the print is torn; `size` is how deep, relative to the shorter side.

    What is torn off shows what the print lies on: white, black, wood or card.
    """

    def __init__(self, count: Amount = (1, 2), size: Amount = (0.06, 0.25), kinds: Choice = KINDS) -> None:
        self.count = interval("count", count, 1, 50, whole=True)
        self.size = interval("size", size, 0.005, 1)
        self.kinds = choices("kinds", kinds, KINDS)

    def sample(self, rng: np.random.Generator) -> Params:
        tears = [
            {
                "kind": draw_choice(rng, self.kinds),
                "side": draw_choice(rng, SIDES),
                "at": draws.uniform(rng, 0.1, 0.9),
                "size": self.size.draw(rng),
                "slope": draws.uniform(rng, -1, 1),
            }
            for _ in range(self.count.draw_whole(rng))
        ]
        table = list(_TABLES[draws.integer(rng, 0, len(_TABLES) - 1)])
        return {"tears": tears, "table": table, "seed": draw_seed(rng)}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        found: list[list[Layer]] = []
        for index, tear in enumerate(params["tears"]):
            rng = draws.generator("tears", params["seed"], index)
            # Everything is torn at the top, in a picture that lies so that `side` is there.
            turned = tear["side"] in ("left", "right")
            size = (width, height) if turned else (height, width)
            make = _rip if tear["kind"] == "rip" else _off
            made = make(rng, size, tear, params["table"])
            found.append([_laid(each, tear["side"], height, width) for each in made])
        return [
            each for kind in zip(*found, strict=True) for each in kind
        ]  # what is gone, over all the fibres


def _laid(found: Layer, side: str, height: int, width: int) -> Layer:
    """A layer made for the top, at the side that it belongs to."""
    h, w = found.alpha.shape
    alpha, ink, top, left = found.alpha, found.ink, found.top, found.left
    if side in ("left", "right"):
        alpha, (top, left), (h, w) = alpha.T, (left, top), (w, h)
        ink = ink.transpose(1, 0, 2) if ink is not None and ink.ndim == 3 else ink
    if side == "right":
        alpha, left = alpha[:, ::-1], width - left - w
        ink = ink[:, ::-1] if ink is not None and ink.ndim == 3 else ink
    if side == "bottom":
        alpha, top = alpha[::-1], height - top - h
        ink = ink[::-1] if ink is not None and ink.ndim == 3 else ink
    return Layer(np.ascontiguousarray(alpha), ink, top, left, found.dye)


def _off(rng: np.random.Generator, size: tuple[int, int], tear: Params, table: list[float]) -> list[Layer]:
    """A piece that is gone from the top edge, or from its left or right corner."""
    height, width = size
    depth = max(2.0, tear["size"] * min(size))
    rows = min(height, math.ceil(depth * 1.6) + 2)
    reach = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)
    down = np.arange(rows, dtype=np.float32)[:, None] + np.float32(0.5)
    if tear["kind"] == "corner":
        reach = reach if tear["slope"] < 0 else width - reach
        long = depth * (1 + abs(tear["slope"]))
        columns = min(width, math.ceil(long * 1.5))
        first = 0 if tear["slope"] < 0 else width - columns
        edge = (1 - reach[:, first : first + columns] / np.float32(long)) * np.float32(depth)
    else:  # a bite: deepest in its middle, a half to all of the side long
        half = width * (0.25 + 0.35 * abs(tear["slope"]))
        away = np.abs(reach - np.float32(tear["at"] * width)) / np.float32(half)
        first, columns = 0, width
        edge = np.float32(depth) * (np.clip(1 - away**2, -0.3, 1))
    return _torn(rng, size, down - edge, first, table)


def _torn(
    rng: np.random.Generator, size: tuple[int, int], inside: np.ndarray, left: int, table: list[float]
) -> list[Layer]:
    """From the signed distance to the torn edge (pixels, below 0 gone), roughened: table, shadow, fibres."""
    short, (rows, columns) = min(size), inside.shape
    rough = (drawing.rough_noise(rng, rows, columns, _CELLS, 5) - np.float32(0.5)) * np.float32(0.07 * short)
    emulsion = inside + rough
    fringe = np.float32(0.018 * short) * (
        drawing.rough_noise(rng, rows, columns, 14, 4) * 1.9 - np.float32(0.25)
    )
    paper = emulsion + np.maximum(fringe, 0)  # the white base reaches further out than the picture on it
    bare, gone = drawing.u8(0.5 - emulsion), drawing.u8(0.5 - paper)
    shade = drawing.u8(
        0.5 * np.exp(-np.clip(paper, 0, None) / np.float32(max(1.0, 0.004 * short))) * (paper > -1)
    )
    return [
        layer(size, shade, [0.25, 0.22, 0.2], dye=True, left=left),
        layer(size, bare, fibres(rng, rows, columns), left=left),
        layer(size, gone, table, left=left),
    ]


def fibres(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Bare paper, (H, W, 3) uint8: off-white, mottled."""
    mottle = drawing.rough_noise(rng, height, width, 40, 3)
    level = np.float32(0.84) + np.float32(0.2) * mottle
    return drawing.u8(level[..., None] * np.array([1.0, 0.985, 0.95], np.float32))


def _rip(rng: np.random.Generator, size: tuple[int, int], tear: Params, table: list[float]) -> list[Layer]:
    """A jagged gap from the top edge inwards, wide at its mouth, with fibres on one side of it."""
    height, width = size
    short, count = min(size), 140
    length = min(0.9 * height, 2.2 * tear["size"] * short)
    jag = (drawing.noise_along(rng, count, 9, 4) - 0.5) * 0.1 * short
    down = np.linspace(-0.01 * short, length, count)
    path = np.stack([tear["at"] * width + tear["slope"] * 0.5 * down + jag, down], 1)
    taper = np.linspace(1, 0, count) ** 0.7
    gap = np.maximum(0.6, taper * short * rng.uniform(0.004, 0.014))
    torn = gap + short * (0.003 + 0.014 * drawing.noise_along(rng, count, 12, 3)) * (0.3 + 0.7 * taper)
    side = np.array([(torn - gap) * (0.5 if rng.random() < 0.5 else -0.5), np.zeros(count)]).T
    shadow, white, hole = (drawing.sheet(height, width) for _ in range(3))
    drawing.ribbon(shadow, path + side, torn + max(1.5, 0.008 * short), 110)
    drawing.ribbon(white, path + side, torn)
    drawing.ribbon(hole, path, gap)
    x, y, w, h = cv().boundingRect(white)
    box, place = (slice(y, y + h), slice(x, x + w)), {"top": y, "left": x}
    return [
        layer(size, shadow, _SHADOW, dye=True),
        layer(size, white[box], fibres(rng, h, w) if w else _SHADOW, **place),
        layer(size, hole, table),
    ]


_SHADOW = [0.3, 0.27, 0.25]
