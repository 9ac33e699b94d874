"""What follows a degradation until the network sees it: the channels of its mode, jitter, its mask."""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given, half_up, stacked


def rgb(levels: Tensor, given: Given) -> Tensor:
    """One channel as three."""
    del given
    return levels.expand(-1, 3, -1, -1)


def jitter(levels: Tensor, given: Given) -> Tensor:
    """Brightness, contrast and saturation times three factors: data/augment.py on tensors."""
    bright, contrast, saturation = stacked(given, 0).view(-1, 3, 1, 1, 1).unbind(1)
    levels = levels * bright
    mean = levels.mean(dim=(1, 2, 3), keepdim=True)
    levels = mean + (levels - mean) * contrast
    grey = levels.mean(dim=1, keepdim=True)
    return half_up((grey + (levels - grey) * saturation).clamp(min=0), given.whole)


def mask(levels: Tensor, given: Given) -> Tensor:
    """The mask (1, H, W) uint8 as one more channel."""
    return torch.cat([levels, stacked(given, 0).float()], dim=1)
