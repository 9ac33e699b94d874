"""A discriminator that judges every pixel, and sees the whole around it: a U-Net (Schoenfeld et al. 2020)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gantrans.kernels.conv import Conv2d, suited
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain, pad_to_grid


class UNetDiscriminator(nn.Module):
    """x11 (N, in_channels, H, W) -> logits (N, 1, H, W), real > 0, any H and W >= 1.

    That of Real-ESRGAN (Wang et al. 2021, section 3.3): `depth` halvings, as many enlargements, each with
    what was seen at its size on the way down added, and two convolutions more. Level i is
    width * min(2**i, 8) channels wide. The picture is padded to a multiple of 2**depth pixels, the logits are
    cropped back. There is no norm layer. spectral: all convolutions but the first and the last are divided by
    their largest singular value (Miyato et al. 2018), as there; without it nothing bounds how steep the
    logits grow. For pix2pix `in_channels` is those of source and target together, source first.
    """

    def __init__(self, in_channels: int = 6, width: int = 64, depth: int = 3, spectral: bool = True) -> None:
        super().__init__()
        self.arguments = checked(in_channels=in_channels, width=width, depth=depth, spectral=spectral)
        self.depth = depth
        widths = [width * min(2**level, 8) for level in range(depth + 1)]
        self.stem = chain(conv=Conv2d(in_channels, width, 3, 1, 1), activation=nn.LeakyReLU(0.2))
        self.down = nn.ModuleList(_block(a, b, 4, 2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_block(a, b, 3, 1) for a, b in pairwise(reversed(widths)))
        self.last = nn.ModuleList(_block(width, width, 3, 1) for _ in range(2))
        self.head = Conv2d(width, 1, 3, 1, 1)
        if spectral:
            for part in (self.down, self.up, self.last):
                for module in [m for m in part.modules() if isinstance(m, nn.Conv2d)]:
                    spectral_norm(module)

    def forward(self, x: Tensor) -> Tensor:
        padded, window = pad_to_grid(x, 2**self.depth)
        return self.head(self._layers(padded)[-1])[window]

    def features(self, x: Tensor) -> list[Tensor]:
        """The activations of every layer but the last, in order: down, up, and at the picture's size. Those
        of a padded picture are padded too."""
        return self._layers(pad_to_grid(x, 2**self.depth)[0])

    def _layers(self, x: Tensor) -> list[Tensor]:
        found = [self.stem(suited(x, winograd=True))]
        for block in self.down:
            found.append(block(found[-1]))
        skips = found[:-1]
        for block in self.up:
            large = F.interpolate(found[-1], scale_factor=2, mode="bilinear", align_corners=False)
            found.append(block(large) + skips.pop())
        for block in self.last:
            found.append(block(found[-1]))
        return found


def _block(in_channels: int, out_channels: int, side: int, stride: int) -> nn.Sequential:
    return chain(
        conv=Conv2d(in_channels, out_channels, side, stride, 1, bias=False), activation=nn.LeakyReLU(0.2)
    )
