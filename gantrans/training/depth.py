"""Layers by depth: which of a network's parameters wait, and which learn less than others.

A network tells its groups by `depth_groups()`, nearest the picture first; all but the last are what is
pretrained. One that tells none is one group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

SHARE = "depth_share"  # in an optimizer's group: what the learning rate of all is multiplied by there
Parameters = list[nn.Parameter]


def depth_groups(network: nn.Module) -> list[Parameters]:
    """The parameters of a network, nearest the picture first."""
    groups = getattr(network, "depth_groups", None)
    return [list(network.parameters())] if groups is None else groups()


def pretrained_part(network: nn.Module) -> Parameters:
    """What `held_still` holds: every group but the last."""
    return [parameter for group in depth_groups(network)[:-1] for parameter in group]


def optimizer_groups(networks: Iterable[nn.Module], decay: float) -> list[dict[str, Any]]:
    """What learns alike, over all networks: the groups nearest the output, then those before them, which
    learn at 1 / `decay` of that, and so on (Howard & Ruder 2018, section 3.1). `decay` 1: one group."""
    found: list[Parameters] = []
    for network in networks:
        for back, group in enumerate(reversed(depth_groups(network))):
            if back == len(found):
                found.append([])
            found[back] += [parameter for parameter in group if parameter.requires_grad]
    return [{"params": group, SHARE: decay**-back} for back, group in enumerate(found) if group]


@contextmanager
def held_still(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Meanwhile what is pretrained gets no gradients, so that optimizers pass it by; and its batch norms use
    the averages they have, as at inference, and leave them alone: those of the new pictures, in batches as
    small as ours, would change what the layers behind were trained on."""
    held, norms = [], []
    for network in networks:
        waits = {id(p) for p in pretrained_part(network)}
        held += [p for p in network.parameters() if id(p) in waits and p.requires_grad]
        norms += [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training and _in(m, waits)]
    try:
        for parameter in held:
            parameter.requires_grad_(False)
        for norm in norms:
            norm.eval()
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)
        for norm in norms:
            norm.train()


def _in(module: nn.Module, waits: set[int]) -> bool:
    return any(id(parameter) in waits for parameter in module.parameters(recurse=False))
