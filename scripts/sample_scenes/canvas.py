"""A super-sampled canvas: shapes are drawn OVER times finer, in x01 float RGB, and reduced once at the end.

Coordinates and sizes are always in pixels of the finished picture, x to the right and y down.
A paint is one colour, an array of the fine grid's shape (H, W, 3), or a function of the coordinates (x, y).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from .texture import Colour, as_array, fractal

OVER = 3
WIDE, TALL = (216, 162), (162, 216)

Point = tuple[float, float]
Paint = Colour | np.ndarray | Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Cover:
    """How much of each fine pixel a shape covers, 0..1, and where its array lies on the fine grid."""

    alpha: np.ndarray
    left: int
    top: int


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


class Canvas:
    """A picture in the making: `pixels` (H, W, 3) x01 on the fine grid, `x` and `y` (H, W) where they lie."""

    def __init__(self, width: int, height: int, ground: Paint = (0.5, 0.5, 0.5)) -> None:
        self.width, self.height = width, height
        rows, columns = np.mgrid[0 : height * OVER, 0 : width * OVER].astype(np.float32)
        self.x, self.y = (columns + 0.5) / OVER, (rows + 0.5) / OVER
        self.pixels = np.zeros((*self.x.shape, 3), np.float32)
        self.wash(1.0, ground)

    def noise(self, rng: np.random.Generator, cell: float, octaves: int = 4, **how: float) -> np.ndarray:
        """Fractal noise 0..1 over the whole canvas, its coarsest lattice `cell` pixels wide."""
        return fractal(rng, self.x.shape, cell * OVER, octaves, **how)

    def look_up(self, field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A field's values at these coordinates, the edge's beyond it."""
        rows = np.clip((y * OVER).astype(int), 0, field.shape[0] - 1)
        columns = np.clip((x * OVER).astype(int), 0, field.shape[1] - 1)
        return field[rows, columns]

    def wash(self, alpha: np.ndarray | float, paint: Paint, opacity: float = 1.0) -> None:
        """Lay paint over everything, as far as `alpha` (H, W) lets it."""
        self.stamp(Cover(np.broadcast_to(np.float32(alpha), self.x.shape), 0, 0), paint, opacity)

    def stamp(self, cover: Cover, paint: Paint, opacity: float = 1.0) -> None:
        """Blend paint into the picture where the cover lies; what falls outside is cut off."""
        height, width = cover.alpha.shape
        top, left = max(cover.top, 0), max(cover.left, 0)
        bottom, right = (
            min(cover.top + height, self.x.shape[0]),
            min(cover.left + width, self.x.shape[1]),
        )
        if bottom <= top or right <= left:
            return
        here = np.s_[top:bottom, left:right]
        alpha = cover.alpha[top - cover.top : bottom - cover.top, left - cover.left : right - cover.left]
        if callable(paint):
            colour = paint(self.x[here], self.y[here])
        else:
            colour = paint[here] if isinstance(paint, np.ndarray) else as_array(paint)
        self.pixels[here] += (colour - self.pixels[here]) * (alpha * np.float32(opacity))[..., None]

    def polygon(
        self, points: Sequence[Point], paint: Paint, opacity: float = 1.0, soften: float = 0.0
    ) -> None:
        self.stamp(_cover(points, lambda pen, at: pen.polygon(at, fill=255), soften), paint, opacity)

    def line(
        self,
        points: Sequence[Point],
        width: float,
        paint: Paint,
        opacity: float = 1.0,
        soften: float = 0.0,
    ) -> None:
        thick = max(1, round(width * OVER))
        cover = _cover(
            points,
            lambda pen, at: pen.line(at, fill=255, width=thick, joint="curve"),
            soften,
            margin=width,
        )
        self.stamp(cover, paint, opacity)

    def box(
        self, left: float, top: float, right: float, bottom: float, paint: Paint, opacity: float = 1.0
    ) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], paint, opacity)

    def ellipse(
        self,
        centre: Point,
        radii: Point,
        paint: Paint,
        opacity: float = 1.0,
        soften: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        """An ellipse, `turn` radians clockwise."""
        self.polygon(outline_of(centre, radii, turn), paint, opacity, soften)

    def text(
        self,
        centre: Point,
        words: str,
        size: float,
        paint: Paint,
        opacity: float = 1.0,
        angle_deg: float = 0.0,
        bold: float = 0.0,
        fit: float | None = None,
        stretch: float = 1.0,
    ) -> float:
        """Write words about a centre, squeezed to at most `fit` pixels wide; gives the width they take."""
        font, stroke = _font(round(size * OVER)), bold * OVER
        left, top, right, bottom = font.getbbox(words, stroke_width=stroke)
        # Capitals rule the height, so that lines with and without descenders stand alike.
        cap_top, cap_bottom = font.getbbox("H")[1::2]
        reach = max(cap_bottom - top, bottom - cap_top, 1) + 4
        sheet = Image.new("L", (int(right - left) + 4, int(2 * reach)))
        middle = reach - (cap_top + cap_bottom) / 2
        ImageDraw.Draw(sheet).text((2 - left, middle), words, fill=255, font=font, stroke_width=stroke)
        width = sheet.width * stretch
        if fit is not None:
            width = min(width, fit * OVER)
        sheet = sheet.resize((max(1, round(width)), sheet.height), Image.Resampling.BICUBIC)
        sheet = sheet.rotate(angle_deg, Image.Resampling.BICUBIC, expand=True)
        alpha = np.asarray(sheet, np.float32) / 255
        corner = round(centre[0] * OVER - sheet.width / 2), round(centre[1] * OVER - sheet.height / 2)
        self.stamp(Cover(alpha, *corner), paint, opacity)
        return width / OVER

    def finish(
        self, rng: np.random.Generator, vignette: float = 0.22, grain_levels: float = 0.5
    ) -> Image.Image:
        """The finished 8-bit picture: darker corners, reduced to size, a trace of film grain."""
        across, down = self.x / self.width * 2 - 1, self.y / self.height * 2 - 1
        light = 1 - vignette * ((across**2 + down**2) / 2) ** 1.4
        fine = np.clip(self.pixels * light[..., None], 0, 1)
        picture = Image.fromarray(np.round(fine * 255).astype(np.uint8))
        picture = picture.resize((self.width, self.height), Image.Resampling.LANCZOS)
        grain = rng.normal(0, grain_levels, (self.height, self.width, 1))
        # Even levels only: the eye cannot tell, the grain hides the steps, and the PNG is a sixth smaller.
        return Image.fromarray(
            np.clip(2 * np.round((np.asarray(picture) + grain) / 2), 0, 254).astype(np.uint8)
        )


def outline_of(centre: Point, radii: Point, turn: float = 0.0, steps: int = 72) -> list[Point]:
    """The outline of an ellipse."""
    around = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    x, y = radii[0] * np.cos(around), radii[1] * np.sin(around)
    cos, sin = np.cos(turn), np.sin(turn)
    return [*zip(centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y, strict=True)]


def _cover(
    points: Sequence[Point],
    draw: Callable[[ImageDraw.ImageDraw, list[Point]], None],
    soften: float,
    margin: float = 0.0,
) -> Cover:
    """The cover of a shape, in the smallest array that holds it and its Gaussian edge of sigma `soften`."""
    fine = np.asarray(points, np.float64) * OVER
    pad = int((3 * soften + margin) * OVER) + 2
    left, top = np.floor(fine.min(axis=0)).astype(int) - pad
    right, bottom = np.ceil(fine.max(axis=0)).astype(int) + pad
    sheet = Image.new("L", (int(right - left), int(bottom - top)))
    draw(ImageDraw.Draw(sheet), [(float(x - left), float(y - top)) for x, y in fine])
    if soften:
        sheet = sheet.filter(ImageFilter.GaussianBlur(soften * OVER))
    return Cover(np.asarray(sheet, np.float32) / 255, int(left), int(top))
