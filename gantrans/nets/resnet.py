"""The residual generator of Johnson et al. (2016), as CycleGAN uses it (Zhu et al. 2017, appendix 7.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d, ConvTranspose2d, suited
from gantrans.nets.antialias import Downsample, Upsample
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import Window, chain, pad_to_grid, zero
from gantrans.nets.norm import bias_before, make_norm


class ResNetGenerator(nn.Module):
    """x11 (N, in_channels, H, W) -> (N, out_channels, H, W), any H and W >= 1.

    `downs` halvings of the picture (0 to 4; the paper has 2), each doubling the channels, then `blocks`
    residual blocks, then as many doublings of the size. Pictures are padded to a multiple of 2**downs pixels,
    and to the few pixels that mirrored borders need, and cropped back. `dropout` (0.5) acts inside the blocks
    in train mode. `norm`: "batch", "instance" or "none". antialias: sizes are halved and doubled with a blur
    (Zhang 2019), as CUT has it; more compute, fewer patterns.

    residual=False: the output is a tanh, in [-1, 1]. residual=True: output = input + what is learned, neither
    squashed nor clamped in train or eval mode; the last layer starts at zero, so the start is the identity.
    An input channel more than the output has (a mask, the last) is not added.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        blocks: int = 9,
        downs: int = 2,
        norm: str = "instance",
        dropout: bool = False,
        residual: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = checked(
            in_channels=in_channels,
            out_channels=out_channels,
            width=width,
            blocks=blocks,
            downs=downs,
            norm=norm,
            dropout=dropout,
            residual=residual,
            antialias=antialias,
        )
        self.downs = downs
        self.residual = residual
        widths = [width * 2**level for level in range(downs + 1)]
        bias = bias_before(norm)
        self.stem = chain(
            conv=Conv2d(in_channels, width, 7, padding=3, padding_mode="reflect", bias=bias),
            norm=make_norm(norm, width),
            activation=nn.ReLU(),
        )
        self.down = nn.Sequential(
            *(_down(widths[i], widths[i + 1], norm, antialias=antialias) for i in range(downs))
        )
        self.blocks = nn.ModuleList(_block(widths[-1], norm, dropout=dropout) for _ in range(blocks))
        self.up = nn.Sequential(
            *(_up(widths[i + 1], widths[i], norm, antialias=antialias) for i in reversed(range(downs)))
        )
        self.head = Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect")
        if residual:
            zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        padded, window = self._pad(x)
        y = self._layers(padded)[window]
        return x[:, : y.shape[1]] + y if self.residual else torch.tanh(y)

    @property
    def feature_channels(self) -> tuple[int, ...]:
        """Channels of what `encode` returns."""
        a, widest = self.arguments, self.arguments["width"] * 2**self.downs
        downs = tuple(a["width"] * 2**level for level in range(1, self.downs + 1))
        return (a["in_channels"], *downs, *(widest for _ in self._taps()))

    def encode(self, x: Tensor) -> list[Tensor]:
        """Features for PatchNCE, finest first (Park et al. 2020, appendix C.1): the picture with the border
        that the first layer mirrors, what each halving's convolution gives, and the outputs of the first and
        the fifth block (or the last)."""
        y, _ = self._pad(x)
        found = [F.pad(y, (3, 3, 3, 3), mode="reflect")]
        y = self.stem(y)
        for part in self.down:
            convolved, *others = part.children()  # type: ignore[union-attr]
            found.append(convolved(y))
            y = found[-1]
            for layer in others:
                y = layer(y)
        taps = self._taps()
        for i in range(max(taps, default=-1) + 1):
            y = y + self.blocks[i](y)
            if i in taps:
                found.append(y)
        return found

    def _taps(self) -> list[int]:
        return sorted({0, min(4, len(self.blocks) - 1)}) if len(self.blocks) else []

    def _pad(self, x: Tensor) -> tuple[Tensor, Window]:
        # A border of p mirrored pixels needs p + 1: 4 at full size (7x7), 2 at the blocks (3x3).
        return pad_to_grid(suited(x, winograd=True), 2**self.downs, least=max(4, 2 * 2**self.downs))

    def _layers(self, x: Tensor) -> Tensor:
        y = self.down(self.stem(x))
        for block in self.blocks:
            y = y + block(y)
        return self.head(self.up(y))


def _down(in_channels: int, out_channels: int, norm: str, *, antialias: bool) -> nn.Sequential:
    """Half the size."""
    row = chain(
        conv=Conv2d(in_channels, out_channels, 3, 1 if antialias else 2, 1, bias=bias_before(norm)),
        norm=make_norm(norm, out_channels),
        activation=nn.ReLU(),
    )
    if antialias:
        row.add_module("blur", Downsample(out_channels))
    return row


def _block(channels: int, norm: str, *, dropout: bool) -> nn.Sequential:
    """What a residual block adds to its input; nothing is activated after the sum."""
    bias = bias_before(norm)
    return chain(
        conv1=Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=bias),
        norm1=make_norm(norm, channels),
        activation=nn.ReLU(),
        dropout=nn.Dropout(0.5) if dropout else nn.Identity(),
        conv2=Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=bias),
        norm2=make_norm(norm, channels),
    )


def _up(in_channels: int, out_channels: int, norm: str, *, antialias: bool) -> nn.Sequential:
    """Twice the size."""
    bias = bias_before(norm)
    after = {"norm": make_norm(norm, out_channels), "activation": nn.ReLU()}
    if antialias:
        conv = Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)
        return chain(blur=Upsample(in_channels), conv=conv, **after)
    conv = ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1, bias=bias)
    return chain(conv=conv, **after)
