"""Decoded pictures in memory that loader processes share; whoever wants one first reads it from its file.

One anonymous mapping is made before the loaders fork, and places in it are planned from the files' headers,
so nothing is sent about. Pages that were never written cost nothing. A picture whose file changes during a
run stays as it was first read. Processes that do not fork (spawn) get an empty cache, and read their files.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantrans.data.pixels import Shape, View
from gantrans.imaging.read import Header

_LINE = 64  # bytes; places start on cache lines
_FULL = 1 << 32  # tells the checksum of a picture from an empty place


@dataclass(frozen=True)
class _Place:
    number: int
    offset: int
    shape: Shape


class Cache:
    """Keeps what `fetch` was asked for, in at most `limit` bytes; pictures beyond that are read each time.

    `shapes` are those of all pictures that may be kept, uint8, the most wanted first.
    """

    def __init__(self, shapes: Mapping[View, Shape] | None = None, limit: int = 0) -> None:
        self._places: dict[View, _Place] = {}
        self._seen: dict[View, np.ndarray] = {}  # of this process
        self.nbytes = 0
        for view, shape in (shapes or {}).items():
            size = -(-int(np.prod(shape)) // _LINE) * _LINE + 8
            if self.nbytes + size <= limit:
                self._places[view] = _Place(len(self._places), self.nbytes - 8 * len(self._places), shape)
                self.nbytes += size
        try:
            memory = np.frombuffer(mmap.mmap(-1, max(self.nbytes, 1)), np.uint8)
        except (OSError, ValueError, MemoryError):  # a limit of the system's: go on without
            self._places, self.nbytes, memory = {}, 0, np.empty(0, np.uint8)
        pictures = self.nbytes - 8 * len(self._places)
        self._memory, self._marks = memory[:pictures], memory[pictures : self.nbytes].view(np.uint64)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()

    def __len__(self) -> int:
        """How many pictures have a place."""
        return len(self._places)

    @property
    def filled(self) -> int:
        """How many pictures lie in their place."""
        return int(np.count_nonzero(self._marks))

    def fetch(self, *views: View) -> list[np.ndarray]:
        """These pictures, (H, W, C) uint8 or uint16, each file decoded once at the most.

        A kept one is read-only, and (but for look None) its memory lies plane by plane. Raises DataError.
        """
        pictures, decoded = [], {}
        for view in views:
            found = self._kept(view)
            if found is None:
                file = (view.path, view.is_labels)
                if file not in decoded:
                    decoded[file] = view.decode()
                found = view.of(decoded[file])
                self._keep(view, found)
            pictures.append(found)
        return pictures

    def _kept(self, view: View) -> np.ndarray | None:
        """The checksum, written last, is held against the pixels at this process's first sight of them: a
        place that is half filled, or that this CPU sees half filled, is never taken for a picture."""
        found = self._seen.get(view)
        if found is None and view in self._places:
            place = self._places[view]
            mark, pixels = int(self._marks[place.number]), self._bytes(place)
            if mark and mark == _FULL | zlib.crc32(pixels.data):
                found = self._seen[view] = _picture(pixels, place.shape, view)
                found.flags.writeable = False
        return found

    def _keep(self, view: View, picture: np.ndarray) -> None:
        place = self._places.get(view)
        if place is None or picture.shape != place.shape or picture.dtype != np.uint8:
            return  # no room, or another file than the one that was planned for
        if self._marks[place.number]:
            return  # another process was faster
        pixels = self._bytes(place)
        _picture(pixels, place.shape, view)[...] = picture
        self._marks[place.number] = _FULL | zlib.crc32(pixels.data)

    def _bytes(self, place: _Place) -> np.ndarray:
        return self._memory[place.offset : place.offset + int(np.prod(place.shape))]


def _picture(pixels: np.ndarray, shape: Shape, view: View) -> np.ndarray:
    """Pictures that are degraded first lie pixel by pixel, as files have them: sums of floats depend on it.
    Those that are only cut lie plane by plane, as they travel on."""
    height, width, channels = shape
    if view.look is None:
        return pixels.reshape(shape)
    return pixels.reshape(channels, height, width).transpose(1, 2, 0)


def plan(views: Iterable[View], headers: Mapping[Path, Header], limit: int) -> Cache:
    """A cache of `limit` bytes for these pictures, the most wanted first; 16-bit ones are not kept."""
    shapes = {view: view.shape(headers[view.path]) for view in views if headers[view.path].depth == 8}
    return Cache(shapes, limit)


NO_CACHE = Cache()
