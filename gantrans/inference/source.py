"""A picture as a generator is to see it, any part of it made when it is asked for."""

from __future__ import annotations

import numpy as np

from gantrans.bundles.bundle import Card
from gantrans.data import masks
from gantrans.data.pixels import LABELS
from gantrans.imaging import colour, filters, ranges
from gantrans.imaging.labels import one_hot
from gantrans.inference.ensemble import Turn, turned
from gantrans.inference.receptive import Reach
from gantrans.inference.tiles import Span, margins, mirrored

_REACH_PX = 4  # pixels of the source that its enlargement looks at, on either side, and more


class Source:
    """pixels (H, W, C) uint8 or uint16, mask (H, W, 1) uint8 or None -> parts as x01, enlarged and padded.

    Raises ValueError for a class that the model does not know, and where it needs a mask and has none.
    """

    def __init__(self, card: Card, pixels: np.ndarray, mask: np.ndarray | None) -> None:
        if card.mask == "input" and mask is None:
            raise ValueError("this model was trained with masks, and none was given")
        self.card, self.pixels, self.mask = card, pixels, mask
        if card.source_mode == LABELS:
            self._check_classes()
        self.factor = (
            1 if card.enlarges else card.scale
        )  # by which the picture is enlarged before the network
        self.height, self.width = (side * self.factor for side in pixels.shape[:2])
        self.pad_to(Reach())

    def turned(self, turn: Turn) -> Source:
        """The source flipped and turned; a view."""
        mask = None if self.mask is None else turned(self.mask, turn)
        return Source(self.card, turned(self.pixels, turn), mask)

    def pad_to(self, reach: Reach) -> None:
        """Let parts be counted in the picture as the network pads it."""
        self.margins = [margins(n, reach) for n in (self.height, self.width)]
        self.padded = self.height + sum(self.margins[0]), self.width + sum(self.margins[1])

    def cut(self, rows: Span, cols: Span) -> np.ndarray:
        """(rows, cols, C') x01 float32 of the padded picture."""
        down = mirrored(rows.begin, rows.end, self.height, self.margins[0])
        along = mirrored(cols.begin, cols.end, self.width, self.margins[1])
        top, left = int(down.min()), int(along.min())
        part = self._part(top, int(down.max()) + 1, left, int(along.max()) + 1)
        if part.shape[:2] == (len(down), len(along)):
            return part
        return part[down - top][:, along - left]

    def all(self) -> np.ndarray:
        """(H, W, C') x01 float32, not padded."""
        return self._part(0, self.height, 0, self.width)

    def given(self, rows: slice, cols: slice) -> np.ndarray:
        """Pixels in the mode of the source, in their dtype; not enlarged, not padded."""
        pixels = self.pixels[rows, cols]
        if self.card.source_mode == LABELS:
            return pixels
        return colour.to_rgb(pixels) if self.card.source_mode == "rgb" else colour.to_grey(pixels)

    def covers(self, rows: slice, cols: slice) -> bool:
        """Whether the mask covers anything there."""
        return self.mask is None or bool(self.mask[rows, cols].any())

    def _part(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        if self.factor == 1:
            return self._x01(slice(top, bottom), slice(left, right))
        f = self.factor
        first, begin = max(0, top // f - _REACH_PX), max(0, left // f - _REACH_PX)
        part = self._x01(slice(first, -(-bottom // f) + _REACH_PX), slice(begin, -(-right // f) + _REACH_PX))
        return part[top - first * f : bottom - first * f, left - begin * f : right - begin * f]

    def _x01(self, rows: slice, cols: slice) -> np.ndarray:
        given = self.given(rows, cols)
        x01 = ranges.to_x01(one_hot(given, self.card.classes) if self.card.source_mode == LABELS else given)
        height, width = (side * self.factor for side in x01.shape[:2])
        if self.factor > 1:
            x01 = filters.resize(x01, height, width, "bicubic")
        if self.card.mask == "input":
            assert self.mask is not None
            plane = ranges.to_x01(masks.resized(self.mask[rows, cols], height, width))
            x01 = np.concatenate([x01, plane], axis=2)
        return x01

    def _check_classes(self) -> None:
        card = self.card
        strange = set(np.unique(self.pixels).tolist()) - {*range(card.classes), *card.ignore}
        if strange:
            raise ValueError(
                f"holds class {min(strange)}, but this model knows 0 to {card.classes - 1}"
                + (f" (and {list(card.ignore)} for none)" if card.ignore else "")
            )


class Output:
    """The answer to a source, of which parts are given as x01: (H, W, C) of its dtype, or class indices.

    summed: parts overlap or are given more than once, weighted, and are added up in float32 first.
    """

    def __init__(self, source: Source, height: int, width: int, channels: int, *, summed: bool) -> None:
        card = source.card
        self.source, self.labels = source, card.target_mode == LABELS
        self.copied = source.mask is not None and card.outside == "copy"
        dtype = np.uint8 if self.labels or card.source_mode == LABELS else source.pixels.dtype
        self.pixels = np.empty((height, width, 1 if self.labels else channels), dtype)
        self.sum = np.zeros((height, width, channels), np.float32) if summed else None

    def put(self, y01: np.ndarray, rows: slice, cols: slice) -> None:
        """What the network made of a part, (rows, cols, C)."""
        if self.labels:
            self.pixels[rows, cols] = y01.argmax(2, keepdims=True)
            return
        made = ranges.from_x01(y01, self.pixels.dtype)
        if self.copied:
            assert self.source.mask is not None
            given = self.source.given(rows, cols)
            made = np.where(self.source.mask[rows, cols] > 0, made, given)
        self.pixels[rows, cols] = made

    def keep(self, rows: slice, cols: slice) -> None:
        """A part that comes out as it is."""
        if self.sum is None:  # what is summed up takes the source's pixels at the end
            self.pixels[rows, cols] = self.source.given(rows, cols)

    def finish(self, strip: int = 64) -> np.ndarray:
        """The pixels, once every part was given."""
        if self.sum is not None:
            for top in range(0, len(self.pixels), strip):
                rows = slice(top, top + strip)
                self.put(self.sum[rows], rows, slice(None))
        return self.pixels
