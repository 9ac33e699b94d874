"""No step waits for the device: whole training steps run on tensors that have no values to wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from gantrans.core.device import open_core
from gantrans.core.recompute import recompute_blocks
from gantrans.losses import penalty
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Method, translators
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.augmenter import Augmenter
from gantrans.nets.pool import HistoryPool
from gantrans.training import step as step_module
from gantrans.training.guard import NanGuard
from gantrans.training.state import Meter, State
from gantrans.training.step import build_optimizers
from tests.test_graph import raw_batch
from tests.test_methods import EVERYTHING, METHODS, networks_of

HOW: dict[str, dict] = {
    "generator": {"who": "generator"},
    "discriminator": {"who": "discriminator"},
    "in two parts": {"accumulate": 2},
}
VARIANTS = [("cyclegan", how) for how in HOW] + [("pix2pix", "in two parts"), ("fastcut", "in two parts")]


@contextmanager
def without_values() -> Iterator[None]:
    with FakeTensorMode(allow_non_fake_inputs=False):
        yield


def fake_state(method: Method) -> State:
    """Fake tensors can neither be moved nor copied, so the averages are networks of their own."""
    networks, others = networks_of(method), networks_of(method)
    averages = {role: others[role].requires_grad_(False) for role in translators(method.roles).values()}
    optimizers = build_optimizers(networks, method, lr=2e-4, betas=(0.5, 0.999))
    return State(networks, optimizers, averages, torch.amp.GradScaler(enabled=False))  # type: ignore[attr-defined]


def steps(name: str, restraint: Restraint = EVERYTHING, *, recompute: bool = False, **how: object) -> None:
    """A step of a method, from the batch on the host to the averages, on fake tensors."""
    with without_values():
        method, core = METHODS[name](restraint=restraint), open_core("cpu")
        state, guard = fake_state(method), NanGuard()
        for role in method.roles if recompute else ():
            if role.kind == "generator":
                recompute_blocks(state.networks[role.name])
        batch = core.prepare(raw_batch(0))
        step_module.train_step(state, batch, method, core, guard, seed=0, rate=0.5, ema=0.9, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METHODS)
def test_a_step_waits_for_nothing(name: str) -> None:
    steps(name)


@pytest.mark.parametrize(("name", "how"), VARIANTS)
def test_nor_does_a_step_of_another_kind(name: str, how: str) -> None:
    steps(name, Restraint(r1=1.0), **HOW[how])


def test_neither_wgan_nor_recomputing_waits() -> None:
    with without_values():
        assert Pix2Pix(gan="wgan", restraint=Restraint(gradient_penalty=10.0))
    steps("pix2pix", Restraint(gradient_penalty=10.0))
    steps("cyclegan", recompute=True)


def item(x: Tensor) -> None:
    x.item()


def number(x: Tensor) -> None:
    float(x)


def branch(x: Tensor) -> None:
    if x > 0:
        pass


OFFENCES: dict[str, Callable[[Tensor], None]] = {"item": item, "float": number, "if": branch}
# Where a step could hide a wait: owner, attribute, and which tensor is at hand there.
PLACES: dict[str, tuple[object, str, Callable[..., Tensor]]] = {
    "the loss": (Pix2Pix, "loss", lambda *_: torch.ones(()) * 2),
    "the adversary": (Adversary, "generator_loss", lambda _, networks, *__: next(iter(
        networks["discriminator"].parameters())).sum()),
    "the penalty": (penalty, "squared_gradient", lambda _, x: x.sum()),
    "the averages": (step_module, "update_ema", lambda average, *_: next(average.parameters()).sum()),
    "the meter": (Meter, "accumulate", lambda _, metrics: next(iter(metrics.values()))),
    "the guard": (NanGuard, "judge", lambda _, losses: losses[0]),
    "the augmenter": (Augmenter, "observe", lambda _, confidence, __: confidence),
    "the history": (HistoryPool, "_pass", lambda pool, *_: pool.held),
}  # fmt: skip


PLANTED = Restraint(gradient_penalty=1.0, augment=("cutout",), augment_p=None)


@pytest.mark.parametrize(
    ("place", "offence"),
    [*((place, "item") for place in PLACES), *(("the loss", offence) for offence in ("float", "if"))],
)
def test_a_planted_wait_is_found(place: str, offence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, attribute, at_hand = PLACES[place]
    honest = getattr(owner, attribute)

    def waits(*given: object, **named: object) -> object:
        OFFENCES[offence](at_hand(*given))
        return honest(*given, **named)

    monkeypatch.setattr(owner, attribute, waits)
    with pytest.raises(DataDependentOutputException):
        steps("cyclegan" if place == "the history" else "pix2pix", PLANTED)
