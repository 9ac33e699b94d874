"""Adversarial losses on logits. Each formula is the mean over all logits; real is judged > 0, fake < 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from gantrans.losses.pixel import wide

Formula = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Formulas:
    """The loss of one logit x: the discriminator's where the image is real or fake, and the generator's."""

    real: Formula
    fake: Formula
    generator: Formula


FORMULAS = {
    "vanilla": _Formulas(lambda x: softplus(-x), lambda x: softplus(x), lambda x: softplus(-x)),
    "lsgan": _Formulas(lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2),
    "hinge": _Formulas(lambda x: relu(1 - x), lambda x: relu(1 + x), lambda x: -x),
}


class GanLoss:
    """The two-player loss that `kind` names.

    vanilla  cross entropy, -log s(real) - log(1 - s(fake)) with s the sigmoid; the generator's -log s(fake)
             does not saturate (Goodfellow et al. 2014, section 3)
    lsgan    least squares, (real - 1)^2 + fake^2; the generator's (fake - 1)^2 (Mao et al. 2017, equation 9)
    hinge    max(0, 1 - real) + max(0, 1 + fake); the generator's -fake (Miyato et al. 2018, equations 16, 17)

    Half precision is widened to float32 first. Raises ValueError for another kind.
    """

    def __init__(self, kind: str) -> None:
        if kind not in FORMULAS:
            raise ValueError(f"gan={kind!r}: accepted are {', '.join(FORMULAS)}")
        self.kind = kind
        self._formulas = FORMULAS[kind]

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """The terms of the real and of the fake images, each 0-d and not halved."""
        return self._formulas.real(wide(real_logits)).mean(), self._formulas.fake(wide(fake_logits)).mean()

    def generator(self, fake_logits: Tensor) -> Tensor:
        """How far the discriminator is from taking the fakes for real, 0-d."""
        return self._formulas.generator(wide(fake_logits)).mean()
