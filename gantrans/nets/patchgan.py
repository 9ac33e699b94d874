"""Discriminators that judge a picture place by place, in logits (Isola et al. 2017, appendix 6.1.2).

Each also gives the `features` of its layers, for losses that compare those.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gantrans.kernels.conv import Conv2d, suited
from gantrans.nets.antialias import Downsample
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain
from gantrans.nets.norm import bias_before, make_norm


class PatchGAN(nn.Module):
    """x11 (N, in_channels, H, W) -> logits (N, 1, H // 2**layers - 2, W // 2**layers - 2), real > 0.

    Each logit sees a patch of 70 x 70 pixels at layers=3 (16, 34, 70, 142, 286, 574 at 1 to 6). For pix2pix
    `in_channels` is those of source and target together, source first. `norm`: "batch", "instance" or "none".
    spectral: every convolution is divided by its largest singular value (Miyato et al. 2018); goes with
    norm="none". antialias: each halving is blurred (Zhang 2019), as CUT has it; odd sizes may then give one
    row or column of logits more.
    """

    def __init__(
        self,
        in_channels: int = 6,
        width: int = 64,
        layers: int = 3,
        norm: str = "batch",
        spectral: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels,
            width=width,
            layers=layers,
            norm=norm,
            spectral=spectral,
            antialias=antialias,
        )
        self.least = 3 * 2**layers
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        stride = 1 if antialias else 2
        self.stem = chain(conv=Conv2d(in_channels, width, 4, stride, 1), activation=nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(
            *(
                _block(widths[i], widths[i + 1], norm, stride=stride if i < layers - 1 else 1)
                for i in range(layers)
            )
        )
        self.head = Conv2d(widths[-1], 1, 4, 1, 1)
        if antialias:
            for level, part in enumerate([self.stem, *list(self.blocks)[: layers - 1]]):
                part.add_module("blur", Downsample(widths[level]))
        if spectral:
            for module in [m for m in self.modules() if isinstance(m, nn.Conv2d)]:
                spectral_norm(module)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x)[-1])

    def features(self, x: Tensor) -> list[Tensor]:
        """The activations of every layer but the last, finest first."""
        height, width = x.shape[-2:]
        if min(height, width) < self.least:
            raise ValueError(
                f"PatchGAN with layers={self.arguments['layers']} got {width}x{height} pixels and needs "
                f"at least {self.least}x{self.least}; use a larger crop or fewer layers"
            )
        found = [self.stem(suited(x, winograd=True))]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found


class MultiScalePatchGAN(nn.Module):
    """x11 (N, in_channels, H, W) -> one tensor of logits a scale, the finest first (Wang et al. 2018, 3.2).

    `scales` PatchGANs of equal shape, each of which sees the picture at half the size of the one before: the
    coarser judge the whole, the finer the detail.
    """

    def __init__(
        self,
        in_channels: int = 6,
        width: int = 64,
        layers: int = 3,
        scales: int = 3,
        norm: str = "instance",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels, width=width, layers=layers, scales=scales, norm=norm, spectral=spectral
        )
        self.scales = nn.ModuleList(
            PatchGAN(in_channels, width, layers, norm, spectral) for _ in range(scales)
        )
        self.least = 3 * 2**layers * 2 ** (scales - 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [scale(seen) for scale, seen in zip(self.scales, self._pyramid(x), strict=True)]

    def features(self, x: Tensor) -> list[list[Tensor]]:
        """The activations of every layer but the last, for each scale."""
        pyramid = zip(self.scales, self._pyramid(x), strict=True)
        return [cast(PatchGAN, scale).features(seen) for scale, seen in pyramid]

    def _pyramid(self, x: Tensor) -> list[Tensor]:
        seen = [x]
        for _ in self.scales[1:]:
            seen.append(F.avg_pool2d(seen[-1], 3, 2, 1, count_include_pad=False))
        return seen


class PixelGAN(nn.Module):
    """x11 (N, in_channels, H, W) -> logits (N, 1, H, W): each judges one pixel, so colour and no structure.

    `norm`: "batch", "instance" or "none".
    """

    def __init__(self, in_channels: int = 6, width: int = 64, norm: str = "batch") -> None:
        super().__init__()
        self.arguments = checked(in_channels=in_channels, width=width, norm=norm)
        bias = bias_before(norm)
        self.stem = chain(conv=Conv2d(in_channels, width, 1), activation=nn.LeakyReLU(0.2))
        self.block = chain(
            conv=Conv2d(width, width * 2, 1, bias=bias),
            norm=make_norm(norm, width * 2),
            activation=nn.LeakyReLU(0.2),
        )
        self.head = Conv2d(width * 2, 1, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x)[-1])

    def features(self, x: Tensor) -> list[Tensor]:
        """The activations of both layers before the last."""
        first = self.stem(x)
        return [first, self.block(first)]


def _block(in_channels: int, out_channels: int, norm: str, *, stride: int) -> nn.Sequential:
    return chain(
        conv=Conv2d(in_channels, out_channels, 4, stride, 1, bias=bias_before(norm)),
        norm=make_norm(norm, out_channels),
        activation=nn.LeakyReLU(0.2),
    )
