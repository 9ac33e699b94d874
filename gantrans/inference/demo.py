"""What stands behind the demo page: one picture in, the result as a file and both as previews."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from gantrans.bundles.bundle import JSON, WAYS, Card, bundle_folder, find_bundle, load_bundle
from gantrans.core.device import Core
from gantrans.data.pixels import LABELS
from gantrans.errors import CheckpointError, ConfigError, DataError
from gantrans.imaging import colour, ranges, sheet
from gantrans.imaging.labels import coloured, palette
from gantrans.imaging.read import probe
from gantrans.inference.files import Given, Policy, read_given, write_made
from gantrans.inference.predictor import Predictor
from gantrans.methods.style_fast import UNCUT, style_picture

PREVIEW = 1280  # pixels on the long side of what the page shows


@dataclass(frozen=True)
class Shown:
    """One result. before, after: previews (H, W, 3) uint8 of one size; file: the result itself; about: sizes
    and what should be known, in words."""

    before: np.ndarray
    after: np.ndarray
    file: Path
    about: str


class Demo:
    """The generators of a bundle, ready for pictures whose long side is at most `longest` pixels. Results are
    written below `out`. Raises CheckpointError."""

    def __init__(self, model: Path, core: Core, out: Path, *, longest: int) -> None:
        self.longest, self.out = longest, out
        self._lock, self._count = Lock(), 0  # a style is set in the network itself, so one call at a time
        self.predictors = {way: Predictor(*load_bundle(model, way), core) for way in _ways(model)}

    @property
    def ways(self) -> tuple[str, ...]:
        return tuple(self.predictors)

    @property
    def card(self) -> Card:
        """Of the first way; in masks and style the ways of a bundle are alike."""
        return next(iter(self.predictors.values())).card

    @property
    def takes_style(self) -> bool:
        return callable(getattr(next(iter(self.predictors.values())).network, "set_style", None))

    @property
    def takes_mask(self) -> bool:
        return self.card.mask == "input"

    def translate(
        self,
        source: Path,
        way: str = WAYS[0],
        *,
        style: Path | None = None,
        mask: Path | np.ndarray | None = None,
    ) -> Shown:
        """Translate one picture file. mask: a file, or what was painted on a preview, (H, W) uint8 of any
        size, above 0 where it is covered. Raises DataError and ConfigError with the reason."""
        with self._lock:
            predictor = self.predictors[way]
            if self.takes_style:
                self._set_style(predictor, style)
            given = self._read(source, predictor.card, mask)
            try:
                made = predictor(given.pixels, given.mask)
            except ValueError as error:
                raise DataError(f"{source}: {error}") from error
            return self._shown(source, given, made, predictor.card)

    def preview(self, source: Path) -> np.ndarray:
        """A picture as the page shows it, to be painted on: (H, W, 3) uint8."""
        self._check_size(source)
        return _small(_seen(read_given(source, self.card, Policy()).pixels, self.card.source_mode, self.card))

    def finish(self, seconds: float) -> None:
        """Wait so long for a picture that is under way, and take no other: torch's threads end badly with a
        process that leaves in the midst of their work."""
        self._lock.acquire(timeout=seconds)

    def _set_style(self, predictor: Predictor, style: Path | None) -> None:
        if style is None:
            raise ConfigError("this model takes any style: choose a style picture too")
        self._check_size(style)
        grey = predictor.card.source_mode == "grey"
        tensor = style_picture(style, UNCUT, grey=grey).to(predictor.core.device)
        predictor.network.set_style(tensor)  # type: ignore[operator]

    def _check_size(self, path: Path) -> None:
        header = probe(path)
        if max(header.width, header.height) > self.longest:
            raise DataError(
                f"{path}: is {header.width}x{header.height}; this page takes up to {self.longest} pixels on "
                "the long side: make it smaller, or use gantrans translate, which takes any size"
            )

    def _read(self, source: Path, card: Card, mask: Path | np.ndarray | None) -> Given:
        self._check_size(source)
        if not self.takes_mask:
            return read_given(source, card, Policy())
        if mask is None or (isinstance(mask, np.ndarray) and not mask.any()):
            raise ConfigError("this model mends what is covered: paint over that, or choose a mask file")
        if isinstance(mask, Path):
            return read_given(source, card, Policy(), mask)
        given = read_given(source, card, Policy())
        height, width = given.pixels.shape[:2]
        rows, cols = (np.arange(n) * m // n for n, m in zip((height, width), mask.shape, strict=True))
        given.mask = mask[rows][:, cols, None]
        return given

    def _shown(self, source: Path, given: Given, made: np.ndarray, card: Card) -> Shown:
        self._count += 1
        file = self.out / f"{self._count:04d}" / f"{source.stem}-result.png"
        write_made(file, given, made, card, Policy())
        after = _small(_seen(made, card.target_mode, card, given.alpha))
        before = _fitted(_seen(given.pixels, card.source_mode, card, given.alpha), *after.shape[:2])
        (height, width), (tall, wide) = given.pixels.shape[:2], made.shape[:2]
        about = f"{width}x{height} -> {wide}x{tall}, {8 * made.dtype.itemsize} bits, PNG"
        return Shown(before, after, file, "; ".join([about, *given.notes]))


def _ways(model: Path) -> list[str]:
    """The ways that the bundle at `model` has. Raises CheckpointError where there is none."""
    found = [w for f in (model, model / "bundle") for w in WAYS if (bundle_folder(f, w) / JSON).is_file()]
    if not found:
        find_bundle(model)  # says what is there instead
        raise CheckpointError(f"model={model}: holds no bundle")
    return list(dict.fromkeys(found))


def _seen(pixels: np.ndarray, mode: str, card: Card, alpha: np.ndarray | None = None) -> np.ndarray:
    """Pixels as a person sees them, (H, W, 3) uint8: classes in colours, transparent white."""
    if mode == LABELS:
        return coloured(pixels, palette(card.classes))
    if alpha is not None and alpha.shape == pixels.shape[:2]:
        pixels = colour.over_white(pixels, alpha)
    shown = ranges.from_x01(ranges.to_x01(pixels), np.uint8) if pixels.dtype != np.uint8 else pixels
    return sheet.to_u8_rgb(shown)


def _small(u8: np.ndarray) -> np.ndarray:
    height, width = u8.shape[:2]
    share = min(1.0, PREVIEW / max(height, width))
    return _fitted(u8, max(1, round(height * share)), max(1, round(width * share)))


def _fitted(u8: np.ndarray, height: int, width: int) -> np.ndarray:
    if u8.shape[:2] == (height, width):
        return u8
    image = Image.fromarray(np.ascontiguousarray(u8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
