"""Translates a file or a folder: every file, same size out, names, alpha and bit depth kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gantrans.data import masks as mask_files
from gantrans.data.pixels import LABELS
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import filters, ranges
from gantrans.imaging.labels import palette, read_labels, write_labels
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import Picture, UnreadableImage, probe, read
from gantrans.imaging.write import storage_error, write
from gantrans.inference.predictor import Predictor

FORMATS = ("keep", "png", "jpg", "webp", "tif")
_KEPT = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
_OPAQUE = {".jpg", ".jpeg", ".bmp"}
_LOSSY = {".jpg", ".jpeg", ".webp"}


@dataclass
class TranslateSummary:
    """What became of the files: found = written + kept + failed."""

    found: int = 0
    written: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)


def plan(source: Path, out: Path, form: str = "keep", *, exact: bool = False) -> list[tuple[Path, Path]]:
    """(input, output) of every image at `source`; .png is chosen where alpha or 16 bits need it, and with
    `exact` where a format that is kept would lose pixels.

    Raises ConfigError where an output would overwrite an input, DataError where there is nothing to
    translate.
    """
    if form not in FORMATS:
        raise ConfigError(f"format={form}: accepted are {', '.join(FORMATS)}")
    if exact and f".{form}" in _LOSSY:
        raise ConfigError(
            f"format={form}: changes what lies outside of the masks, which is to stay; use png or tif"
        )
    if not source.exists():
        raise DataError(f"source={source}: no such file or folder")
    names = [source.name] if source.is_file() else list_images(source)
    root = source.parent if source.is_file() else source
    if not names:
        raise DataError(f"source={source}: no images found")
    if out.exists() and not out.is_dir():
        raise ConfigError(f"out={out}: is a file; give a folder")
    if out.resolve() == root.resolve() or (source.is_dir() and root.resolve() in out.resolve().parents):
        raise ConfigError(
            f"out={out} lies in the source, whose files would be overwritten or taken for inputs; "
            "give another"
        )
    planned = [(root / name, _output_path(root / name, out / name, form, exact)) for name in names]
    inputs = {path.resolve() for path, _ in planned}
    clash = next((target for _, target in planned if target.resolve() in inputs), None)
    if clash:
        raise ConfigError(
            f"out={out}: {clash} is one of the inputs and would be overwritten; give another folder"
        )
    return _distinct(planned)


def _output_path(source: Path, target: Path, form: str, exact: bool) -> Path:
    """The suffix as asked for, unless that format cannot hold what the file holds."""
    suffix = target.suffix.lower() if form == "keep" else "." + form
    try:
        header = probe(source)
    except UnreadableImage:
        return target  # named when it is its turn
    if (
        suffix not in _KEPT
        or (header.has_alpha and suffix in _OPAQUE)
        or (header.depth > 8 and suffix != ".png")
        or (exact and form == "keep" and suffix in _LOSSY)
    ):
        suffix = ".png"
    return target if suffix == target.suffix.lower() else target.with_suffix(suffix)


def _distinct(planned: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """Two inputs never share an output: the later keeps its whole name (a.gif beside a.png -> a.gif.png)."""
    taken: set[Path] = set()
    distinct = []
    for source, target in planned:
        if target in taken:
            target = target.with_name(source.name + target.suffix)
        taken.add(target)
        distinct.append((source, target))
    return distinct


def masks_of(source: Path, masks: Path) -> dict[str, Path]:
    """The masks at `masks` by relative path and stem, or that of the one file `source`.

    Raises DataError where there is none, ConfigError where they would be taken for inputs.
    """
    if not masks.exists():
        raise DataError(f"masks={masks}: no such file or folder")
    if source.is_file() and masks.is_file():
        return {source.stem: masks}
    if masks.is_file():
        raise ConfigError(f"masks={masks}: is a file, but source={source} a folder; give a folder of masks")
    if source.is_dir() and source.resolve() in (masks.resolve(), *masks.resolve().parents):
        raise ConfigError(f"masks={masks}: lies in the source, whose files are translated; keep them apart")
    found = mask_files.by_stem(masks)
    if not found:
        raise DataError(f"masks={masks}: no images found")
    return found


def translate(
    predictor: Predictor,
    planned: list[tuple[Path, Path]],
    *,
    overwrite: bool,
    masks: dict[Path, Path] | None = None,
) -> TranslateSummary:
    """Translate every (input, output) of `plan`. A bad file costs only itself, as does one without its mask
    (input -> mask) where `masks` are given; existing outputs are kept unless `overwrite`. Raises DataError if
    no file at all could be used."""
    summary = TranslateSummary()
    for path, target in tqdm(planned, "translating", disable=None, unit="image"):
        summary.found += 1
        if not overwrite and target.exists():
            summary.kept += 1
            continue
        try:
            if masks is not None and path not in masks:
                raise DataError(f"{path}: no mask of that name and stem in masks=")
            translate_file(predictor, path, target, masks[path] if masks else None)
            summary.written += 1
        except (DataError, ValueError) as error:  # ValueError: what the output's format cannot hold
            summary.failed.append(str(error))
    if summary.failed and len(summary.failed) == summary.found:
        raise DataError(f"none of {summary.found} files could be used, first: {summary.failed[0]}")
    return summary


def translate_file(predictor: Predictor, path: Path, target: Path, mask: Path | None = None) -> None:
    """Translate one file, with its alpha channel carried over. Raises DataError where its mask is misfit."""
    told = predictor.card.source_mode == LABELS
    picture = Picture(read_labels(path)) if told else read(path)
    known = None if mask is None else _fitting(mask, path, picture.pixels)
    try:
        output = predictor(picture.pixels, known)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    alpha = picture.alpha
    if alpha is not None and alpha.shape != output.shape[:2]:
        height, width = output.shape[:2]
        enlarged = filters.resize(ranges.to_x01(alpha[..., None]), height, width, "bicubic")
        alpha = ranges.from_x01(enlarged, alpha.dtype)[..., 0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target.parent, error) from error
    if predictor.card.target_mode == LABELS:
        write_labels(target, output, palette(predictor.card.classes))
    else:
        write(target, output, alpha)


def _fitting(mask: Path, path: Path, pixels: np.ndarray) -> np.ndarray:
    found = mask_files.read_mask(mask)
    if found.shape[:2] != pixels.shape[:2]:
        raise DataError(
            f"{mask} is {found.shape[1]}x{found.shape[0]} but {path} is {pixels.shape[1]}x{pixels.shape[0]}: "
            "a mask has the size of its image; make it anew"
        )
    return found
