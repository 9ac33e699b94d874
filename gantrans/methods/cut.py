"""CUT and FastCUT (Park et al. 2020): one-way translation without pairs, by contrast between places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gantrans.losses.nce import at_places, patch_nce, sample_places
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import (
    Phase,
    Role,
    check_counts,
    check_switches,
    check_weights,
    reported,
    total,
)
from gantrans.nets.projector import PatchProjector
from gantrans.types import Batch, Metrics, Networks, Shapes


class CUT:
    """A generator, a discriminator, and a projector for PatchNCE; source and target are not pairs.

    discriminator: (real + fake) / 2, it learns first. generator and projector: lambda_gan * GAN +
    lambda_nce * NCE(source, output), and where `identity` is on the mean of that NCE and NCE(target,
    generator(target)) (equations 4 and 5). NCE compares features of the generator's own encoder at `patches`
    places, the mean over its feature maps; `temperature` as in losses/nce.py. flip: half of the steps
    translate the mirror image, and its features are mirrored back before they are compared (flip
    equivariance).

    CUT as in its paper: the defaults. FastCUT: lambda_nce=10, identity=False, flip=True.

    Reports what methods/adversary.py does, G_GAN, G_NCE and G_NCE_identity, each times its weight, so that
    their sum is the generator's loss.
    """

    learns_from = "unpaired"

    def __init__(
        self,
        gan: str = "lsgan",
        lambda_gan: float = 1.0,
        lambda_nce: float = 1.0,
        identity: bool = True,
        flip: bool = False,
        patches: int = 256,
        width: int = 256,
        temperature: float = 0.07,
        restraint: Restraint | None = None,
    ) -> None:
        check_weights(lambda_gan=lambda_gan, lambda_nce=lambda_nce)
        if lambda_nce == 0:
            raise ValueError("lambda_nce=0 ties the output to nothing in the source; accepted is more than 0")
        check_weights(temperature=temperature)
        if temperature == 0:
            raise ValueError("temperature=0: accepted are numbers above 0")
        check_counts(patches=patches, width=width)
        check_switches(identity=identity, flip=flip)
        self.adversary = Adversary(gan, restraint)
        self.lambda_gan = lambda_gan
        self.lambda_nce = lambda_nce
        self.identity = identity
        self.flip = flip
        self.patches = patches
        self.temperature = temperature
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            Role("discriminator", "discriminator", sees=("target",)),
            Role("projector", "helper", build=lambda networks, _: _projector(networks, width)),
            *self.adversary.roles("discriminator"),
        )
        update = Phase("discriminator", trains=("discriminator",))
        generator = Phase("generator", trains=("generator", "projector"))
        self.phases = (*self.adversary.with_penalty(update), generator)

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        (source, side), (target, _) = shapes["source"], shapes["target"]
        if self.identity and side is None:
            raise ValueError(
                "identity=true joins sources and targets to one batch, which needs one size: set "
                "augment.crop=N, or method.identity=false"
            )
        if source != target:
            raise ValueError(
                f"PatchNCE reads source and output with one encoder, but source has {source} channels and "
                f"target {target}; make data.source_mode and data.target_mode equal"
            )

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        mirrored = _coin(batch.source)
        given = torch.cat([batch.source, batch.target]) if self.identity else batch.source
        output = networks["generator"](_flipped(given, mirrored) if self.flip else given)
        count = len(batch.source)
        return {"output": output[:count], "identity": output[count:], "mirrored": mirrored}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        real = [batch.target]
        if phase.name == "discriminator":
            fake = [shared["output"].detach()]
            return self.adversary.discriminator_loss(networks, "discriminator", real, fake)
        if phase.name == "r1":
            penalty = self.adversary.r1_loss(networks, "discriminator", real)
            return penalty, {"D_r1": penalty.detach()}
        return self._generator_loss(phase, networks, batch, shared)

    def _generator_loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        terms = {}
        if phase.adversarial and self.lambda_gan:
            gan = self.adversary.generator_loss(networks, "discriminator", [shared["output"]])
            terms["G_GAN"] = self.lambda_gan * gan
        weight = self.lambda_nce * (0.5 if self.identity else 1.0)
        terms["G_NCE"] = weight * self._nce(networks, batch.source, shared["output"], shared["mirrored"])
        if self.identity:
            again = self._nce(networks, batch.target, shared["identity"], shared["mirrored"])
            terms["G_NCE_identity"] = weight * again
        return total(terms), reported(terms)

    def _nce(self, networks: Networks, given: Tensor, made: Tensor, mirrored: Tensor) -> Tensor:
        """The mean over the encoder's feature maps of how badly places of `made` are told by `given`'s."""
        generator, projector = networks["generator"], networks["projector"]
        queries = generator.encode(made)  # type: ignore[operator]
        if self.flip:
            queries = [_flipped(query, mirrored) for query in queries]
        with torch.no_grad():
            keys = generator.encode(given)  # type: ignore[operator]
            places = sample_places(keys, self.patches)
            keys = projector([at_places(k, p) for k, p in zip(keys, places, strict=True)])
        queries = projector([at_places(q, p) for q, p in zip(queries, places, strict=True)])
        losses = [patch_nce(q, k, self.temperature) for q, k in zip(queries, keys, strict=True)]
        return torch.stack(losses).mean()


def _coin(like: Tensor) -> Tensor:
    """True half of the time: 0-d, drawn on the device of `like`."""
    return torch.rand((), device=like.device) < 0.5


def _flipped(x: Tensor, mirrored: Tensor) -> Tensor:
    """x, or its mirror image where the 0-d `mirrored` is true; decided on the device."""
    return torch.where(mirrored, x.flip(3), x)


def _projector(networks: Mapping[str, nn.Module], width: int) -> PatchProjector:
    channels = getattr(networks["generator"], "feature_channels", None)
    if channels is None:
        raise ValueError(
            "PatchNCE needs a generator with encode() and feature_channels, as UNet and ResNetGenerator; "
            f"{type(networks['generator']).__name__} has none"
        )
    return PatchProjector(tuple(channels), width)
