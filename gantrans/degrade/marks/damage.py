"""What happens to prints: scratches and folds."""

from __future__ import annotations

import math

import numpy as np

from gantrans import draws
from gantrans.degrade.base import Amount, Choice, Params, choices, draw_choice, draw_seed, interval
from gantrans.degrade.marks import drawing
from gantrans.degrade.marks.canvas import Layer, Mark, layer
from gantrans.degrade.marks.dust import BARE, DIRT, TONES, flake
from gantrans.imaging.opencv import cv


class Scratches(Mark):
    """`count` thin, long, slightly bent and broken lines, most of them in about one direction.

    `width` is relative to the shorter side; `tones`: light where the emulsion is gone or a negative was
    scratched, dark where dirt sits in the groove.
    """

    def __init__(
        self,
        count: Amount = (3, 20),
        width: Amount = (0.0006, 0.0025),
        opacity: Amount = (0.5, 0.95),
        tones: Choice = ("light", "light", "mixed"),
    ) -> None:
        self.count = interval("count", count, 1, 1000, whole=True)
        self.width = interval("width", width, 0.0001, 0.05)
        self.opacity = interval("opacity", opacity, 0, 1)
        self.tones = choices("tones", tones, TONES)

    def sample(self, rng: np.random.Generator) -> Params:
        return {
            "count": self.count.draw_whole(rng),
            "width": self.width.draw(rng),
            "opacity": self.opacity.draw(rng),
            "tone": draw_choice(rng, self.tones),
            "angle_deg": draw_choice_of_angle(rng),
            "seed": draw_seed(rng),
        }

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        rng = draws.generator("scratches", params["seed"])
        light, dark = drawing.sheet(height, width), drawing.sheet(height, width)
        for _ in range(params["count"]):
            is_dark = params["tone"] == "dark" or (params["tone"] == "mixed" and rng.random() < 0.4)
            _scratch(rng, dark if is_dark else light, params)
        size, opacity = (height, width), params["opacity"]
        return [layer(size, dark, DIRT, opacity=opacity), layer(size, light, BARE, opacity=opacity)]


def draw_choice_of_angle(rng: np.random.Generator) -> float:
    """Upright mostly, as film runs through a projector and prints slide in and out of a box; else any way."""
    if draws.uniform(rng, 0, 1) < 0.6:
        return 90 + draws.uniform(rng, -8, 8)
    return draws.uniform(rng, 0, 180)


def _scratch(rng: np.random.Generator, canvas: np.ndarray, params: Params) -> None:
    height, width = canvas.shape
    short, diagonal = min(height, width), math.hypot(height, width)
    stray = 0.08 if rng.random() < 0.75 else 1.0
    angle = math.radians(params["angle_deg"]) + rng.normal(0, stray) + math.pi * (rng.random() < 0.5)
    length = diagonal * math.exp(rng.uniform(math.log(0.03), math.log(0.9)))
    centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    count = 48
    bends = rng.normal(0, 0.12) * np.linspace(-1, 1, count) + 0.05 * (
        drawing.noise_along(rng, count, 6, 3) - 0.5
    )
    start = centre - 0.5 * length * np.array([math.cos(angle), math.sin(angle)])
    points = drawing.wandering((start[0], start[1]), angle, length, bends)
    strength = drawing.noise_along(rng, count, 9, 3)
    faint = rng.uniform(0.15, 0.5)  # where the pressure stayed below this, there is no scratch
    weight = rng.uniform(0.5, 1.0)
    width_px = max(0.35, params["width"] * short * math.exp(rng.normal(0, 0.35)))
    for run in drawing.runs(strength > faint, 1):
        for piece in range(run.start, run.stop, 3):
            stop = min(piece + 3, run.stop)
            pressed = weight * min(1.0, 0.35 + 1.6 * float(strength[piece:stop].mean() - faint))
            drawing.line(canvas, points[piece : stop + 1], width_px, 255 * pressed)


class Folds(Mark):
    """`count` creases: the paper shades to both sides, and along the ridge the emulsion has cracked off.

    `width` of the shading is relative to the shorter side. A crease goes straight across, along or near the
    middle, or cuts off a corner.
    """

    def __init__(
        self,
        count: Amount = (1, 2),
        width: Amount = (0.02, 0.05),
        opacity: Amount = (0.6, 1.0),
    ) -> None:
        self.count = interval("count", count, 1, 50, whole=True)
        self.width = interval("width", width, 0.002, 0.5)
        self.opacity = interval("opacity", opacity, 0, 1)

    def sample(self, rng: np.random.Generator) -> Params:
        creases = [self._crease(rng) for _ in range(self.count.draw_whole(rng))]
        return {"creases": creases, "opacity": self.opacity.draw(rng), "seed": draw_seed(rng)}

    def _crease(self, rng: np.random.Generator) -> Params:
        kind = draw_choice(rng, ("across", "along", "corner"))
        through = [draws.uniform(rng, 0.25, 0.75), draws.uniform(rng, 0.25, 0.75)]
        angle = draws.uniform(rng, -4, 4) + (90 if kind == "along" else 0)
        if kind == "corner":
            right, down = draws.integer(rng, 0, 1), draws.integer(rng, 0, 1)
            inset = draws.uniform(rng, 0.08, 0.2)
            through = [abs(right - inset), abs(down - inset)]
            angle = draws.uniform(rng, 30, 60) * (1 if right != down else -1)
        return {"through": through, "angle_deg": angle, "width": self.width.draw(rng)}

    def layers(self, height: int, width: int, params: Params) -> list[Layer]:
        found: list[Layer] = []
        for index, crease in enumerate(params["creases"]):
            rng = draws.generator("folds", params["seed"], index)
            found += _shading(rng, height, width, crease, params["opacity"])
            found += _ridge(rng, height, width, crease, params["opacity"])
        return found


