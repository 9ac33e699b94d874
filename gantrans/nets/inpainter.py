"""A generator for what a mask covers: a smooth surface across it, and on that what a network makes up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrans.nets.arguments import checked
from gantrans.nets.blocks import pad_to_grid, zero
from gantrans.nets.membrane import smooth_fill
from gantrans.nets.unet import UNet

_SURE = 2.0  # logit of the membrane's share at the start, where a network also looks at what is covered: 0.88


class Inpainter(nn.Module):
    """x11 (N, C + 1, H, W), the last channel a mask -> (N, C, H, W), any H and W >= 1. What the mask does not
    cover at all (-1 there) is returned as it is.

    A U-Net (arguments as there) sees the picture with a membrane over what is covered (nets/membrane.py) and
    makes up y, there and around it; output = membrane + y - the membrane of y, which is x outside, and inside
    meets x at the rim whatever y is: no step in colour is left to be a seam (as Iizuka et al. 2017, section
    3.5, blend afterwards; here the network is trained with it). The last layer starts at zero, so the start
    is the membrane alone.

    translucent=False, for holes: what is covered is not looked at. True, for marks through which a picture
    may be seen: the U-Net is shown x as well, and says, pixel by pixel, how much of the membrane is to be
    laid over it.
    """

    residual = True

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 3,
        width: int = 24,
        depth: int = 5,
        norm: str = "none",
        dropout: bool = False,
        translucent: bool = False,
    ) -> None:
        super().__init__()
        unet = {"width": width, "depth": depth, "norm": norm, "dropout": dropout}
        self.arguments = checked(
            in_channels=in_channels, out_channels=out_channels, translucent=translucent, **unet
        )
        if in_channels != out_channels + 1:
            raise ValueError(
                f"an Inpainter makes a picture of a picture and a mask: in_channels={in_channels} must "
                f"be one more than out_channels={out_channels}; use data.mask=input and equal modes"
            )
        self.depth, self.translucent = depth, translucent
        seen, made = in_channels + translucent * out_channels, out_channels + translucent
        self.unet = UNet(seen, made, residual=False, **unet)  # type: ignore[arg-type]
        zero(self.unet.head)

    @property
    def head(self) -> nn.Module:
        return self.unet.head

    def forward(self, x: Tensor) -> Tensor:
        x, window = pad_to_grid(x, 2**self.depth)
        picture, mask = x[:, :-1], x[:, -1:]
        known = (mask <= -1).to(x.dtype)
        base = smooth_fill(picture, known, self.depth)
        made = self.unet(torch.cat([x, base] if self.translucent else [base, mask], 1)).to(x.dtype)
        y = 2 * made[:, : picture.shape[1]]
        if self.translucent:
            base = picture + torch.sigmoid(_SURE + 4 * made[:, -1:]) * (base - picture)
        return (base + (y - smooth_fill(y, known, self.depth)))[window]
