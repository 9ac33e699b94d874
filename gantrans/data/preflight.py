"""Looks at the header of every image before a run starts, so that bad data is named at second zero."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from gantrans.data.layouts import Item
from gantrans.errors import DataError
from gantrans.imaging.read import Header, UnreadableImage, probe

Headers = dict[Path, Header]


def check_headers(
    items: list[Item], headers: Headers, *, crop: int | None, resize: int | None, halves: bool
) -> int:
    """How many times larger than their sources the targets are.

    Raises DataError naming files that do not fit together, or are smaller than the crop.
    """
    scale = _common_scale(items, headers)
    if halves:
        _check_halves(items, headers)
    if crop and not resize:
        _check_crop(items, headers, crop, halves)
    return scale


def check_images(items: list[Item], headers: Headers, *, crop: int | None, resize: int | None) -> None:
    """The same for images without partners: each must be as large as the crop."""
    if crop and not resize:
        _check_crop(items, headers, crop, halves=False)


def read_headers(items: list[Item]) -> Headers:
    """The header of each file. Raises DataError naming those that cannot be read."""
    files = sorted({path for item in items for path in (item.source, item.target)})
    found = {path: _probe(path) for path in tqdm(files, "reading headers", disable=None, delay=2)}
    broken = [header for header in found.values() if isinstance(header, UnreadableImage)]
    if broken:
        raise DataError(
            f"{len(broken)} of {len(files)} images cannot be read, first: "
            + "; ".join(str(b) for b in broken[:3])
            + ". Mend or remove them"
        )
    return {path: header for path, header in found.items() if isinstance(header, Header)}


def _probe(path: Path) -> Header | UnreadableImage:
    try:
        return probe(path)
    except UnreadableImage as error:
        return error


def _common_scale(items: list[Item], headers: Headers) -> int:
    """How many times larger than its source every target is. Raises DataError naming the first that
    differs."""
    scales: dict[int, Item] = {}
    for item in items:
        source, target = headers[item.source], headers[item.target]
        scale = max(1, target.height // max(source.height, 1))
        if (source.width * scale, source.height * scale) != (target.width, target.height):
            raise DataError(
                f"{item.source} is {source.width}x{source.height} but {item.target} is "
                f"{target.width}x{target.height}: a pair needs equal sizes (or a source that is smaller by a "
                "whole factor); resize or remove it"
            )
        scales.setdefault(scale, item)
    if len(scales) > 1:
        named = ", ".join(f"{item.target} is {scale} times its source" for scale, item in scales.items())
        raise DataError(
            f"all pairs need the same scale, but {named}; separate them into folders of their own"
        )
    return next(iter(scales))


def _check_halves(items: list[Item], headers: Headers) -> None:
    odd = next((i.source for i in items if headers[i.source].width % 2), None)
    if odd is not None:
        raise DataError(
            f"{odd} is {headers[odd].width} pixels wide: two pictures side by side have an even "
            "width; cut or remove it"
        )


def _check_crop(items: list[Item], headers: Headers, crop: int, halves: bool) -> None:
    sizes = [
        (min(headers[i.target].width // (2 if halves else 1), headers[i.target].height), i.target)
        for i in items
    ]
    small = sorted(s for s in sizes if s[0] < crop)
    if small:
        side, path = small[0]
        raise DataError(
            f"{len(small)} of {len(items)} images are smaller than the crop of {crop} pixels, "
            f"smallest: {path} ({side} px on its shorter side); set augment.crop={side} or less, or "
            f"augment.resize={crop} to enlarge them, or remove them"
        )
