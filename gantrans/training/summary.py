"""The networks of a run as a table: layer, output shape, parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

LAYERS = 200  # rows of one network; what is left over is counted


def model_summary(networks: Mapping[str, nn.Module], side: int = 256) -> str:
    """Each network's layers that hold parameters, with their output's shape for one picture of side x side
    pixels (no values are computed), and totals. Leaves the networks as they are."""
    tables = [_table(role, network, side) for role, network in networks.items() if _count(network)]
    total = sum(_count(network) for network in networks.values())
    about = f"output: channels x height x width, for a picture of {side} x {side}"
    return "\n\n".join([*tables, f"all networks: {total:,} parameters\n{about}"])


def _table(role: str, network: nn.Module, side: int) -> str:
    shapes, why = _shapes(network, side)
    rows = [("layer", "kind", "output", "parameters")]
    own = {name: sum(p.numel() for p in m.parameters(recurse=False)) for name, m in network.named_modules()}
    modules = dict(network.named_modules())
    named = [name for name in own if own[name]]
    for name in named[:LAYERS]:
        rows.append(
            (name or "(itself)", type(modules[name]).__name__, shapes.get(name, "-"), f"{own[name]:,}")
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}" for a, b, c, d in rows]
    if len(named) > LAYERS:
        lines.append(f"... and {len(named) - LAYERS} layers more")
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    lines.append(f"{role}: {_count(network):,} parameters, {trained:,} of them trained{why}")
    return "\n".join([f"{role} ({type(network).__name__})", *lines])


def _count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _shapes(network: nn.Module, side: int) -> tuple[dict[str, str], str]:
    """The output shape of each layer by name, from a copy on the meta device; and why there are none."""
    found: dict[str, str] = {}
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        return found, "; it takes no picture, so no shapes"
    try:
        tensors = (*network.parameters(), *network.buffers())
        shadow = copy.deepcopy(network, {id(t): _empty(t) for t in tensors}).eval()
        for name, module in shadow.named_modules():
            module.register_forward_hook(_noting(found, name))
        with torch.no_grad():
            shadow(torch.empty(1, first.in_channels, side, side, device="meta"))
    except Exception as error:  # a class of the user's own may do anything
        return found, f"; shapes are unknown where its forward could not be traced ({type(error).__name__})"
    return found, ""


def _empty(tensor: Tensor) -> Tensor:
    """One of its shape on the meta device, so that nothing large is copied."""
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty


def _noting(found: dict[str, str], name: str) -> Callable[[nn.Module, object, object], None]:
    def note(_module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor):
            found[name] = " x ".join(map(str, output.shape[1:]))

    return note
