"""Unpaired methods and the hybrid as pure steps: who learns from what, and the stated sums.

That no step waits for the device is in tests/test_no_sync.py.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gantrans.build.config import compose_verb
from gantrans.build.method import build_method
from gantrans.core.seed import seed_torch
from gantrans.errors import ConfigError
from gantrans.losses.nce import at_places, patch_nce, sample_places
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method, translators
from gantrans.methods.cut import CUT
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.degradation import LearnedDegradation
from gantrans.methods.hybrid import Hybrid
from gantrans.methods.labelling import Labelling, cross_entropy
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.methods.superres import SuperRes
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.types import Batch, Networks, Shapes
from tests.conftest import some
from tests.steps import train_steps

SIDE = 16
SHAPES: Shapes = {"source": (3, SIDE), "target": (3, SIDE)}
POLICY = ("colour", "translation", "cutout")
EVERYTHING = Restraint(smooth=0.1, r1=1.0, r1_every=1, gradient_penalty=1.0, augment=POLICY, augment_p=None)
METHODS: dict[str, Callable[..., Method]] = {
    "pix2pix": Pix2Pix,
    "cyclegan": lambda **k: CycleGAN(pool=3, **k),
    "cut": CUT,
    "fastcut": lambda **k: CUT(lambda_nce=10.0, identity=False, flip=True, **k),
    "degradation": LearnedDegradation,
    "hybrid cycle": Hybrid,
    "hybrid nce": lambda **k: Hybrid(tie="nce", lambda_tie=1.0, **k),
    "superres": SuperRes,
    "superres plain": lambda **k: SuperRes(relativistic=False, **k),
    "labelling": lambda **k: Labelling(lambda_gan=1.0, **k),
}


def networks_of(method: Method, *, width: int = 2) -> dict[str, nn.Module]:
    """Tiny networks for every role, as `build` makes them."""
    torch.manual_seed(5)
    made: dict[str, nn.Module] = {}
    for role in method.roles:
        channels = sum(SHAPES[domain][0] for domain in role.sees)
        if role.kind == "generator":
            made[role.name] = ResNetGenerator(channels, SHAPES[role.makes][0], width, blocks=1)
        elif role.kind == "discriminator":
            made[role.name] = PatchGAN(channels, width, layers=1, norm="instance")
        else:
            assert role.build is not None
            made[role.name] = role.build(made, SHAPES)
    return made


def batch_of(n: int = 2, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    source, target, unpaired = (torch.rand(n, 3, SIDE, SIDE, generator=rng) * 2 - 1 for _ in range(3))
    return Batch(source, target, unpaired=unpaired)


@pytest.mark.parametrize("name", METHODS)
def test_gradients_reach_exactly_who_learns(name: str) -> None:
    method = METHODS[name](restraint=EVERYTHING)
    networks = networks_of(method)
    shared = method.forward(networks, batch_of())
    trained: set[str] = set()
    for phase in method.phases:
        for role, network in networks.items():
            network.requires_grad_(role in phase.trains)
            network.zero_grad()
        loss, metrics = method.loss(phase, networks, batch_of(), shared)
        assert loss.shape == ()
        loss.backward()
        for role, network in networks.items():
            reached = [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]
            assert any(reached) == (role in phase.trains), f"{phase.name}: {role}"
            network.requires_grad_(True)
        assert all(value.shape == () and not value.requires_grad for value in metrics.values())
        trained |= set(phase.trains)
    learners = {role for role, network in networks.items() if any(True for _ in network.parameters())}
    assert trained == learners


@pytest.mark.parametrize("name", METHODS)
def test_the_generators_loss_is_the_sum_of_what_it_reports(name: str) -> None:
    method = METHODS[name]()
    networks = networks_of(method)
    shared = method.forward(networks, batch_of())
    phase = next(p for p in method.phases if translators(method.roles)["to_target"] in p.trains)
    loss, metrics = method.loss(phase, networks, batch_of(), shared)
    torch.testing.assert_close(loss.detach(), torch.stack(list(metrics.values())).sum())
    assert all(metric.startswith("G_") for metric in metrics)


@pytest.mark.parametrize("name", METHODS)
def test_without_the_adversary_no_discriminator_is_asked_by_a_generator(name: str) -> None:
    """NoGAN's first stage: the discriminators have learned nothing, so the generators learn without them."""
    method = METHODS[name]()
    networks = networks_of(method)
    before = copy.deepcopy(networks)
    asked = []
    for role, network in networks.items():
        if "discriminator" in role:
            network.register_forward_hook(lambda *_: asked.append(1))
    history = train_steps(method, networks, [batch_of()], who="generator")
    assert not asked
    assert not any("GAN" in metric or metric.startswith("D_") for metric in history[0])
    moved = {role for role in networks if not _equal(before[role], networks[role])}
    assert moved == {role for phase in method.phases for role in phase.trains if "discriminator" not in role}


