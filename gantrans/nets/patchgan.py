"""Discriminators that judge a picture place by place, in logits (Isola et al. 2017, appendix 6.1.2)."""

from __future__ import annotations

from torch import Tensor, nn

from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain
from gantrans.nets.norm import bias_before, make_norm


class PatchGAN(nn.Module):
    """x11 (N, in_channels, H, W) -> logits (N, 1, H // 2**layers - 2, W // 2**layers - 2), real > 0.

    Each logit sees a patch of 70 x 70 pixels at layers=3 (16, 34, 70, 142, 286, 574 at 1 to 6). For pix2pix
    `in_channels` is those of source and target together, source first. `norm`: "batch", "instance" or "none".
    """

    def __init__(self, in_channels: int = 6, width: int = 64, layers: int = 3, norm: str = "batch") -> None:
        super().__init__()
        self.arguments = checked(in_channels=in_channels, width=width, layers=layers, norm=norm)
        self.least = 3 * 2**layers
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        self.stem = chain(conv=nn.Conv2d(in_channels, width, 4, 2, 1), activation=nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(
            *(
                _block(widths[i], widths[i + 1], norm, stride=2 if i < layers - 1 else 1)
                for i in range(layers)
            )
        )
        self.head = nn.Conv2d(widths[-1], 1, 4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < self.least:
            raise ValueError(
                f"PatchGAN with layers={self.arguments['layers']} got {width}x{height} pixels and needs "
                f"at least {self.least}x{self.least}; use a larger crop or fewer layers"
            )
        return self.head(self.blocks(self.stem(x)))


class PixelGAN(nn.Module):
    """x11 (N, in_channels, H, W) -> logits (N, 1, H, W): each judges one pixel, so colour and no structure.

    `norm`: "batch", "instance" or "none".
    """

    def __init__(self, in_channels: int = 6, width: int = 64, norm: str = "batch") -> None:
        super().__init__()
        self.arguments = checked(in_channels=in_channels, width=width, norm=norm)
        bias = bias_before(norm)
        self.stem = chain(conv=nn.Conv2d(in_channels, width, 1), activation=nn.LeakyReLU(0.2))
        self.block = chain(
            conv=nn.Conv2d(width, width * 2, 1, bias=bias),
            norm=make_norm(norm, width * 2),
            activation=nn.LeakyReLU(0.2),
        )
        self.head = nn.Conv2d(width * 2, 1, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.stem(x)))


def _block(in_channels: int, out_channels: int, norm: str, *, stride: int) -> nn.Sequential:
    return chain(
        conv=nn.Conv2d(in_channels, out_channels, 4, stride, 1, bias=bias_before(norm)),
        norm=make_norm(norm, out_channels),
        activation=nn.LeakyReLU(0.2),
    )
