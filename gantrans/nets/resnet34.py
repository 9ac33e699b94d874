"""ResNet-34 (He et al. 2016) up to its last activations, under torchvision's names of weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.errors import CheckpointError
from gantrans.kernels.conv import Conv2d
from gantrans.nets.norm import BatchNorm
from gantrans.nets.weights import fitting

BLOCKS = (3, 4, 6, 3)  # in layer1 to layer4
CHANNELS = (64, 64, 128, 256, 512)  # of the first convolution and of layer1 to layer4
DEPTH = 5  # halvings, from the picture to layer4
CELL = 2**DEPTH  # pixels that become one
_CLASSIFIER = "fc."


class _Block(nn.Module):
    """Two convolutions and a skip over them (He et al. 2016, figure 2)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm(outside)
        self.conv2 = Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(outside)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                Conv2d(inside, outside, 1, stride, bias=False), BatchNorm(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        skip = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(y)) + skip)


class ResNet34(nn.Module):
    """Pictures (N, 3, H, W), normalised as ImageNet's -> activations of 1/2, 1/4, 1/8, 1/16 and 1/32 of their
    size, CHANNELS wide; those of 1/2 lie before the max pooling. Keys are torchvision's, without `fc`.
    """

    def __init__(self) -> None:
        super().__init__()
        inside, *widths = self.channels = CHANNELS
        self.conv1 = Conv2d(3, inside, 7, 2, 3, bias=False)
        self.bn1 = BatchNorm(inside)
        for number, (width, blocks) in enumerate(zip(widths, BLOCKS, strict=True), 1):
            first = _Block(inside, width, 1 if number == 1 else 2)
            rest = (_Block(width, width, 1) for _ in range(blocks - 1))
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
            inside = width

    def forward(self, x: Tensor, extra: Tensor | None = None) -> list[Tensor]:
        """`extra` (N, CHANNELS[0], H/2, W/2) is added to what the first convolution makes."""
        y = self.conv1(x)
        found = [F.relu(self.bn1(y if extra is None else y + extra))]
        y = F.max_pool2d(found[0], 3, 2, 1)
        for number in range(1, len(self.channels)):
            y = getattr(self, f"layer{number}")(y)
            found.append(y)
        return found

    @torch.no_grad()
    def fill(self, state: Mapping[str, Tensor], source: str) -> int:
        """Take over weights by torchvision's names, but for the classifier's (fc); returns how many tensors.

        `source` names them in messages. Raises CheckpointError for what is missing, misshapen or not finite,
        before anything is taken over. Older files lack the counts of batches, which are then 0.
        """
        own = self.state_dict()
        counts = {k: torch.zeros_like(v) for k, v in own.items() if k.endswith("num_batches_tracked")}
        taken = fitting(own, {**counts, **state}, "ResNet-34", source)
        strange = next((k for k in state if k not in taken and not k.startswith(_CLASSIFIER)), None)
        if strange is not None:  # a deeper ResNet has all that is asked for above, and more
            raise CheckpointError(
                f"{source}: not the weights of ResNet-34: {strange[:80]!r} is not in that network; give "
                "torchvision's file of it"
            )
        self.load_state_dict(taken)
        return len(taken)
