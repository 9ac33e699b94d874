"""The networks of a run as a table: layer, output shape, parameters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

LAYERS = 200  # rows of one network; what is left over is counted
# A real picture as small as the network takes: PyTorch's meta device, which computes no values, imports its
# compiler for some layers, which takes longer than this.
SIDES = (32, 64, 128, 256)


def model_summary(networks: Mapping[str, nn.Module], sides: Sequence[int] = SIDES) -> str:
    """Each network's layers that hold parameters, with their output's shape for one picture of the first of
    `sides` pixels that it takes, and totals. Leaves the networks as they are."""
    tables = [_table(role, network, sides) for role, network in networks.items() if _count(network)]
    total = sum(_count(network) for network in networks.values())
    about = "output: channels x height x width"
    return "\n\n".join([*tables, f"all networks: {total:,} parameters\n{about}"])


def _table(role: str, network: nn.Module, sides: Sequence[int]) -> str:
    shapes, why = _shapes(network, sides)
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


def _shapes(network: nn.Module, sides: Sequence[int]) -> tuple[dict[str, str], str]:
    """The output shape of each layer by name, and of which picture; or why there are none."""
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        return {}, "; it takes no picture, so no shapes"
    found: dict[str, str] = {}
    failed = ""
    for side in sides:
        found.clear()
        try:
            shadow = _shadow(network)
            for name, module in shadow.named_modules():
                module.register_forward_hook(_noting(found, name))
            with torch.no_grad():
                shadow(first.weight.new_zeros(1, first.in_channels, side, side))
        except Exception as error:  # too small a picture; and a class of the user's own may do anything
            failed = type(error).__name__
        else:
            return found, f"; output of a picture of {side} x {side}"
    return found, f"; shapes are unknown where its forward failed ({failed})"


def _shadow(network: nn.Module) -> nn.Module:
    """A copy in eval mode, with the same parameters and buffers of its own, so that nothing large is copied
    and nothing is changed."""
    return copy.deepcopy(network, {id(p): p for p in network.parameters()}).eval()


def _noting(found: dict[str, str], name: str) -> Callable[[nn.Module, object, object], None]:
    def note(_module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor):
            found[name] = " x ".join(map(str, output.shape[1:]))

    return note
