"""Generators that work at the size of the source and enlarge it at the end: super-resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrans.kernels.conv import Conv2d, suited
from gantrans.nets import upscale
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain, zero
from gantrans.nets.norm import bias_before, make_norm

_RESIDUE = 0.2  # what a dense block adds is scaled by this (Wang et al. 2018b, section 3.1)
_GROWTH_LAYERS = 4  # of a dense block, each of `growth` channels, before the one that closes it


class SRResNet(nn.Module):
    """x11 (N, in_channels, H, W) -> (N, out_channels, scale H, scale W), any H and W >= 1.

    Residual blocks at the source's size, a skip over all of them, then enlargement (Ledig et al. 2017,
    section 2.1.1). `scale` 1, 2, 3, 4 or 8; `upsample`: "pixelshuffle" or "resize" (see upscale.py). `norm`:
    "none" as in EDSR (Lim et al. 2017), or "batch" as in the paper. residual=True: output = bicubic
    enlargement + what is learned, and the start is the former; else the output is what is learned. Neither
    squashed nor clamped.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 16,
        scale: int = 2,
        norm: str = "none",
        upsample: str = "pixelshuffle",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels,
            out_channels=out_channels,
            width=width,
            blocks=blocks,
            scale=scale,
            norm=norm,
            upsample=upsample,
            residual=residual,
        )
        self.scale, self.residual = scale, residual
        self.stem = Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(_block(width, norm) for _ in range(blocks))
        self.merge = Conv2d(width, width, 3, padding=1)
        self.up = nn.Sequential(*upscale.stages(width, scale, upsample))
        self.head = Conv2d(width, out_channels, 3, padding=1)
        if residual:
            zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        x = suited(x, winograd=True)
        first = y = torch.relu(self.stem(x))
        for block in self.blocks:
            y = y + block(y)
        y = self.head(self.up(first + self.merge(y)))
        return upscale.bicubic(x[:, : y.shape[1]], self.scale) + y if self.residual else y


class RRDBNet(nn.Module):
    """x11 (N, in_channels, H, W) -> (N, out_channels, scale H, scale W).

    ESRGAN's generator of residual-in-residual dense blocks (Wang et al. 2018b, section 3.1). `growth`: the
    channels that each layer of a dense block adds. The other arguments and the output are those of SRResNet;
    the paper has width 64, blocks 23, growth 32, upsample "resize" and residual=False.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 23,
        growth: int = 32,
        scale: int = 4,
        upsample: str = "resize",
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels,
            out_channels=out_channels,
            width=width,
            blocks=blocks,
            growth=growth,
            scale=scale,
            upsample=upsample,
            residual=residual,
        )
        self.scale, self.residual = scale, residual
        self.stem = Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(_RRDB(width, growth) for _ in range(blocks))
        self.merge = Conv2d(width, width, 3, padding=1)
        self.up = nn.Sequential(
            *(
                chain(up=stage, activation=nn.LeakyReLU(0.2))
                for stage in upscale.stages(width, scale, upsample)
            )
        )
        self.last = chain(conv=Conv2d(width, width, 3, padding=1), activation=nn.LeakyReLU(0.2))
        self.head = Conv2d(width, out_channels, 3, padding=1)
        if residual:
            zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        x = suited(x, winograd=True)
        first = y = self.stem(x)
        for block in self.blocks:
            y = block(y)
        y = self.head(self.last(self.up(first + self.merge(y))))
        return upscale.bicubic(x[:, : y.shape[1]], self.scale) + y if self.residual else y


def _block(width: int, norm: str) -> nn.Sequential:
    """What a residual block adds to its input."""
    bias = bias_before(norm)
    return chain(
        conv1=Conv2d(width, width, 3, padding=1, bias=bias),
        norm1=make_norm(norm, width),
        activation=nn.ReLU(),
        conv2=Conv2d(width, width, 3, padding=1, bias=bias),
        norm2=make_norm(norm, width),
    )


class _Dense(nn.Module):
    """Five convolutions, each of which sees all before it; the last one's output is added, scaled."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.grow = nn.ModuleList(
            Conv2d(width + i * growth, growth, 3, padding=1) for i in range(_GROWTH_LAYERS)
        )
        self.close = Conv2d(width + _GROWTH_LAYERS * growth, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for conv in self.grow:
            seen.append(nn.functional.leaky_relu(conv(torch.cat(seen, 1)), 0.2))
        return x + _RESIDUE * self.close(torch.cat(seen, 1))


class _RRDB(nn.Module):
    """Three dense blocks and a scaled skip over them."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(_Dense(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + _RESIDUE * self.dense(x)
