"""Notices a NaN or infinite loss without waiting for the device at every step, and names the images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrans.errors import DivergedError

_ADVICE = (
    "Look at the images; then lower train.lr, or use core.precision=fp32, and resume. If it diverges again "
    "at once, the saved weights were spoilt already: start a new run"
)


class NanGuard:
    """`watch` notes a flag on the device; `check` (at log and save time) reads them all in one copy."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, tuple[str, ...]]] = []
        self._flags: list[Tensor] = []

    def watch(self, step: int, keys: tuple[str, ...], loss: Tensor) -> None:
        """Remember whether `loss` is finite at `step`, and which images the batch held."""
        self._seen.append((step, keys))
        self._flags.append(torch.isfinite(loss.detach()))

    def check(self) -> None:
        """Raise DivergedError if any loss since the last check was not finite, naming step and images."""
        seen, flags, self._seen, self._flags = self._seen, self._flags, [], []
        if not flags:
            return
        finite = torch.stack(flags).tolist()
        if all(finite):
            return
        step, keys = seen[finite.index(False)]
        raise DivergedError(
            f"the loss became NaN or infinite at step {step + 1}, on the images {', '.join(keys)}. "
            f"The last checkpoint is from before. {_ADVICE}"
        )

    def check_weights(self, step: int, networks: dict[str, nn.Module]) -> None:
        """Raise DivergedError if a weight is not finite, so that such a state is never saved."""
        for role, network in networks.items():
            tensors = [t.detach() for t in (*network.parameters(), *network.buffers())]
            finite = [torch.isfinite(t).all() for t in tensors if t.is_floating_point()]
            if finite and not bool(torch.stack(finite).all()):
                raise DivergedError(f"weights of the {role} became NaN or infinite by step {step}. {_ADVICE}")
