"""Weights at the start of training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from gantrans.nets.blocks import zero
from gantrans.nets.upscale import PixelShuffleUp

# Draws a weight in place, given the gain.
KINDS: dict[str, Callable[[Tensor, float], object]] = {
    "normal": lambda weight, gain: nn.init.normal_(weight, 0.0, gain),
    "xavier": lambda weight, gain: nn.init.xavier_normal_(weight, gain=gain),
    "kaiming": lambda weight, gain: nn.init.kaiming_normal_(weight),  # noqa: ARG005
    "orthogonal": lambda weight, gain: nn.init.orthogonal_(weight, gain=gain),
}
UNTOUCHED = "pytorch"  # as PyTorch's own constructors left them
_Weighted = nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def init_weights(network: nn.Module, kind: str = "normal", gain: float = 0.02) -> None:
    """Draw the weights of `network` in place from PyTorch's global generator.

    Weights of convolutions and linear layers: "normal" N(0, gain) (Isola et al. 2017, section 3.4), "xavier"
    (Glorot & Bengio 2010) and "orthogonal" (Saxe et al. 2014) with `gain`, "kaiming" (He et al. 2015), which
    needs none. Their biases are 0; batch norm gets weights N(1, gain) and biases 0. "pytorch" leaves all that
    the constructors drew. The head of a network with `residual` set is zero again afterwards, so that it
    still starts at the identity.

    Raises ValueError for another kind.
    """
    if kind == UNTOUCHED:
        return
    if kind not in KINDS:
        raise ValueError(f"init {kind!r}: accepted are {', '.join(KINDS)}, {UNTOUCHED}")
    for module in network.modules():
        if isinstance(module, _Weighted):
            KINDS[kind](_drawn(module), gain)
            _settle(module)
        elif isinstance(module, _BatchNorm) and module.affine:
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, PixelShuffleUp):
            module.icnr()
    head = getattr(network, "head", None)
    if getattr(network, "residual", False) and isinstance(head, nn.Module):
        zero(head)


def _drawn(module: nn.Module) -> Tensor:
    """The weight that is stored: under spectral norm `module.weight` is computed from it at every look."""
    if is_parametrized(module, "weight"):
        return module.parametrizations["weight"].original  # type: ignore[index,union-attr]
    return module.weight  # type: ignore[return-value]


def _settle(module: nn.Module) -> None:
    """Let spectral norm find the largest singular value of a new weight: in train mode a look is a step."""
    if is_parametrized(module, "weight"):
        with torch.no_grad():
            for _ in range(15):
                _ = module.weight
