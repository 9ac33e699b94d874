"""How many pairs an image becomes, of which parts of it, turned how, and in which file format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gantrans.errors import ConfigError
from gantrans.imaging.write import PNG_LEVEL
from gantrans.pairs.augment import Box, OfflineAugment

FORMATS = ("png", "jpg", "webp")
MAX_VARIANTS = 9999

_TILE = re.compile(r"-r\d+c\d+$")
_MULTIPLIED = re.compile(r"(-r\d+c\d+)?(-v\d+)?$")


@dataclass(frozen=True)
class Making:
    """What `pairs` makes of each image beside degrading it; the defaults are one pair, whole, as PNG.

    `variants` draws per image (or tile); `tile` cuts squares of that side, at least `overlap` px shared by
    neighbours; `quality` 1..100 is that of JPEG and WebP (100: lossless WebP), `png_level` 0..9 as in encode.
    """

    variants: int = 1
    tile: int | None = None
    overlap: int = 0
    augment: OfflineAugment = field(default_factory=OfflineAugment)
    format: str = "png"
    quality: int = 95
    png_level: int = PNG_LEVEL

    @staticmethod
    def of(augment: Mapping[str, Any] | None = None, **keys: Any) -> Making:
        """From plain config values. Raises ConfigError saying what was found and what is accepted."""
        making = Making(augment=OfflineAugment.of(augment or {}), **keys)
        making.check(1)
        return making

    def check(self, scale: int) -> None:
        """Raises ConfigError for values out of range, or a tile that is no multiple of the recipe's scale."""
        _whole("variants", self.variants, 1, MAX_VARIANTS)
        _whole("quality", self.quality, 1, 100)
        _whole("png_level", self.png_level, 0, 9)
        if self.format not in FORMATS:
            raise ConfigError(f"format={self.format}: accepted are {', '.join(FORMATS)}")
        if self.tile is not None and (not _is_whole(self.tile) or self.tile < 1 or self.tile % scale):
            raise ConfigError(
                f"tile={self.tile}: accepted is a whole number from 1, "
                f"a multiple of the recipe's scale {scale}"
            )
        if self.overlap:
            if self.tile is None:
                raise ConfigError(f"overlap={self.overlap}: is of tiles; give tile=SIZE as well")
            _whole("overlap", self.overlap, 0, self.tile - 1)

    @property
    def multiplies(self) -> bool:
        """Whether an image may become more than one pair."""
        return self.variants > 1 or self.tile is not None

    def told(self) -> dict[str, Any]:
        """What differs from the defaults, as plain data: what pairs of one folder must have in common."""
        plain, usual = asdict(self), asdict(Making())
        return {key: value for key, value in plain.items() if value != usual[key]}

    def boxes(self, height: int, width: int) -> list[Box]:
        """The tiles of a picture, row by row, covering it all, spread evenly; none where it is smaller."""
        if self.tile is None:
            return [(0, 0, width, height)]
        lefts, tops = (_starts(side, self.tile, self.overlap) for side in (width, height))
        return [(left, top, self.tile, self.tile) for top in tops for left in lefts]

    def name(self, base: str, box: Box, boxes: list[Box], variant: int) -> str:
        """The file name of a pair, from NAME.png: NAME.png, NAME-v2.png, NAME-r1c2.png, NAME-r1c2-v2.png."""
        path = PurePosixPath(base)
        tile = ""
        if self.tile is not None:
            columns = len({left for left, *_ in boxes})
            row, column = divmod(boxes.index(box), columns)
            tile = f"-r{row + 1}c{column + 1}"
        repeat = f"-v{variant}" if variant > 1 else ""
        return str(path.with_name(f"{path.stem}{tile}{repeat}{path.suffix}"))

    def base(self, name: str) -> str:
        """NAME.png, from the name of an image's first pair."""
        path = PurePosixPath(name)
        return str(path.with_name(_TILE.sub("", path.stem) + path.suffix)) if self.tile is not None else name

    def family(self, name: str) -> str:
        """What all names that may be made of `name` have in common: no two images may share it."""
        if not self.multiplies:
            return name.casefold()
        path = PurePosixPath(name)
        return str(path.with_name((_MULTIPLIED.sub("", path.stem) or path.stem) + path.suffix)).casefold()


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    if side < tile:
        return []
    count = math.ceil((side - tile) / (tile - overlap)) + 1
    return [round(i * (side - tile) / max(1, count - 1)) for i in range(count)]


def _whole(name: str, found: Any, low: int, high: int) -> None:
    if not _is_whole(found) or not low <= found <= high:
        raise ConfigError(f"{name}={found}: accepted is a whole number from {low} to {high}")


def _is_whole(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)
