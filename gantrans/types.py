"""The few types that travel between layers, and the legend of names used everywhere.

Shapes   N batch, C channels, H height, W width. Tensors are (N, C, H, W); arrays of one image are (H, W, C).
Ranges   u8 in 0..255 (uint8), u16 in 0..65535 (uint16), x01 in [0, 1] (float32), x11 in [-1, 1] (float32).
Units    `sigma_px` pixels, `angle_deg` degrees counter-clockwise, `quality` JPEG 1..100.
Domains  source: what is translated. target: what it should become. A domain is a kind of image.
Roles    output: what a generator made. condition: the source, where a discriminator is shown it too.
Ways     to_target: source -> target. to_source: the way back, where a method learns it (CycleGAN).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Metrics = dict[str, Tensor]  # name -> 0-d tensor, detached
Networks = Mapping[str, nn.Module]  # role -> network, e.g. "generator", "discriminator"
Shapes = Mapping[
    str, tuple[int, int | None]
]  # domain -> channels, and pixels a side of the crop if one is cut
Logits = Tensor | list[Tensor]  # a discriminator's judgement; a list holds one tensor for each scale


@dataclass(frozen=True)
class Batch:
    """One training batch on the device: x11, (N, C, H, W).

    `source` and `target` belong together, except where the data is unpaired; the source's last channel is its
    mask where that is known (data.mask=input). `unpaired` holds more images of the source's kind without a
    target (method hybrid), else None. `keys` name the images.
    """

    source: Tensor
    target: Tensor
    keys: tuple[str, ...] = ()
    unpaired: Tensor | None = None
