"""Super-resolution: near the target in pixels, and on request in features and to a discriminator's eye."""

from __future__ import annotations

from torch import Tensor

from gantrans.losses.pixel import l1, pasted
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase, Role, check_switches, check_weights, reported, total
from gantrans.methods.look import Look
from gantrans.types import Batch, Metrics, Networks


class SuperRes:
    """generator: lambda_l1 * L1 + lambda_perceptual * features + lambda_gan * GAN (SRGAN, Ledig et al. 2017;
    ESRGAN, Wang et al. 2018b, equation 3).

    The discriminator sees the target or the output alone, as the source is of another size. relativistic: it
    judges how much more real the one looks than the other on average (Jolicoeur-Martineau 2018, RaGAN; `gan`
    vanilla or lsgan). lambda_gan=0, without a discriminator, gives the best PSNR, and soft textures; the
    usual way to crisp ones is to start so, and go on with a discriminator from those weights.

    features, weights: the network of the perceptual loss and its file (methods/look.py). copies: as pix2pix
    has it, where nothing is enlarged.

    Reports what methods/adversary.py does, and G_L1, G_perceptual and G_GAN, each times its weight.
    """

    learns_from = "pairs"

    def __init__(
        self,
        gan: str = "vanilla",
        lambda_l1: float = 1.0,
        lambda_gan: float = 0.005,
        relativistic: bool = True,
        lambda_perceptual: float = 0.0,
        features: str = "squeezenet1_1",
        weights: str | None = None,
        restraint: Restraint | None = None,
        *,
        copies: bool = False,
    ) -> None:
        check_weights(lambda_l1=lambda_l1, lambda_gan=lambda_gan)
        check_switches(relativistic=relativistic)
        self.look = Look(lambda_perceptual, features, weights)
        if lambda_l1 == lambda_gan == lambda_perceptual == 0:
            raise ValueError(
                "lambda_l1=0, lambda_gan=0 and lambda_perceptual=0 leave the generator nothing to learn from"
            )
        self.adversary = Adversary(gan, restraint, relativistic=relativistic)
        self.lambda_l1 = lambda_l1
        self.lambda_gan = lambda_gan
        self.copies = copies
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            *self.look.roles,
        )
        self.phases = (Phase("generator", trains=("generator",)),)
        if lambda_gan:  # else nobody would ask a discriminator
            judge = Role("discriminator", "discriminator", sees=("target",))
            self.roles = (*self.roles, judge, *self.adversary.roles("discriminator"))
            update = Phase("discriminator", trains=("discriminator",))
            self.phases = (*self.adversary.with_penalty(update), *self.phases)

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        output = networks["generator"](batch.source)
        return {"output": pasted(output, batch.source) if self.copies else output}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        real, fake = [batch.target], [shared["output"]]
        if phase.name == "discriminator":
            return self.adversary.discriminator_loss(networks, "discriminator", real, [fake[0].detach()])
        if phase.name == "r1":
            penalty = self.adversary.r1_loss(networks, "discriminator", real)
            return penalty, {"D_r1": penalty.detach()}
        terms = {"G_L1": self.lambda_l1 * l1(fake[0], real[0])}
        terms |= self.look.terms(networks, fake[0], real[0])
        if phase.adversarial and self.lambda_gan:
            gan = self.adversary.generator_loss(networks, "discriminator", fake, real)
            terms["G_GAN"] = self.lambda_gan * gan
        return total(terms), reported(terms)
