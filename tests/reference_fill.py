"""The reference figures, and the formulas of weights and inputs with which they were recorded."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gantrans.nets.patchgan import PatchGAN, PixelGAN
from gantrans.nets.projector import PatchProjector
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet


@cache
def figures() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "figures" / "reference.json").read_text())


@cache
def cut_figures() -> dict[str, Any]:
    """The same of the CUT authors' antialiased networks, and twenty steps of CUT and FastCUT."""
    return json.loads((Path(__file__).parent / "figures" / "cut.json").read_text())


def network(kind: str, norm: str, in_channels: int, out_channels: int = 3) -> nn.Module:
    """A network as recorded: width 8, no dropout, float64, filled."""
    makers = {
        "unet_256": lambda: UNet(in_channels, out_channels, 8, depth=8, norm=norm, dropout=False),
        "unet_128": lambda: UNet(in_channels, out_channels, 8, depth=7, norm=norm, dropout=False),
        "resnet_9blocks": lambda: ResNetGenerator(in_channels, out_channels, 8, blocks=9, norm=norm),
        "resnet_6blocks": lambda: ResNetGenerator(in_channels, out_channels, 8, blocks=6, norm=norm),
        "resnet_9blocks-antialias": lambda: ResNetGenerator(
            in_channels, out_channels, 8, blocks=9, norm=norm, antialias=True
        ),
        "D-basic": lambda: PatchGAN(in_channels, 8, norm=norm),
        "D-basic-antialias": lambda: PatchGAN(in_channels, 8, norm=norm, antialias=True),
        "D-pixel": lambda: PixelGAN(in_channels, 8, norm=norm),
    }
    made = makers[kind]().double()
    fill(made)
    return made


@torch.no_grad()
def fill(made: nn.Module) -> None:
    """Entry k of the reference's state dict becomes a sin(0.7 i + 1.3 k) over elements i; blur kernels stay.

    A helper network that the reference names differently has its entries in the same order.
    """
    state = made.state_dict()
    named = {key: key for key in state} if isinstance(made, PatchProjector) else reference_keys(made)
    for k, (ours, theirs) in enumerate(named.items()):
        tensor = state[ours]
        if theirs.endswith(".filt"):
            continue
        if theirs.endswith("running_mean"):
            tensor.zero_()
        elif theirs.endswith("running_var"):
            tensor.fill_(1)
        elif tensor.is_floating_point():
            wave = torch.sin(0.7 * torch.arange(tensor.numel(), dtype=torch.float64) + 1.3 * k)
            if tensor.dim() >= 2:
                tensor.copy_((math.sqrt(2 / tensor[0].numel()) * wave).view_as(tensor))
            else:
                tensor.copy_(0.1 * wave + (1 if theirs.endswith("weight") else 0))


def image(n: int, channels: int, height: int, width: int, phase: float = 0.0) -> Tensor:
    """A batch of n images (n, C, H, W) in float64."""
    number = torch.arange(n, dtype=torch.float64).view(-1, 1, 1, 1)
    c = torch.arange(channels, dtype=torch.float64).view(1, -1, 1, 1)
    y = torch.arange(height, dtype=torch.float64).view(1, 1, -1, 1)
    x = torch.arange(width, dtype=torch.float64)
    wave = torch.sin(0.11 * x + 0.07 * y + 1.9 * c + 0.5 * number + phase)
    return wave * torch.cos(0.05 * x * y / 7 + number)


def summary(x: Tensor) -> dict[str, Any]:
    """What figures.json says about a tensor, without the points."""
    x = x.detach()
    return {
        "shape": list(x.shape),
        "mean": x.mean().item(),
        "std": x.std().item(),
        "abs_mean": x.abs().mean().item(),
    }
