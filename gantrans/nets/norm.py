"""Normalisation layers, (N, C, H, W) -> the same shape, and which statistics batch norm uses at inference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantrans.nets.arguments import NORMS

STATISTICS = ("running", "image")
EPS = 1e-5


Moments = Callable[[Tensor], tuple[Tensor, Tensor]]


class InstanceNorm(nn.Module):
    """Each channel of each image to mean 0, variance 1 over its pixels (Ulyanov et al. 2016); no weights.

    `moments`, where set, says mean and variance (C,) each in the place of those of x: how a part of a picture
    is normalised as the whole.
    """

    moments: Moments | None = None

    def forward(self, x: Tensor) -> Tensor:
        return per_image(x) if self.moments is None else normalised(x, *self.moments(x))


class BatchNorm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) whose `statistics` in eval mode can be those of each image.

    "running": the averages kept in training, as usual. "image": mean and variance of each image over its own
    pixels, whatever the batch size: what pix2pix does with batch 1 (Isola et al. 2017, section 3.4). In train
    mode the two are alike: statistics of the batch, averages updated. `sum_over`, where set, makes that the
    batch of all processes: x -> the sum of everyone's x, differentiable. `moments`: in eval mode with
    "image", as for InstanceNorm.
    """

    statistics: str = "running"
    sum_over: Callable[[Tensor], Tensor] | None = None
    moments: Moments | None = None

    def forward(self, input: Tensor) -> Tensor:
        if self.training and self.sum_over is not None:
            return self._synchronised(input, self.sum_over)
        if self.training or self.statistics == "running":
            return super().forward(input)
        if self.moments is not None:
            return normalised(input, *self.moments(input), self.weight, self.bias, self.eps)
        return per_image(input, self.weight, self.bias, self.eps)

    def _synchronised(self, input: Tensor, sum_over: Callable[[Tensor], Tensor]) -> Tensor:
        """Mean first and then variance, as the difference of two large sums would lose digits in float32."""
        x = input if input.dtype == torch.float64 else input.float()
        ours = x.new_full((1,), x.numel() // x.shape[1])  # processes may hold crops of other sizes
        *sums, count = sum_over(torch.cat([x.sum((0, 2, 3)), ours])).split([x.shape[1], 1])
        mean = sums[0] / count
        centred = x - mean.view(-1, 1, 1)
        var = sum_over((centred**2).sum((0, 2, 3))) / count
        self._average(mean.detach(), (var * count / (count - 1)).detach())
        scale = torch.rsqrt(var + self.eps)
        scale = scale if self.weight is None else scale * self.weight
        made = centred * scale.view(-1, 1, 1)
        return (made if self.bias is None else made + self.bias.view(-1, 1, 1)).to(input.dtype)

    @torch.no_grad()
    def _average(self, mean: Tensor, var: Tensor) -> None:
        """Keep the running averages as batch norm does."""
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_(var.to(self.running_var.dtype), weight)


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


def synchronise_norm(network: nn.Module, sum_over: Callable[[Tensor], Tensor] | None) -> None:
    """Let every BatchNorm of `network` take its statistics over all processes in train mode, or over its own
    (None). Raises ValueError where a foreign batch norm could not follow."""
    for name, module in network.named_modules():
        if isinstance(module, BatchNorm):
            module.sum_over = sum_over
        elif isinstance(module, _BatchNorm) and sum_over is not None:
            raise ValueError(
                f"{name}: a {type(module).__name__} keeps to its own process; "
                "build the network with gantrans.nets.norm.BatchNorm"
            )


def whole_picture_norms(network: nn.Module) -> list[InstanceNorm | BatchNorm]:
    """The layers that in eval mode take their statistics from the picture at hand, as they are registered."""
    return [
        module
        for module in network.modules()
        if isinstance(module, InstanceNorm)
        or (isinstance(module, BatchNorm) and module.statistics == "image")
    ]


def normalised(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = EPS,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, mean and var (C,) float32 given."""
    return torch.native_batch_norm(x, weight, bias, mean, var, False, 0.0, eps)[0]


def per_image(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = EPS
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, mean and var over the pixels of a channel of an image.

    Neither way returns a view, as `instance_norm` does, which costs a copy of all that comes after it. Group
    norm takes any number of images, but on the CPU its gradient is slow where pictures lie channels last.
    """
    n, channels, height, width = x.shape
    if n > 1 and (x.device.type != "cpu" or x.is_contiguous()):
        return torch.native_group_norm(x, weight, bias, n, channels, height * width, channels, eps)[0]
    images = [torch.native_batch_norm(i, weight, bias, None, None, True, 0.0, eps)[0] for i in x.split(1)]
    return images[0] if n == 1 else torch.cat(images)
