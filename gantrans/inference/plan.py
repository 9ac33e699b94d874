"""Which files `translate` reads and which it writes: names, formats and refusals, before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

from tqdm import tqdm

from gantrans.data import masks as mask_files
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import UnreadableImage, probe

FORMATS = ("keep", "png", "jpg", "webp", "tif")
_KEPT = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
_OPAQUE = {".jpg", ".jpeg", ".bmp"}
_TIFF = {".tif", ".tiff"}
_LOSSY = {".jpg", ".jpeg", ".webp"}
_SHALLOW_S = 2.0  # a bar is shown where looking at the headers takes longer

Planned = list[tuple[Path, Path]]


def plan(source: Path, out: Path, form: str = "keep", *, exact: bool = False) -> Planned:
    """(input, output) of every image at `source`; .png is chosen where alpha or 16 bits need it, and with
    `exact` where a format that is kept would lose pixels.

    Raises ConfigError where an output would overwrite an input, DataError where there is nothing to
    translate.
    """
    check_format(form)
    if exact and f".{form}" in _LOSSY:
        raise ConfigError(
            f"format={form}: changes what lies outside of the masks, which is to stay; use png or tif"
        )
    root, names = _listed(source)
    check_places(source, out)
    looked = tqdm(names, "looking", disable=None, unit="image", delay=_SHALLOW_S, leave=False)
    planned = [(root / name, _output_path(root / name, out / name, form, exact)) for name in looked]
    inputs = {os.path.realpath(path) for path, _ in planned}  # unlike Path.resolve, links to themselves too
    planned = _distinct(planned, out, root)
    clash = next((target for _, target in planned if os.path.realpath(target) in inputs), None)
    if clash:
        raise ConfigError(
            f"out={out}: {clash} is one of the inputs and would be overwritten; give another folder"
        )
    return planned


def check_format(form: str) -> None:
    """Raises ConfigError for a format that is not written."""
    if form not in FORMATS:
        raise ConfigError(f"format={form}: accepted are {', '.join(FORMATS)}")


def check_places(source: Path, out: Path) -> None:
    """Raises ConfigError where results would lie among the inputs."""
    root = source.parent if source.is_file() else source
    if out.exists() and not out.is_dir():
        raise ConfigError(f"out={out}: is a file; give a folder")
    if out.resolve() == root.resolve() or (source.is_dir() and root.resolve() in out.resolve().parents):
        raise ConfigError(
            f"out={out} lies in the source, whose files would be overwritten or taken for inputs; "
            "give another"
        )


def _listed(source: Path) -> tuple[Path, list[str]]:
    if not source.exists():
        raise DataError(f"source={source}: no such file or folder")
    names = [source.name] if source.is_file() else list_images(source)
    if not names:
        raise DataError(f"source={source}: no images found")
    return (source.parent if source.is_file() else source), names


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
        or (header.depth > 8 and suffix != ".png" and (header.has_alpha or suffix not in _TIFF))
        or (exact and form == "keep" and suffix in _LOSSY)
    ):
        suffix = ".png"
    return target if suffix == target.suffix.lower() else target.with_suffix(suffix)


def _distinct(planned: Planned, out: Path, root: Path) -> Planned:
    """Two inputs never share an output: who keeps its name has it, and another that would take it keeps its
    whole name in front (a.gif beside a.png -> a.gif.png)."""
    taken = {target for source, target in planned if target == out / source.relative_to(root)}
    distinct = []
    for source, target in planned:
        own, suffix = out / source.relative_to(root), target.suffix
        if target != own:
            if target in taken:
                target = own.with_name(own.name + suffix)
            number = 2
            while target in taken:
                target, number = own.with_name(f"{own.name}.{number}{suffix}"), number + 1
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
