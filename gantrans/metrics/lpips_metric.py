"""LPIPS (Zhang et al. 2018) by its authors' package, with the backbone's weights from a local file.

The package brings the linear heads (v0.1). It would download a backbone, or make a random one; here it does
neither. It imports torchvision, which costs seconds, and is therefore loaded only when asked for.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from gantrans.errors import CheckpointError
from gantrans.nets import weights

BACKBONES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}  # name -> key of weights.TABLE
SMALLEST = 32  # pixels a side: below, AlexNet's last pooling has nothing left


class Lpips(nn.Module):
    """Perceptual distance, 0 for equal pictures; the calibrated one of version 0.1."""

    def __init__(self, net: str, given: str | Path | None = None) -> None:
        """`net`: alex, vgg or squeeze. `given`: the backbone's file, or a folder of it (nets/weights.py).

        Raises ConfigError where it is missing, CheckpointError where it is another network's.
        """
        super().__init__()
        if net not in BACKBONES:
            raise ValueError(f"net={net!r}: accepted are {', '.join(BACKBONES)}")
        path = weights.find(BACKBONES[net], given)
        self.network = _empty(net)
        _fill(self.network.net, weights.read(path), path)  # type: ignore[arg-type]
        self.requires_grad_(False)

    def forward(self, output_x01: Tensor, target_x01: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) in [0, 1] -> (N,); grey is repeated. NaN for pictures with a side below 32."""
        if min(output_x01.shape[-2:]) < SMALLEST:
            return output_x01.new_full((len(output_x01),), torch.nan)
        output, target = (x.float().expand(-1, 3, -1, -1) for x in (output_x01, target_x01))
        return self.network(output, target, normalize=True).flatten()


def _empty(net: str) -> nn.Module:
    """The package's module, whose backbone is still to be filled."""
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")  # of torchvision, on the argument by which the package asks for it
        import lpips

        return lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False).eval()


def _fill(backbone: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Every weight of the backbone from torchvision's names: sliceI.N.REST there is features.N.REST."""
    taken = {}
    for key, own in backbone.state_dict().items():
        name = "features." + key.partition(".")[2]
        value = state.get(name)
        if value is None or value.shape != own.shape or not torch.isfinite(value).all():
            found = "nothing" if value is None else f"{tuple(value.shape)}"
            found += " with NaN or infinite values" if value is not None and value.shape == own.shape else ""
            raise CheckpointError(
                f"{path}: not the backbone of LPIPS: {name}: found {found}, expected {tuple(own.shape)}; "
                "give torchvision's file of that network"
            )
        taken[key] = value
    backbone.load_state_dict(taken)
