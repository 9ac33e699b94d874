"""Label maps: (H, W, 1) uint8, the class of each pixel; from files, to files, and as colours to look at."""

from __future__ import annotations

import colorsys
import io
from pathlib import Path

import numpy as np
from PIL import Image

from gantrans.imaging import decode
from gantrans.imaging.read import opened
from gantrans.imaging.write import write_atomic

MOST_CLASSES = 256
_GOLDEN = 0.618034  # of a turn from one hue to the next, so that neighbours differ

Palette = tuple[tuple[int, int, int], ...]  # RGB 0..255 of each class


def read_labels(path: Path) -> np.ndarray:
    """The classes in a file: grey levels, or the indices of a palette, whatever its colours; turned upright.

    Raises UnreadableImage, also for files of full colour, which name no class.
    """
    with opened(Path(path)) as image:
        if image.mode not in ("L", "P", "1", "I", "I;16"):
            raise decode.Refused(
                f"is a picture of mode {image.mode}; a label map has one channel, grey or palette, whose "
                "values are the classes; convert it, or read it as colours with mode rgb"
            )
        found = np.asarray(image)
        if found.dtype != np.uint8:
            found = found.astype(np.int64)
            if found.size and not 0 <= found.min() <= found.max() < MOST_CLASSES:
                raise decode.Refused(
                    f"holds classes from {found.min()} to {found.max()}; accepted are 0 to 255"
                )
        return decode.oriented(found.astype(np.uint8)[..., None], decode.orientation(image))


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(H, W, 1) uint8 -> (H, W, classes) uint8: 255 in the channel of a pixel's class and 0 elsewhere.

    A class of `classes` or more, which stands for none, is 0 everywhere.
    """
    return (labels == np.arange(classes, dtype=np.uint16)).view(np.uint8) * np.uint8(255)


def palette(classes: int) -> Palette:
    """A colour for each class, far from its neighbours'; class 0 is black."""
    colours = [(0, 0, 0)]
    for i in range(1, classes):
        rgb = colorsys.hsv_to_rgb(i * _GOLDEN % 1, 0.55 + 0.4 * (i % 2), 1 - 0.22 * (i % 3))
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return tuple(colours[:classes])


def coloured(labels: np.ndarray, colours: Palette) -> np.ndarray:
    """(H, W, 1) uint8 as an RGB picture (H, W, 3) uint8; classes without a colour are mid grey."""
    table = np.full((MOST_CLASSES, 3), 128, np.uint8)
    table[: len(colours)] = np.asarray(colours, np.uint8).reshape(-1, 3)
    return table[labels[..., 0]]


def write_labels(path: Path, labels: np.ndarray, colours: Palette) -> None:
    """A palette PNG: whoever reads the indices gets the classes, whoever looks at it sees colours.

    Raises ValueError for another suffix than .png, StorageError if the disk fails.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: label maps are written as .png, which keeps the classes as they are")
    image = Image.fromarray(labels[..., 0])
    image.putpalette([channel for colour in colours for channel in colour])
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    write_atomic(path, stream.getvalue())
