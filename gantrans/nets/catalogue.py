"""A network as plain data and back: what makes a bundle self-describing.

A description may come from a stranger, so a class is looked up here and never imported by name, and its
arguments are checked before anything is allocated.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gantrans.nets.adain import AdaINGenerator
from gantrans.nets.colorizer import Colorizer, Decolorizer
from gantrans.nets.inpainter import Inpainter
from gantrans.nets.patchgan import MultiScalePatchGAN, PatchGAN, PixelGAN
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.superres import RRDBNet, SRResNet
from gantrans.nets.unet import UNet
from gantrans.nets.unet_discriminator import UNetDiscriminator

GENERATORS: tuple[type[nn.Module], ...] = (
    UNet,
    ResNetGenerator,
    SRResNet,
    RRDBNet,
    Colorizer,
    Decolorizer,
    MaskedUNet,
    Inpainter,
    AdaINGenerator,
    PretrainedUNet,
)
DISCRIMINATORS: tuple[type[nn.Module], ...] = (PatchGAN, MultiScalePatchGAN, PixelGAN, UNetDiscriminator)
CLASSES = {cls.__name__: cls for cls in (*GENERATORS, *DISCRIMINATORS)}
MOST_PARAMETERS = 1_000_000_000  # 4 GB in float32; the largest of the papers has 54 M


def describe(network: nn.Module) -> dict[str, Any]:
    """{"name": class, "arguments": those that decide its shape} of one of our networks; JSON can hold it.

    Raises ValueError for any other class.
    """
    name = type(network).__name__
    if type(network) is not CLASSES.get(name):
        raise ValueError(f"{name} is not one of our networks ({', '.join(CLASSES)}) and cannot be described")
    return {"name": name, "arguments": dict(network.arguments)}  # type: ignore[arg-type]


def build(description: Mapping[str, Any]) -> nn.Module:
    """The network of a description, with fresh weights; `build(describe(x))` has the shape of x.

    Raises ValueError naming what was found and what is accepted.
    """
    name, arguments = description.get("name"), description.get("arguments", {})
    if not isinstance(name, str) or name not in CLASSES:
        raise ValueError(f"name={name!r}: accepted are {', '.join(CLASSES)}")
    if not isinstance(arguments, Mapping):
        raise ValueError(f"{name}: arguments must be an object of names and values, found {arguments!r}")
    cls = CLASSES[name]
    accepted = inspect.signature(cls).parameters
    unknown = [key for key in arguments if key not in accepted]
    if unknown:
        raise ValueError(f"{name}: unknown argument {unknown[0]!r}; accepted are {', '.join(accepted)}")
    with torch.device("meta"):  # shapes without memory
        parameters = sum(p.numel() for p in cls(**arguments).parameters())
    if parameters > MOST_PARAMETERS:
        raise ValueError(
            f"{name} with {dict(arguments)} has {parameters:,} parameters; at most {MOST_PARAMETERS:,}"
        )
    return cls(**arguments)
