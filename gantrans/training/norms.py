"""How long the gradients are: one number a network, at the steps whose losses are logged."""

from __future__ import annotations

import torch

from gantrans.methods.base import Phase
from gantrans.training.state import State
from gantrans.types import Metrics


def gradient_norms(state: State, phase: Phase) -> Metrics:
    """grad_ROLE: the Euclidean norm of the gradients of each network that `phase` trains, 0-d, as they are
    before its optimizer steps; of a phase that shares an optimizer, as R1, grad_ROLE_PHASE.

    On the device, without waiting, so that a captured step measures too.
    """
    suffix = f"_{phase.name}" if phase.shares else ""
    found: Metrics = {}
    for role in phase.trains:
        gradients = [p.grad for p in state.networks[role].parameters() if p.grad is not None]
        if not gradients:
            continue
        each = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
        norm = torch.linalg.vector_norm(torch.stack(list(each)).float())
        if state.scaler.is_enabled():  # fp16: the gradients are those of the scaled loss
            norm = norm / state.scaler.scale(torch.ones_like(norm))
        found[f"grad_{role}{suffix}"] = norm
    return found
