"""Joint augmentation: one draw of geometry moves source and target alike; jitter touches one side only.

A draw is made first (`draw`), then applied to each picture (`Geometry.apply`), so both sides cannot part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from gantrans import draws
from gantrans.data import masks
from gantrans.errors import ConfigError

CELLS = 4  # warp: the crop is a mesh of CELLS x CELLS quadrilaterals
_MESH_DRAWS = 2 + 2 * (CELLS + 1) ** 2  # angle, zoom, a shift of each corner


@dataclass(frozen=True)
class Geometry:
    """Where each corner of the crop's mesh comes from.

    `mesh` (CELLS+1, CELLS+1, 2) holds x, y in pixels of the input; None where slicing is exact.
    `box` is left, top, width, height of the crop in pixels of the input; `turns` counts quarter turns.
    """

    box: tuple[int, int, int, int]
    flip: bool = False
    turns: int = 0
    mesh: np.ndarray | None = field(default=None, compare=False)

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Cut, flip, turn or warp one picture (H, W, C) of uint8 or uint16; where slicing is exact, a view of
        it."""
        left, top, width, height = self.box
        if self.mesh is None:
            out = pixels[top : top + height, left : left + width]
        else:
            out = _warp(pixels, self.mesh, width, height)
        return self._turned(out)

    def apply_mask(self, mask: np.ndarray) -> np.ndarray:
        """The same done to a mask, (H, W, 1) uint8: above 0 wherever `apply` mixes covered pixels in."""
        if self.mesh is None:
            return self.apply(mask)
        return self._turned(_warp_mask(mask, self.mesh, *self.box[2:]))

    def apply_labels(self, labels: np.ndarray) -> np.ndarray:
        """The same done to a label map, (H, W, 1) uint8: each pixel's class is that of the nearest."""
        if self.mesh is None:
            return self.apply(labels)
        return self._turned(_warp_labels(labels, self.mesh, *self.box[2:]))

    def magnified(self, factor: int) -> Geometry:
        """The same place in a picture that is `factor` times as large. Raises ValueError for meshes."""
        return self._at(tuple(side * factor for side in self.box)) if factor > 1 else self

    def reduced(self, factor: int) -> Geometry:
        """The inverse of `magnified`."""
        return self._at(tuple(side // factor for side in self.box)) if factor > 1 else self

    def _at(self, box: tuple[int, ...]) -> Geometry:
        if self.mesh is not None:
            raise ValueError("bent, turned or zoomed pictures have no such place")
        return replace(self, box=box)

    def _turned(self, out: np.ndarray) -> np.ndarray:
        if self.flip:
            out = out[:, ::-1]
        return np.rot90(out, self.turns) if self.turns else out


@dataclass(frozen=True)
class Augment:
    """The augmentation of a run. Angles in degrees, warp as a share of the crop, jitter as a share of
    contrast.

    crop: side of the square that is cut, in pixels (None: the whole picture). resize: shorter side brought to
    this many pixels first. scale: [low, high] zoom. warp: largest displacement. jitter_*: brightness,
    contrast and saturation of one side, up to +- this share.
    """

    crop: int | None = None
    resize: int | None = None
    flip: bool = True
    quarter_turns: bool = False
    rotate_deg: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    warp: float = 0.0
    jitter_source: float = 0.0
    jitter_target: float = 0.0

    def __post_init__(self) -> None:
        checks = {
            "crop": self.crop is None or self.crop >= 1,
            "resize": self.resize is None or self.resize >= 1,
            "rotate_deg": 0 <= self.rotate_deg <= 180,
            "scale": len(self.scale) == 2 and 0.1 <= self.scale[0] <= self.scale[1] <= 10,
            "warp": 0 <= self.warp <= 0.25,
            "jitter_source": 0 <= self.jitter_source < 1,
            "jitter_target": 0 <= self.jitter_target < 1,
        }
        for name, fits in checks.items():
            if not fits:
                raise ConfigError(
                    f"augment.{name}={getattr(self, name)} is out of range: crop and resize >= 1, rotate_deg "
                    "0..180, scale [low, high] within 0.1..10, warp 0..0.25, jitter 0..1"
                )

        if self.resize and self.crop and self.resize < self.crop:
            raise ConfigError(
                f"augment.resize={self.resize} is smaller than augment.crop={self.crop}; make it as large"
            )

    def draw(self, rng: np.random.Generator, height: int, width: int) -> Geometry:
        """One geometry for a picture of height x width pixels, to be applied to source and target alike."""
        crop_h, crop_w = (self.crop, self.crop) if self.crop else (height, width)
        left, top = draws.integer(rng, 0, width - crop_w), draws.integer(rng, 0, height - crop_h)
        flip = self.flip and rng.random() < 0.5
        turns = draws.integer(rng, 0, 3) if self.quarter_turns else 0
        box = (left, top, crop_w, crop_h)
        if self.rotate_deg == 0 and self.scale == (1.0, 1.0) and self.warp == 0:
            rng.random(_MESH_DRAWS)  # jitter's draws come after those of the mesh, needed or not
            return Geometry(box, flip, turns)
        angle = math.radians(draws.uniform(rng, -self.rotate_deg, self.rotate_deg))
        zoom = draws.log_uniform(rng, *self.scale)
        shifts = rng.random((CELLS + 1, CELLS + 1, 2)) * 2 - 1
        return Geometry(box, flip, turns, _mesh(box, angle, zoom, shifts * self.warp))

    def jitter(self, rng: np.random.Generator, pixels: np.ndarray, strength: float) -> np.ndarray:
        """Brightness, contrast and saturation each scaled by 1 +- strength; dtype kept."""
        if strength == 0:
            return pixels
        top = np.iinfo(pixels.dtype).max
        bright, contrast, saturation = (draws.uniform(rng, 1 - strength, 1 + strength) for _ in range(3))
        x01 = pixels.astype(np.float32, order="C") / top * bright  # means depend on the order of memory
        x01 = x01.mean() + (x01 - x01.mean()) * contrast
        grey = x01.mean(axis=2, keepdims=True)
        x01 = grey + (x01 - grey) * saturation
        return (np.clip(x01, 0, 1) * top + 0.5).astype(pixels.dtype)


def _mesh(box: tuple[int, int, int, int], angle: float, zoom: float, shifts: np.ndarray) -> np.ndarray:
    left, top, width, height = box
    grid = np.linspace(0, 1, CELLS + 1)
    x = (grid[None, :, None] + shifts[..., :1] - 0.5) * width / zoom
    y = (grid[:, None, None] + shifts[..., 1:] - 0.5) * height / zoom
    cos, sin = math.cos(angle), math.sin(angle)
    turned = np.concatenate([cos * x - sin * y, sin * x + cos * y], axis=2)
    return turned + np.array([left + width / 2, top + height / 2])


def _warp(pixels: np.ndarray, mesh: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resample the mesh to height x width, bicubic; outside the picture its mirror image is seen."""
    padded, cells = _cells(pixels, mesh, width, height)
    method = Image.Transform.MESH
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        image = Image.fromarray(padded).transform((width, height), method, cells, Image.Resampling.BICUBIC)
        return np.asarray(image)
    top = np.iinfo(pixels.dtype).max
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(padded[..., c], np.float32)).transform(
                (width, height), method, cells, Image.Resampling.BICUBIC
            )
        )
        for c in range(pixels.shape[2])
    ]
    return (np.clip(np.stack(planes, axis=2), 0, top) + 0.5).astype(pixels.dtype)


def _warp_labels(labels: np.ndarray, mesh: np.ndarray, width: int, height: int) -> np.ndarray:
    padded, cells = _cells(labels, mesh, width, height)
    image = Image.fromarray(padded[..., 0])
    return np.asarray(image.transform((width, height), Image.Transform.MESH, cells))[..., None]


def _warp_mask(mask: np.ndarray, mesh: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic mixes 4 x 4 pixels: the 2 x 2 of a bilinear filter, and their neighbours."""
    padded, cells = _cells(mask, mesh, width, height)
    plane = padded[..., 0]
    share, touched = (
        np.asarray(
            Image.fromarray(values.astype(np.float32)).transform(
                (width, height), Image.Transform.MESH, cells, Image.Resampling.BILINEAR
            )
        )
        for values in (plane, masks.grown(plane > 0))
    )
    return masks.floored(share, touched > 0)[..., None]


def _cells(
    pixels: np.ndarray, mesh: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, list[tuple[tuple[int, int, int, int], tuple[float, ...]]]]:
    """The picture with as much of its mirror image as the mesh reaches, and where each cell comes from."""
    low = np.floor(mesh.min(axis=(0, 1))).astype(int) - 3
    high = np.ceil(mesh.max(axis=(0, 1))).astype(int) + 3
    size = np.array([pixels.shape[1], pixels.shape[0]])
    before, after = np.maximum(-low, 0), np.maximum(high - size, 0)
    padded = np.pad(pixels, ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="symmetric")
    xs = np.linspace(0, width, CELLS + 1).round().astype(int)
    ys = np.linspace(0, height, CELLS + 1).round().astype(int)
    moved = mesh + before
    cells = []
    for i in range(CELLS):
        for j in range(CELLS):
            corners = (moved[i, j], moved[i + 1, j], moved[i + 1, j + 1], moved[i, j + 1])  # NW, SW, SE, NE
            quad = tuple(float(v) for corner in corners for v in corner)
            cells.append(((int(xs[j]), int(ys[i]), int(xs[j + 1]), int(ys[i + 1])), quad))
    return padded, cells
