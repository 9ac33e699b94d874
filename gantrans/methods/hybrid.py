"""Hybrid: one run that learns from synthetic pairs and from real images without targets at once."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from gantrans.losses.pixel import l1
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Phase, check_weights
from gantrans.methods.cut import CUT
from gantrans.methods.degradation import LearnedDegradation
from gantrans.types import Batch, Metrics, Networks, Shapes

TIES = {"cycle": 100.0, "nce": 1.0}  # what ties a real image to its output, and its weight


class Hybrid:
    """An unpaired method on (batch.unpaired, batch.target), plus lambda_pair * L1 on (source, target).

    For "I can spoil clean images, but I also have real bad scans": the pairs say what restoring means, the
    unpaired method carries it over to the real images. tie: what holds a real image and its output together.
    "cycle": clean -> spoilt as the real ones are -> clean again (methods/degradation.py), which makes pairs
    of the real kind; lambda_tie weighs their L1. "nce": PatchNCE between a real image and its output
    (methods/cut.py), weighed by lambda_tie; lighter. lambda_tie=None: 100 for "cycle", 1 for "nce".
    lambda_gan weighs the adversary on real images.

    Reports what the unpaired method does, and G_pair, times its weight.
    """

    learns_from = "hybrid"

    def __init__(
        self,
        gan: str = "lsgan",
        tie: str = "cycle",
        lambda_pair: float = 100.0,
        lambda_tie: float | None = None,
        lambda_gan: float = 0.2,
        restraint: Restraint | None = None,
    ) -> None:
        if tie not in tuple(TIES):
            raise ValueError(f"tie={tie!r}: accepted are {', '.join(TIES)}")
        lambda_tie = TIES[tie] if lambda_tie is None else lambda_tie
        check_weights(lambda_pair=lambda_pair, lambda_tie=lambda_tie, lambda_gan=lambda_gan)
        if lambda_tie == 0:
            raise ValueError("lambda_tie=0 ties the output to nothing in the real image; use more than 0")
        self.lambda_pair = lambda_pair
        self.unpaired: LearnedDegradation | CUT
        if tie == "cycle":
            self.unpaired = LearnedDegradation(gan, lambda_tie, lambda_gan, restraint=restraint)
        else:
            self.unpaired = CUT(gan, lambda_gan, lambda_tie, identity=False, restraint=restraint)
        self.roles = self.unpaired.roles
        self.phases = self.unpaired.phases

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        self.unpaired.check(shapes)

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        shared = self.unpaired.forward(networks, _real(batch))
        return {**shared, "pair_output": networks["generator"](batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        loss, metrics = self.unpaired.loss(phase, networks, _real(batch), shared)
        if "generator" not in phase.trains:
            return loss, metrics
        pair = self.lambda_pair * l1(shared["pair_output"], batch.target)
        return loss + pair, {**metrics, "G_pair": pair.detach()}


def _real(batch: Batch) -> Batch:
    """The real images as sources, the clean ones as targets: nothing that belongs together."""
    if batch.unpaired is None:
        raise ValueError("the method hybrid needs images without targets: data.unpaired=DIR")
    return replace(batch, source=batch.unpaired)