@pytest.mark.parametrize("name", METHODS)
def test_the_discriminators_can_learn_alone(name: str) -> None:
    method = METHODS[name]()
    networks = networks_of(method)
    before = copy.deepcopy(networks)
    history = train_steps(method, networks, [batch_of()], who="discriminator")
    assert all(metric.startswith("D_") for metric in history[0])
    moved = {role for role in networks if not _equal(before[role], networks[role]) and "pool" not in role}
    assert moved == {role for role in networks if "discriminator" in role}


def _equal(a: nn.Module, b: nn.Module) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


# What each argument of a method changes is read off two steps; the default is told by leaving it out.
GIVEN: dict[str, dict[str, object]] = {"labelling": {"lambda_gan": 1.0}}  # without it nobody asks `gan`
LOOK = ("lambda_perceptual", "features", "weights", "lambda_mask")  # tests/test_superres.py
ARGUMENTS = {
    "cyclegan": {"gan": "hinge", "lambda_gan": 0.5, "lambda_source": 5.0, "lambda_target": 5.0,
                 "lambda_identity": 0.1, "pool": 1},
    "cut": {"gan": "vanilla", "lambda_gan": 0.5, "lambda_nce": 2.0, "identity": False, "flip": True,
            "patches": 8, "width": 8, "temperature": 0.2},
    "degradation": {"gan": "hinge", "lambda_restored": 10.0, "lambda_gan": 1.0, "lambda_content": 1.0,
                    "noise": 0.3},
    "hybrid": {"gan": "hinge", "tie": "nce", "lambda_pair": 10.0, "lambda_tie": 10.0, "lambda_gan": 1.0},
    "pix2pix": {"gan": "hinge", "lambda_l1": 10.0, "lambda_gan": 0.5, "lambda_features": 10.0,
                "mask_weight": 3.0},
    "superres": {"gan": "lsgan", "lambda_l1": 10.0, "lambda_gan": 0.5, "relativistic": False},
    "labelling": {"gan": "hinge", "lambda_class": 10.0, "lambda_gan": 2.0},
}  # fmt: skip
CLASSES = {
    "cyclegan": CycleGAN,
    "cut": CUT,
    "degradation": LearnedDegradation,
    "hybrid": Hybrid,
    "pix2pix": Pix2Pix,
    "superres": SuperRes,
    "labelling": Labelling,
}


def test_the_table_of_arguments_is_complete() -> None:
    for name, cls in CLASSES.items():
        assert set(ARGUMENTS[name]) == set(inspect.signature(cls).parameters) - {"restraint", "copies", *LOOK}


def outcome(name: str, **given: object) -> list[dict[str, float]]:
    method = CLASSES[name](**{**GIVEN.get(name, {}), **given})
    torch.manual_seed(0)
    return train_steps(method, networks_of(method), [batch_of(seed=i) for i in range(6)])


@functools.cache
def plain(name: str) -> list[dict[str, float]]:
    first = outcome(name)
    assert first == outcome(name)
    return first


@pytest.mark.parametrize(
    ("name", "argument"), some((n, a) for n, arguments in ARGUMENTS.items() for a in arguments)
)
def test_each_argument_has_an_effect(name: str, argument: str) -> None:
    assert outcome(name, **{argument: ARGUMENTS[name][argument]}) != plain(name)


# --- super-resolution and labelling


def test_relativistic_losses_are_those_of_the_paper() -> None:
    """Jolicoeur-Martineau 2018, equations 6 and 7, with cross entropy; halved, as ours are."""
    method = SuperRes(lambda_gan=1.0, lambda_l1=0.0)
    networks, batch = networks_of(method), batch_of()
    shared = method.forward(networks, batch)
    judge = networks["discriminator"]
    real, fake = judge(batch.target), judge(shared["output"])
    more, less = real - fake.mean(), fake - real.mean()
    discriminator = (softplus(-more).mean() + softplus(less).mean()) / 2
    generator = (softplus(more).mean() + softplus(-less).mean()) / 2
    torch.testing.assert_close(method.loss(method.phases[0], networks, batch, shared)[0], discriminator)
    torch.testing.assert_close(method.loss(method.phases[1], networks, batch, shared)[0], generator)


