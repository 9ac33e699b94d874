"""The game of a method against its discriminators: the loss, and what keeps a discriminator in bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gantrans.losses import penalty
from gantrans.losses.gan import GanLoss, gap, relative
from gantrans.losses.pixel import feature_matching
from gantrans.methods.base import Phase, Role, check_counts, check_weights
from gantrans.nets.augmenter import POLICIES, Augmenter
from gantrans.types import Metrics, Networks


@dataclass(frozen=True)
class Restraint:
    """What steadies a discriminator (config section `adversary`); by default nothing.

    smooth: one-sided label smoothing. r1: weight gamma of the R1 penalty, taken every `r1_every` steps and
    then as many times as strong (lazy, as in Karras et al. 2020b, appendix B, without their correction of
    Adam). gradient_penalty: weight of WGAN-GP's, at every step; not meant for batch norm, which mixes images.
    augment, augment_p: what nets/augmenter.py does to all that a discriminator sees, and how often;
    augment_p=None: as often as it overfits, each discriminator for itself.
    """

    smooth: float = 0.0
    r1: float = 0.0
    r1_every: int = 16
    gradient_penalty: float = 0.0
    augment: Sequence[str] = ()
    augment_p: float | None = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", tuple(self.augment))  # a config brings a list
        check_weights(r1=self.r1, gradient_penalty=self.gradient_penalty)
        check_counts(r1_every=self.r1_every)
        if self.augment_p is not None and not 0 <= self.augment_p <= 1:
            raise ValueError(f"augment_p={self.augment_p}: accepted are 0 to 1, or null for adaptive")
        unknown = [name for name in self.augment if name not in tuple(POLICIES)]
        if unknown:
            raise ValueError(f"augment: {unknown[0]!r} is not known; accepted are {', '.join(POLICIES)}")
        if not self.augment and self.augment_p != 1.0:
            raise ValueError(
                f"augment_p={self.augment_p} has nothing to act on; set augment=[colour,translation] as well"
            )


class Adversary:
    """One loss and one restraint, for every discriminator of a method; `gan` as in losses/gan.py.

    relativistic: logits are first held against the mean of the other side's (RaGAN, Jolicoeur-Martineau 2018,
    section 4.2), and the generator's loss asks of both sides: it then needs the real images too.

    Raises ValueError where the two do not go together, naming keys of `adversary`.
    """

    def __init__(self, gan: str, restraint: Restraint | None = None, *, relativistic: bool = False) -> None:
        self.restraint = restraint or Restraint()
        self.loss = GanLoss(gan, self.restraint.smooth, relativistic=relativistic)
        self.relativistic = relativistic
        if gan == "wgan" and not self.restraint.gradient_penalty:
            raise ValueError(
                "gan=wgan has no meaning without a penalty: set adversary.gradient_penalty=10 (WGAN-GP)"
            )
        if gan == "wgan" and self.restraint.augment_p is None:
            raise ValueError(
                "adversary.augment_p=null goes by the sign of logits, which means nothing with gan=wgan; "
                "give a number from 0 to 1"
            )

    def roles(self, *discriminators: str) -> tuple[Role, ...]:
        """The helper networks that the restraint needs: where it augments, one for each discriminator."""
        r = self.restraint
        if not r.augment:
            return ()
        return tuple(
            Role(_augmenter(role), "helper", build=lambda *_: Augmenter(tuple(r.augment), r.augment_p))
            for role in discriminators
        )

    def with_penalty(self, update: Phase) -> tuple[Phase, ...]:
        """The discriminators' update, and where R1 is on its lazy phase behind it."""
        if not self.restraint.r1:
            return (update,)
        return (update, Phase("r1", update.trains, every=self.restraint.r1_every, shares=update.name))

    def discriminator_loss(
        self, networks: Networks, role: str, real: list[Tensor], fake: list[Tensor], suffix: str = ""
    ) -> tuple[Tensor, Metrics]:
        """(real + fake) / 2, with the gradient penalty if there is one, and what to report.

        `real`, `fake`: all that the discriminator sees, the image last; a condition goes before it.
        Reports D_real and D_fake (not halved), D_gap (mean logit of real minus that of fake) and D_accuracy
        (share of logits on the right side; not for wgan), each with `suffix`.
        """
        shown_real, shown_fake = self._shown(networks, role, real), self._shown(networks, role, fake)
        discriminator = networks[role]
        fake_logits, real_logits = discriminator(shown_fake), discriminator(shown_real)
        if self.relativistic:
            real_logits, fake_logits = relative(real_logits, fake_logits)
        real_term, fake_term = self.loss.discriminator(real_logits, fake_logits)
        total = 0.5 * (real_term + fake_term)
        metrics = {"D_real": real_term, "D_fake": fake_term, "D_gap": gap(real_logits, fake_logits)}
        if self.loss.kind != "wgan":  # whose logits have no middle
            metrics["D_accuracy"] = self.loss.accuracy(real_logits, fake_logits)
        if self.restraint.gradient_penalty:
            stretch = penalty.gradient_penalty(discriminator, shown_real, shown_fake)
            metrics["D_penalty"] = self.restraint.gradient_penalty * stretch
            total = total + metrics["D_penalty"]
        augmenter = networks.get(_augmenter(role))
        if isinstance(augmenter, Augmenter):
            metrics["D_augment_p"] = augmenter.probability.clone()
            augmenter.observe(self.loss.confidence(real_logits), len(shown_real))
        return total, {name + suffix: value.detach() for name, value in metrics.items()}

    def generator_loss(
        self, networks: Networks, role: str, fake: list[Tensor], real: list[Tensor] | None = None
    ) -> Tensor:
        """How far the discriminator `role` is from taking `fake` for real, 0-d; relativistic: for more real
        than `real`, and those for less."""
        fake_logits = networks[role](self._shown(networks, role, fake))
        if not self.relativistic:
            return self.loss.generator(fake_logits)
        if real is None:
            raise ValueError("a relativistic loss needs the real images")
        real_logits = networks[role](self._shown(networks, role, real))
        raised, lowered = self.loss.swapped(*relative(fake_logits, real_logits))
        return 0.5 * (raised + lowered)

    def feature_loss(self, networks: Networks, role: str, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        """How far the discriminator's features of `fake` are from those of `real` (feature matching), 0-d."""
        found = []
        for shown in (fake, real):
            features = networks[role].features(torch.cat(shown, 1))  # type: ignore[operator]
            found.append(features if isinstance(features[0], list) else [features])
        return feature_matching(*found)

    def r1_loss(self, networks: Networks, role: str, real: list[Tensor]) -> Tensor:
        """gamma / 2 of the R1 penalty, times the steps that it stands for."""
        weight = 0.5 * self.restraint.r1 * self.restraint.r1_every
        return weight * penalty.r1(networks[role], self._shown(networks, role, real))

    @staticmethod
    def _shown(networks: Networks, role: str, parts: list[Tensor]) -> Tensor:
        """What the discriminator is given: the parts, augmented alike, channel-wise."""
        name = _augmenter(role)
        return torch.cat(networks[name](parts) if name in networks else parts, 1)


def _augmenter(role: str) -> str:
    return f"{role}_augmenter"
