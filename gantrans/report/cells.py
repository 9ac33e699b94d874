"""Takes a probe strip apart again: the inverse of `imaging.sheet.grid`, for grids with titles and names."""

from __future__ import annotations

import numpy as np

GAP = 6  # pixels of paper around pictures, as grid leaves them
SIZES = range(18, 10, -1)  # of the font, in pixels, as grid chooses it by the size of a cell

Span = tuple[int, int]


def cells(strip: np.ndarray) -> list[list[np.ndarray]]:
    """The pictures of a strip (H, W, 3) uint8, row by row; [] where it is laid out in another way, or its
    pictures are white where the paper is."""
    white = (strip == 255).all(axis=2)
    for size in SIZES:
        rows = _rows(white.all(axis=1), round(size * 1.6), round(size * 1.4))
        columns = _columns(white, rows) if rows else []
        if not columns:
            continue
        cell = max(end - begin for begin, end in [*rows, *columns])
        if size == max(SIZES[-1], min(SIZES[0], cell // 14)):
            return [_trimmed(strip, white, row, columns) for row in rows]
    return []


def _rows(blank: np.ndarray, title: int, name: int) -> list[Span]:
    """Where the pictures of each row begin and end: below a line of text, above a gap."""
    height, top, found = len(blank), title + GAP + name, []
    while top < height and not blank[top]:
        ends = (b for b in range(top + 1, height - GAP + 1) if not blank[b - 1] and blank[b : b + GAP].all())
        bottom = next((b for b in ends if _row_follows(blank, b + GAP, name)), None)
        if bottom is None:
            return []
        found.append((top, bottom))
        if bottom + GAP == height:
            return found
        top = bottom + GAP + name
    return []


def _row_follows(blank: np.ndarray, start: int, name: int) -> bool:
    """Whether the sheet ends here, or the next row's name is written here and its pictures begin below."""
    if start == len(blank):
        return True
    below = start + name
    return below < len(blank) and not blank[below] and not blank[start:below].all()


def _columns(white: np.ndarray, rows: list[Span]) -> list[Span]:
    """Where pictures begin and end across; [] unless gaps are as wide as grid leaves them."""
    blank = np.concatenate([white[top:bottom] for top, bottom in rows]).all(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~blank, [False]]).astype(np.int8)))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    joined: list[Span] = []
    for begin, end in runs:
        if joined and begin - joined[-1][1] < GAP:
            begin = joined.pop()[0]
        joined.append((begin, end))
    places = [0, *(side for run in joined for side in run), white.shape[1]]
    gaps = [places[i + 1] - places[i] for i in range(0, len(places), 2)]
    return joined if len(joined) > 1 and set(gaps) == {GAP} else []


def _trimmed(strip: np.ndarray, white: np.ndarray, row: Span, columns: list[Span]) -> list[np.ndarray]:
    """The pictures of a row without the paper around them; those of columns of one width are alike in size,
    so that a white border of one picture is known for what it is by another."""
    top, bottom = row
    found = []
    for begin, end in columns:
        alike = [c for c in columns if c[1] - c[0] == end - begin]
        ink = np.stack([~white[top:bottom, a:b] for a, b in alike]).any(axis=0)
        down, along = np.flatnonzero(np.any(ink, axis=1)), np.flatnonzero(np.any(ink, axis=0))
        if not len(down):
            found.append(strip[top:bottom, begin:end])
            continue
        low = top + int(down[-1]) + 1
        found.append(strip[top:low, begin + int(along[0]) : begin + int(along[-1]) + 1])
    return found
