"""Winograd convolution as batched matrix products, in plain PyTorch, forward and backward.

F(m x m, r x r) computes a tile of m x m outputs of an r x r convolution from (m + r - 1)**2 products for each
pair of channels, where the definition takes (m r)**2 (Winograd 1980; Lavin & Gray 2016): A [(G w G') * (B d
B')] A' for an input tile d. Channels are summed by one matrix product for each of those places.

Meant for the CPU, and fastest where pictures lie channels last: a row of a tile is then copied as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gantrans.kernels.product import by_place, packed_places

# Where polynomials are evaluated, besides infinity; small and few powers of 2 apart, for accuracy.
POINTS = (0.0, 1.0, -1.0, 2.0, -0.5)


@lru_cache
def toom_cook(m: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (m, n), G (n, r) and B (n, n), n = m + r - 1 <= 6, float64: A [(G g) * (B d)] is the correlation of
    d (n) with g (r), m numbers."""
    n = m + r - 1

    def evaluate(length: int) -> np.ndarray:
        rows = [[point**power for power in range(length)] for point in POINTS[: n - 1]]
        return np.array([*rows, [0.0] * (length - 1) + [1.0]])

    return evaluate(m).T, evaluate(r), np.linalg.inv(evaluate(n)).T


@lru_cache
def _kron(m: int, r: int, which: str, dtype: torch.dtype) -> Tensor:
    matrix = dict(zip("AGB", toom_cook(m, r), strict=True))[which]
    with torch.inference_mode(False):  # the matrix outlives this call, and may later be part of a graph
        return torch.from_numpy(np.kron(matrix, matrix)).to(dtype)


