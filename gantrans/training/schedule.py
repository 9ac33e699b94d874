"""Learning-rate factors as pure functions of the step. Nothing is stored, so nothing can be lost on
resume."""

from __future__ import annotations

import math

KINDS = ("constant", "linear", "cosine")


def factor(kind: str, step: int, total: int, *, flat: float = 0.5, warmup: int = 0) -> float:
    """What the base learning rate is multiplied by at `step` (0 is the first), in (0, 1].

    constant: 1. linear: 1 for the first `flat` share of `total`, then a line that would reach 0 one step
    after the last, so that no step is trained at rate 0 (the schedule of pix2pix and CycleGAN). cosine: 1 for
    the `flat` share, then half a cosine. `warmup` steps rise linearly first.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown learning-rate schedule {kind!r}; accepted: {', '.join(KINDS)}")
    rise = min(1.0, (step + 1) / (warmup + 1))
    if kind == "constant":
        return rise
    start = flat * total
    progress = min(1.0, max(0.0, step - start) / max(1.0, total - start))
    if kind == "linear":
        return rise * max(1.0 - progress, 1.0 / max(1.0, total - start + 1))
    return rise * max(0.5 * (1 + math.cos(math.pi * progress)), 1e-3)
