"""Translates a file or a folder: every file, same size out, names, alpha and bit depth kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from gantrans.errors import ConfigError, DataError
from gantrans.imaging import filters, ranges
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import UnreadableImage, probe, read
from gantrans.imaging.write import storage_error, write
from gantrans.inference.predictor import Predictor

FORMATS = ("keep", "png", "jpg", "webp", "tif")
_KEPT = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
_OPAQUE = {".jpg", ".jpeg", ".bmp"}


@dataclass
class TranslateSummary:
    """What became of the files: found = written + kept + failed."""

    found: int = 0
    written: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)


def plan(source: Path, out: Path, form: str = "keep") -> list[tuple[Path, Path]]:
    """(input, output) of every image at `source`; .png is chosen where alpha or 16 bits need it.

    Raises ConfigError where an output would overwrite an input, DataError where there is nothing to
    translate.
    """
    if form not in FORMATS:
        raise ConfigError(f"format={form}: accepted are {', '.join(FORMATS)}")
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
    planned = [(root / name, _output_path(root / name, out / name, form)) for name in names]
    inputs = {path.resolve() for path, _ in planned}
    clash = next((target for _, target in planned if target.resolve() in inputs), None)
    if clash:
        raise ConfigError(
            f"out={out}: {clash} is one of the inputs and would be overwritten; give another folder"
        )
    return _distinct(planned)


def _output_path(source: Path, target: Path, form: str) -> Path:
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


def translate(predictor: Predictor, planned: list[tuple[Path, Path]], *, overwrite: bool) -> TranslateSummary:
    """Translate every (input, output) of `plan`. A bad file costs only itself; existing outputs are kept
    unless `overwrite`. Raises DataError if no file at all could be used."""
    summary = TranslateSummary()
    for path, target in tqdm(planned, "translating", disable=None, unit="image"):
        summary.found += 1
        if not overwrite and target.exists():
            summary.kept += 1
            continue
        try:
            translate_file(predictor, path, target)
            summary.written += 1
        except (UnreadableImage, ValueError) as error:  # ValueError: what the output's format cannot hold
            summary.failed.append(str(error))
    if summary.failed and len(summary.failed) == summary.found:
        raise DataError(f"none of {summary.found} files could be used, first: {summary.failed[0]}")
    return summary


def translate_file(predictor: Predictor, path: Path, target: Path) -> None:
    """Translate one file, with its alpha channel carried over."""
    picture = read(path)
    output = predictor(picture.pixels)
    alpha = picture.alpha
    if alpha is not None and alpha.shape != output.shape[:2]:
        height, width = output.shape[:2]
        enlarged = filters.resize(ranges.to_x01(alpha[..., None]), height, width, "bicubic")
        alpha = ranges.from_x01(enlarged, alpha.dtype)[..., 0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target.parent, error) from error
    write(target, output, alpha)
