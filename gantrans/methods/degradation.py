"""Learned degradation (after Bulat et al. 2018): spoil clean images as the real ones are, and undo that."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gantrans.losses.pixel import l1, wide
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase, Role, check_weights, reported, total
from gantrans.types import Batch, Metrics, Networks, Shapes

COARSE = 8  # pixels a side over which what the degrader makes must keep its mean


class LearnedDegradation:
    """A degrader makes bad images of clean ones, a generator restores them; source and target are no pairs.

    degrader: GAN against real bad images, plus lambda_content * |coarse(spoilt) - coarse(clean)|, coarse
    being means over 8 x 8 pixels. It is given the clean image with noise of standard deviation `noise` (x11),
    which it may shape or drop, as real damage is not a function of the image. generator: lambda_restored *
    |generator(spoilt) - clean| plus lambda_gan * GAN on restored real images. Nothing flows from the
    generator into the degrader, which would learn to make its work easy. discriminators: (real + fake) / 2
    each; they learn first. `gan`: see losses/gan.py.

    Reports, for each domain, what methods/adversary.py does, and G_restored, G_GAN_target, G_GAN_source and
    G_content, each times its weight.
    """

    learns_from = "unpaired"

    def __init__(
        self,
        gan: str = "lsgan",
        lambda_restored: float = 100.0,
        lambda_gan: float = 0.2,
        lambda_content: float = 10.0,
        noise: float = 0.1,
        restraint: Restraint | None = None,
    ) -> None:
        check_weights(lambda_restored=lambda_restored, lambda_gan=lambda_gan)
        check_weights(lambda_content=lambda_content, noise=noise)
        if lambda_restored == 0:
            raise ValueError("lambda_restored=0: the generator would not learn to restore; use more than 0")
        self.adversary = Adversary(gan, restraint)
        self.lambda_restored = lambda_restored
        self.lambda_gan = lambda_gan
        self.lambda_content = lambda_content
        self.noise = noise
        update = Phase("discriminators", trains=("target_discriminator", "source_discriminator"))
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            Role("degrader", "generator", sees=("target",), makes="source"),
            Role("target_discriminator", "discriminator", sees=("target",)),
            Role("source_discriminator", "discriminator", sees=("source",)),
            *self.adversary.roles(*update.trains),
        )
        generators = Phase("generators", trains=("generator", "degrader"))
        self.phases = (*self.adversary.with_penalty(update), generators)

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        if shapes["source"][0] != shapes["target"][0]:
            raise ValueError(
                f"source has {shapes['source'][0]} channels and target {shapes['target'][0]}: a spoilt image "
                "must keep what the clean one shows; make data.source_mode and data.target_mode equal"
            )

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        clean = batch.target
        spoilt = networks["degrader"](clean + self.noise * torch.randn_like(clean))
        return {
            "spoilt": spoilt,
            "restored": networks["generator"](spoilt.detach()),
            "output": networks["generator"](batch.source),
        }

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        real = {"target": batch.target, "source": batch.source}
        fake = {"target": shared["output"], "source": shared["spoilt"]}
        if phase.name == "generators":
            return self._generators_loss(phase, networks, batch, shared)
        terms: Metrics = {}
        metrics: Metrics = {}
        for domain, image in real.items():
            role = f"{domain}_discriminator"
            if phase.name == "r1":
                terms[f"D_r1_{domain}"] = self.adversary.r1_loss(networks, role, [image])
                continue
            terms[domain], parts = self.adversary.discriminator_loss(
                networks, role, [image], [fake[domain].detach()], suffix=f"_{domain}"
            )
            metrics |= parts
        return total(terms), metrics or reported(terms)

    def _generators_loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        clean, spoilt = batch.target, shared["spoilt"]
        terms = {
            "G_restored": self.lambda_restored * l1(shared["restored"], clean),
            "G_content": self.lambda_content * l1(_coarse(spoilt), _coarse(clean)),
        }
        if phase.adversarial:
            terms["G_GAN_source"] = self.adversary.generator_loss(networks, "source_discriminator", [spoilt])
        if phase.adversarial and self.lambda_gan:
            gan = self.adversary.generator_loss(networks, "target_discriminator", [shared["output"]])
            terms["G_GAN_target"] = self.lambda_gan * gan
        return total(terms), reported(terms)


def _coarse(x: Tensor) -> Tensor:
    """Means over COARSE x COARSE pixels, (N, C, H, W) -> (N, C, ceil(H / 8), ceil(W / 8))."""
    return F.avg_pool2d(wide(x), COARSE, ceil_mode=True)
