"""pix2pix (Isola et al. 2017): a generator that must please a discriminator and stay near the target."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gantrans.losses.gan import GanLoss
from gantrans.losses.pixel import l1
from gantrans.methods.base import Phase
from gantrans.types import Batch, Metrics, Networks


class Pix2Pix:
    """discriminator: (real + fake) / 2. generator: lambda_gan * GAN + lambda_l1 * L1 (equations 1 to 4).

    The discriminator sees the source together with the target or the output, so it judges whether the two
    belong together. It learns first, as in the reference implementation. `gan`: vanilla, lsgan or hinge.
    lambda_gan=0 trains the generator on L1 alone; the discriminator still learns, and is not asked.

    Reports D_real and D_fake (not halved), D_gap (mean logit of real minus that of fake), G_GAN and G_L1
    (each times its weight, so their sum is the generator's loss).
    """

    phases = (Phase("discriminator", trains=("discriminator",)), Phase("generator", trains=("generator",)))
    networks = ("generator", "discriminator")

    def __init__(self, gan: str = "vanilla", lambda_l1: float = 100.0, lambda_gan: float = 1.0) -> None:
        for name, weight in (("lambda_l1", lambda_l1), ("lambda_gan", lambda_gan)):
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f"{name}={weight}: accepted are finite numbers >= 0")
        if lambda_l1 == lambda_gan == 0:
            raise ValueError("lambda_l1=0 and lambda_gan=0 leave the generator nothing to learn from")
        self.gan = GanLoss(gan)
        self.lambda_l1 = lambda_l1
        self.lambda_gan = lambda_gan

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        return {"output": networks["generator"](batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        if phase.name == "discriminator":
            return self._discriminator_loss(networks, batch, shared["output"].detach())
        return self._generator_loss(networks, batch, shared["output"])

    def _discriminator_loss(self, networks: Networks, batch: Batch, output: Tensor) -> tuple[Tensor, Metrics]:
        discriminator = networks["discriminator"]
        fake_logits = discriminator(torch.cat([batch.source, output], 1))
        real_logits = discriminator(torch.cat([batch.source, batch.target], 1))
        real, fake = self.gan.discriminator(real_logits, fake_logits)
        gap = real_logits.detach().mean() - fake_logits.detach().mean()
        return 0.5 * (real + fake), {"D_real": real.detach(), "D_fake": fake.detach(), "D_gap": gap}

    def _generator_loss(self, networks: Networks, batch: Batch, output: Tensor) -> tuple[Tensor, Metrics]:
        pixels = self.lambda_l1 * l1(output, batch.target)
        if self.lambda_gan == 0:
            return pixels, {"G_L1": pixels.detach()}
        fake_logits = networks["discriminator"](torch.cat([batch.source, output], 1))
        adversarial = self.lambda_gan * self.gan.generator(fake_logits)
        return adversarial + pixels, {"G_GAN": adversarial.detach(), "G_L1": pixels.detach()}
