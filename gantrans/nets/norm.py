"""Normalisation layers, (N, C, H, W) -> the same shape, and which statistics batch norm uses at inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantrans.nets.arguments import NORMS

STATISTICS = ("running", "image")
EPS = 1e-5


class InstanceNorm(nn.Module):
    """Each channel of each image to mean 0, variance 1 over its pixels (Ulyanov et al. 2016); no weights."""

    def forward(self, x: Tensor) -> Tensor:
        return per_image(x)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) whose `statistics` in eval mode can be those of each image.

    "running": the averages kept in training, as usual. "image": mean and variance of each image over its own
    pixels, whatever the batch size: what pix2pix does with batch 1 (Isola et al. 2017, section 3.4). In train
    mode the two are alike: statistics of the batch, averages updated.
    """

    statistics: str = "running"

    def forward(self, input: Tensor) -> Tensor:
        if self.training or self.statistics == "running":
            return super().forward(input)
        return per_image(input, self.weight, self.bias, self.eps)


def make_norm(norm: str, channels: int) -> nn.Module:
    """The layer that `norm` names: "batch" (affine, with averages), "instance" (no parameters) or "none"."""
    if norm not in NORMS:
        raise ValueError(f"norm={norm!r}: accepted are {', '.join(NORMS)}")
    if norm == "batch":
        return BatchNorm(channels, eps=EPS)
    return InstanceNorm() if norm == "instance" else nn.Identity()


def bias_before(norm: str) -> bool:
    """Whether a convolution in front of this norm has a bias, as in the reference: only before instance norm.

    Batch norm brings its own; "none" has neither, so the layers between the first and the last scale with
    their input.
    """
    return norm == "instance"


def set_norm_statistics(network: nn.Module, statistics: str) -> None:
    """Choose what every BatchNorm of `network` uses in eval mode: "running" or "image" (see BatchNorm).

    Nothing else changes: not dropout, not the running averages, not training. Can be set back at any time.
    Raises ValueError for another value, and where a foreign batch norm could not follow.
    """
    if statistics not in STATISTICS:
        raise ValueError(f"norm statistics {statistics!r}: accepted are {', '.join(STATISTICS)}")
    for name, module in network.named_modules():
        if isinstance(module, BatchNorm):
            module.statistics = statistics
        elif isinstance(module, _BatchNorm) and statistics == "image":
            raise ValueError(
                f"{name}: a {type(module).__name__} cannot use the statistics of each image; "
                "build the network with gantrans.nets.norm.BatchNorm"
            )


def per_image(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = EPS
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, mean and var over the pixels of a channel of an image.

    A group norm with one channel a group. `instance_norm` gives the same numbers but returns a view, at half
    the speed on a CPU. `group_norm` by its public name would leave bfloat16 under autocast.
    """
    n, channels, height, width = x.shape
    return torch.native_group_norm(x, weight, bias, n, channels, height * width, channels, eps)[0]
