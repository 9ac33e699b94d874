"""How far a generator looks: what a part of a picture needs around it to come out as it does in the whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from gantrans.kernels.conv import set_fast
from gantrans.nets import catalogue
from gantrans.nets.adain import AdaINGenerator
from gantrans.nets.attention import SelfAttention
from gantrans.nets.colorizer import Colorizer
from gantrans.nets.inpainter import Inpainter
from gantrans.nets.norm import InstanceNorm
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.resnet34 import CELL
from gantrans.nets.superres import RRDBNet, SRResNet
from gantrans.nets.unet import UNet

FARTHEST_PX = 2**15
_FINEST_PX = 8  # tiles begin at multiples of this: faster kernels like even sizes


@dataclass(frozen=True)
class Reach:
    """`cell`, `least`: the network pads a picture to multiples of `cell` pixels, at least `least`, as
    `pad_to_grid` does. `halo`: pixels on each side on which an output pixel may depend, in whole `step`s;
    None: it depends on all of them, and `reason` says why, in words."""

    cell: int = 1
    least: int = 1
    halo: int | None = None
    reason: str = "is not one of our networks"

    @property
    def step(self) -> int:
        """Where tiles may begin: at multiples of this many pixels."""
        return max(self.cell, _FINEST_PX)


def reach_of(network: nn.Module) -> Reach:
    """The reach of one of our generators, measured once per architecture; of others: all of it."""
    reason = _whole(network)
    if reason:
        return Reach(reason=reason)
    try:
        description = catalogue.describe(network)
    except ValueError:
        return Reach()
    return _measured(json.dumps(description, sort_keys=True))


def _whole(network: nn.Module) -> str:
    """Why a network must see the whole picture, in words; "" where it need not."""
    if isinstance(network, Colorizer) and network.arguments["working_px"]:
        return "guesses colours of the whole picture at a working size"
    for module in network.modules():
        if isinstance(module, SelfAttention):
            return "has attention: every place looks at every other"
        if isinstance(module, AdaINGenerator):
            return "matches the moments of the whole picture to a style's"
    return ""


def grid_of(network: nn.Module) -> tuple[int, int]:
    """(cell, least) of the network, as Reach has them; (0, 0) where they are not known."""
    for module in network.modules():
        if isinstance(module, UNet | Inpainter):
            return 2**module.depth, 1
        if isinstance(module, PretrainedUNet):
            return CELL, 2 * CELL
        if isinstance(module, ResNetGenerator):
            return 2**module.downs, max(4, 2 * 2**module.downs)
        if isinstance(module, SRResNet | RRDBNet):
            return 1, 1
    return 0, 0


@lru_cache(maxsize=64)
def _measured(description: str) -> Reach:
    """Of a twin one channel wide, as the reach depends on kernels, strides and depth alone: columns of NaN
    travel through every layer to all that depends on them, whatever the weights."""
    about = json.loads(description)
    thin = {key: 1 if key in ("width", "growth") else value for key, value in about["arguments"].items()}
    with torch.random.fork_rng(devices=[]):
        network = catalogue.build({**about, "arguments": thin}).eval()
    grid = grid_of(network)
    if not any(grid):
        return Reach()
    for module in network.modules():
        if isinstance(module, InstanceNorm):  # the twin is ours alone: its statistics are to be nobody's
            module.moments = lambda x: (x.new_zeros(x.shape[1]), x.new_ones(x.shape[1]))
    set_fast(network, False)  # Winograd's tiles would spread a NaN to neighbours that do not depend on it
    reach = Reach(*grid)
    length = max(64, 8 * reach.step)
    while length <= FARTHEST_PX:
        found = _spread(network, about["arguments"]["in_channels"], max(reach.step, reach.least), length)
        if found is not None:
            return Reach(*grid, halo=-(-found // reach.step) * reach.step, reason="")
        length *= 2
    return Reach(*grid, reason=f"looks farther than {FARTHEST_PX} pixels")


@torch.inference_mode()
def _spread(network: nn.Module, channels: int, height: int, length: int) -> int | None:
    """How many columns NaN in half a strip spreads over the other half; None where that is all of it."""
    farthest, middle = 0, length // 2
    for spoilt in (slice(middle, None), slice(middle)):
        strip = torch.zeros(1, channels, height, length)
        strip[..., spoilt] = torch.nan
        answer = network(strip)
        scale = answer.shape[3] // length
        hit = answer.isnan().any(2).any(1)[0].nonzero()[:, 0]
        first, last = int(hit[0]), int(hit[-1])
        columns = middle * scale - first if spoilt.stop is None else last + 1 - middle * scale
        if columns >= middle * scale:
            return None
        farthest = max(farthest, -(-columns // scale))
    return farthest
