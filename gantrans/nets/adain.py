"""Arbitrary style transfer (Huang & Belongie 2017): content activations take the moments of a style's, and a
decoder makes a picture of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.nets.features import NETWORKS, FeatureNet, FrozenConv, check_network

ENCODED = {"squeezenet1_1": ("fire5", 256), "vgg16": ("relu4_1", 512), "vgg19": ("relu4_1", 512)}
HALVINGS = 3  # of a picture's sides, down to these layers


def mean_std(x: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) -> mean and sqrt(variance + eps) over the places of each channel, (N, C, 1, 1) each."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True, correction=0) + eps).sqrt()


def adain(content: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Features (N, C, H, W) with the mean and standard deviation (N or 1, C, 1, 1) of others in the place of
    their own (Huang & Belongie 2017, equation 8)."""
    own_mean, own_std = mean_std(content)
    return ((content - own_mean) / own_std * std + mean).to(content.dtype)


class AdaINGenerator(nn.Module):
    """x11 (N, in_channels, H, W) -> (N, out_channels, H, W), sides from 17 on, in the style that `set_style`
    set; without one in the picture's own. Neither squashed nor clamped.

    `encoder` is a frozen network of `features` (in_channels 1 or 3), which `load_features` fills; its weights
    are part of the state dict, so that a bundle needs no other file. The decoder mirrors it, without norms
    (section 5.1), and enlarges by repeating pixels.
    """

    def __init__(self, in_channels: int = 3, out_channels: int = 3, features: str = "squeezenet1_1") -> None:
        super().__init__()
        check_network(features)
        for name, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count not in (1, 3):
                raise ValueError(f"{name}={count}: the networks that look at pictures take 1 or 3")
        self.arguments = {"in_channels": in_channels, "out_channels": out_channels, "features": features}
        self.encoder: FeatureNet = NETWORKS[features]()
        self.layer, width = ENCODED[features]
        widths = [width // 2**level for level in range(HALVINGS + 1)]
        self.narrow = nn.ModuleList(_conv(widths[i], widths[i + 1]) for i in range(HALVINGS))
        self.smooth = nn.ModuleList(_conv(widths[i + 1], widths[i + 1]) for i in range(HALVINGS))
        self.head = _conv(widths[-1], out_channels)
        self.register_buffer("styled", torch.zeros(()))  # 1: the moments below are a style's
        self.register_buffer("style_mean", torch.zeros(1, width, 1, 1))
        self.register_buffer("style_std", torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        content = self.encode(x)
        moments = zip((self.style_mean, self.style_std), mean_std(content), strict=True)
        mean, std = (torch.where(self.styled > 0, given, own) for given, own in moments)  # type: ignore[operator]
        return self.decode(adain(content, mean, std), x)

    def encode(self, x: Tensor) -> Tensor:
        """The activations that are restyled, (N, C, H / 8, W / 8) about."""
        return self.encoder(x, [self.layer])[self.layer]

    def decode(self, y: Tensor, like: Tensor) -> Tensor:
        """A picture of such activations, of the size of `like`."""
        height, width = like.shape[2:]
        for level, (narrow, smooth) in enumerate(zip(self.narrow, self.smooth, strict=True)):
            share = 2 ** (HALVINGS - 1 - level)
            y = F.interpolate(F.relu(narrow(y)), (-(-height // share), -(-width // share)), mode="nearest")
            y = F.relu(smooth(y))
        return self.head(y)

    @torch.no_grad()
    def set_style(self, picture: Tensor) -> None:
        """Make pictures in the style of this one from now on: x11 (1, 1 or 3, H, W)."""
        mean, std = mean_std(self.encode(picture))
        for name, value in (("style_mean", mean), ("style_std", std), ("styled", torch.ones(()))):
            self.get_buffer(name).copy_(value)

    def get_extra_state(self) -> Tensor:
        """The frozen weights in one row, for the state dict."""
        return torch.cat([value.flatten() for value in self.encoder.weights().values()])

    def set_extra_state(self, state: Tensor) -> None:
        at = 0
        for module in self.encoder.modules():
            if isinstance(module, FrozenConv):
                for kind in ("weight", "bias"):
                    own = getattr(module, kind)
                    device = state.device if own.is_meta else own.device
                    setattr(module, kind, state[at : at + own.numel()].view(own.shape).to(device).clone())
                    at += own.numel()
        self.encoder.filled = True


def _conv(inside: int, outside: int) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, 3, padding=1, padding_mode="reflect")
