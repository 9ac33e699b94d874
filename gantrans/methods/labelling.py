"""Pictures to label maps: cross entropy, and on request a discriminator that knows what maps look like."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gantrans.losses.pixel import wide
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase, Role, check_weights, reported, total
from gantrans.types import Batch, Metrics, Networks

SHARPNESS = 8.0  # logits are this many times the output, which a tanh holds in [-1, 1]: odds of up to e^16


class Labelling:
    """generator: lambda_class * cross entropy + lambda_gan * GAN (Luc et al. 2016, equation 1).

    The target holds a channel a class, 1 where it is and -1 elsewhere (data.target_mode=labels); pixels that
    have no class count nowhere. The discriminator sees the source together with the true map, or with the
    generator's probabilities in the same range. lambda_gan=0 is plain semantic segmentation, without a
    discriminator.

    Reports what methods/adversary.py does, and G_class and G_GAN, each times its weight.
    """

    learns_from = "pairs"

    def __init__(
        self,
        gan: str = "lsgan",
        lambda_class: float = 1.0,
        lambda_gan: float = 0.0,
        restraint: Restraint | None = None,
    ) -> None:
        check_weights(lambda_class=lambda_class, lambda_gan=lambda_gan)
        if lambda_class == lambda_gan == 0:
            raise ValueError("lambda_class=0 and lambda_gan=0 leave the generator nothing to learn from")
        self.adversary = Adversary(gan, restraint)
        self.lambda_class = lambda_class
        self.lambda_gan = lambda_gan
        self.roles = (Role("generator", "generator", sees=("source",), makes="target"),)
        self.phases = (Phase("generator", trains=("generator",)),)
        if lambda_gan:  # else nobody would ask a discriminator
            judge = Role("discriminator", "discriminator", sees=("source", "target"))
            self.roles = (*self.roles, judge, *self.adversary.roles("discriminator"))
            update = Phase("discriminator", trains=("discriminator",))
            self.phases = (*self.adversary.with_penalty(update), *self.phases)

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        logits = SHARPNESS * wide(networks["generator"](batch.source))
        return {"logits": logits, "output": 2 * logits.softmax(1) - 1}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        real, fake = [batch.source, batch.target], [batch.source, shared["output"]]
        if phase.name == "discriminator":
            fake = [batch.source, shared["output"].detach()]
            return self.adversary.discriminator_loss(networks, "discriminator", real, fake)
        if phase.name == "r1":
            penalty = self.adversary.r1_loss(networks, "discriminator", real)
            return penalty, {"D_r1": penalty.detach()}
        terms = {"G_class": self.lambda_class * cross_entropy(shared["logits"], batch.target)}
        if phase.adversarial and self.lambda_gan:
            terms["G_GAN"] = self.lambda_gan * self.adversary.generator_loss(networks, "discriminator", fake)
        return total(terms), reported(terms)


def cross_entropy(logits: Tensor, one_hot_x11: Tensor) -> Tensor:
    """Mean of -log softmax(logits) at the class of every pixel that has one, in nats, 0-d; 0 if none has."""
    known = (one_hot_x11 > 0).to(logits.dtype)
    per_pixel = -(F.log_softmax(logits, 1) * known).sum(1)
    return per_pixel.sum() / torch.clamp(known.sum(), min=1)
