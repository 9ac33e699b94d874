"""Notices a NaN or infinite loss without waiting for the device at every step, and names the images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrans.core.ranks import ALONE, Ranks
from gantrans.errors import DivergedError

_ADVICE = (
    "Look at the images; then lower train.lr, or use core.precision=fp32, and resume. If it diverges again "
    "at once, the saved weights were spoilt already: start a new run"
)


class NanGuard:
    """`judge` and `saw` note each step; `check` (at log and save time) reads them all in one copy.

    What one of several processes finds stops them all.
    """

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        self._seen: list[tuple[int, tuple[str, ...]]] = []
        self._marks: Tensor | None = None  # steps judged since the last check, and the first bad one or -1

    def judge(self, losses: list[Tensor]) -> None:
        """The device's part of a step: whether all of its losses are finite. In place, as a captured step
        marks the same tensor."""
        if not losses:
            return
        if self._marks is None:
            self._marks = torch.tensor([0, -1], device=losses[0].device)
        judged, first = self._marks
        finite = torch.isfinite(torch.stack([loss.detach() for loss in losses])).all()
        first.copy_(torch.where(finite | (first >= 0), first, judged))
        judged.add_(1)

    def saw(self, step: int, keys: tuple[str, ...]) -> None:
        """The host's part: which images the batch of `step` held."""
        self._seen.append((step, keys))

    def check(self) -> None:
        """Raise DivergedError if any loss since the last check was not finite, naming step and images."""
        seen, self._seen = self._seen, []
        if not seen or self._marks is None:
            return
        _, first = self._marks.tolist()
        self._marks[0].zero_()
        self._marks[1].fill_(-1)
        bad = [found for found in self._ranks.exchange(None if first < 0 else seen[first]) if found]
        if not bad:
            return
        step = min(step for step, _ in bad)
        keys = [key for at, each in bad if at == step for key in each]
        raise DivergedError(
            f"the loss became NaN or infinite at step {step + 1}, on the images {', '.join(keys)}. "
            f"The last checkpoint is from before. {_ADVICE}"
        )

    def check_weights(self, step: int, networks: dict[str, nn.Module]) -> None:
        """Raise DivergedError if a weight is not finite, so that such a state is never saved."""
        bad = next((role for role, network in networks.items() if not _finite(network)), None)
        role = next((role for role in self._ranks.exchange(bad) if role), None)
        if role:
            raise DivergedError(f"weights of the {role} became NaN or infinite by step {step}. {_ADVICE}")


def _finite(network: nn.Module) -> bool:
    tensors = [t.detach() for t in (*network.parameters(), *network.buffers())]
    finite = [torch.isfinite(t).all() for t in tensors if t.is_floating_point()]
    return not finite or bool(torch.stack(finite).all())
