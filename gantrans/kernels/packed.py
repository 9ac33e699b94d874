"""oneDNN's convolutions on weights that were brought into its own layout beforehand, for inference.

Its usual entry does that at each call, which for the deep layers of a U-Net takes longer than the convolution
itself. The operators are PyTorch's own, made for torch.compile; where they are missing, nothing is packed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def available() -> bool:
    """Whether this build of PyTorch has the operators."""
    names = ("_reorder_convolution_weight", "_reorder_convolution_transpose_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)


def pack(conv: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """The weight as `packed` takes it; best for pictures of x's shape, right for any."""
    if isinstance(conv, nn.ConvTranspose2d):
        return torch.ops.mkldnn._reorder_convolution_transpose_weight(
            conv.weight, conv.padding, conv.output_padding, conv.stride, conv.dilation, conv.groups, x.shape
        )
    return torch.ops.mkldnn._reorder_convolution_weight(
        conv.weight, conv.padding, conv.stride, conv.dilation, conv.groups, x.shape
    )


def packed(conv: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of x (N, C, H, W) float32 with borders of zeros; `weight` from `pack`."""
    activation = ("none", [], "")
    if isinstance(conv, nn.ConvTranspose2d):
        return torch.ops.mkldnn._convolution_transpose_pointwise(
            x, weight, conv.bias, conv.padding, conv.output_padding, conv.stride, conv.dilation, conv.groups,
            *activation,
        )  # fmt: skip
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups, *activation
    )
