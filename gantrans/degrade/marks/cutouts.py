"""Holes in a picture, filled flat or with noise: what inpainting and outpainting learn to close."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer

FILLS = ("white", "black", "grey", "mean", "noise")
_FLAT = {"white": 1.0, "black": 0.0, "grey": 0.5}
SIDES = ("left", "right", "top", "bottom")


class CutBoxes(Mark):
    """`count` upright boxes; each side is `size` of the picture's. `fill`: colours to choose among."""

    def __init__(
        self, count: Amount = (1, 4), size: Amount = (0.1, 0.35), fill: Choice = ("white", "black", "grey")
    ) -> None:
        self.count = interval("count", count, 1, 1000, whole=True)
        self.size = interval("size", size, 0.001, 1)
        self.fill = choices("fill", fill, FILLS)

    def sample(self, rng: np.random.Generator) -> Params:
        boxes = []
        for _ in range(self.count.draw_whole(rng)):
            width, height = self.size.draw(rng), self.size.draw(rng)
            boxes.append([draws.uniform(rng, 0, 1 - width), draws.uniform(rng, 0, 1 - height), width, height])
        return {"boxes": boxes, "fill": draw_choice(rng, self.fill), "seed": draw_seed(rng)}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        hole = drawing.sheet(height, width)
        for x, y, w, h in params["boxes"]:  # whole pixels, one at least
            left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
            hole[
                top : max(top + 1, round((y + h) * height)), left : max(left + 1, round((x + w) * width))
            ] = 255
        return [_filled(hole, params)]


class CutStrokes(Mark):
    """Free-form brush strokes: `count` lines of `vertices` bends, after Yu et al. 2019 (arXiv:1806.03589,
    algorithm 1 of the supplement): a line turns by a drawn angle, to either side in turn, so that it comes
    and goes as a wiping hand does.

    `width` and `length` (of one piece) are relative to the shorter side.
    """

    def __init__(
        self,
        count: Amount = (1, 4),
        vertices: Amount = (4, 12),
        width: Amount = (0.03, 0.1),
        length: Amount = (0.08, 0.3),
        fill: Choice = ("white", "black", "grey"),
    ) -> None:
        self.count = interval("count", count, 1, 1000, whole=True)
        self.vertices = interval("vertices", vertices, 1, 1000, whole=True)
        self.width = interval("width", width, 0.001, 1)
        self.length = interval("length", length, 0.001, 2)
        self.fill = choices("fill", fill, FILLS)

    def sample(self, rng: np.random.Generator) -> Params:
        strokes = [self._stroke(rng) for _ in range(self.count.draw_whole(rng))]
        return {"strokes": strokes, "fill": draw_choice(rng, self.fill), "seed": draw_seed(rng)}

    def _stroke(self, rng: np.random.Generator) -> Params:
        turn = draws.uniform(rng, 0, 2 * math.pi)
        spread = 2 * math.pi / 15  # how much single angles differ, from their code
        pieces = []
        for index in range(self.vertices.draw_whole(rng)):
            angle = turn + draws.uniform(rng, -spread, spread) + 2 * math.pi / 5
            pieces.append([-angle if index % 2 == 0 else angle, self.length.draw(rng)])
        start = [draws.uniform(rng, 0, 1), draws.uniform(rng, 0, 1)]
        return {"start": start, "width": self.width.draw(rng), "pieces": pieces}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        hole, short = drawing.sheet(height, width), min(height, width)
        for stroke in params["strokes"]:
            x, y = stroke["start"][0] * width, stroke["start"][1] * height
            points = [(x, y)]
            for angle, length in stroke["pieces"]:
                x = min(max(x + math.cos(angle) * length * short, 0), width)
                y = min(max(y + math.sin(angle) * length * short, 0), height)
                points.append((x, y))
            drawing.line(hole, np.array(points), max(1.0, stroke["width"] * short))
        return [_filled(hole, params)]


