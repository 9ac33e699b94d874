"""Networks whose activations say how alike two pictures look: VGG-16 and VGG-19 (Simonyan & Zisserman 2015)
and SqueezeNet 1.1 (Iandola et al. 2016), under torchvision's names of weights.

Their weights are read from a file, or there is an error: nothing here is ever random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.errors import ConfigError
from gantrans.nets import weights
from gantrans.words import close_to

Features = dict[str, Tensor]  # layer -> activation (N, C, H, W)
# Of the pictures that they were trained on, in [0, 1]: what torchvision subtracts and divides by.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGG = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions a block
VGG_WIDTHS = (64, 128, 256, 512, 512)
# Place in torchvision's `features`, squeezed and expanded channels; the paper counts them from 2 to 9.
FIRES = ((3, 16, 64), (4, 16, 64), (6, 32, 128), (7, 32, 128), (9, 48, 192), (10, 48, 192), (11, 64, 256),
         (12, 64, 256))  # fmt: skip
RELU, POOL = "relu", "pool"  # a step that is not a convolution of its own
Steps = list[tuple[str, str]]  # name of what comes out, and RELU, POOL or the key of a module


class FrozenConv(nn.Module):
    """A convolution whose weights are given and stay: neither parameters nor buffers, so that no optimizer,
    initialisation, average or checkpoint ever touches them. They follow the module to its device."""

    def __init__(self, inside: int, outside: int, side: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.weight = torch.full((outside, inside, side, side), torch.nan)
        self.bias = torch.full((outside,), torch.nan)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self.weight, self.bias = fn(self.weight), fn(self.bias)
        return super()._apply(fn, recurse)


class Fire(nn.Module):
    """SqueezeNet's block without the activation at its end: to few channels, and from these to many by 1x1
    and by 3x3 (Iandola et al. 2016, section 3.2)."""

    def __init__(self, inside: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = FrozenConv(inside, squeezed, 1)
        self.expand1x1 = FrozenConv(squeezed, expanded, 1)
        self.expand3x3 = FrozenConv(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1)


KINDS = ("weight", "bias")


class FeatureNet(nn.Module):
    """x11 (N, 1 or 3, H, W) -> {layer: activation (N, C, H', W')} for the layers that are asked for.

    Grey is repeated. Steps behind the last of these layers are not computed. `names`: the layers there are;
    "relu3_1" and "fire5" lie behind the activation, "conv3_1" and "expand5" before it. `pool`: a step's
    pooling. Gradients flow to the picture only.
    """

    def __init__(
        self, title: str, modules: Mapping[str, nn.Module], steps: Steps, pool: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.title = self.about = title
        self.features = nn.ModuleDict(modules)
        self.steps, self.pool = steps, pool
        self.filled = False
        # x11 -> what the networks were trained on. Two small buffers, which also tell the device.
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        self.register_buffer("scale", 0.5 / std)
        self.register_buffer("shift", (0.5 - mean) / std)

    @property
    def names(self) -> list[str]:
        return [name for name, what in self.steps if what != POOL]

    def check(self, layers: Iterable[str]) -> None:
        """Raise ValueError naming the first layer that there is not."""
        for layer in layers:
            if layer not in self.names:
                raise ValueError(f"{self.title} has no layer {layer!r}; {close_to(str(layer), self.names)}")

    def forward(self, x11: Tensor, layers: Iterable[str]) -> Features:
        wanted = set(layers)
        self.check(sorted(wanted))
        if not self.filled:
            raise ValueError(f"{self.title} has no weights yet; make it by load_features")
        if x11.dim() != 4 or x11.shape[1] not in (1, 3):
            raise ValueError(f"{self.title}: needed are pictures (N, 1 or 3, H, W), found {tuple(x11.shape)}")
        x = x11 * self.scale + self.shift  # type: ignore[operator]
        found: Features = {}
        for name, what in self.steps:
            if found.keys() == wanted:
                break
            if what == POOL and min(x.shape[2:]) < 2:
                raise ValueError(
                    f"{self.title}: a picture of {x11.shape[3]}x{x11.shape[2]} is too small for what comes "
                    f"after {name}; use larger ones or earlier layers"
                )
            x = F.relu(x) if what == RELU else self.pool(x) if what == POOL else self.features[what](x)
            if name in wanted:
                found[name] = x
        return found

    def weights(self) -> dict[str, Tensor]:
        """The weights by torchvision's names ("features.0.weight", "features.3.squeeze.bias", ...)."""
        convs = {name: module for name, module in self.named_modules() if isinstance(module, FrozenConv)}
        return {f"{name}.{kind}": getattr(conv, kind) for name, conv in convs.items() for kind in KINDS}

    def fill(self, state: Mapping[str, Tensor], source: str) -> None:
        """Take over weights by torchvision's names; others, as of a classifier, are left. `source` names them
        in messages. Raises CheckpointError for what is missing, misshapen or not finite."""
        own = self.weights()
        for key, value in weights.fitting(own, state, self.title, source).items():
            own[key].copy_(value)
        self.filled = True
        self.about = f"{self.title}, {source}"


