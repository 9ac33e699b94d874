"""PyTorch's fused Adam without torch._dynamo, which it would import for the sake of compiled optimizers: that
takes as long as all other imports of a run together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Adam, Optimizer

# Wrapped by PyTorch so that dynamo, were it to look, would look away. Each wrapper asks its function for that
# disabled form first and imports dynamo to make one if there is none.
for _name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
    _function = getattr(getattr(Optimizer, _name), "__wrapped__", None)
    if _function is not None and not hasattr(_function, "__dynamo_disable"):
        setattr(_function, "__dynamo_disable", _function)

_STEP: Callable[..., Any] = getattr(Adam.step, "__wrapped__", Adam.step)


class FusedAdam(Adam):
    """Adam (Kingma & Ba 2015), one kernel for all parameters. The same arithmetic, state and state dict."""

    def __init__(self, parameters: Iterable[Any], *, lr: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, lr=lr, betas=betas, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return _STEP(self, closure)
