"""A U-Net on a pretrained ResNet-34, as fast.ai's DynamicUnet (Howard & Gugger 2020) and DeOldify use it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d, suited
from gantrans.nets import weights as files
from gantrans.nets.arguments import checked
from gantrans.nets.attention import NARROWER, SelfAttention
from gantrans.nets.blocks import chain, pad_to_grid, zero
from gantrans.nets.features import MEAN, STD
from gantrans.nets.norm import bias_before, make_norm
from gantrans.nets.resnet34 import CELL, ResNet34
from gantrans.nets.upscale import PixelShuffleUp

NETWORK = "resnet34"  # in nets/weights.py
_LEAST = 2 * CELL  # pixels a side: one pixel alone has no variance for the innermost batch norm
_ATTENDS = 1  # the level of the decoder that does: 1/8 of the picture's size, as in fast.ai


class PretrainedUNet(nn.Module):
    """x11 (N, in_channels, H, W) -> x11 (N, out_channels, H, W), any H and W >= 1.

    in_channels 1 or 3, or one more for a mask, the last. The encoder is given the picture as ImageNet's are
    normalised, grey repeated; a mask has weights of its own in front of the first norm. The decoder is
    4, 2, 1, 1 and 1/2 times `width` channels wide, enlarges by PixelShuffle (upscale.py) and sees the
    encoder's features, normalised by `norm`, and at the end the picture. `antialias`: the mean of 2x2 pixels
    behind each PixelShuffle (Sugawara et al. 2018). `attention`: at one level (attention.py). The picture is
    padded to a multiple of 32 pixels, at least 64, and cropped back.

    residual=False: the output is a tanh. residual=True: output = input + what is learned, which starts at
    zero; as in unet.py.

    pretrained: `load_pretrained` is to be called before training starts; `weights`: the file that it reads,
    or a folder of it, None: the usual places (nets/weights.py). Neither is an argument that describes the
    network: its weights are parameters like any other.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        norm: str = "batch",
        antialias: bool = True,
        attention: bool = False,
        residual: bool = False,
        pretrained: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        shape: dict[str, Any] = {"in_channels": in_channels, "out_channels": out_channels, "width": width}
        how = {"norm": norm, "antialias": antialias, "attention": attention, "residual": residual}
        self.arguments = checked(**shape, **how)
        checked(pretrained=pretrained)
        if in_channels not in (1, 2, 3, 4):
            raise ValueError(f"in_channels={in_channels}: accepted are 1 and 3, and 2 and 4 with a mask")
        if attention and width < NARROWER // 2:
            raise ValueError(f"width={width}: attention=true needs {NARROWER // 2} or more")
        self.pretrained, self.weights, self.residual = pretrained, weights, residual
        self.encoder = ResNet34()
        widths = self.encoder.channels
        self.mask = Conv2d(1, widths[0], 7, 2, 3, bias=False) if in_channels in (2, 4) else None
        made = [4 * width, 2 * width, width, width]
        inside = [widths[-1], *made]
        self.decoder = nn.ModuleList(
            _Up(inside[level], skip, made[level], norm, antialias=antialias, normalise=True)
            for level, skip in enumerate(widths[-2::-1])
        )
        self.attention = SelfAttention(made[_ATTENDS]) if attention else nn.Identity()
        last = max(1, width // 2)
        self.last = _Up(width, in_channels, last, norm, antialias=antialias, normalise=False)
        self.head = Conv2d(last, out_channels, 3, padding=1)
        # x11 -> what the encoder was trained on. In numbers, not tensors: see antialias.py.
        shift = [(0.5 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
        self.register_buffer("scale", torch.tensor([0.5 / std for std in STD]).view(1, 3, 1, 1))
        self.register_buffer("shift", torch.tensor(shift).view(1, 3, 1, 1))
        if residual:
            zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        given, window = pad_to_grid(suited(x, winograd=True), CELL, _LEAST)
        features = self._encode(given)
        y = features.pop()
        for level, block in enumerate(self.decoder):
            y = block(y, features.pop())
            if level == _ATTENDS:
                y = self.attention(y)
        y = self.head(self.last(y, given))[window]
        return x[:, : y.shape[1]] + y if self.residual else torch.tanh(y)

    def _encode(self, x: Tensor) -> list[Tensor]:
        colours, extra = x, None
        if self.mask is not None:
            colours, extra = x[:, :-1], self.mask(x[:, -1:])
        return self.encoder(colours * self.scale + self.shift, extra)  # grey is repeated by the product

    def depth_groups(self) -> list[list[nn.Parameter]]:
        """Every parameter once, nearest the picture first: stem to layer2, layer3 and 4, the rest; as
        fast.ai cuts a ResNet. All but the last group are pretrained: a mask's weights are new, so in that."""
        groups: list[list[nn.Parameter]] = [[], [], []]
        for name, parameter in self.named_parameters():
            part, _, layer = name.partition(".")
            deep = layer.startswith(("layer3.", "layer4."))
            groups[2 if part != "encoder" else 1 if deep else 0].append(parameter)
        return groups

    def load_pretrained(self) -> tuple[str, str]:
        """Fill the encoder from its file; a mask then starts without any effect on it. Returns the path of
        the file and what was read from it, in words.

        Raises ConfigError where the file is missing, CheckpointError where it is another network's.
        """
        path = files.find(NETWORK, self.weights)
        count = self.encoder.fill(files.read(path), str(path))
        if self.mask is not None:
            zero(self.mask)
        return str(path), f"encoder ResNet-34: {count} tensors of {path}, all but its classifier"


class _Up(nn.Module):
    """x (N, inside, H, W), skip (N, skip, 2H, 2W) -> (N, outside, 2H, 2W).

    Narrowed first: PixelShuffle's convolution has four times the channels."""

    def __init__(
        self, inside: int, skip: int, outside: int, norm: str, *, antialias: bool, normalise: bool
    ) -> None:
        super().__init__()
        self.narrow = Conv2d(inside, outside, 1)
        self.up = PixelShuffleUp(outside, 2)
        self.antialias = antialias
        self.skip = make_norm(norm if normalise else "none", skip)
        bias = bias_before(norm)
        self.merge = chain(
            conv1=Conv2d(outside + skip, outside, 3, padding=1, bias=bias),
            norm1=make_norm(norm, outside),
            activation1=nn.ReLU(),
            conv2=Conv2d(outside, outside, 3, padding=1, bias=bias),
            norm2=make_norm(norm, outside),
            activation2=nn.ReLU(),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        y = F.relu(self.up(F.relu(self.narrow(x))))
        if self.antialias:
            y = F.avg_pool2d(F.pad(y, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
        return self.merge(torch.cat([y, self.skip(skip)], 1))
