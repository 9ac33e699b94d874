"""One file of `translate`: how it is read for a model, and how what the model makes of it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gantrans.bundles.bundle import Card
from gantrans.data import masks as mask_files
from gantrans.data.pixels import LABELS
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import filters, metadata, profiles, ranges
from gantrans.imaging.labels import palette, read_labels, write_labels
from gantrans.imaging.metadata import Extras
from gantrans.imaging.read import read
from gantrans.imaging.write import storage_error, write

METADATA = ("drop", "keep")
_CHANNELS = {"RGB": "rgb", "GRAY": "grey"}  # of a profile, as modes of a model


@dataclass(frozen=True)
class Policy:
    """What becomes of a file besides its pixels. quality: 1 to 100, of JPEG and WebP. metadata: "drop", or
    "keep" for profile, EXIF and resolution, never the place. Raises ConfigError."""

    quality: int = 95
    metadata: str = "drop"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ConfigError(f"quality={self.quality}: accepted are 1 to 100")
        if self.metadata not in METADATA:
            raise ConfigError(f"metadata={self.metadata}: accepted are {' and '.join(METADATA)}")


@dataclass
class Given:
    """A file as the model takes it: `pixels` (H, W, C) uint8 or uint16, upright; `alpha` (H, W) and `mask`
    (H, W, 1) uint8 of its size; what is carried over; what a person should be told."""

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mask: np.ndarray | None = None
    extras: Extras = field(default_factory=Extras)
    notes: list[str] = field(default_factory=list)


def read_given(path: Path, card: Card, policy: Policy, mask: Path | None = None) -> Given:
    """Read a file for the model of `card`. Raises DataError, for its mask too."""
    if card.source_mode == LABELS:
        given = Given(read_labels(path))
    else:
        picture = read(path)
        given = Given(picture.pixels, picture.alpha)
        _manage(given, path, card, policy)
    if mask is not None:
        given.mask = _fitting(mask, path, given.pixels)
    return given


def _manage(given: Given, path: Path, card: Card, policy: Policy) -> None:
    """Colours and metadata by `policy`: a profile is carried over where the output can have it, and applied
    where not, so that colours look the same either way."""
    found = metadata.of_file(path)
    keep = policy.metadata == "keep"
    if keep:
        given.extras = Extras(None, found.exif, _scaled(found.dpi, card.scale))
    if found.icc is None:
        return
    if keep and _fits(found.icc, given, card):
        given.extras = Extras(found.icc, given.extras.exif, given.extras.dpi)
        return
    try:
        if found.mode == "CMYK":
            given.pixels = profiles.cmyk_to_srgb(path, found.icc)
        else:
            given.pixels = profiles.to_srgb(given.pixels, found.icc)
    except profiles.ProfileRefused as error:
        raise DataError(f"{path}: {error}") from error
    except profiles.ProfileError as error:
        given.notes.append(f"{path}: {error}; its colours were taken for sRGB")


def _fits(icc: bytes, given: Given, card: Card) -> bool:
    """Whether what the profile says of the input will be true of the output."""
    mode = _CHANNELS.get(profiles.space(icc))
    channels = {"rgb": 3, "grey": 1}.get(mode or "")
    return card.source_mode == card.target_mode == mode and given.pixels.shape[2] == channels


def _scaled(dpi: tuple[float, float] | None, scale: int) -> tuple[float, float] | None:
    """So that an enlarged picture prints as large as it did."""
    return None if dpi is None else (dpi[0] * scale, dpi[1] * scale)


def _fitting(mask: Path, path: Path, pixels: np.ndarray) -> np.ndarray:
    found = mask_files.read_mask(mask)
    if found.shape[:2] != pixels.shape[:2]:
        raise DataError(
            f"{mask} is {found.shape[1]}x{found.shape[0]} but {path} is {pixels.shape[1]}x{pixels.shape[0]}: "
            "a mask has the size of its image; make it anew"
        )
    return found


def write_made(target: Path, given: Given, made: np.ndarray, card: Card, policy: Policy) -> None:
    """Write what the model made of `given`. Raises ValueError for what the format cannot hold, and
    StorageError."""
    _make_folder(target)
    if card.target_mode == LABELS:
        write_labels(target, made, palette(card.classes))
        return
    alpha = None if given.alpha is None else _resized(given.alpha, *made.shape[:2])
    write(target, made, alpha, quality=policy.quality, extras=given.extras)


def _resized(alpha: np.ndarray, height: int, width: int) -> np.ndarray:
    if alpha.shape == (height, width):
        return alpha
    enlarged = filters.resize(ranges.to_x01(alpha[..., None]), height, width, "bicubic")
    return ranges.from_x01(enlarged, alpha.dtype)[..., 0]


def write_mask(target: Path, mask: np.ndarray) -> None:
    """Write (H, W, 1) uint8, 0 untouched to 255 changed. Raises StorageError."""
    _make_folder(target)
    write(target, mask)


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target.parent, error) from error
