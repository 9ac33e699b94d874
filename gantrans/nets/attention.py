"""Layers in which every place of a feature map looks at every other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d

NARROWER = 8  # keys, queries and values have this many times fewer channels


class SelfAttention(nn.Module):
    """x (N, C, H, W) -> x + gamma * v(softmax(q(x)^T k(x)) h(x)), C from 8 on; gamma is learned from 0 on, so
    it starts as the identity (SAGAN, Zhang et al. 2019, equations 1 to 3).

    Time grows with (H W)^2, memory with H W where PyTorch has a kernel for that, as on the CPU.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // NARROWER
        self.query, self.key, self.value = (Conv2d(channels, inner, 1, bias=False) for _ in range(3))
        self.back = Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        # (N, 1, H W, inner); the paper does not divide by the square root of `inner`
        rows = (layer(x).flatten(2).transpose(1, 2)[:, None] for layer in (self.query, self.key, self.value))
        seen = F.scaled_dot_product_attention(*rows, scale=1.0)
        made = self.back(seen[:, 0].transpose(1, 2).unflatten(2, (height, width)))
        return x + self.gamma * made
