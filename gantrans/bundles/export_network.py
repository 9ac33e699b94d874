"""A generator in a form that torch.export can follow at any size: no branch on a size, no kernel of ours.

What is replaced computes the same: padding to a grid by indices instead of by a branch, norms of one picture
by PyTorch's own operator, a Colorizer's choice of its working size by a minimum.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.bundles.card import Card
from gantrans.errors import CheckpointError
from gantrans.kernels.conv import set_fast
from gantrans.nets.adain import HALVINGS, AdaINGenerator, adain
from gantrans.nets.colorizer import Colorizer, Decolorizer
from gantrans.nets.guided import guided_upsample
from gantrans.nets.inpainter import Inpainter
from gantrans.nets.norm import EPS, BatchNorm, InstanceNorm
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.resnet34 import CELL
from gantrans.nets.superres import RRDBNet, SRResNet
from gantrans.nets.unet import UNet

Side = Any  # a number of pixels: an int, or torch.export's symbol for one


def exportable(network: nn.Module, card: Card) -> nn.Module:
    """A copy of `network`, in eval mode, with the norm statistics of the card: x11 (N, C, H, W) -> what the
    network answers. Raises CheckpointError for a network that cannot be exported."""
    own = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    set_fast(own, False)
    _replace_norms(own, card.norm_statistics)
    if isinstance(own, Colorizer):
        return _AnyColorizer(own).eval()
    if isinstance(own, AdaINGenerator):
        if not bool(own.get_buffer("styled")):
            raise CheckpointError("takes any style, and a graph one: give style=FILE, the picture of it")
        return _Styled(own).eval()
    return _on_grid(own).eval()


def least_side(name: str) -> int:
    """The smallest side of a picture that the exported graph of a class takes."""
    return 17 if name == AdaINGenerator.__name__ else 1  # as its docstring says


def _on_grid(network: nn.Module) -> nn.Module:
    if isinstance(network, SRResNet | RRDBNet | Decolorizer):
        return network
    if isinstance(network, MaskedUNet):
        return _OnGrid(network, 2**network.unet.depth, 1)
    if isinstance(network, UNet | Inpainter):
        return _OnGrid(network, 2**network.depth, 1)
    if isinstance(network, ResNetGenerator):
        cell = 2**network.downs
        return _OnGrid(network, cell, max(4, 2 * cell))
    if isinstance(network, PretrainedUNet):
        return _OnGrid(network, CELL, 2 * CELL)
    raise CheckpointError(f"{type(network).__name__}: there is no export of this network")


class _OnGrid(nn.Module):
    """What `pad_to_grid` (nets/blocks.py) does in a network, around it: inside, nothing is left to pad."""

    def __init__(self, network: nn.Module, cell: int, least: int) -> None:
        super().__init__()
        self.network, self.cell, self.least = network, cell, least

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        rows, top = self._places(height)
        columns, left = self._places(width)
        y = self.network(x.index_select(2, rows).index_select(3, columns))
        return y.index_select(2, torch.arange(height) + top).index_select(3, torch.arange(width) + left)

    def _places(self, side: Side) -> tuple[Tensor, Side]:
        """Which row each row of the padded picture is, mirrored or (too short for that) repeated; and how
        many stand in front."""
        full = (torch.sym_max(side, self.least) + self.cell - 1) // self.cell * self.cell
        before = (full - side) // 2
        at, last = torch.arange(full) - before, side - 1
        mirrored = last - (last - at.abs()).abs()
        short = torch.zeros(1, dtype=torch.int64) + (full - side - before) >= side
        return torch.where(short, at, mirrored).clamp(0, last), before


class _AnyColorizer(nn.Module):
    """Colorizer.forward in eval mode: at its working size or below both ways give the same size, and `small`
    is the picture itself, as resampling to its own size changes nothing."""

    def __init__(self, network: Colorizer) -> None:
        super().__init__()
        self.network, self.working_px = network, network.working_px
        self.unet = _on_grid(network.unet)

    def forward(self, x: Tensor) -> Tensor:
        if not self.working_px:
            return self.network._joined(x, self.unet(x))
        height, width = x.shape[2:]
        shorter = torch.sym_min(height, width)
        px = torch.sym_min(shorter, self.working_px)
        size = [_rounded(side * px, shorter) for side in (height, width)]
        ab = self.unet(F.interpolate(x, size, mode="bilinear", antialias=True))
        guided = guided_upsample(ab, x)
        plain = F.interpolate(ab, (height, width), mode="nearest")
        large = torch.zeros(1, dtype=torch.int64) + shorter > self.working_px
        return self.network._joined(x, torch.where(large, guided, plain))


def _rounded(a: Side, b: Side) -> Side:
    """round(a / b) as Python has it, a half to the even number; in whole numbers, which graphs know."""
    up = (2 * a + b) // (2 * b)
    half = 1 - torch.sym_min(1, (2 * a + b) % (2 * b))
    return up - half * (up % 2)


class _Styled(nn.Module):
    """AdaINGenerator.forward with the style that was set."""

    def __init__(self, network: AdaINGenerator) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        n, (height, width) = self.network, x.shape[2:]
        y = adain(n.encode(x), n.get_buffer("style_mean"), n.get_buffer("style_std"))
        for level, (narrow, smooth) in enumerate(zip(n.narrow, n.smooth, strict=True)):
            share = 2 ** (HALVINGS - 1 - level)
            y = F.relu(narrow(y))
            for axis, side in ((2, height), (3, width)):
                y = y.index_select(axis, _nearest(y.shape[axis], (side + share - 1) // share))
            y = F.relu(smooth(y))
        return n.head(y)


def _nearest(side: Side, larger: Side) -> Tensor:
    """The pixel that each of `larger` repeats of a row of `side`: runtimes round apart where they resize."""
    return torch.arange(larger) * side // larger


class _OwnNorm(nn.Module):
    """Each channel of each picture by its own mean and variance: one operator, in PyTorch as in ONNX."""

    def __init__(self, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = EPS) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.get_buffer("weight"), self.get_buffer("bias")
        return torch.instance_norm(x, weight, bias, None, None, True, 0.0, self.eps, False)


def _replace_norms(network: nn.Module, statistics: str) -> None:
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm):
                setattr(parent, name, _OwnNorm())
            elif isinstance(child, BatchNorm) and statistics == "image":
                setattr(parent, name, _OwnNorm(child.weight.detach(), child.bias.detach(), child.eps))
