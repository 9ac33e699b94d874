"""Seeds PyTorch by address: dropout of step s is the same whether the run reached s at once or by
resuming."""

from __future__ import annotations

import torch

from gantrans import draws


def seed_torch(*address: draws.Address) -> None:
    """Seed every PyTorch generator (CPU and CUDA) for this address, e.g. ("step", run_seed, step)."""
    torch.manual_seed(draws.seed_of(*address))
