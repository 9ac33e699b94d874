"""Losses in closed form, and pix2pix as a pure step: who learns from what, and that it never waits."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn import functional as F

from gantrans.losses.gan import FORMULAS, GanLoss
from gantrans.losses.pixel import l1
from gantrans.methods.base import Method, Phase
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.types import Batch, Metrics, Networks

DISCRIMINATOR, GENERATOR = Pix2Pix().phases
KINDS = [kind for kind in FORMULAS if kind != "wgan"]  # which pix2pix refuses without a penalty


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


# --- losses


@pytest.mark.parametrize(
    ("kind", "real_term", "fake_term", "generator_term"),
    [  # at real = (2, -1), fake = (0, 3)
        ("lsgan", (1 + 4) / 2, (0 + 9) / 2, (1 + 4) / 2),
        ("hinge", (0 + 2) / 2, (1 + 4) / 2, -1.5),
        ("wgan", -0.5, 1.5, -1.5),
        (
            "vanilla",
            (math.log1p(math.exp(-2)) + math.log1p(math.e)) / 2,
            (math.log(2) + math.log1p(math.exp(3))) / 2,
            (math.log(2) + math.log1p(math.exp(-3))) / 2,
        ),
    ],
)
def test_gan_losses_in_closed_form(
    kind: str, real_term: float, fake_term: float, generator_term: float
) -> None:
    loss = GanLoss(kind)
    real, fake = loss.discriminator(logits(2, -1), logits(0, 3))
    generator = loss.generator(logits(0, 3))
    assert real.shape == fake.shape == generator.shape == ()
    assert (real.item(), fake.item(), generator.item()) == pytest.approx(
        (real_term, fake_term, generator_term)
    )


def test_vanilla_is_the_cross_entropy_of_labels() -> None:
    x = torch.linspace(-60, 60, 201, dtype=torch.float64)
    ones, zeros = torch.ones_like(x), torch.zeros_like(x)
    real, fake = GanLoss("vanilla").discriminator(x, x)
    torch.testing.assert_close(real, F.binary_cross_entropy_with_logits(x, ones))
    torch.testing.assert_close(fake, F.binary_cross_entropy_with_logits(x, zeros))


@pytest.mark.parametrize("kind", FORMULAS)
def test_gan_losses_pull_the_right_way(kind: str) -> None:
    """Descent raises the logits of real images, lowers those of fakes, and the generator raises its own."""
    real, fake = logits(0.1, -0.2).requires_grad_(), logits(0.3, 0.2).requires_grad_()
    real_term, fake_term = GanLoss(kind).discriminator(real, fake)
    (real_term + fake_term).backward()
    assert real.grad is not None and (real.grad < 0).all()
    assert fake.grad is not None and (fake.grad > 0).all()
    fake.grad = None
    GanLoss(kind).generator(fake).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("kind", FORMULAS)
def test_half_precision_logits_are_averaged_in_float32(kind: str) -> None:
    x = torch.randn(4, 1, 30, 30).bfloat16()
    halves = GanLoss(kind).discriminator(x, x)
    wholes = GanLoss(kind).discriminator(x.float(), x.float())
    for half, full in zip(halves, wholes, strict=True):
        assert half.dtype == torch.float32
        assert torch.equal(half, full)


def test_unknown_gan_is_refused() -> None:
    with pytest.raises(ValueError, match="gan='wgangp': accepted are vanilla, lsgan, hinge"):
        Pix2Pix(gan="wgangp")


def test_l1_is_the_mean_distance_and_compares_like_with_like() -> None:
    assert l1(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 1.0]])).item() == 1.25
    assert l1(torch.zeros(3).half(), torch.ones(3).half()).dtype == torch.float32
    with pytest.raises(ValueError, match="differ in shape"):
        l1(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


# --- pix2pix


def small() -> tuple[dict[str, nn.Module], Batch]:
    torch.manual_seed(3)
    networks: dict[str, nn.Module] = {
        "generator": ResNetGenerator(2, 1, width=2, blocks=1),
        "discriminator": PatchGAN(3, width=2, layers=1),
    }
    return networks, Batch(torch.rand(2, 2, 12, 12) * 2 - 1, torch.rand(2, 1, 12, 12) * 2 - 1)


def step(method: Method, networks: Networks, batch: Batch) -> dict[str, Metrics]:
    """One step without updates: every loss is a 0-d tensor that backward takes."""
    shared = method.forward(networks, batch)
    reported = {}
    for phase in method.phases:
        for role, network in networks.items():
            network.requires_grad_(role in phase.trains)
        loss, reported[phase.name] = method.loss(phase, networks, batch, shared)
        assert loss.shape == ()
        loss.backward()
        for network in networks.values():
            network.requires_grad_(True)
    return reported


def test_phases_are_discriminator_then_generator_each_training_its_own() -> None:
    assert Pix2Pix().phases == (
        Phase("discriminator", ("discriminator",)),
        Phase("generator", ("generator",)),
    )
    assert [role.name for role in Pix2Pix().roles] == ["generator", "discriminator"]


@pytest.mark.parametrize("gan", KINDS)
def test_losses_are_the_stated_sums(gan: str) -> None:
    networks, batch = small()
    method = Pix2Pix(gan=gan, lambda_l1=7.0, lambda_gan=0.3)
    shared = method.forward(networks, batch)
    d_loss, d = method.loss(DISCRIMINATOR, networks, batch, shared)
    g_loss, g = method.loss(GENERATOR, networks, batch, shared)
    pair_fake = torch.cat([batch.source, shared["output"]], 1)  # the source first
    pair_real = torch.cat([batch.source, batch.target], 1)
    real, fake = networks["discriminator"](pair_real), networks["discriminator"](pair_fake)
    real_term, fake_term = GanLoss(gan).discriminator(real, fake)
    expected_d = {"D_real": real_term, "D_fake": fake_term, "D_gap": real.mean() - fake.mean()}
    expected_g = {
        "G_GAN": 0.3 * GanLoss(gan).generator(fake),
        "G_L1": 7 * (shared["output"] - batch.target).abs().mean(),
    }
    found = d | g
    accuracy = found.pop("D_accuracy")
    torch.testing.assert_close({k: v.detach() for k, v in (expected_d | expected_g).items()}, found)
    torch.testing.assert_close(accuracy, GanLoss(gan).accuracy(real, fake))
    torch.testing.assert_close(d_loss, 0.5 * (real_term + fake_term))
    torch.testing.assert_close(g_loss, expected_g["G_GAN"] + expected_g["G_L1"])
    assert all(value.shape == () and not value.requires_grad for value in (d | g).values())


def test_gradients_reach_only_who_learns() -> None:
    networks, batch = small()
    method = Pix2Pix()
    shared = method.forward(networks, batch)
    loss, _ = method.loss(DISCRIMINATOR, networks, batch, shared)
    loss.backward()
    assert all(p.grad is None for p in networks["generator"].parameters())
    assert any(p.grad.any() for p in networks["discriminator"].parameters() if p.grad is not None)
    networks["discriminator"].zero_grad()
    networks["discriminator"].requires_grad_(False)
    loss, _ = method.loss(GENERATOR, networks, batch, shared)
    loss.backward()
    assert all(p.grad is None for p in networks["discriminator"].parameters())
    assert all(p.grad is not None for p in networks["generator"].parameters())


def test_without_gan_weight_the_generator_does_not_ask_the_discriminator() -> None:
    networks, batch = small()
    method = Pix2Pix(lambda_gan=0)
    asked = []
    networks["discriminator"].register_forward_hook(lambda *_: asked.append(1))
    shared = method.forward(networks, batch)
    loss, metrics = method.loss(GENERATOR, networks, batch, shared)
    assert not asked
    assert set(metrics) == {"G_L1"}
    torch.testing.assert_close(loss, 100 * l1(shared["output"], batch.target))
    method.loss(DISCRIMINATOR, networks, batch, shared)
    assert len(asked) == 2  # it still learns


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"lambda_l1": -1.0}, "lambda_l1=-1.0"),
        ({"lambda_gan": float("nan")}, "lambda_gan=nan"),
        ({"lambda_l1": float("inf")}, "lambda_l1=inf"),
        ({"lambda_l1": 0, "lambda_gan": 0}, "nothing to learn"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Pix2Pix(**weights)


# --- no hidden waiting: on fake tensors there is no value to wait for


class AsksForAValue(Pix2Pix):
    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        loss, metrics = super().loss(phase, networks, batch, shared)
        return loss, metrics | {"copied": torch.tensor(loss.item())}


class DecidesOnAValue(Pix2Pix):
    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        shared = super().forward(networks, batch)
        return shared if shared["output"].mean() > 0 else {"output": -shared["output"]}


def on_fake_tensors(make: Callable[[], Method]) -> dict[str, Metrics]:
    with FakeTensorMode():
        return step(make(), *small())


@pytest.mark.parametrize("gan", KINDS)
@pytest.mark.parametrize("lambda_gan", [0.0, 1.0])
def test_pix2pix_never_waits_for_the_device(gan: str, lambda_gan: float) -> None:
    reported = on_fake_tensors(lambda: Pix2Pix(gan=gan, lambda_gan=lambda_gan))
    assert set(reported) == {"discriminator", "generator"}


@pytest.mark.parametrize("offender", [AsksForAValue, DecidesOnAValue])
def test_a_method_that_waits_is_caught(offender: type[Pix2Pix]) -> None:
    step(offender(), *small())  # on real tensors nobody would notice
    with pytest.raises(DataDependentOutputException):
        on_fake_tensors(offender)
