"""Convolutions of few pixels by many channels as one matrix product, on the weight as it lies.

With 1 to 64 pixels the weights are most of the data, and reordering them, as convolution libraries do at each
call, is most of the time.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gantrans.kernels.product import product


def conv2d_gemm(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """F.conv2d: (N, C, H, W) with (K, C, side, side) -> (N, K, H', W')."""
    side = weight.shape[-1]
    height, width = ((n + 2 * padding - side) // stride + 1 for n in x.shape[2:])
    patches = F.unfold(x, side, padding=padding, stride=stride)
    rows = _product(_rows(patches), weight.flatten(1).t())
    y = rows.view(len(x), height, width, -1).permute(0, 3, 1, 2).contiguous()
    return y if bias is None else y + bias.view(-1, 1, 1)


def conv_transpose2d_gemm(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
) -> Tensor:
    """F.conv_transpose2d: (N, C, H, W) with (C, K, side, side) -> (N, K, H', W')."""
    side = weight.shape[-1]
    height, width = ((n - 1) * stride - 2 * padding + side for n in x.shape[2:])
    patches = _product(_rows(x.flatten(2)), weight.flatten(1))
    patches = patches.view(len(x), -1, weight[0].numel()).transpose(1, 2)
    y = F.fold(patches, (height, width), side, padding=padding, stride=stride)
    return y if bias is None else y + bias.view(-1, 1, 1)


def _rows(columns: Tensor) -> Tensor:
    """(N, J, L) -> (N * L, J)."""
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    """rows (P, J) @ matrix (J, K). In float32 under autocast too: to turn so large a matrix into bfloat16,
    and its gradient back, takes longer than the product."""
    with torch.autocast("cpu", enabled=False):
        return _Product.apply(rows.to(matrix.dtype), matrix).to(rows.dtype)


class _Product(torch.autograd.Function):
    """rows (P, J) @ matrix (J, K) whose gradients are products of contiguous rows too: the same product with
    a transposed gradient takes up to 6 times as long at P = 2 to 8."""

    @staticmethod
    def forward(ctx, rows, matrix):
        ctx.save_for_backward(rows, matrix)
        return product(rows, matrix)

    @staticmethod
    def backward(ctx, grad):  # pyright: ignore[reportIncompatibleMethodOverride]
        rows, matrix = ctx.saved_tensors
        grad = grad.contiguous()
        drows = product(grad, matrix.t()) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return drows, None
        # In the layout of the weight, so that it needs no copy to become its gradient.
        return drows, product(rows.t(), grad) if matrix.is_contiguous() else product(grad.t(), rows).t()