@dataclass(frozen=True)
class Winograd:
    """Convolution by kernels of `r` x `r` pixels with stride 1, in tiles of `m` x `m` outputs, r - 1 <= m.

    Pictures are (N, C, H, W), weights (K, C, r, r), tiles counted by T. "Input" and "output" are those of the
    convolution, also where its adjoint turns an output into an input.
    """

    m: int
    r: int

    @property
    def n(self) -> int:
        """Places along a side of a tile."""
        return self.m + self.r - 1

    def span(self, outputs: int) -> int:
        """Pixels of input along a side, borders included, under the tiles of that many outputs."""
        return -(-outputs // self.m) * self.m + self.r - 1

    def weight(self, weight: Tensor) -> Tensor:
        """G w G': (K, C, r, r) -> (n * n, K, C), strided: K before places."""
        return self._each("G", weight.flatten(2).transpose(1, 2)).transpose(0, 1)

    def packed(self, weight: Tensor, x: Tensor) -> Tensor:
        """The turned weight as products of many pictures such as x take it fastest."""
        tiles = len(x) * -(-x.shape[2] // self.m) * -(-x.shape[3] // self.m)
        return packed_places(self.weight(weight), tiles)

    def weight_adjoint(self, turned: Tensor) -> Tensor:
        """(n * n, K, C) -> (K, C, r, r)."""
        weight = self._each("G", turned.transpose(0, 1), adjoint=True).transpose(1, 2)
        return weight.unflatten(2, (self.r, self.r))

    def input(self, bordered: Tensor) -> Tensor:
        """B d B' of every tile: (N, C, span, span) -> (T, n * n, C)."""
        cut = bordered.permute(0, 2, 3, 1).unfold(1, self.n, self.m).unfold(2, self.n, self.m)
        tiles = cut.permute(0, 1, 2, 4, 5, 3).reshape(-1, self.n**2, bordered.shape[1])
        return self._each("B", tiles)

    def input_adjoint(self, turned: Tensor, batch: int, down: int, across: int) -> Tensor:
        """(T, n * n, C) of `down` x `across` tiles -> (N, C, span, span), overlaps summed."""
        m, n, over, channels = self.m, self.n, self.r - 1, turned.shape[2]
        tiles = self._each("B", turned, adjoint=True)
        tiles = tiles.view(batch, down, across, n, n, channels).transpose(2, 3)
        whole = tiles.new_zeros(batch, down + 1, m, across + 1, m, channels)
        whole[:, :down, :, :across] = tiles[:, :, :m, :, :m]
        whole[:, 1:, :over, :across] += tiles[:, :, m:, :, :m]
        whole[:, :down, :, 1:, :over] += tiles[:, :, :m, :, m:]
        whole[:, 1:, :over, 1:, :over] += tiles[:, :, m:, :, m:]
        picture = whole.view(batch, (down + 1) * m, (across + 1) * m, channels)
        return picture[:, : down * m + over, : across * m + over].permute(0, 3, 1, 2)

    def output(self, turned: Tensor, batch: int, height: int, width: int) -> Tensor:
        """A y A' of every tile: (T, n * n, K) -> (N, K, height, width)."""
        m, channels = self.m, turned.shape[2]
        down, across = -(-height // m), -(-width // m)
        tiles = self._each("A", turned)
        tiles = tiles.view(batch, down, across, m, m, channels).transpose(2, 3)
        picture = tiles.reshape(batch, down * m, across * m, channels)
        return picture[:, :height, :width].contiguous().permute(0, 3, 1, 2)

    def output_adjoint(self, output: Tensor) -> Tensor:
        """(N, K, height, width) -> (T, n * n, K)."""
        m, (_, channels, height, width) = self.m, output.shape
        output = F.pad(output, (0, -width % m, 0, -height % m))
        tiles = output.permute(0, 2, 3, 1).unflatten(2, (-1, m)).unflatten(1, (-1, m)).transpose(2, 3)
        return self._each("A", tiles.reshape(-1, m * m, channels), adjoint=True)

    def _each(self, name: str, squares: Tensor, *, adjoint: bool = False) -> Tensor:
        """A, B or G on both sides of squares (I, pixels, channels), whose pixels lie row by row. One by one,
        they stay in the cache."""
        matrix = _kron(self.m, self.r, name, squares.dtype)
        matrix = matrix.t() if adjoint else matrix
        return torch.bmm(matrix.expand(len(squares), *matrix.shape), squares)


def conv2d(
    plan: Winograd,
    x: Tensor,
    weight: Tensor,
    padding: int,
    border: str = "constant",
    turned: Tensor | None = None,
) -> Tensor:
    """F.conv2d with stride 1 and without bias; borders of `padding` pixels are "constant" (0) or "reflect".

    x (N, C, H, W), weight (K, C, plan.r, plan.r), both float32 or float64. turned: plan.weight(weight) or
    plan.packed(weight, x), where that is at hand already.
    """
    return _Conv.apply(plan, x, weight, padding, border, turned)


class _Conv(torch.autograd.Function):
    """Keeps only picture and weight for the backward pass, as turned they are 2 and 4 times as large. That
    pass is made of differentiable operations, so that penalties on gradients work."""

    @staticmethod
    def forward(ctx, plan, x, weight, padding, border, turned):
        ctx.plan, ctx.padding, ctx.border = plan, padding, border
        ctx.save_for_backward(x, weight)
        sides = [side + 2 * padding - plan.r + 1 for side in x.shape[2:]]
        tiles = plan.input(_bordered(plan, x, padding, border, sides))
        turned = plan.weight(weight) if turned is None else turned
        return plan.output(by_place(tiles, turned), len(x), *sides)

    @staticmethod
    def backward(ctx, grad):  # pyright: ignore[reportIncompatibleMethodOverride]
        plan, p, border = ctx.plan, ctx.padding, ctx.border
        x, weight = ctx.saved_tensors
        outputs, dx, dw = plan.output_adjoint(grad), None, None
        if ctx.needs_input_grad[2]:
            tiles = plan.input(_bordered(plan, x, p, border, grad.shape[2:]))
            dw = plan.weight_adjoint(torch.bmm(outputs.permute(1, 2, 0), tiles.transpose(0, 1)))
        if ctx.needs_input_grad[1]:
            tiles = [-(-side // plan.m) for side in grad.shape[2:]]
            inputs = by_place(outputs, plan.weight(weight).transpose(1, 2))
            bordered = plan.input_adjoint(inputs, len(x), *tiles)
            dx = _borderless(bordered, x.shape[2:], p, border)
        return None, dx, dw, None, None, None


def _bordered(plan: Winograd, x: Tensor, padding: int, border: str, outputs: list[int]) -> Tensor:
    """With its borders, and zeros after them to the end of the last tile."""
    p, (height, width) = padding, x.shape[2:]
    below, right = plan.span(outputs[0]) - height - p, plan.span(outputs[1]) - width - p
    if border == "constant":
        return F.pad(x, (p, right, p, below))
    x = F.pad(x, (p, p, p, p), mode=border)
    return F.pad(x, (0, right - p, 0, below - p)) if max(right, below) > p else x


def _borderless(bordered: Tensor, sides: torch.Size, padding: int, border: str) -> Tensor:
    """The adjoint of `_bordered`: a picture with `sides`."""
    p, (height, width) = padding, sides
    within = bordered[:, :, p : p + height, p : p + width]
    if border == "constant":
        return within.contiguous(memory_format=torch.channels_last)
    frame = bordered[:, :, : height + 2 * p, : width + 2 * p]
    return torch.ops.aten.reflection_pad2d_backward(frame, within, [p, p, p, p])
