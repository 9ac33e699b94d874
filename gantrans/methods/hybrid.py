"""Hybrid: one run that learns from synthetic pairs and from real images without targets at once."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from gantrans.losses.pixel import l1
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Phase, check_weights, translators
from gantrans.methods.cut import CUT
from gantrans.methods.cyclegan import CycleGAN
from gantrans.types import Batch, Metrics, Networks, Shapes

TIES = ("cycle", "nce")


class Hybrid:
    """An unpaired method on (batch.unpaired, batch.target), plus lambda_pair * L1 on (source, target).

    For "I can spoil clean images, but I also have real bad scans": the pairs say what restoring means, the
    adversary and `tie` carry it over to the real images. tie: "cycle", CycleGAN's round trip, whose way back
    learns to spoil clean images as the real ones are spoilt, and so makes pairs of the real kind; or "nce",
    CUT's PatchNCE, which needs one generator only. lambda_tie weighs the tie, lambda_gan the adversary,
    `identity` whether clean images are to stay as they are. Semi-supervised in the manner of Bulat et al.
    2018 (learning the degradation) on the losses of Zhu et al. 2017 and Park et al. 2020.

    Reports what the unpaired method does, and G_pair, times its weight.
    """

    learns_from = "hybrid"

    def __init__(
        self,
        gan: str = "lsgan",
        tie: str = "cycle",
        lambda_pair: float = 10.0,
        lambda_gan: float = 1.0,
        lambda_tie: float = 10.0,
        identity: bool = True,
        pool: int = 50,
        restraint: Restraint | None = None,
    ) -> None:
        check_weights(lambda_pair=lambda_pair, lambda_gan=lambda_gan, lambda_tie=lambda_tie)
        if tie not in TIES:
            raise ValueError(f"tie={tie!r}: accepted are {', '.join(TIES)}")
        self.lambda_pair = lambda_pair
        self.unpaired: CycleGAN | CUT
        if tie == "cycle":
            weight = 0.5 if identity else 0.0
            self.unpaired = CycleGAN(gan, lambda_gan, lambda_tie, lambda_tie, weight, pool, restraint)
        else:
            self.unpaired = CUT(gan, lambda_gan, lambda_tie, identity, restraint=restraint)
        self.roles = self.unpaired.roles
        self.phases = self.unpaired.phases
        self._generator = translators(self.roles)["to_target"]

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        self.unpaired.check(shapes)

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        shared = self.unpaired.forward(networks, _real(batch))
        return {**shared, "pair_output": networks[self._generator](batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        loss, metrics = self.unpaired.loss(phase, networks, _real(batch), shared)
        if self._generator not in phase.trains:
            return loss, metrics
        pair = self.lambda_pair * l1(shared["pair_output"], batch.target)
        return loss + pair, {**metrics, "G_pair": pair.detach()}


def _real(batch: Batch) -> Batch:
    """The real images as sources, the clean ones as targets: nothing that belongs together."""
    if batch.unpaired is None:
        raise ValueError("the method hybrid needs images without targets: data.unpaired=DIR")
    return replace(batch, source=batch.unpaired)
