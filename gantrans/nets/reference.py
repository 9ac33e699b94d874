"""The names that the reference implementation of pix2pix and CycleGAN gives to our networks' weights."""

from __future__ import annotations

from torch import nn

from gantrans.nets.patchgan import PatchGAN, PixelGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet

Places = dict[str, str]  # our layer -> the reference's layer


def reference_keys(network: nn.Module) -> dict[str, str]:
    """Our state-dict key -> the reference's key, one to one, in the order of the reference's own state dict.

    Raises ValueError for a network that the reference has no counterpart of.
    """
    if isinstance(network, UNet):
        places = _unet(network)
    elif isinstance(network, ResNetGenerator):
        places = _resnet(network)
    elif isinstance(network, PatchGAN):
        places = _patchgan(network)
    elif isinstance(network, PixelGAN):
        places = {"stem.conv": "net.0", "block.conv": "net.2", "block.norm": "net.3", "head": "net.5"}
    else:
        raise ValueError(f"the reference implementation has no {type(network).__name__}")
    split = {key: key.rpartition(".") for key in network.state_dict()}
    return {key: f"{places[layer]}.{leaf}" for key, (layer, _, leaf) in split.items()}


def _unet(network: UNet) -> Places:
    """One nested `model` a level: activation, conv, norm, the inner levels, activation, conv, norm."""
    depth = network.depth
    _refuse_residual(network.residual)
    if depth < 5:
        raise ValueError(f"the reference's U-Nets have a depth of 5 or more, this one has {depth}")
    levels = ["model.model", *("model.model.1." + "model.3." * i + "model" for i in range(depth - 1))]
    places = {"stem": f"{levels[0]}.0"}
    for i, level in enumerate(levels[1:]):
        places |= {f"down.{i}.conv": f"{level}.1", f"down.{i}.norm": f"{level}.2"}
    for i, level in enumerate(reversed(levels[1:])):
        conv = 3 if i == 0 else 5  # the innermost level holds no other, nor a norm going down
        places |= {f"up.{i}.conv": f"{level}.{conv}", f"up.{i}.norm": f"{level}.{conv + 1}"}
    return places | {"head": f"{levels[0]}.3"}


def _resnet(network: ResNetGenerator) -> Places:
    """One row: pad, conv, norm, relu; two halvings of three; blocks; two doublings of three; pad, conv."""
    _refuse_residual(network.residual)
    if network.downs != 2:
        raise ValueError(f"the reference's ResNet has downs=2, this one has downs={network.downs}")
    places = {"stem.conv": "model.1", "stem.norm": "model.2"}
    places |= {f"down.{i}.conv": f"model.{4 + 3 * i}" for i in range(2)}
    places |= {f"down.{i}.norm": f"model.{5 + 3 * i}" for i in range(2)}
    second = 6 if network.arguments["dropout"] else 5  # a dropout layer moves what follows
    inside = {"conv1": 1, "norm1": 2, "conv2": second, "norm2": second + 1}
    for i in range(len(network.blocks)):
        places |= {f"blocks.{i}.{ours}": f"model.{10 + i}.conv_block.{at}" for ours, at in inside.items()}
    after = 10 + len(network.blocks)
    places |= {f"up.{i}.conv": f"model.{after + 3 * i}" for i in range(2)}
    places |= {f"up.{i}.norm": f"model.{after + 3 * i + 1}" for i in range(2)}
    return places | {"head": f"model.{after + 7}"}


def _patchgan(network: PatchGAN) -> Places:
    """One row: conv, activation; then conv, norm, activation for each block; conv."""
    layers = len(network.blocks)
    places = {"stem.conv": "model.0", "head": f"model.{2 + 3 * layers}"}
    places |= {f"blocks.{i}.conv": f"model.{2 + 3 * i}" for i in range(layers)}
    return places | {f"blocks.{i}.norm": f"model.{3 + 3 * i}" for i in range(layers)}


def _refuse_residual(residual: bool) -> None:
    if residual:
        raise ValueError(
            "the reference's generators end in tanh; one with residual=true would mean something else there"
        )
