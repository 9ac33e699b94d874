"""Instance norm of a picture that does not fit memory: statistics of the whole, found tile by tile.

Statistics that are merely held fixed while they are measured do not settle: an error in an early layer grows
from layer to layer. So each pass starts with a sample of the picture, normalised as a picture of its own,
whose layers answer to each other at once; what is carried from pass to pass is only how the whole differs
from the sample, layer by layer (docs/adr/0024-any-size.md).
"""

from __future__ import annotations

from types import TracebackType

import torch
from torch import Tensor, nn

from gantrans.inference.tiles import Span, Tile
from gantrans.nets.norm import EPS, whole_picture_norms

SETTLED = 1e-4  # of a standard deviation; the output, in [0, 1], is then within 2 to 5 times that
SETTLED_HALF = 2e-3  # in bfloat16 and float16, whose rounding alone is a few times that


class _Layer:
    """Mean and deviation of one norm layer's input, (C,) float64 each."""

    def __init__(self) -> None:
        self.shift: Tensor | float = 0.0  # of the whole's mean from the sample's, in deviations of the sample
        self.ratio: Tensor | float = 1.0  # of the whole's deviation to the sample's
        self.count = 0
        self.mean = self.squares = torch.zeros(())

    def sample(self, x: Tensor) -> None:
        self.sampled = _moments(x)
        mean, deviation = self.sampled
        self.used = mean + self.shift * deviation, deviation * self.ratio
        self.given = self.used[0].float(), (self.used[1] ** 2 - EPS).clamp(min=0).float()
        self.count = 0

    def add(self, x: Tensor) -> None:
        """Merge a part (Chan et al. 1979, equation 1.5)."""
        count = x.numel() // x.shape[1]
        mean, deviation = _moments(x)
        squares = (deviation**2 - EPS) * count
        if self.count:
            delta, total = mean - self.mean, self.count + count
            squares = self.squares + squares + delta**2 * (self.count * count / total)
            mean = self.mean + delta * (count / total)
        self.mean, self.squares, self.count = mean, squares, self.count + count

    def settle(self) -> float:
        """Learn from a pass how the whole differs from the sample; returns how far off the pass was."""
        deviation = (self.squares / self.count + EPS).clamp(min=EPS).sqrt()
        off = torch.maximum(
            (self.mean - self.used[0]).abs() / deviation, (self.used[1] / deviation - 1).abs()
        )
        mean, scale = self.sampled
        self.shift, self.ratio = (self.mean - mean) / scale, deviation / scale
        return float(off.max())


class WholePicture:
    """While entered, the norms of `network` that normalise a picture by itself normalise tiles as parts of
    one. For each pass: `sample`, then `at` before each tile; `settled` tells whether it was the last."""

    def __init__(self, network: nn.Module, *, half: bool) -> None:
        self.norms = whole_picture_norms(network)
        self.layers = [_Layer() for _ in self.norms]
        self.limit = SETTLED_HALF if half else SETTLED
        self.tile: Tile | None = None
        self.passes = 0
        self.off: list[float] = []  # of each pass, as `_Layer.settle` has it
        self.done = False

    def __enter__(self) -> WholePicture:
        for norm, layer in zip(self.norms, self.layers, strict=True):
            norm.moments = lambda x, layer=layer: self._moments_of(layer, x)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for norm in self.norms:
            norm.moments = None

    @property
    def most_passes(self) -> int:
        """After so many the statistics are exact: each pass settles at least the first layer that was not."""
        return len(self.norms) + 1

    def sample(self) -> None:
        """The next call of the network is given the sample, (N, C, H, W)."""
        self.tile = None

    def at(self, tile: Tile) -> None:
        """The next call of the network is given this tile."""
        self.tile = tile

    def settled(self) -> bool:
        """Whether what the tiles of this pass gave is final."""
        self.passes += 1
        self.off.append(max(layer.settle() for layer in self.layers))
        self.done = self.off[-1] <= self.limit or self.passes >= self.most_passes
        return self.done

    def _moments_of(self, layer: _Layer, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.tile is None:
            layer.sample(x)
        else:
            rows, cols = self.tile.rows, self.tile.cols
            layer.add(x[:, :, _inside(rows, x.shape[2]), _inside(cols, x.shape[3])])
        return layer.given


def _inside(span: Span, length: int) -> slice:
    """The part of a layer's rows or columns that no other tile counts."""
    begin, end, first, last = span.begin, span.end, span.first, span.last
    return slice((first - begin) * length // (end - begin), (last - begin) * length // (end - begin))


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sqrt(variance + EPS) of each channel, (C,) float64; the variance from centred values."""
    var, mean = torch.var_mean(x.float(), (0, 2, 3), correction=0)
    return mean.double(), (var.double() + EPS).sqrt()
