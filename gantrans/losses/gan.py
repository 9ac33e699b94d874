"""Adversarial losses on logits. Each formula is the mean over all logits; real is judged higher than fake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gantrans.losses.pixel import wide
from gantrans.types import Logits

Formula = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Formulas:
    """The loss of one logit x: the discriminator's where the image is real (given by how much "real" falls
    short of 1) or fake, and the generator's. `middle`: the logit that takes an image for neither."""

    real: Callable[[Tensor, float], Tensor]
    fake: Formula
    generator: Formula
    middle: float = 0.0
    labels: bool = True  # "real" is a number that smoothing can lower


FORMULAS = {
    "vanilla": _Formulas(
        lambda x, smooth: (1 - smooth) * softplus(-x) + smooth * softplus(x),
        lambda x: softplus(x),
        lambda x: softplus(-x),
    ),
    "lsgan": _Formulas(
        lambda x, smooth: (x - (1 - smooth)) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2, middle=0.5
    ),
    "hinge": _Formulas(lambda x, _: relu(1 - x), lambda x: relu(1 + x), lambda x: -x, labels=False),
    "wgan": _Formulas(lambda x, _: -x, lambda x: x, lambda x: -x, labels=False),
}
# Of logits that are held against each other (`relative`): their middle is 0, least squares want 1 and -1.
RELATIVE = {
    "vanilla": FORMULAS["vanilla"],
    "lsgan": _Formulas(
        lambda x, smooth: (x - (1 - smooth)) ** 2, lambda x: (x + 1) ** 2, lambda x: (x - 1) ** 2
    ),
}


class GanLoss:
    """The two-player loss that `kind` names.

    vanilla  cross entropy, -log s(real) - log(1 - s(fake)) with s the sigmoid; the generator's -log s(fake)
             does not saturate (Goodfellow et al. 2014, section 3)
    lsgan    least squares, (real - 1)^2 + fake^2; the generator's (fake - 1)^2 (Mao et al. 2017, equation 9)
    hinge    max(0, 1 - real) + max(0, 1 + fake); the generator's -fake (Miyato et al. 2018, equations 16, 17)
    wgan     fake - real; the generator's -fake (Arjovsky et al. 2017); meaningless without a gradient penalty

    smooth: one-sided label smoothing, the discriminator's label of real images is 1 - smooth (Salimans et al.
    2016, section 3.4); vanilla and lsgan only, as the others have no labels. relativistic: the logits are
    those that `relative` gives (RaGAN, Jolicoeur-Martineau 2018, section 4.2); vanilla, or lsgan with the
    labels 1 and -1: (real - 1)^2 + (fake + 1)^2, so that 0 is reached where they are 1 apart (RaLSGAN there).
    Logits of several scales are summed up (Wang et al. 2018, equation 2). Half precision is widened to
    float32 first.

    Raises ValueError for another kind, or a `smooth` outside [0, 0.5).
    """

    def __init__(self, kind: str, smooth: float = 0.0, *, relativistic: bool = False) -> None:
        if kind not in tuple(FORMULAS):
            raise ValueError(f"gan={kind!r}: accepted are {', '.join(FORMULAS)}")
        if not 0 <= smooth < 0.5:
            raise ValueError(f"smooth={smooth}: accepted are numbers from 0 to less than 0.5")
        if smooth and not FORMULAS[kind].labels:
            raise ValueError(f"smooth={smooth}: gan={kind} has no labels; use vanilla or lsgan, or 0")
        if relativistic and kind not in RELATIVE:
            raise ValueError(f"relativistic=true goes with gan={' or '.join(RELATIVE)}; found gan={kind}")
        self.kind = kind
        self.smooth = smooth
        self._formulas = (RELATIVE if relativistic else FORMULAS)[kind]

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> tuple[Tensor, Tensor]:
        """The terms of the real and of the fake images, each 0-d and not halved."""
        real = _total(lambda x: self._formulas.real(x, self.smooth), real_logits)
        return real, _total(self._formulas.fake, fake_logits)

    def generator(self, fake_logits: Logits) -> Tensor:
        """How far the discriminator is from taking the fakes for real, 0-d."""
        return _total(self._formulas.generator, fake_logits)

    def swapped(self, fake_logits: Logits, real_logits: Logits) -> tuple[Tensor, Tensor]:
        """The generator's terms where both sides are asked for: fakes as real, real images as fake; no label
        is smoothed. Each 0-d and not halved."""
        return self.generator(fake_logits), _total(self._formulas.fake, real_logits)

    def accuracy(self, real_logits: Logits, fake_logits: Logits) -> Tensor:
        """The share of logits on the right side: 0.5 is guessing, 1 means that it tells every patch; 0-d."""
        middle = self._formulas.middle
        right = [torch.mean((x > middle).float()) for x in per_scale(real_logits)]
        right += [torch.mean((x < middle).float()) for x in per_scale(fake_logits)]
        return torch.stack(right).mean()

    def confidence(self, real_logits: Logits) -> Tensor:
        """Mean sign of the real images' logits, in [-1, 1], 0-d: r_t of Karras et al. 2020, equation 1."""
        return torch.stack(
            [torch.sign(x - self._formulas.middle).mean() for x in per_scale(real_logits)]
        ).mean()


def per_scale(logits: Logits) -> list[Tensor]:
    """The logits of each scale, in float32 at least; one, where a discriminator has a single scale."""
    return [wide(x) for x in (logits if isinstance(logits, list) else [logits])]


def gap(real_logits: Logits, fake_logits: Logits) -> Tensor:
    """Mean logit of the real images minus that of the fakes, 0-d."""
    real, fake = (torch.stack([x.mean() for x in per_scale(y)]).mean() for y in (real_logits, fake_logits))
    return real - fake


def relative(a: Logits, b: Logits) -> tuple[Logits, Logits]:
    """Each scale's logits less the mean of the other side's (Jolicoeur-Martineau 2018, equation 5)."""
    pairs = list(zip(per_scale(a), per_scale(b), strict=True))
    ours, theirs = [x - y.mean() for x, y in pairs], [y - x.mean() for x, y in pairs]
    return (ours, theirs) if isinstance(a, list) else (ours[0], theirs[0])


def _total(formula: Formula, logits: Logits) -> Tensor:
    first, *others = (formula(x).mean() for x in per_scale(logits))
    return sum(others, first)