def vgg_features(depth: int = 19) -> FeatureNet:
    """VGG-16 or VGG-19 without weights: conv1_1, relu1_1, ... to relu5_3 or relu5_4. Sides from 16 on."""
    if depth not in VGG:
        raise ValueError(f"depth={depth}: accepted are {', '.join(map(str, VGG))}")
    modules: dict[str, nn.Module] = {}
    steps: Steps = []
    channels, place = 3, 0
    for block, (count, width) in enumerate(zip(VGG[depth], VGG_WIDTHS, strict=True), 1):
        for number in range(1, count + 1):
            modules[str(place)] = FrozenConv(channels, width, 3, padding=1)
            steps += [(f"conv{block}_{number}", str(place)), (f"relu{block}_{number}", RELU)]
            channels, place = width, place + 2  # convolution and activation
        steps.append((f"pool{block}", POOL))
        place += 1
    return FeatureNet(f"VGG-{depth}", modules, steps, lambda x: F.max_pool2d(x, 2, 2))


def squeezenet_features() -> FeatureNet:
    """SqueezeNet 1.1 without weights: conv1, relu1, expand2, fire2, ... to fire9. Sides from 17 on."""
    modules: dict[str, nn.Module] = {"0": FrozenConv(3, 64, 3, stride=2)}
    steps: Steps = [("conv1", "0"), ("relu1", RELU), ("pool1", POOL)]
    channels, place = 64, 2
    for number, (at, squeezed, expanded) in enumerate(FIRES, 2):
        if at > place + 1:  # torchvision's place in between is a pooling
            steps.append((f"pool{number - 1}", POOL))
        modules[str(at)] = Fire(channels, squeezed, expanded)
        steps += [(f"expand{number}", str(at)), (f"fire{number}", RELU)]
        channels, place = 2 * expanded, at
    return FeatureNet("SqueezeNet 1.1", modules, steps, lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True))


NETWORKS: dict[str, Callable[[], FeatureNet]] = {
    "squeezenet1_1": squeezenet_features,
    "vgg16": lambda: vgg_features(16),
    "vgg19": lambda: vgg_features(19),
}


def check_network(name: str) -> None:
    """Raise ValueError for a name that is not in NETWORKS."""
    if name not in NETWORKS:
        raise ValueError(f"features={name}: accepted are {', '.join(NETWORKS)}")


def load_features(name: str, given: str | Path | None = None) -> FeatureNet:
    """The network of that name with its weights, of the file or folder `given`, or where weights.py looks.

    Which is printed. Raises ValueError (another name), CheckpointError (another's file), ConfigError (none).
    """
    check_network(name)
    try:
        path = weights.find(name, given)
    except ConfigError as error:
        raise ConfigError(f"{error}{_what_is_there(name, given)}") from error
    network = NETWORKS[name]().eval()
    network.fill(weights.read(path), str(path))
    print(f"features  {network.about}", flush=True)
    return network


def _what_is_there(missing: str, given: str | Path | None) -> str:
    """The networks that can be had without anything being fetched, by key and value."""
    there = [f"features={name}" for name in NETWORKS if name != missing and weights.is_there(name, given)]
    return f". Without it: {' or '.join(there)} is there" if there else ""
