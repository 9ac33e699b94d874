"""The U-Net generator of pix2pix (Isola et al. 2017, appendix 6.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d, ConvTranspose2d, suited
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain, pad_to_grid, zero
from gantrans.nets.norm import bias_before, make_norm


class UNet(nn.Module):
    """x11 (N, in_channels, H, W) -> (N, out_channels, H, W), any H and W >= 1.

    `depth` halvings of the picture, then as many doublings, each of which also sees the features of its own
    size on the way down. Level i is width * min(2**i, 8) channels wide. The picture is padded to a multiple
    of 2**depth pixels and cropped back: train on crops of such a size. depth=8, width=64 is the reference's
    unet_256, depth=7 its unet_128. `dropout` (0.5) acts, in train mode, on the depth - 5 blocks that come
    first on the way up, the innermost excepted. `norm`: "batch", "instance" or "none".

    residual=False: the output is a tanh, in [-1, 1]. residual=True: output = input + what is learned, neither
    squashed nor clamped in train or eval mode; the last layer starts at zero, so the start is the identity.
    An input channel more than the output has (a mask, the last) is not added.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        depth: int = 8,
        norm: str = "batch",
        dropout: bool = True,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels,
            out_channels=out_channels,
            width=width,
            depth=depth,
            norm=norm,
            dropout=dropout,
            residual=residual,
        )
        self.depth = depth
        self.residual = residual
        widths = [width * min(2**level, 8) for level in range(depth)]
        self.stem = Conv2d(in_channels, width, 4, 2, 1, bias=bias_before(norm))
        self.down = nn.ModuleList(
            # One pixel has no variance: the innermost level, which may be 1x1, is not normalised going down.
            _down(widths[level - 1], widths[level], norm, normalise=level < depth - 1)
            for level in range(1, depth)
        )
        self.up = nn.ModuleList(
            _up(
                widths[level] * (1 if level == depth - 1 else 2),
                widths[level - 1],
                norm,
                dropout=dropout and 4 <= level < depth - 1,
            )
            for level in range(depth - 1, 0, -1)
        )
        self.head = ConvTranspose2d(width * 2, out_channels, 4, 2, 1)
        if residual:
            zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        padded, window = pad_to_grid(suited(x), 2**self.depth)
        y = self._layers(padded)[window]
        return x[:, : y.shape[1]] + y if self.residual else torch.tanh(y)

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of what `encode` returns."""
        a = self.arguments
        widths = (a["width"] * min(2**level, 8) for level in range(self._taps()))
        return (a["in_channels"], *widths)

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features for PatchNCE (Park et al. 2020), finest first: the picture itself and what the first four
        halvings give (fewer where the network has fewer, the innermost left out)."""
        y, _ = pad_to_grid(suited(x), 2**self.depth)
        found = [y, self.stem(y)]
        for block in self.down[: self._taps() - 1]:  # type: ignore[union-attr]
            found.append(block(found[-1]))
        return found

    def _taps(self) -> int:
        return min(4, self.depth - 1)

    def _layers(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for block in self.down:
            features.append(block(features[-1]))
        y = features.pop()
        for block in self.up:
            y = torch.cat([features.pop(), block(y)], 1)
        return self.head(F.relu(y))


def _down(in_channels: int, out_channels: int, norm: str, *, normalise: bool) -> nn.Sequential:
    """Half the size."""
    return chain(
        activation=nn.LeakyReLU(0.2),
        conv=Conv2d(in_channels, out_channels, 4, 2, 1, bias=bias_before(norm)),
        norm=make_norm(norm if normalise else "none", out_channels),
    )


def _up(in_channels: int, out_channels: int, norm: str, *, dropout: bool) -> nn.Sequential:
    """Twice the size."""
    return chain(
        activation=nn.ReLU(),
        conv=ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=bias_before(norm)),
        norm=make_norm(norm, out_channels),
        dropout=nn.Dropout(0.5) if dropout else nn.Identity(),
    )
