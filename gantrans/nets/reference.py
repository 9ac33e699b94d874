"""The names that the reference implementations of pix2pix and CycleGAN, and of CUT where networks are
antialiased, give to our networks' weights."""

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
        raise ValueError(f"the reference implementation has no {type(network).__name__}; write .onnx or .pt2")
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
    """One row: pad, conv, norm, relu; two halvings of three; blocks; two doublings of three; pad, conv.

    Antialiased, each halving ends with a blur and each doubling begins with one.
    """
    _refuse_residual(network.residual)
    if network.downs != 2:
        raise ValueError(f"the reference's ResNet has downs=2, this one has downs={network.downs}")
    blur = int(network.arguments["antialias"])
    places = {"stem.conv": "model.1", "stem.norm": "model.2"}
    for i in range(2):
        at = 4 + (3 + blur) * i
        places |= {f"down.{i}.conv": f"model.{at}", f"down.{i}.norm": f"model.{at + 1}"}
        places |= {f"down.{i}.blur": f"model.{at + 3}"}
    first = 10 + 2 * blur
    second = 6 if network.arguments["dropout"] else 5  # a dropout layer moves what follows
    inside = {"conv1": 1, "norm1": 2, "conv2": second, "norm2": second + 1}
    for i in range(len(network.blocks)):
        places |= {f"blocks.{i}.{ours}": f"model.{first + i}.conv_block.{at}" for ours, at in inside.items()}
    after = first + len(network.blocks)
    for i in range(2):
        at = after + (3 + blur) * i
        places |= {f"up.{i}.blur": f"model.{at}", f"up.{i}.conv": f"model.{at + blur}"}
        places |= {f"up.{i}.norm": f"model.{at + blur + 1}"}
    return places | {"head": f"model.{after + 7 + 2 * blur}"}


def _patchgan(network: PatchGAN) -> Places:
    """One row: conv, activation; then conv, norm, activation for each block; conv. Antialiased, every halving
    is followed by a blur."""
    if network.arguments["spectral"]:
        raise ValueError("the reference's discriminators have no spectral norm, this one has spectral=true")
    layers, blur = len(network.blocks), int(network.arguments["antialias"])
    places, at = {"stem.conv": "model.0", "stem.blur": "model.2"}, 2 + blur
    for i in range(layers):
        places |= {f"blocks.{i}.conv": f"model.{at}", f"blocks.{i}.norm": f"model.{at + 1}"}
        places |= {f"blocks.{i}.blur": f"model.{at + 3}"}
        at += 3 + (blur if i < layers - 1 else 0)
    return places | {"head": f"model.{at}"}


def _refuse_residual(residual: bool) -> None:
    if residual:
        raise ValueError(
            "the reference's generators end in tanh; one with residual=true would mean something else there"
        )
