"""Less memory for one more forward: blocks of a network keep their input alone and are computed again.

Activation checkpointing (Chen et al. 2016) in place: no module is wrapped or renamed, so state keys stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.checkpoint import checkpoint

from gantrans.core.graph import capturing

PARTS = ("down", "blocks", "up")  # where our generators keep their rows of blocks


def recompute_blocks(network: nn.Module) -> int:
    """Let every block of `network` be computed again in the backward pass; returns how many there are.

    Gradients are those of the plain pass: dropout draws again what it drew, batch norm's averages move once.
    Acts in train mode, where gradients are kept. A copy of the network (deepcopy) recomputes its own blocks.
    Raises ValueError where there are none, or where a second forward would not be the first.
    """
    blocks = [block for name in PARTS for block in getattr(network, name, nn.Sequential()).children()]
    if not blocks:
        raise ValueError(
            f"{type(network).__name__} has no blocks to recompute; it needs a row of modules named "
            f"{', '.join(PARTS[:-1])} or {PARTS[-1]}"
        )
    for name, module in network.named_modules():
        if type(module).__name__ == "_SpectralNorm":
            raise ValueError(f"{name}: spectral norm moves at each forward, so it cannot be computed again")
    for block in blocks:
        # A partial, not a closure: deepcopy follows it to the block's own copy.
        block.forward = functools.partial(_forward, block, type(block).forward)
    return len(blocks)


def recomputes_dropout(network: nn.Module) -> bool:
    """Whether the second forward must restore the generator's state, which no CUDA graph can hold."""
    return any(isinstance(module, _DropoutNd) for module in network.modules())


@contextmanager
def still_averages(network: nn.Module) -> Iterator[None]:
    """Batch norm uses the statistics of its batch, as it does in train mode, and leaves its averages alone.

    It is given copies to move meanwhile, so that everything else about the forward is as ever.
    """
    held = [
        (module, name, buffer)
        for module in network.modules()
        if isinstance(module, _BatchNorm)
        for name, buffer in module.named_buffers(recurse=False)
    ]
    try:
        for module, name, buffer in held:
            setattr(module, name, buffer.clone())
        yield
    finally:
        for module, name, buffer in held:
            setattr(module, name, buffer)


def _forward(block: nn.Module, plain: Callable[..., Tensor], x: Tensor) -> Tensor:
    if not (torch.is_grad_enabled() and block.training):
        return plain(block, x)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), still_averages(block)

    return checkpoint(
        functools.partial(plain, block),
        x,
        use_reentrant=False,
        preserve_rng_state=not capturing(),  # which knows no state to restore
        context_fn=contexts,
    )
