"""What happens to an image's pixels between its file and the network, apart from augmentation.

Files are decoded whole: JPEG's scaled decoding is some 37 dB off, and cutting while resizing rounds otherwise
than resizing and cutting, so that a picture's bytes would depend on what happens to be cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrans.data import masks
from gantrans.imaging import colour, filters, ranges, sheet
from gantrans.imaging.label_colours import classes_of
from gantrans.imaging.labels import Palette, read_labels
from gantrans.imaging.read import Header, read

MODES = {"rgb": 3, "grey": 1}
RESAMPLERS = ("pillow", "torch")
LABELS = "labels"  # the mode of a picture whose values are classes (imaging/labels.py)
MASK = "mask"  # the mode of a picture that is a mask (data/masks.py)
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """What a picture is brought to: the channels of `mode` ("rgb", "grey", "labels", "mask"), then `resize`
    pixels on the shorter side (None: the size it has), by `resampler` ("pillow", "torch"; see `resized`).
    palette: "labels" are colours, in a picture (imaging/label_colours.py).
    """

    mode: str = "rgb"
    resize: int | None = None
    resampler: str = "pillow"
    palette: Palette | None = None

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, C) uint8 or uint16 in this look; dtype kept (a mask is uint8)."""
        if self.mode == MASK:
            mask = masks.of_pixels(pixels)
            if self.resize is None:
                return mask
            return masks.resized(mask, *_shorter(mask.shape[0], mask.shape[1], self.resize))
        if self.mode == LABELS:
            if self.palette is not None:
                pixels = classes_of(sheet.to_u8_rgb(pixels), self.palette)
            return pixels if self.resize is None else _nearest(pixels, self.resize)
        pixels = to_mode(pixels, self.mode)
        return shorter_side(pixels, self.resize, self.resampler) if self.resize else pixels


@dataclass(frozen=True)
class View:
    """A picture that can be asked for: a file, or its `half` ("left", "right"), in a look; None: as it is."""

    path: Path
    look: Look | None = None
    half: str = ""

    def decode(self) -> np.ndarray:
        """The pixels of its file; of a label map, its classes, unless they are coloured."""
        return read_labels(self.path) if self.is_labels else opaque(self.path)

    @property
    def is_labels(self) -> bool:
        return self.look is not None and self.look.mode == LABELS and self.look.palette is None

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """This picture, (H, W, C), from the pixels of its file; it may share their memory."""
        if self.half:
            middle = pixels.shape[1] // 2
            pixels = pixels[:, :middle] if self.half == "left" else pixels[:, middle : 2 * middle]
        return self.look.of(pixels) if self.look else pixels

    def shape(self, header: Header) -> Shape:
        """(H, W, C) of this picture, told from the header of its file."""
        height, width = header.height, header.width // 2 if self.half else header.width
        if self.look is None:
            return height, width, header.channels
        if self.look.resize:
            height, width = _shorter(height, width, self.look.resize)
        return height, width, {**MODES, MASK: 1, LABELS: 1}[self.look.mode]


def opaque(path: Path) -> np.ndarray:
    """The pixels of a file; what is transparent is laid over white, as `gantrans pairs` does."""
    picture = read(path)
    return colour.over_white(picture.pixels, picture.alpha)


def to_mode(pixels: np.ndarray, mode: str) -> np.ndarray:
    """(H, W, C) in the channels of `mode`, "rgb" or "grey"."""
    return colour.to_rgb(pixels) if mode == "rgb" else colour.to_grey(pixels)


def _nearest(labels: np.ndarray, side: int) -> np.ndarray:
    height, width = _shorter(labels.shape[0], labels.shape[1], side)
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(int)
    return labels[rows[:, None], columns]


def enlarged(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The source at its target's size, bicubic, as the network sees it: in floats, as Predictor does it."""
    height, width = target.shape[:2]
    return source if source.shape[:2] == (height, width) else _by_floats(source, height, width)


def shorter_side(pixels: np.ndarray, side: int, resampler: str = "pillow") -> np.ndarray:
    """Brought to `side` pixels on the shorter side, proportions kept."""
    height, width = pixels.shape[:2]
    return resized(pixels, *_shorter(height, width, side), resampler)


def _shorter(height: int, width: int, side: int) -> tuple[int, int]:
    factor = side / min(height, width)
    return max(side, round(height * factor)), max(side, round(width * factor))


def resized(pixels: np.ndarray, height: int, width: int, resampler: str = "pillow") -> np.ndarray:
    """Bicubic, antialiased, dtype kept: the one definition of what augment.resize does to a picture.

    "pillow" gives the pixels of Pillow, and so of other suites. "torch" takes a quarter of the time; one
    sample in a hundred is a level off, one in 100,000 two, and which depends on the CPU. uint16: by floats.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.dtype != np.uint8:
        return _by_floats(pixels, height, width)
    if resampler == "torch":
        return _by_torch(pixels, height, width)
    return filters.resize_u8(pixels, height, width, "bicubic")


def _by_floats(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    changed = filters.resize(ranges.to_x01(pixels), height, width, "bicubic")
    return ranges.from_x01(changed, pixels.dtype)


def _by_torch(u8: np.ndarray, height: int, width: int) -> np.ndarray:
    import torch  # not at the top: what makes pairs starts without it
    from torch.nn import functional

    batch = torch.from_numpy(np.array(u8, order="C")).permute(2, 0, 1)[None]  # its fast kernel wants C last
    out = functional.interpolate(batch, (height, width), mode="bicubic", antialias=True)
    return out[0].permute(1, 2, 0).numpy()


def into_planes(image: np.ndarray, out: np.ndarray) -> None:
    """Copy (H, W, C) into (C, H, W) of the same dtype, in one pass."""
    planes = image.transpose(2, 0, 1)
    if planes.strides[2] == -1 and out.shape[2] % 8 == 0:
        # NumPy copies mirrored rows byte by byte. Eight bytes that are read as a big-endian number and
        # written as a little-endian one are mirrored too, and five times as fast.
        out.view("<u8")[...] = planes[..., ::-1].view(">u8")[..., ::-1]
    else:
        out[...] = planes