def _line_of(height: int, width: int, crease: Params) -> tuple[np.ndarray, np.ndarray]:
    """A point on the crease and its direction, y down."""
    x, y = crease["through"]
    angle = math.radians(crease["angle_deg"])
    return np.array([x * width, y * height]), np.array([math.cos(angle), math.sin(angle)])


def _ends(height: int, width: int, point: np.ndarray, along: np.ndarray) -> tuple[float, float]:
    """How far the line runs within the picture, before and behind `point`."""
    low, high = -math.inf, math.inf
    for position, step, side in zip(point, along, (width, height), strict=True):
        if abs(step) > 1e-9:
            a, b = sorted((-position / step, (side - position) / step))
            low, high = max(low, a), min(high, b)
    return low, high


def _shading(
    rng: np.random.Generator, height: int, width: int, crease: Params, opacity: float
) -> list[Layer]:
    """Dark on one side of the ridge, bright on the other, both fading with the distance."""
    point, along = _line_of(height, width, crease)
    reach = max(2.0, crease["width"] * min(height, width))
    low, high = _ends(height, width, point, along)
    ends = np.stack([point + low * along, point + high * along])
    left, top = np.maximum(np.floor(ends.min(axis=0) - reach), 0).astype(int)
    right, bottom = np.minimum(np.ceil(ends.max(axis=0) + reach), (width, height)).astype(int)
    x = (np.arange(left, right, dtype=np.float32) + 0.5 - point[0]) * np.float32(-along[1] * 127 / reach)
    y = (np.arange(top, bottom, dtype=np.float32) + 0.5 - point[1]) * np.float32(along[0] * 127 / reach)
    cv2 = cv()
    distance = cv2.convertScaleAbs(np.maximum(y[:, None] + x[None, :], -128), alpha=1, beta=128)
    uneven = drawing.u8(0.55 + 0.45 * drawing.smooth_noise(rng, distance.shape[0], distance.shape[1], 8))
    steps = (np.arange(256) - 128) / 127
    fade = np.clip(np.exp(-4 * np.abs(steps)) - math.exp(-4), 0, 1)
    side = 1 if rng.random() < 0.5 else -1
    place = {"top": int(top), "left": int(left), "opacity": opacity}
    found = []
    for ink, strength, where in (([0.25, 0.2, 0.16], 0.85, side), ([1.0, 1.0, 0.98], 0.5, -side)):
        profile = drawing.u8(strength * fade * (steps * where > 0))
        alpha = cv2.multiply(cv2.LUT(distance, profile), uneven, scale=1 / 255)
        found.append(layer((height, width), alpha, ink, dye=where == side, **place))
    return found


def _ridge(rng: np.random.Generator, height: int, width: int, crease: Params, opacity: float) -> list[Layer]:
    """The cracked line itself, of uneven width and broken, with flakes beside it and a shadow below it."""
    point, along = _line_of(height, width, crease)
    low, high = _ends(height, width, point, along)
    short, count = min(height, width), 320
    offset = (drawing.noise_along(rng, count, 16, 4) - 0.5) * 0.012 * short
    across = np.array([-along[1], along[0]])
    points = point + np.linspace(low, high, count)[:, None] * along + offset[:, None] * across
    rough = drawing.noise_along(rng, count, 24, 3)
    widths = np.maximum(0.0, (rough - 0.42) * 2.6) * max(0.0045 * short, 0.9)
    bare, shadow = drawing.sheet(height, width), drawing.sheet(height, width)
    drawing.line(shadow, points + across * max(0.8, 0.0012 * short), max(0.6, 0.0012 * short), 80)
    drawing.line(bare, points, max(0.5, 0.001 * short), 120)
    for run in drawing.runs(widths > 0):
        drawing.ribbon(bare, points[run], widths[run])
    for _ in range(int(rng.integers(8, 40))):
        spot = points[rng.integers(count)] + across * rng.normal(0, 0.006 * short)
        flake(rng, bare, spot, short * math.exp(rng.uniform(math.log(0.0008), math.log(0.005))))
    size = (height, width)
    return [layer(size, shadow, DIRT, opacity=opacity), layer(size, bare, BARE, opacity=opacity)]
