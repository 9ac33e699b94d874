"""The few types that travel between layers, and the legend of names used everywhere.

Shapes   N batch, C channels, H height, W width. Tensors are (N, C, H, W); arrays of one image are (H, W, C).
Ranges   u8 in 0..255 (uint8), u16 in 0..65535 (uint16), x01 in [0, 1] (float32), x11 in [-1, 1] (float32).
Units    `sigma_px` pixels, `angle_deg` degrees counter-clockwise, `quality` JPEG 1..100.
Roles    source: what the network is given. target: what it should produce. output: what it did produce.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Metrics = dict[str, Tensor]  # name -> 0-d tensor, detached
Networks = Mapping[str, nn.Module]  # role -> network, e.g. "generator", "discriminator"


@dataclass(frozen=True)
class Batch:
    """One training batch on the device: `source` and `target` x11, (N, C, H, W); `keys` name the images."""

    source: Tensor
    target: Tensor
    keys: tuple[str, ...] = ()
