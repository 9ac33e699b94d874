"""A generator that first says where a picture is spoilt, and changes it there alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrans.nets.arguments import checked
from gantrans.nets.unet import UNet

LOGIT = 4.0  # the mask is sigmoid(this many times the last channel): a network that starts at 0 is undecided


class MaskedUNet(nn.Module):
    """x11 (N, C, H, W) -> (N, C, H, W), any H and W >= 1: output = input + mask * correction.

    One U-Net (arguments as there) makes the correction and, as its last channel, the mask of what is to be
    changed, 0 to 1, so that what is clean can stay exactly as it is (visible watermark removal by Hertz et
    al. 2019 has two decoders for them). The last layer starts at zero, so the start is the identity.
    """

    residual = True

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 24,
        depth: int = 4,
        norm: str = "none",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        unet = {"width": width, "depth": depth, "norm": norm, "dropout": dropout}
        self.arguments = checked(in_channels=in_channels, out_channels=out_channels, **unet)
        if in_channels != out_channels:
            raise ValueError(
                f"a MaskedUNet corrects its input: in_channels={in_channels} and out_channels={out_channels} "
                "must be equal; use data.mask=none and equal modes, or generator=restorer"
            )
        self.unet = UNet(in_channels, out_channels + 1, residual=False, **unet)  # type: ignore[arg-type]
        nn.init.zeros_(self.unet.head.weight)
        nn.init.zeros_(self.unet.head.bias)  # type: ignore[arg-type]

    @property
    def head(self) -> nn.Module:
        return self.unet.head

    def forward(self, x: Tensor) -> Tensor:
        return self.with_mask(x)[0]

    def with_mask(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the logits of the mask (N, 1, H, W)."""
        y = self.unet(x)
        logits = LOGIT * y[:, -1:]
        return x + torch.sigmoid(logits) * 2 * y[:, :-1], logits

    def predict_mask(self, x: Tensor) -> Tensor:
        """Where the picture is changed: (N, 1, H, W), 0 (not at all) to 1."""
        return torch.sigmoid(self.with_mask(x)[1])