class CutBlobs(Mark):
    """`count` irregular round holes, `size` across relative to the shorter side; `rough` 0 makes circles."""

    def __init__(
        self,
        count: Amount = (1, 5),
        size: Amount = (0.08, 0.35),
        rough: Amount = (0.2, 0.7),
        fill: Choice = ("white", "black", "grey"),
    ) -> None:
        self.count = interval("count", count, 1, 1000, whole=True)
        self.size = interval("size", size, 0.001, 2)
        self.rough = interval("rough", rough, 0, 1)
        self.fill = choices("fill", fill, FILLS)

    def sample(self, rng: np.random.Generator) -> Params:
        blobs = []
        for _ in range(self.count.draw_whole(rng)):
            place = [draws.uniform(rng, 0, 1), draws.uniform(rng, 0, 1)]
            blobs.append({"at": place, "size": self.size.draw(rng), "rough": self.rough.draw(rng)})
        return {"blobs": blobs, "fill": draw_choice(rng, self.fill), "seed": draw_seed(rng)}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        hole = drawing.sheet(height, width)
        for index, blob in enumerate(params["blobs"]):
            rng = draws.generator("cut_blobs", params["seed"], index)
            centre = np.array([blob["at"][0] * width, blob["at"][1] * height])
            radius = max(0.7, blob["size"] * min(height, width) / 2)
            drawing.polygon(hole, centre + radius * round_outline(rng, blob["rough"]))
        return [_filled(hole, params)]


class CutBorder(Mark):
    """The picture's rim, as outpainting lacks it: `depth` of the picture's side, on one of `sides` at
    least, on each other with even chance."""

    def __init__(
        self,
        depth: Amount = (0.08, 0.3),
        sides: Choice = SIDES,
        fill: Choice = ("white", "black", "grey"),
    ) -> None:
        self.depth = interval("depth", depth, 0.001, 0.9)
        self.sides = choices("sides", sides, SIDES)
        self.fill = choices("fill", fill, FILLS)

    def sample(self, rng: np.random.Generator) -> Params:
        always = draw_choice(rng, self.sides)
        cut = [side for side in self.sides if side == always or draws.uniform(rng, 0, 1) < 0.5]
        depths = {side: self.depth.draw(rng) for side in cut}
        return {"depths": depths, "fill": draw_choice(rng, self.fill), "seed": draw_seed(rng)}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        hole = drawing.sheet(height, width)
        for side, depth in params["depths"].items():
            rows, columns = max(1, round(depth * height)), max(1, round(depth * width))
            strip = {"left": hole[:, :columns], "right": hole[:, -columns:], "top": hole[:rows],
                     "bottom": hole[-rows:]}  # fmt: skip
            strip[side][...] = 255
        return [_filled(hole, params)]


def round_outline(rng: np.random.Generator, rough: float, points: int = 96) -> np.ndarray:
    """(points, 2) around the origin, radius 1 more or less: cosines of 1 to 8 waves with falling heights."""
    turns = np.arange(points) * (2 * math.pi / points)
    waves = np.arange(1, 9)
    heights, phases = rng.standard_normal(8) / waves, rng.uniform(0, 2 * math.pi, 8)
    bumps = np.cos(turns[:, None] * waves + phases) @ heights
    reach = np.exp(0.45 * rough * bumps)
    return np.stack([reach * np.cos(turns), reach * np.sin(turns)], 1)


def _filled(hole: np.ndarray, params: Params) -> Layer:
    """The hole in the colour that the parameters name; noise is even and in colour."""
    size = (hole.shape[0], hole.shape[1])
    if params["fill"] == "mean":
        return layer(size, hole, None)
    if params["fill"] == "noise":
        rng = draws.generator("cut_noise", params["seed"])
        return layer(size, hole, rng.integers(0, 256, (*size, 3), np.uint8))
    return layer(size, hole, [_FLAT[params["fill"]]] * 3)
