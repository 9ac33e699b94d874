"""Generators of the reference family (pix2pix, CycleGAN, CUT), from their weights and back to them.

The architecture of a `*_net_G.pth` is told from the keys and shapes alone.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import torch
from torch import nn

from gantrans.bundles.pth import Weights
from gantrans.errors import CheckpointError
from gantrans.imaging.write import storage_error, write_atomic
from gantrans.nets.catalogue import MOST_PARAMETERS
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet

_SECOND = {"model.2.weight", "model.2.filt"}  # after model.0, of a discriminator, plain or antialiased


def generator_of(weights: Weights, path: Path) -> nn.Module:
    """The generator that reference weights belong to, filled with them, in eval mode.

    Raises CheckpointError naming the key that does not fit; `path` is named in it.
    """
    try:
        with torch.device("meta"):  # a file that names a huge network allocates nothing
            network = _recognised(weights)
        names = reference_keys(network)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    parameters = sum(p.numel() for p in network.parameters())
    if parameters > MOST_PARAMETERS:
        raise CheckpointError(f"{path}: has {parameters:,} parameters; at most {MOST_PARAMETERS:,}")
    empty = network.state_dict()
    expected = {theirs: tuple(empty[ours].shape) for ours, theirs in names.items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"{path}: looks like {_described(network)}, but {len(wrong)} of {len(found)} entries do not fit; "
            f"first {key}: found {found.get(key, 'nothing')}, expected {expected.get(key, 'nothing')}"
        )
    # Each its own memory: a file may have two names for one tensor, which a bundle cannot.
    own = {
        ours: weights[theirs].detach().clone(memory_format=torch.contiguous_format)
        for ours, theirs in names.items()
    }
    network.load_state_dict(own, assign=True)
    return network.float().eval().requires_grad_(False)


def write_reference(network: nn.Module, path: Path) -> None:
    """Write a network's weights under the reference implementation's names, for its `*_net_G.pth`.

    Folders are made as needed. Raises CheckpointError where the reference has no such network, StorageError
    where the disk fails.
    """
    try:
        names = reference_keys(network)
    except ValueError as error:
        raise CheckpointError(f"{path}: cannot be exported: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(path.parent, error) from error
    state = network.state_dict()
    buffer = io.BytesIO()
    torch.save({theirs: state[ours].detach().cpu().clone() for ours, theirs in names.items()}, buffer)
    write_atomic(path, buffer.getvalue())


def _recognised(weights: Weights) -> nn.Module:
    if any(key.startswith("model.model.") for key in weights):
        return _unet(weights)
    if any(re.fullmatch(r"model\.\d+\.conv_block\.\d+\.\w+", key) for key in weights):
        return _resnet(weights)
    if "net.0.weight" in weights or ("model.0.weight" in weights and _SECOND & weights.keys()):
        raise ValueError("holds a discriminator; a generator is needed, as *_net_G.pth or *_net_G_A.pth")
    some = ", ".join(sorted(weights)[:3])
    raise ValueError(
        "not a generator of the pix2pix, CycleGAN and CUT family: no U-Net (model.model...) and no ResNet "
        f"(model.N.conv_block...); its keys begin {some}"
    )


def _unet(weights: Weights) -> UNet:
    depth = max(key.count("model.") for key in weights) - 1
    first, last = _shape(weights, "model.model.0.weight"), _shape(weights, "model.model.3.weight")
    norm = _norm(weights, bias="model.model.0.bias" in weights)
    return UNet(first[1], last[1], first[0], depth=depth, norm=norm, dropout=True)


def _resnet(weights: Weights) -> ResNetGenerator:
    blocks = {int(found[1]) for key in weights if (found := re.match(r"model\.(\d+)\.conv_block\.", key))}
    second = weights.get(f"model.{min(blocks)}.conv_block.6.weight")
    convs = [
        key for key, value in weights.items() if re.fullmatch(r"model\.\d+\.weight", key) and value.dim() == 4
    ]
    first = _shape(weights, "model.1.weight")
    last = _shape(weights, max(convs, key=lambda key: int(key.split(".")[1])))
    antialias = any(key.endswith(".filt") for key in weights)
    if antialias and "model.7.filt" in weights and sum(key.endswith(".filt") for key in weights) == 2:
        raise ValueError(
            "antialiased on the way down only (no_antialias_up), which gantrans has no network for"
        )
    return ResNetGenerator(
        first[1],
        last[0],
        first[0],
        blocks=len(blocks),
        norm=_norm(weights, bias="model.1.bias" in weights),
        dropout=second is not None and second.dim() == 4,
        antialias=antialias,
    )


def _shape(weights: Weights, key: str) -> tuple[int, ...]:
    """The shape of a convolution's weight. Raises ValueError where there is none."""
    if key not in weights:
        raise ValueError(f"{key}: found nothing, expected a convolution's weight")
    found = tuple(weights[key].shape)
    if len(found) != 4:
        raise ValueError(f"{key}: found {found}, expected the four sizes of a convolution's weight")
    return found


def _norm(weights: Weights, *, bias: bool) -> str:
    if any(key.endswith(".running_mean") for key in weights):
        return "batch"
    return "instance" if bias else "none"


def _described(network: nn.Module) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in network.arguments.items())  # type: ignore[union-attr,operator]
    return f"{type(network).__name__}({arguments})"
