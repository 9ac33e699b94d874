"""Runs a generator over the tiles of a picture and puts together what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from gantrans.core.heap import give_back_free_blocks
from gantrans.inference.ensemble import Turn, turned
from gantrans.inference.receptive import Reach
from gantrans.inference.source import Output, Source
from gantrans.inference.statistics import WholePicture
from gantrans.inference.tiles import Layout, Span, Tile, scattered
from gantrans.nets.norm import whole_picture_norms

Answer = Callable[[list[np.ndarray]], np.ndarray]  # (H, W, C) x01 of one size -> (N, sH, sW, C') x01
SILENT_S = 2.0  # what takes longer shows a progress bar
TRIMMED_PX = 2**19  # tiles from here on take seconds, and hundreds of MiB in blocks that fit no other tile


def render(
    network: nn.Module,
    answer: Answer,
    source: Source,
    layout: Layout,
    reach: Reach,
    output: Output,
    turn: Turn,
    *,
    half: bool,
    share: float = 1.0,
) -> int:
    """Give `output` all tiles of a source that was turned by `turn`, `share` of each where it sums up.
    Returns how often the picture was gone through."""

    def put(tile: Tile) -> None:
        _put(answer([source.cut(tile.rows, tile.cols)])[0], tile, source, output, turn, share)

    if len(layout.tiles) == 1 or not whole_picture_norms(network):
        for tile in _shown(layout, ""):
            if output.copied and not source.covers(*_places(tile, source)):
                output.keep(
                    *_places(tile, source)
                )  # a few holes in a large photo cost no more than they must
            else:
                put(tile)
        return 1
    with WholePicture(network, half=half) as norms:
        final = False
        while not final:
            # Where parts are summed up nothing can be put twice, so that comes after all has settled.
            final = output.sum is None or norms.done
            norms.sample()
            answer([source.cut(*part) for part in scattered(*source.padded, layout, reach)])
            for tile in _shown(layout, f" (pass {norms.passes + 1})"):
                norms.at(tile)
                if final:
                    put(tile)
                else:
                    answer([source.cut(tile.rows, tile.cols)])
            final = norms.settled() and final
        return norms.passes


def _shown(layout: Layout, what: str) -> Iterator[Tile]:
    hidden = True if len(layout.tiles) == 1 else None  # None: where nobody looks
    for tile in tqdm(layout.tiles, "tiles" + what, unit="tile", delay=SILENT_S, leave=False, disable=hidden):
        if layout.largest_px >= TRIMMED_PX:
            give_back_free_blocks()
        yield tile


def _put(y01: np.ndarray, tile: Tile, source: Source, output: Output, turn: Turn, share: float) -> None:
    scale = y01.shape[0] // tile.rows.length
    spans = (tile.rows, source.margins[0][0], source.height), (tile.cols, source.margins[1][0], source.width)
    parts = [_kept(span, margin, side, scale) for span, margin, side in spans]
    (inside, rows, down), (along_inside, cols, along) = parts
    kept = y01[inside, along_inside]
    if output.sum is None:
        output.put(kept, rows, cols)
        return
    turned(output.sum, turn)[rows, cols] += kept * (share * down[:, None, None] * along[:, None])


def _places(tile: Tile, source: Source) -> tuple[slice, slice]:
    """Where in the source, not padded, the pixels lie that a tile gives."""
    rows, cols = (
        slice(*(min(max(at - before, 0), side) for at in (span.keep_first, span.keep_last)))
        for span, (before, _), side in zip(
            (tile.rows, tile.cols), source.margins, (source.height, source.width), strict=True
        )
    )
    return rows, cols


def _kept(span: Span, margin: int, side: int, scale: int) -> tuple[slice, slice, np.ndarray]:
    """Along one side, of what a tile gives: the part to keep, where in the output that is, its weights."""
    first, last = max(span.keep_first, margin), min(span.keep_last, margin + side)
    last = max(first, last)
    weights = span.weights()[first - span.keep_first : last - span.keep_first].repeat(scale)
    inside = slice((first - span.begin) * scale, (last - span.begin) * scale)
    return inside, slice((first - margin) * scale, (last - margin) * scale), weights


def stacked(parts: list[np.ndarray]) -> torch.Tensor:
    """(H, W, C) of one size -> (N, C, H, W)."""
    joined = np.stack(parts) if len(parts) > 1 else np.ascontiguousarray(parts[0])[None]
    parts.clear()  # a tile's room
    return torch.from_numpy(joined).permute(0, 3, 1, 2)
