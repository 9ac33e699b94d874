"""Generators of the reference family (pix2pix, CycleGAN, CUT), from their weights and back to them.

The architecture of a `*_net_G.pth` is told from the keys and shapes alone.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import torch
from torch import nn

from gantrans.errors import CheckpointError
from gantrans.imaging.write import write_atomic
from gantrans.inference.pth import Weights
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet


def generator_of(weights: Weights, path: Path) -> nn.Module:
    """The generator that reference weights belong to, filled with them, in eval mode.

    Raises CheckpointError naming the key that does not fit; `path` is named in it.
    """
    try:
        with torch.device("meta"):  # a file that names a huge network allocates nothing
            network = _recognised(weights)
        names = reference_keys(network)
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    expected = {theirs: tuple(network.state_dict()[ours].shape) for ours, theirs in names.items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"{path}: looks like {_described(network)}, but {len(wrong)} of {len(found)} entries do not fit; "
            f"first {key}: found {found.get(key, 'nothing')}, expected {expected.get(key, 'nothing')}"
        )
    network.load_state_dict({ours: weights[theirs] for ours, theirs in names.items()}, assign=True)
    return network.float().eval().requires_grad_(False)


def write_reference(network: nn.Module, path: Path) -> None:
    """Write a network's weights under the reference implementation's names, for its `*_net_G.pth`.

    Raises CheckpointError where the reference has no such network, StorageError where the disk fails.
    """
    try:
        names = reference_keys(network)
    except ValueError as error:
        raise CheckpointError(f"cannot be exported: {error}") from error
    state = network.state_dict()
    buffer = io.BytesIO()
    torch.save({theirs: state[ours].detach().cpu().clone() for ours, theirs in names.items()}, buffer)
    write_atomic(path, buffer.getvalue())


def _recognised(weights: Weights) -> nn.Module:
    if any(key.startswith("model.model.") for key in weights):
        return _unet(weights)
    if any(re.fullmatch(r"model\.\d+\.conv_block\.\d+\.\w+", key) for key in weights):
        return _resnet(weights)
    if "net.0.weight" in weights or {"model.0.weight", "model.2.weight"} <= weights.keys():
        raise ValueError("holds a discriminator; a generator is needed, as *_net_G.pth or *_net_G_A.pth")
    some = ", ".join(sorted(weights)[:3])
    raise ValueError(
        "not a generator of the pix2pix, CycleGAN and CUT family: no U-Net (model.model...) and no ResNet "
        f"(model.N.conv_block...); its keys begin {some}"
    )


def _unet(weights: Weights) -> UNet:
    depth = max(key.count("model.") for key in weights) - 1
    first, last = weights["model.model.0.weight"], weights["model.model.3.weight"]
    norm = _norm(weights, bias="model.model.0.bias" in weights)
    return UNet(first.shape[1], last.shape[1], first.shape[0], depth=depth, norm=norm, dropout=True)


def _resnet(weights: Weights) -> ResNetGenerator:
    blocks = {int(key.split(".")[1]) for key in weights if ".conv_block." in key}
    second = weights.get(f"model.{min(blocks)}.conv_block.6.weight")
    convs = [
        key for key, value in weights.items() if re.fullmatch(r"model\.\d+\.weight", key) and value.dim() == 4
    ]
    first, last = weights["model.1.weight"], weights[max(convs, key=lambda key: int(key.split(".")[1]))]
    antialias = any(key.endswith(".filt") for key in weights)
    if antialias and "model.7.filt" in weights and sum(key.endswith(".filt") for key in weights) == 2:
        raise ValueError(
            "antialiased on the way down only (no_antialias_up), which gantrans has no network for"
        )
    return ResNetGenerator(
        first.shape[1],
        last.shape[0],
        first.shape[0],
        blocks=len(blocks),
        norm=_norm(weights, bias="model.1.bias" in weights),
        dropout=second is not None and second.dim() == 4,
        antialias=antialias,
    )


def _norm(weights: Weights, *, bias: bool) -> str:
    if any(key.endswith(".running_mean") for key in weights):
        return "batch"
    return "instance" if bias else "none"


def _described(network: nn.Module) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in network.arguments.items())  # type: ignore[union-attr,operator]
    return f"{type(network).__name__}({arguments})"
