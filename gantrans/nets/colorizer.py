"""Grey pictures to colour: a U-Net guesses the colour axes of CIELAB, and the lightness stays as it is. And
colour pictures to grey, as a film sees them, for learning without pairs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels.conv import Conv2d, suited
from gantrans.lab import grey_of_lightness, lab_from_rgb, rgb_from_lab
from gantrans.nets.arguments import checked
from gantrans.nets.blocks import chain, zero
from gantrans.nets.guided import guided_upsample
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.resnet34 import DEPTH
from gantrans.nets.unet import UNet

AB_RANGE = 110.0  # sRGB reaches from -108 to 98


class Decolorizer(nn.Module):
    """x11 sRGB (N, 3, H, W) -> x11 grey (N, 1, H, W), any H and W >= 1: the way back of a Colorizer.

    The grey of the same lightness L, plus what is learned, neither squashed nor clamped; the start is the
    former. What is learned looks at one pixel alone, as film does with its own eye for colours and its own
    curve: a network that saw more could hide the colours in the grey, for its partner to find (Chu et al.
    2017, "CycleGAN, a master of steganography"). `width`: channels of its two hidden layers.
    """

    residual = True

    def __init__(self, in_channels: int = 3, out_channels: int = 1, width: int = 16) -> None:
        super().__init__()
        self.arguments = checked(in_channels=in_channels, out_channels=out_channels, width=width)
        if (in_channels, out_channels) != (3, 1):
            raise ValueError(
                f"a Decolorizer makes 1 channel of 3, found {out_channels} of {in_channels}; set "
                "data.source_mode=grey and data.target_mode=rgb"
            )
        self.layers = chain(
            conv1=Conv2d(3, width, 1),
            activation1=nn.LeakyReLU(0.2),
            conv2=Conv2d(width, width, 1),
            activation2=nn.LeakyReLU(0.2),
        )
        self.head = Conv2d(width, 1, 1)
        zero(self.head)

    def forward(self, x: Tensor) -> Tensor:
        wide = (x.to(torch.promote_types(x.dtype, torch.float32)) + 1) / 2
        return grey_of_lightness(wide, axis=1) * 2 - 1 + self.head(self.layers(suited(x)))


class Colorizer(nn.Module):
    """x11 grey (N, 1, H, W) -> x11 sRGB (N, 3, H, W) with the lightness L of the grey, any H and W >= 1.

    The U-Net (arguments as there, without residual; with `encoder` "resnet34" a PretrainedUNet, of depth 5
    and without dropout, with its `pretrained` and `weights`) sees the grey and answers with a and b (Zhang et
    al. 2016, section 3.1: L in, ab out). `saturation` multiplies these, 1: as learned. In eval mode a picture
    whose shorter side is longer than `working_px` (0 or None: never) is shrunk to that for the guess, and a
    and b are enlarged along the edges of the picture (guided.py): objects keep the size they had in training,
    and detail comes from L alone. A colour that sRGB has not at that L is made paler until it has (lab.py).
    way_back: the class that leads from its colours to grey.
    """

    way_back = Decolorizer

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 3,
        width: int = 32,
        depth: int = 6,
        norm: str = "batch",
        dropout: bool = False,
        saturation: float = 1.0,
        working_px: int | None = 176,
        encoder: str = "plain",
        pretrained: bool = False,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        unet = {"width": width, "depth": depth, "norm": norm, "dropout": dropout}
        working_px = working_px or 0
        own = {"saturation": saturation, "working_px": working_px, "encoder": encoder}
        self.arguments = checked(in_channels=in_channels, out_channels=out_channels, **unet, **own)
        if (in_channels, out_channels) != (1, 3):
            raise ValueError(
                f"a Colorizer makes 3 channels of 1, found {in_channels} and {out_channels}; set "
                "data.source_mode=grey and data.target_mode=rgb"
            )
        checked(in_channels=1, out_channels=3, pretrained=pretrained)
        self.unet: UNet | PretrainedUNet
        if encoder == "resnet34":
            if depth != DEPTH or dropout:
                raise ValueError(
                    f"encoder=resnet34 has depth={DEPTH} and dropout=false, found {depth}, {dropout}"
                )
            self.unet = PretrainedUNet(1, 2, width, norm, pretrained=pretrained, weights=weights)
        elif pretrained or weights:
            raise ValueError("pretrained and weights go with encoder=resnet34")
        else:
            self.unet = UNet(1, 2, residual=False, **unet)  # type: ignore[arg-type]
        self.pretrained = pretrained
        self.saturation, self.working_px = saturation, working_px
        zero(self.head)

    residual = True  # what is learned is added to the grey picture: it starts without colour

    @property
    def head(self) -> nn.Module:
        return self.unet.head

    def depth_groups(self) -> list[list[nn.Parameter]]:
        """See PretrainedUNet; a plain U-Net is one group."""
        return self.unet.depth_groups() if isinstance(self.unet, PretrainedUNet) else [[*self.parameters()]]

    def load_pretrained(self) -> tuple[str, str]:
        """See PretrainedUNet. Raises ValueError for a plain U-Net."""
        if not isinstance(self.unet, PretrainedUNet):
            raise ValueError("only encoder=resnet34 has pretrained weights")
        return self.unet.load_pretrained()

    def forward(self, x: Tensor) -> Tensor:
        shorter = min(x.shape[-2:])
        if self.training or not self.working_px or shorter <= self.working_px:
            return self._joined(x, self.unet(x))
        size = [max(1, round(side * self.working_px / shorter)) for side in x.shape[-2:]]
        small = F.interpolate(x, size, mode="bilinear", antialias=True)
        return self._joined(x, guided_upsample(self.unet(small).float(), x.float()))

    def _joined(self, x: Tensor, ab: Tensor) -> Tensor:
        """Colours are computed in float32 at least: half precision has steps of more than a level in L."""
        grey = (x.to(torch.promote_types(x.dtype, torch.float32)) + 1) / 2
        lightness = lab_from_rgb(grey.expand(-1, 3, -1, -1), axis=1)[:, :1]
        ab = ab.to(lightness.dtype) * (AB_RANGE * self.saturation)
        return rgb_from_lab(torch.cat([lightness, ab], 1), axis=1) * 2 - 1