def test_a_relativistic_loss_needs_labels() -> None:
    with pytest.raises(ValueError, match="relativistic=true goes with gan=vanilla or lsgan; found gan=hinge"):
        SuperRes(gan="hinge")


def test_cross_entropy_is_that_of_pytorch_where_there_are_classes() -> None:
    logits = torch.randn(2, 5, 4, 4)
    classes = torch.randint(0, 6, (2, 4, 4))  # 5 stands for none
    one_hot = torch.nn.functional.one_hot(classes, 6)[..., :5].permute(0, 3, 1, 2)
    expected = torch.nn.functional.cross_entropy(logits, classes, ignore_index=5)
    torch.testing.assert_close(cross_entropy(logits, 2.0 * one_hot - 1), expected)
    assert cross_entropy(logits, -torch.ones(2, 5, 4, 4)) == 0


@pytest.mark.parametrize(
    ("scale", "said"),
    [("two", "scale=two: accepted are whole numbers"), ("5", "scale=5: accepted are 1, 2, 3, 4, 8")],
)
def test_a_scale_that_no_network_has_is_refused_before_all_else(scale: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build_method(compose_verb("train", ["experiment=superres", "data.root=x", f"scale={scale}"]))


# --- CycleGAN


def test_cyclegan_weights_each_term_as_stated() -> None:
    method = CycleGAN(lambda_gan=0.3, lambda_source=3.0, lambda_target=7.0, lambda_identity=0.2, pool=0)
    networks, batch = networks_of(method), batch_of()
    there, back = networks["to_target"], networks["to_source"]
    _, found = method.loss(method.phases[0], networks, batch, method.forward(networks, batch))
    expected = {
        "G_cycle_source": 3.0 * (back(there(batch.source)) - batch.source).abs().mean(),
        "G_cycle_target": 7.0 * (there(back(batch.target)) - batch.target).abs().mean(),
        "G_identity_target": 7.0 * 0.2 * (there(batch.target) - batch.target).abs().mean(),
        "G_identity_source": 3.0 * 0.2 * (back(batch.source) - batch.source).abs().mean(),
        "G_GAN_target": 0.3 * (networks["target_discriminator"](there(batch.source)) - 1).square().mean(),
        "G_GAN_source": 0.3 * (networks["source_discriminator"](back(batch.target)) - 1).square().mean(),
    }
    torch.testing.assert_close(found, {name: value.detach() for name, value in expected.items()})


def test_cyclegan_learns_alike_with_the_domains_exchanged() -> None:
    """Neither way is favoured: exchanging source and target exchanges everything else with them."""
    method = CycleGAN(pool=0)
    ours = networks_of(method)
    theirs = {
        role.replace("source", "x").replace("target", "source").replace("x", "target"): copy.deepcopy(network)
        for role, network in ours.items()
    }
    for role in theirs:
        theirs[role].double()
        ours[role].double()
    batch = batch_of()
    batch = Batch(batch.source.double(), batch.target.double())
    first = train_steps(method, ours, [batch] * 3)
    second = train_steps(method, theirs, [Batch(batch.target, batch.source)] * 3)
    for one, other in zip(first, second, strict=True):
        for way in ("source", "target"):
            twin = {"source": "target", "target": "source"}[way]
            assert one[f"G_cycle_{way}"] == pytest.approx(other[f"G_cycle_{twin}"], rel=1e-9)
            assert one[f"D_real_{way}"] == pytest.approx(other[f"D_real_{twin}"], rel=1e-9)


def test_cyclegan_shows_its_discriminators_old_images() -> None:
    method = CycleGAN(pool=4)
    networks = networks_of(method)
    shown: list[Tensor] = []
    networks["target_discriminator"].register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    made: list[Tensor] = []
    networks["to_target"].register_forward_hook(lambda *given: made.append(given[-1]))
    train_steps(method, networks, [batch_of(seed=i) for i in range(12)])
    new = {image.flatten()[:9] for output in made for image in output.detach()}
    assert int(networks["target_pool"].held) == 4
    stored = networks["target_pool"].images
    assert all(any(torch.equal(image.flatten()[:9], n) for n in new) for image in stored)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CycleGAN(pool=-1), "pool=-1: accepted are whole numbers"),
        (lambda: CycleGAN(lambda_source=-1.0), "lambda_source=-1.0"),
        (lambda: CycleGAN(lambda_gan=0, lambda_source=0, lambda_target=0), "nothing to learn"),
        (lambda: CycleGAN(gan="wgan"), r"adversary\.gradient_penalty=10"),
        (lambda: CUT(lambda_nce=0), "ties the output to nothing"),
        (lambda: CUT(patches=0), "patches=0"),
        (lambda: CUT(temperature=0), "temperature=0"),
        (lambda: Hybrid(tie="string"), "accepted are cycle, nce"),
        (lambda: LearnedDegradation(lambda_restored=0), "would not learn to restore"),
        (lambda: CycleGAN().check({"source": (1, 16), "target": (3, 16)}), "1 channels and target 3"),
        (lambda: CUT().check({"source": (1, 16), "target": (3, 16)}), "1 channels and target 3"),
        (lambda: LearnedDegradation().check({"source": (1, 16), "target": (3, 16)}), "must keep"),
        (lambda: CycleGAN().roles[4].build({}, {"source": (3, None), "target": (3, None)}), "augment.crop=N"),
        (lambda: Hybrid().forward({}, Batch(torch.zeros(1), torch.zeros(1))), "data.unpaired=DIR"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


# --- PatchNCE


def test_patch_nce_in_closed_form() -> None:
    """Two places with orthogonal features: each logit is known."""
    t = 0.5
    features = torch.eye(2, dtype=torch.float64)[None]
    right = -torch.log_softmax(torch.tensor([1 / t, -10 / t, 0.0], dtype=torch.float64), 0)[0]
    assert patch_nce(3 * features, features, t).item() == pytest.approx(right.item(), rel=1e-6)
    wrong = -torch.log_softmax(torch.tensor([0.0, -10 / t, 1 / t], dtype=torch.float64), 0)[0]
    assert patch_nce(features.flip(1), features, t).item() == pytest.approx(wrong.item(), rel=1e-6)


def test_negatives_come_from_the_same_image_and_keys_get_no_gradient() -> None:
    torch.manual_seed(0)
    query, key = torch.rand(3, 5, 4, requires_grad=True), torch.rand(3, 5, 4, requires_grad=True)
    each = torch.stack([patch_nce(query[i : i + 1], key[i : i + 1]) for i in range(3)]).mean()
    loss = patch_nce(query, key)
    torch.testing.assert_close(loss, each)
    loss.backward()
    assert key.grad is None and query.grad is not None
    assert torch.isfinite(patch_nce(torch.zeros(3, 5, 4), key)), "a flat patch has no direction"


def test_places_are_drawn_without_repetition_and_addressed_row_by_row() -> None:
    feature = torch.arange(12.0).view(1, 1, 3, 4)
    (places,) = sample_places([feature], 5)
    assert len(set(places.tolist())) == 5
    assert at_places(feature, places)[0, :, 0].tolist() == places.tolist()
    assert sorted(sample_places([feature], 99)[0].tolist()) == list(range(12))


def nce_by_hand(networks: Networks, given: Tensor, made: Tensor, *, mirrored: bool, patches: int) -> Tensor:
    """Place by place, with nothing of losses/nce.py: softmax over the other places of the same image."""
    maps_q, maps_k = networks["generator"].encode(made), networks["generator"].encode(given)
    drawn = [torch.randperm(k.shape[2] * k.shape[3])[:patches] for k in maps_k]
    total = torch.zeros((), dtype=torch.float64)
    for q_map, k_map, places, head in zip(maps_q, maps_k, drawn, networks["projector"].heads, strict=True):
        q_map = torch.flip(q_map, [3]) if mirrored else q_map
        losses = []
        for image in range(len(given)):
            rows = [head(m[image].reshape(m.shape[1], -1)[:, places].T) for m in (q_map, k_map.detach())]
            q, k = (row / (row.square().sum(1, keepdim=True).sqrt() + 1e-7) for row in rows)
            for i in range(len(places)):
                scores = torch.stack([q[i] @ k[j].detach() for j in range(len(places)) if j != i])
                best = q[i] @ k[i].detach()
                everything = (
                    torch.cat([best[None], scores, torch.tensor([-10.0], dtype=torch.float64)]) / 0.07
                )
                losses.append(torch.logsumexp(everything, 0) - best / 0.07)
        total = total + torch.stack(losses).mean()
    return total / len(maps_q)


@pytest.mark.parametrize("name", [pytest.param("cut", marks=pytest.mark.slow), "fastcut"])
def test_twenty_steps_of_cut_match_a_hand_written_computation(name: str) -> None:
    fast = name == "fastcut"
    weight, patches = (10.0 if fast else 1.0), 12
    method = CUT(lambda_nce=weight, identity=not fast, flip=fast, patches=patches, width=4)
    ours = {role: network.double() for role, network in networks_of(method).items()}
    hand = copy.deepcopy(ours)
    batches = [
        Batch(*(x.double() for x in (batch_of(seed=i).source, batch_of(seed=i).target))) for i in range(20)
    ]
    found = train_steps(method, ours, batches)
    learners = [hand["generator"], hand["projector"]]
    g_adam = torch.optim.Adam([p for n in learners for p in n.parameters()], lr=2e-4, betas=(0.5, 0.999))
    d_adam = torch.optim.Adam(hand["discriminator"].parameters(), lr=2e-4, betas=(0.5, 0.999))
    for step, (batch, reported) in enumerate(zip(batches, found, strict=True)):
        seed_torch("step", 0, step)
        mirrored = bool(torch.rand(()) < 0.5) and fast
        flip = (lambda x: x.flip(3)) if mirrored else (lambda x: x)
        fake = hand["generator"](flip(batch.source))
        again = hand["generator"](flip(batch.target))
        judge = hand["discriminator"]
        d_loss = ((judge(batch.target) - 1).square().mean() + judge(fake.detach()).square().mean()) / 2
        d_adam.zero_grad()
        d_loss.backward()
        d_adam.step()
        gan = (judge(fake) - 1).square().mean()
        nce = nce_by_hand(hand, batch.source, fake, mirrored=mirrored, patches=patches)
        loss = gan + weight * nce
        if not fast:
            other = nce_by_hand(hand, batch.target, again, mirrored=mirrored, patches=patches)
            loss = gan + weight * (nce + other) / 2
        g_adam.zero_grad()
        loss.backward()
        g_adam.step()
        assert 0.5 * (reported["D_real"] + reported["D_fake"]) == pytest.approx(d_loss.item(), rel=1e-6)
        assert reported["G_GAN"] == pytest.approx(gan.item(), rel=1e-6)
        total = sum(value for key, value in reported.items() if key.startswith("G_"))
        assert total == pytest.approx(loss.item(), rel=1e-6)


# --- hybrid and learned degradation


def test_the_generator_teaches_the_degrader_nothing() -> None:
    """It would learn to make restoring easy: to spoil nothing."""
    method = LearnedDegradation(lambda_content=0.0, lambda_gan=0.0)
    networks = networks_of(method)
    shared = method.forward(networks, batch_of())
    phase = next(p for p in method.phases if p.name == "generators")
    loss, metrics = method.loss(phase, networks, batch_of(), shared)
    gan = method.adversary.generator_loss(networks, "source_discriminator", [shared["spoilt"]])
    ours = torch.autograd.grad(loss, list(networks["degrader"].parameters()), retain_graph=True)
    theirs = torch.autograd.grad(gan, list(networks["degrader"].parameters()))
    torch.testing.assert_close(ours, theirs)
    assert metrics["G_restored"] > 0


@pytest.mark.parametrize("tie", ["cycle", "nce"])
def test_hybrid_is_the_unpaired_method_on_real_images_plus_the_pairs(tie: str) -> None:
    method, batch = Hybrid(tie=tie, lambda_pair=3.0), batch_of()
    networks = networks_of(method)
    shared = method.forward(networks, batch)
    phase = next(p for p in method.phases if "generator" in p.trains)
    torch.manual_seed(1)
    loss, metrics = method.loss(phase, networks, batch, shared)
    assert batch.unpaired is not None
    torch.manual_seed(1)
    alone, _ = method.unpaired.loss(phase, networks, Batch(batch.unpaired, batch.target), shared)
    pair = 3.0 * (networks["generator"](batch.source) - batch.target).abs().mean()
    torch.testing.assert_close(loss, alone + pair)
    torch.testing.assert_close(metrics["G_pair"], pair.detach())
