"""pix2pix (Isola et al. 2017): a generator that must please a discriminator and stay near the target."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gantrans.losses.pixel import covered, l1, pasted, weighted_l1, wide
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase, Role, check_weights, reported, total
from gantrans.methods.look import Look
from gantrans.nets.remover import MaskedUNet
from gantrans.types import Batch, Metrics, Networks, Shapes


class Pix2Pix:
    """discriminator: (real + fake) / 2. generator: lambda_gan * GAN + lambda_l1 * L1 (equations 1 to 4).

    The discriminator sees the source together with the target or the output, so it judges whether the two
    belong together. It learns first, as in the reference implementation. `gan`: see losses/gan.py.
    lambda_gan=0 trains the generator on L1 alone; the discriminator still learns, and is not asked.
    lambda_mask weighs the cross entropy of the mask that a MaskedUNet predicts, against where source and
    target differ. lambda_perceptual weighs the distance in activations of the network `features`
    (methods/look.py). lambda_features weighs feature matching (pix2pixHD, Wang et al. 2018, equation 5; 10
    there). mask_weight: how many times a covered pixel counts in L1: where the mask that is the source's last
    channel says so (data.mask=input), or without one where source and target differ. At 1 a network that
    starts as the identity may stay there, if most pixels are to be left as they are. copies: known pixels are
    the source's own in what every loss sees, as they will be in what a user gets (data.outside=copy), so that
    seams count; the run itself sets it.

    Reports what methods/adversary.py does, and G_GAN, G_L1, G_perceptual and G_features (each times its
    weight, so their sum is the generator's loss).
    """

    learns_from = "pairs"

    def __init__(
        self,
        gan: str = "vanilla",
        lambda_l1: float = 100.0,
        lambda_gan: float = 1.0,
        lambda_features: float = 0.0,
        mask_weight: float = 1.0,
        lambda_mask: float = 0.0,
        lambda_perceptual: float = 0.0,
        features: str = "squeezenet1_1",
        weights: str | None = None,
        restraint: Restraint | None = None,
        *,
        copies: bool = False,
    ) -> None:
        check_weights(lambda_l1=lambda_l1, lambda_gan=lambda_gan, lambda_features=lambda_features)
        check_weights(mask_weight=mask_weight, lambda_mask=lambda_mask)
        self.look = Look(lambda_perceptual, features, weights)
        if lambda_l1 == lambda_gan == lambda_perceptual == lambda_mask == 0:
            raise ValueError("lambda_l1=0 and lambda_gan=0 leave the generator nothing to learn from")
        self.adversary = Adversary(gan, restraint)
        self.lambda_l1 = lambda_l1
        self.lambda_gan = lambda_gan
        self.lambda_features = lambda_features
        self.mask_weight = mask_weight
        self.lambda_mask = lambda_mask
        self.copies = copies
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            Role("discriminator", "discriminator", sees=("source", "target")),
            *self.adversary.roles("discriminator"),
            *self.look.roles,
        )
        update = Phase("discriminator", trains=("discriminator",))
        self.phases = (*self.adversary.with_penalty(update), Phase("generator", trains=("generator",)))

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where nothing tells which pixels mask_weight and lambda_mask are for."""
        source, target = (shapes[domain][0] for domain in ("source", "target"))
        if (self.mask_weight != 1 or self.lambda_mask) and source not in (target, target + 1):
            raise ValueError(
                f"mask_weight={self.mask_weight} is for what a mask covers, or where the pictures differ; "
                f"here source and target have {source} and {target} channels; set data.mask=input, or use 1"
            )

    def fits(self, networks: Networks) -> None:
        """Raise ValueError where lambda_mask asks for what the generator does not tell."""
        generator = networks["generator"]
        if self.lambda_mask and not isinstance(generator, MaskedUNet):
            raise ValueError(
                f"lambda_mask={self.lambda_mask}: {type(generator).__name__} predicts no mask; use "
                "generator=remover, or 0"
            )

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        if self.lambda_mask:
            output, logits = networks["generator"].with_mask(batch.source)  # type: ignore[operator]
            made = {"output": output, "mask": logits}
        else:
            made = {"output": networks["generator"](batch.source)}
        if self.copies:
            made["output"] = pasted(made["output"], batch.source)
        return made

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
        terms = {"G_L1": self.lambda_l1 * self._distance(fake[-1], real[-1], real[0])}
        if "mask" in shared:
            logits = wide(shared["mask"])
            differs = (batch.source != batch.target).any(1, keepdim=True).to(logits.dtype)
            terms["G_mask"] = self.lambda_mask * binary_cross_entropy_with_logits(logits, differs)
        return self._generator_loss(phase, networks, terms, real, fake)

    def _generator_loss(
        self, phase: Phase, networks: Networks, terms: Metrics, real: list[Tensor], fake: list[Tensor]
    ) -> tuple[Tensor, Metrics]:
        terms |= self.look.terms(networks, fake[-1], real[-1])
        if phase.adversarial and self.lambda_gan:
            gan = self.adversary.generator_loss(networks, "discriminator", fake)
            terms["G_GAN"] = self.lambda_gan * gan
        if phase.adversarial and self.lambda_features:
            features = self.adversary.feature_loss(networks, "discriminator", real, fake)
            terms["G_features"] = self.lambda_features * features
        return total(terms), reported(terms)

    def _distance(self, output: Tensor, target: Tensor, source: Tensor) -> Tensor:
        if self.mask_weight == 1:
            return l1(output, target)
        if source.shape[1] > target.shape[1]:
            counted = covered(source)
        else:
            counted = (source != target).any(1, keepdim=True)
        return weighted_l1(output, target, 1 + (self.mask_weight - 1) * counted)
