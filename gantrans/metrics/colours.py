"""How colourful a picture is, and how far its colours are from its target's: (N, 3, H, W) x01 -> (N,).

Of grey pictures (N, 1, H, W) the colourfulness is 0, and a and b are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gantrans.lab import lab_from_rgb


def colourfulness(x01: Tensor) -> Tensor:
    """Hasler & Suesstrunk 2003, M (3), of values from 0 to 255: 0 grey, 33 moderately, 82 quite, 109
    extremely colourful in the words of their viewers."""
    red, green, blue = (_three(x01).float() * 255).unbind(1)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = torch.sqrt(rg.var((1, 2), correction=0) + yb.var((1, 2), correction=0))
    return spread + 0.3 * torch.sqrt(rg.mean((1, 2)) ** 2 + yb.mean((1, 2)) ** 2)


def ab_error(output_x01: Tensor, target_x01: Tensor) -> Tensor:
    """The distance of the colours in CIELAB's plane of a and b, lightness left out: mean over pixels of
    sqrt(da^2 + db^2) (Zhang et al. 2016, section 3.1, measure colorization by this distance)."""
    difference = _ab(output_x01) - _ab(target_x01)
    return difference.square().sum(1).sqrt().mean((1, 2))


def _ab(x01: Tensor) -> Tensor:
    return lab_from_rgb(_three(x01).float(), axis=1)[:, 1:]


def _three(x01: Tensor) -> Tensor:
    return x01.expand(-1, 3, -1, -1) if x01.shape[1] == 1 else x01
