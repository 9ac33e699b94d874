"""Penalties on the gradient of a discriminator with respect to its input.

Their D is one number an image, that which the losses are made of: the mean of its logits, summed over scales.
(Sums of logits grow with the crop, and at the weights of the papers would silence a patch discriminator.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gantrans.losses.gan import per_scale
from gantrans.types import Logits

Judge = Callable[[Tensor], Logits]


def r1(judge: Judge, real: Tensor) -> Tensor:
    """mean over images of |grad D(real)|^2, 0-d (Mescheder et al. 2018, equation 9, without gamma / 2).

    `real` (N, C, H, W): all that the discriminator is shown, the condition included. Differentiable with
    respect to the discriminator's weights.
    """
    return squared_gradient(judge, real).mean()


def gradient_penalty(judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
    """mean over images of (|grad D(x)| - 1)^2, 0-d, between real and fake (Gulrajani et al. 2017, eq. 3).

    x = a real + (1 - a) fake with one uniform a an image.
    """
    a = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    squared = squared_gradient(judge, a * real + (1 - a) * fake)
    return ((squared + 1e-12).sqrt() - 1).square().mean()


def squared_gradient(judge: Judge, x: Tensor) -> Tensor:
    """|dD(x) / dx|^2 of each image, (N,), with a graph to the discriminator's weights."""
    x = x.detach().requires_grad_()
    with torch.autocast(x.device.type, enabled=False):  # the gradient of a gradient outgrows half precision
        means = [logits.flatten(1).mean(1).sum() for logits in per_scale(judge(x))]
        total = torch.stack(means).sum()
        (gradient,) = torch.autograd.grad(total, x, create_graph=True)
    return gradient.square().flatten(1).sum(1)
