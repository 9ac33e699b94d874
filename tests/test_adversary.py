"""What restrains a discriminator, in closed form: smoothing, penalties, norms, augmentation and history."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from gantrans.losses import penalty
from gantrans.losses.gan import FORMULAS, RELATIVE, GanLoss, gap
from gantrans.losses.pixel import feature_matching, l1
from gantrans.methods.adversary import Adversary, Restraint
from gantrans.methods.base import Phase
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.augmenter import POLICIES, Augmenter
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import MultiScalePatchGAN, PatchGAN, PixelGAN
from gantrans.nets.pool import HistoryPool
from gantrans.nets.unet_discriminator import UNetDiscriminator
from gantrans.training.step import build_optimizers
from gantrans.types import Batch
from tests.steps import train_steps
from tests.test_losses import logits, small, step

ALL = tuple(POLICIES)
DISCRIMINATORS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: PatchGAN(3, 4, 2, "batch"),
    "instance": lambda: PatchGAN(3, 4, 2, "instance"),
    "none": lambda: PatchGAN(3, 4, 2, "none"),
    "multiscale": lambda: MultiScalePatchGAN(3, 4, 1, 2),
    "pixel": lambda: PixelGAN(3, 4),
    "unet": lambda: UNetDiscriminator(3, 4, 2).eval(),  # in train mode spectral norm moves at every look
}
same = torch.testing.assert_close


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Linear(nn.Module):
    """D(x) = sum(w * x), whose gradient is w whatever x is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 6, 6, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).sum((1, 2, 3)).view(-1, 1, 1, 1)


def bowl(x: Tensor) -> Tensor:
    """D(x) = |x|^2 / 2, whose gradient is x."""
    return x.square().sum((1, 2, 3), keepdim=True) / 2


def pair() -> list[Tensor]:
    """A condition of 2 channels and an image of 1, as a discriminator is shown them."""
    return list(torch.randn(4, 3, 6, 6, dtype=torch.float64).split((2, 1), 1))


# --- label smoothing


@pytest.mark.parametrize("smooth", [0.0, 0.1, 0.4])
def test_smoothing_lowers_the_label_of_real_images_and_nothing_else(smooth: float) -> None:
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    label = torch.full_like(x, 1 - smooth)
    expected = {"vanilla": F.binary_cross_entropy_with_logits(x, label), "lsgan": F.mse_loss(x, label)}
    for kind, value in expected.items():
        loss, plain = Adversary(kind, Restraint(smooth=smooth)).loss, GanLoss(kind)
        real, fake = loss.discriminator(x, x)
        same(real, value)
        assert torch.equal(fake, plain.discriminator(x, x)[1])
        assert torch.equal(loss.generator(x), plain.generator(x))


# --- relativistic


def by_hand(real: Tensor, fake: Tensor, kind: str, smooth: float) -> tuple[Tensor, Tensor]:
    """The losses of discriminator and generator, halved, written out from Jolicoeur-Martineau 2018: RaSGAN
    and RaLSGAN; `smooth` lowers the label of what the discriminator takes for real."""
    a, b = real - fake.mean(), fake - real.mean()
    if kind == "lsgan":
        return ((a - 1 + smooth) ** 2).mean() / 2 + ((b + 1) ** 2).mean() / 2, (
            ((a + 1) ** 2).mean() / 2 + ((b - 1) ** 2).mean() / 2
        )
    cross, label = F.binary_cross_entropy_with_logits, torch.full_like(a, 1 - smooth)
    ones, zeros = torch.ones_like(a), torch.zeros_like(a)
    return (cross(a, label) + cross(b, zeros)) / 2, (cross(b, ones) + cross(a, zeros)) / 2


class Told(nn.Module):
    """Its logits are the pixels that it is shown."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def relativistic_losses(kind: str, real: Tensor, fake: Tensor, smooth: float = 0.0) -> tuple[Tensor, Tensor]:
    game, networks = Adversary(kind, Restraint(smooth=smooth), relativistic=True), {"d": Told()}
    judged, _ = game.discriminator_loss(networks, "d", [real], [fake])
    return judged, game.generator_loss(networks, "d", [fake], [real])


@pytest.mark.parametrize("smooth", [0.0, 0.2])
@pytest.mark.parametrize("kind", RELATIVE)
def test_relativistic_losses_are_those_of_the_paper_and_one_side_is_smoothed(
    kind: str, smooth: float
) -> None:
    real, fake = logits(2.0, -1.0, 0.5), logits(0.0, 3.0, -2.0)
    same(relativistic_losses(kind, real, fake, smooth), by_hand(real, fake, kind, smooth))


def losses_agree() -> bool:
    """RaLSGAN is satisfied where real and fake logits are 1 apart, wherever they lie, and the generator where
    they are 1 apart the other way; cross entropy never is."""
    fake = logits(4.0, 4.0)
    judged, asked = (
        relativistic_losses("lsgan", fake + 1, fake)[0],
        relativistic_losses("lsgan", fake - 1, fake)[1],
    )
    return judged == 0 and asked == 0


def test_relativistic_least_squares_vanish_where_the_logits_are_one_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert losses_agree()
    monkeypatch.setitem(RELATIVE, "lsgan", FORMULAS["lsgan"])  # labels 0 and 1, as for logits of one side
    assert not losses_agree()


@pytest.mark.parametrize("kind", RELATIVE)
def test_of_relative_logits_the_middle_is_zero(kind: str) -> None:
    """Real images are told where they are above the mean of the fakes, by however little."""
    real, fake = logits(0.2, 0.3), logits(-0.1, 0.1)
    game = Adversary(kind, relativistic=True)
    found = game.discriminator_loss({"d": Told()}, "d", [real], [fake])[1]
    assert found["D_accuracy"] == 1
    assert game.loss.confidence(real - fake.mean()) == 1


SENSELESS = [("hinge", 0.1, "no labels"), ("wgan", 0.1, "no labels")]
SENSELESS += [("vanilla", value, "0 to less than 0.5") for value in (-0.1, 0.5, 1.0, float("nan"))]


@pytest.mark.parametrize(("gan", "smooth", "reason"), SENSELESS)
def test_smoothing_that_makes_no_sense_is_refused(gan: str, smooth: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Adversary(gan, Restraint(smooth=smooth, gradient_penalty=10))


# --- penalties


def test_wgan_needs_its_penalty_which_is_in_the_loss_and_the_gradient() -> None:
    with pytest.raises(ValueError, match=r"adversary\.gradient_penalty=10"):
        Adversary("wgan")
    made, real, fake = Linear(), pair(), pair()
    adversary = Adversary("wgan", Restraint(gradient_penalty=10))
    loss, metrics = adversary.discriminator_loss({"d": made}, "d", real, fake)
    (gradient,) = torch.autograd.grad(loss, made.weight)
    w, away = made.weight.detach(), (torch.cat(fake, 1) - torch.cat(real, 1)).mean(0)
    same(metrics["D_penalty"], 10 * (w.norm() - 1) ** 2)
    same(loss.detach(), 0.5 * (w * away).sum() + 10 * (w.norm() - 1) ** 2)
    same(gradient, 0.5 * away + 20 * (w.norm() - 1) * w / w.norm())


def test_penalties_of_a_linear_discriminator_are_those_of_its_weight() -> None:
    made, x = Linear(), torch.cat(pair(), 1)
    w, square = made.weight.detach(), made.weight.detach().square().sum()
    value = penalty.r1(made, x)
    same(value.detach(), square)
    same(torch.autograd.grad(value, made.weight)[0], 2 * w)
    for other in (x, -x, torch.zeros_like(x), torch.randn_like(x)):
        same(penalty.gradient_penalty(made, x, other).detach(), (w.norm() - 1) ** 2)
    same(penalty.r1(lambda x: [made(x), 2 * made(x)], x).detach(), 9 * square)  # scales are summed up
    adversary = Adversary("lsgan", Restraint(r1=3, r1_every=5))
    same(adversary.r1_loss({"d": made}, "d", pair()).detach(), 3 / 2 * 5 * square)


def test_penalties_are_means_over_images_each_at_one_point_between_real_and_fake() -> None:
    x = torch.randn(32, 1, 4, 4, dtype=torch.float64)
    lengths, seen = x.flatten(1).norm(dim=1), []
    same(penalty.r1(bowl, x), (lengths**2).mean())
    same(penalty.gradient_penalty(bowl, x, x), ((lengths - 1) ** 2).mean())
    penalty.gradient_penalty(lambda x: [seen.append(x.detach()), x][1:], torch.ones_like(x), x * 0)
    share = seen[0].flatten(1)  # of the real image: it is 1, the fake 0
    assert (share == share[:, :1]).all()
    assert 0 <= share.min() < 0.2 and 0.8 < share.max() <= 1


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_r1_is_differentiable_through_every_discriminator(name: str) -> None:
    """D is linear in its last weights h, so R1 is quadratic in them: <h, dR1/dh> = 2 R1 (Euler)."""
    made = DISCRIMINATORS[name]()
    value = penalty.r1(made, torch.randn(2, 3, 24, 24))
    value.backward()
    assert value > 0 and value.isfinite()
    grads = {key: (p, p.grad) for key, p in made.named_parameters() if p.grad is not None}
    assert all(grad.isfinite().all() for _, grad in grads.values())
    assert all(grad.any() for key, (_, grad) in grads.items() if "stem.conv.weight" in key)
    heads = [(p * grad).sum() for key, (p, grad) in grads.items() if "head.weight" in key]
    same(torch.stack(heads).sum(), 2 * value, rtol=1e-4, atol=0)


def trained(**restraint: float) -> tuple[list[dict[str, float]], Tensor]:
    """What each of 7 steps reported, and the discriminator's weights in the end."""
    method, (networks, batch) = Pix2Pix(restraint=Restraint(**restraint)), small()  # type: ignore[arg-type]
    optimizers = build_optimizers(networks, method, lr=1e-3, betas=(0.5, 0.999))
    assert set(optimizers) == {"discriminator", "generator"}  # R1 has none of its own
    history = train_steps(method, networks, [batch] * 7)
    return history, nn.utils.parameters_to_vector(networks["discriminator"].parameters()).detach()


def test_r1_is_a_lazy_phase_that_trains() -> None:
    update = Phase("update", trains=("a", "b"))
    assert Adversary("lsgan").with_penalty(update) == (update,)
    lazy = Phase("r1", trains=("a", "b"), every=5, shares="update")
    assert Adversary("lsgan", Restraint(r1=3, r1_every=5)).with_penalty(update) == (update, lazy)
    plain, without = trained()
    assert not any({"D_r1", "D_penalty"} & set(report) for report in plain)
    history, weights = trained(r1=10, r1_every=3)
    assert [i for i, report in enumerate(history) if "D_r1" in report] == [0, 3, 6]
    assert weights.isfinite().all() and not torch.equal(weights, without)
    history, weights = trained(gradient_penalty=10)
    assert all(report["D_penalty"] > 0 for report in history)
    assert weights.isfinite().all() and not torch.equal(weights, without)


# --- a U-Net that judges


def seen_by(made: nn.Module, side: int = 33) -> Tensor:
    """Which pixels the logit in the middle depends on, (side, side)."""
    x = torch.randn(1, 3, side, side).requires_grad_()
    logits = made(x)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert x.grad is not None
    return x.grad[0].abs().sum(0)


def test_a_unet_gives_a_logit_for_every_pixel_of_any_size_and_sees_beyond_it() -> None:
    made = DISCRIMINATORS["unet"]().eval()
    for height, width in ((1, 1), (1, 6), (13, 22), (33, 40)):
        assert made(torch.randn(2, 3, height, width)).shape == (2, 1, height, width)
    seen = seen_by(made)
    row, column = divmod(int(seen.argmax()), 33)
    assert (seen > 0).sum() > 33 * 33 / 2 and max(abs(row - 16), abs(column - 16)) <= 2
    others = [
        DISCRIMINATORS[name]().eval() for name in ("pixel", "none")
    ]  # one looks at less, one answers less
    assert (seen_by(others[0]) > 0).sum() == 1
    assert others[1](torch.randn(1, 3, 33, 33)).shape[-1] < 33


def steepest(made: nn.Module) -> float:
    """The largest singular value among its convolutions but the first and the last."""
    convs = [m for m in made.modules() if isinstance(m, nn.Conv2d)][1:-1]
    return max(float(torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2)) for m in convs)


def test_spectral_norm_bounds_the_layers_of_a_unet() -> None:
    for spectral in (True, False):
        made = UNetDiscriminator(3, 8, 2, spectral=spectral)
        init_weights(made, "orthogonal", gain=5.0)
        assert (steepest(made.eval()) < 1.05) == spectral


@pytest.mark.parametrize(("gan", "relativistic"), [*((g, False) for g in FORMULAS), ("vanilla", True)])
def test_a_unet_plays_every_game(gan: str, relativistic: bool) -> None:
    """Loss, penalties, augmentation and feature matching, at an odd size: gradients reach every weight."""
    restraint = Restraint(r1=1.0, gradient_penalty=1.0, augment=ALL)
    game, made = Adversary(gan, restraint, relativistic=relativistic), DISCRIMINATORS["unet"]().train()
    networks: dict[str, nn.Module] = {"d": made, "d_augmenter": Augmenter(ALL, 1.0)}
    real, fake = ([torch.randn(2, 3, 13, 22)] for _ in range(2))
    loss, found = game.discriminator_loss(networks, "d", real, fake)
    (loss + game.r1_loss(networks, "d", real)).backward()
    assert all(value.isfinite() for value in found.values())
    grads = {
        name: p.grad for name, p in made.named_parameters() if name != "head.bias"
    }  # real and fake: -1 + 1
    assert all(grad is not None and grad.isfinite().all() and grad.any() for grad in grads.values())
    picture = torch.randn(2, 3, 13, 22).requires_grad_()
    asked = game.generator_loss(networks, "d", [picture], real)
    (asked + game.feature_loss(networks, "d", real, [picture])).backward()
    assert picture.grad is not None and picture.grad.isfinite().all() and picture.grad.any()


# --- feature matching


def test_feature_matching_is_a_mean_over_scales_that_teaches_only_the_fake() -> None:
    fake, real = ([[torch.randn(9).requires_grad_() for _ in range(4)] for _ in range(3)] for _ in range(2))
    value = feature_matching(fake, real)
    value.backward()
    weight = feature_matching([[torch.ones(1)] * 4], [[torch.zeros(1)] * 4]) / 4
    fakes, reals = itertools.chain(*fake), list(itertools.chain(*real))
    by_hand = torch.stack([l1(a, b) for a, b in zip(fakes, reals, strict=True)]).sum()
    same(value, weight * by_hand / 3)
    assert all(x.grad is None for x in reals)
    assert all(x.grad is not None and x.grad.all() for x in itertools.chain(*fake))


def test_feature_matching_weighs_as_pix2pixhd_does() -> None:
    """Its discriminator of n_layers has n_layers + 1 features, each weighed 4 / (n_layers + 1)."""
    made = PatchGAN(3, 2, layers=3)
    fake, real = (made.features(torch.randn(1, 3, 24, 24)) for _ in range(2))
    by_hand = [4 / (3 + 1) * l1(a, b) for a, b in zip(fake, real, strict=True)]
    same(feature_matching([fake], [real]), torch.stack(by_hand).sum())


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_pix2pix_matches_the_features_of_every_discriminator(name: str) -> None:
    batch = Batch(torch.randn(2, 2, 24, 24), torch.randn(2, 1, 24, 24))
    method, networks = Pix2Pix(lambda_gan=0, lambda_features=7), {"discriminator": DISCRIMINATORS[name]()}
    output = torch.randn(2, 1, 24, 24).requires_grad_()
    lists = []
    for image in (output, batch.target):
        found = networks["discriminator"].features(torch.cat([batch.source, image], 1))  # type: ignore[operator]
        lists.append(found if name == "multiscale" else [found])
    features, distance = 7 * feature_matching(*lists), 100 * l1(output, batch.target)
    loss, metrics = method.loss(method.phases[-1], networks, batch, {"output": output})
    same(metrics, {"G_L1": distance.detach(), "G_features": features.detach()})
    expected, found = (torch.autograd.grad(x, output)[0] for x in (features + distance, loss))
    same(found, expected)
    _, metrics = method.loss(method.phases[-1], networks, batch, {"output": batch.target})
    assert metrics["G_features"] == 0


# --- several scales


@pytest.mark.parametrize("scales", [2, 3, 4])
def test_every_scale_judges_and_coarser_ones_have_fewer_logits(scales: int) -> None:
    made = MultiScalePatchGAN(3, 2, 1, scales)
    sides = [made.least // 2**level // 2 - 2 for level in range(scales)]
    judged = made(torch.randn(2, 3, made.least, made.least))
    assert [tuple(x.shape) for x in judged] == [(2, 1, side, side) for side in sides]
    assert sides == sorted(set(sides), reverse=True)


@pytest.mark.parametrize("kind", FORMULAS)
def test_losses_of_several_scales_are_summed_up(kind: str) -> None:
    loss, real, fake = GanLoss(kind), [torch.randn(2, 1, n, n) for n in (5, 2)], list(torch.randn(2, 9))
    single = [loss.discriminator(*judged) for judged in zip(real, fake, strict=True)]
    same(loss.discriminator(real, fake), tuple(a + b for a, b in zip(*single, strict=True)))
    same(loss.generator(real), loss.generator(real[0]) + loss.generator(real[1]))


def test_accuracy_confidence_and_gap_are_means_over_scales() -> None:
    real, fake = [logits(2, 0.3, -1, 0.7), logits(1)], [logits(-1, 0.2), logits(3)]
    for kind, right, sure in (("vanilla", (0.75, 1, 0.5, 0), 0.75), ("lsgan", (0.5, 1, 1, 0), 0.5)):
        assert GanLoss(kind).accuracy(real, fake).item() == sum(right) / 4
        assert GanLoss(kind).confidence(real).item() == sure
    same(gap(real, fake).item(), (0.5 + 1) / 2 - (-0.4 + 3) / 2)


# --- spectral norm


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)]


def stretch(network: nn.Module) -> Tensor:
    """The largest singular value of each convolution, as a matrix with a row for each output channel."""
    return torch.stack([torch.linalg.matrix_norm(m.weight.flatten(1), 2) for m in convolutions(network)])


@pytest.mark.parametrize("gain", [0.02, 0.5])
@pytest.mark.parametrize("cls", [PatchGAN, MultiScalePatchGAN])
def test_spectral_norm_bounds_weights_that_start_as_without_it(cls: type[nn.Module], gain: float) -> None:
    plain, made, again = (cls(3, 16, 2, norm="none", spectral=spectral) for spectral in (False, True, True))
    for network in (plain, made):
        torch.manual_seed(5)
        init_weights(network, "normal", gain)
    for ours, other in zip(convolutions(made), convolutions(plain), strict=True):
        stored = ours.parametrizations["weight"].original  # type: ignore[index,union-attr]
        assert torch.equal(stored, other.weight)
        assert stored.std().item() == pytest.approx(gain, rel=0.1)
    x = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        for _ in range(20):
            made(x)
    assert ((stretch(made.eval()) - 1).abs() < 0.03).all()
    assert ((stretch(plain) - 1).abs() > 0.1).all()
    again.eval().load_state_dict(made.state_dict())
    same(again(x), made(x), rtol=0, atol=0)


# --- augmentation


def canary(count: int, channels: int) -> Tensor:
    """Images of 16 x 24 whose every value tells its channel, row and column; none is 0."""
    values = torch.arange(1.0, 1 + channels * 16 * 24).view(channels, 16, 24)
    return (values / values.numel()).expand(count, -1, -1, -1).contiguous()


@pytest.mark.parametrize("policy", [*((name,) for name in POLICIES), ALL])
def test_parts_are_changed_alike_and_images_each_in_its_way(policy: tuple[str, ...]) -> None:
    x = canary(64, 3)
    one, other = Augmenter(policy, 1.0)([x, x.clone()])
    assert torch.equal(one, other)
    assert (one != x).flatten(1).any(1).float().mean() > 0.85  # a shift may be by nothing
    assert len(one.flatten(1).unique(dim=0)) > 15
    half = Augmenter(policy[:1], 0.5)([x])[0]
    assert 0.3 < (half != x).flatten(1).any(1).float().mean() < 0.7
    parts = [canary(64, 2), canary(64, 1)]
    assert all(map(torch.equal, Augmenter(policy, 0.0)(parts), parts))


def test_translation_moves_all_parts_by_the_same_whole_pixels() -> None:
    parts, seen = [canary(200, 2), canary(200, 1)], set()
    moved = Augmenter(("translation",), 1.0)(parts)
    shifts = list(itertools.product(range(-2, 3), range(-3, 4)))  # an eighth of 16 x 24
    wanted = [[F.pad(x[0], (right, -right, down, -down)) for x in parts] for down, right in shifts]
    for images in zip(*moved, strict=True):
        (fit,) = [s for s, want in zip(shifts, wanted, strict=True) if all(map(torch.equal, want, images))]
        seen.add(fit)
    assert {down for down, _ in seen} == set(range(-2, 3)) and {r for _, r in seen} == set(range(-3, 4))


def test_cutout_cuts_one_hole_and_colour_moves_all_means_alike() -> None:
    parts = [canary(100, 2), canary(100, 3)]
    cut, coloured = (Augmenter((name,), 1.0)(parts) for name in ("cutout", "colour"))
    hole = (cut[0] == 0).all(1, keepdim=True)
    assert all(torch.equal(x, y * ~hole) for x, y in zip(cut, parts, strict=True))
    assert hole.any(3).sum(2).max() == 8 and hole.any(2).sum(2).max() == 12  # half of each side
    one, other = ((x - y).mean((1, 2, 3)) for x, y in zip(coloured, parts, strict=True))
    same(one, other)
    assert one.abs().max() <= 0.5 and one.std() > 0.2


def test_augmentation_is_differentiable_and_repeats_from_a_seed() -> None:
    def augmented(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return torch.cat(Augmenter(ALL, 1.0)([x, x[:, :1]]), 1)

    x = torch.randn(2, 2, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.equal(augmented(x), augmented(x))
    assert torch.autograd.gradcheck(augmented, x, fast_mode=True)
    assert torch.autograd.grad(augmented(x).square().sum(), x)[0].flatten(1).any(1).all()


def test_adaptive_augmentation_follows_the_discriminator_and_is_saved() -> None:
    """A quarter of IMAGES_TO_ONE at a time: up above a confidence of 0.6, down below it."""
    adaptive, fixed, again = Augmenter(ALL, None), Augmenter(ALL, 0.5), Augmenter(ALL, None)
    for confidence, p in zip(
        (0.9, 1, 0.5, -1, -1, 1, 1, 1, 1, 1), (1, 2, 1, 0, 0, 1, 2, 3, 4, 4), strict=True
    ):
        for augmenter in (adaptive, fixed):
            augmenter.observe(torch.tensor(confidence), 25_000)
        assert (adaptive.probability.item(), fixed.probability.item()) == (p / 4, 0.5)
    again.load_state_dict(adaptive.state_dict())
    assert again.probability == 1


def test_the_adversary_moves_the_probability_and_reports_it() -> None:
    adversary = Adversary("vanilla", Restraint(augment=ALL, augment_p=None))
    (role,) = adversary.roles("d")
    assert role.name == "d_augmenter" and role.build is not None
    judge, shown = PatchGAN(3, 2, 1, "none"), [torch.randn(4, 2, 6, 6), torch.randn(4, 1, 6, 6)]
    networks = {"d_augmenter": role.build({}, {}), "d": judge}
    for bias, p in ((99.0, 0.0), (99.0, 4e-5), (-99.0, 8e-5), (-99.0, 4e-5)):  # 4 images a step
        nn.init.constant_(judge.head.bias, bias)  # type: ignore[arg-type]
        _, metrics = adversary.discriminator_loss(networks, "d", shown, shown)
        same(metrics["D_augment_p"].item(), p, rtol=1e-5, atol=0)


def test_every_discriminator_is_augmented_for_itself() -> None:
    method = CycleGAN(restraint=Restraint(augment=ALL, augment_p=None))
    names = [role.name for role in method.roles if role.name.endswith("_augmenter")]
    assert names == ["target_discriminator_augmenter", "source_discriminator_augmenter"]


@pytest.mark.slow
def test_with_the_advised_r1_a_discriminator_still_learns() -> None:
    """A penalty on the sum of logits would silence it: real images bright, fakes dark, nothing is easier."""
    torch.manual_seed(0)
    for r1, least in ((0.0, 0.9), (1.0, 0.9), (1e5, 0.0)):
        judge = PatchGAN(1, 4, layers=2, norm="none")
        adversary = Adversary("lsgan", Restraint(r1=r1, r1_every=1))
        adam = torch.optim.Adam(judge.parameters(), 2e-3)
        for _ in range(80):
            fake = torch.rand(4, 1, 48, 48) - 1
            loss, metrics = adversary.discriminator_loss({"d": judge}, "d", [fake + 1], [fake])
            if r1:
                loss = loss + adversary.r1_loss({"d": judge}, "d", [fake + 1])
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert metrics["D_accuracy"] >= least
        assert (metrics["D_gap"] > 0.3) == (r1 < 10)


def test_penalties_are_of_the_mean_of_an_images_logits() -> None:
    """So they do not grow with the number of patches: the same logit, shown more often, costs the same."""
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    one = penalty.r1(lambda x: x[:, :, :1, :1], x)
    same(penalty.r1(lambda x: x[:, :, :1, :1].expand(-1, 1, 5, 7), x), one)


def test_keys_that_would_do_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"augment_p=0\.5 has nothing to act on"):
        Restraint(augment_p=0.5)
    with pytest.raises(ValueError, match=r"means nothing with gan=wgan"):
        Adversary("wgan", Restraint(gradient_penalty=1, augment=ALL, augment_p=None))
    assert Restraint(augment=[]) == Restraint(), "as a config brings it"


@pytest.mark.parametrize("make", [lambda: Augmenter(("color",), 1.0), lambda: Restraint(augment=["color"])])
def test_an_unknown_policy_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"'color'.*accepted are colour, translation, cutout"):
        make()


# --- history


def numbered(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 2, 3, 4).contiguous()


def test_a_pool_returns_what_it_stored_and_puts_the_new_in_its_place() -> None:
    pool, held, swapped = HistoryPool(10, 2, 3, 4), set(), 0
    for first in range(1, 400, 3):  # images 1, 2, 3, ...: a zero was never stored
        returned = pool(numbered(first, first + 1, first + 2).requires_grad_())
        assert not returned.requires_grad
        for new, image in enumerate(returned, start=first):
            (out,) = set(image.flatten().tolist())  # a whole image
            if len(held) < 10:
                assert out == new
                held.add(new)
            elif out != new:
                held.remove(out)  # a KeyError: it was not there
                held.add(new)
                swapped += 1
        assert set(pool.images[: int(pool.held), 0, 0, 0].tolist()) == held
    assert int(pool.held) == 10 and min(held) > 10  # every place was taken over
    assert 160 < swapped < 230  # of 389; a standard deviation is 10


def test_a_batch_passes_as_its_images_would_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, swaps = torch.randint(3, (12,)), torch.rand(12)

    def passed(size: int) -> Tensor:
        pool, slot, swap = HistoryPool(3, 2, 3, 4), iter(slots.split(size)), iter(swaps.split(size))
        monkeypatch.setattr(torch, "randint", lambda *_, **__: next(slot))
        monkeypatch.setattr(torch, "rand", lambda *_, **__: next(swap))
        return torch.cat([pool(batch) for batch in numbered(*range(1, 13)).split(size)] + [pool.images])

    assert torch.equal(passed(4), passed(1)) and torch.equal(passed(12), passed(1))


@pytest.mark.parametrize("seen", [2, 9])
def test_a_pool_goes_on_from_its_state_dict(seen: int) -> None:
    pool, again, rest = HistoryPool(4, 2, 3, 4), HistoryPool(4, 2, 3, 4), []
    pool(numbered(*range(1, seen + 1)))
    again.load_state_dict(pool.state_dict())
    for one in (pool, again):
        torch.manual_seed(2)
        rest.append(one(numbered(*range(20, 60))))
    assert torch.equal(*rest) and (rest[0] < 20).any()


def test_a_pool_refuses_other_shapes_and_shares_no_memory() -> None:
    pool, image = HistoryPool(1, 2, 3, 4), numbered(1)
    with pytest.raises(ValueError, match=r"holds images of \(2, 3, 4\), found \(2, 4, 3\)"):
        pool(torch.zeros(1, 2, 4, 3))
    pool(image).zero_()
    image.zero_()
    assert (pool.images == 1).all()
    assert pool(numbered(2).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("gan", FORMULAS)
def test_restraints_and_history_never_wait_for_the_device(gan: str) -> None:
    adaptive = None if gan != "wgan" else 0.5
    restraint = Restraint(r1=1, gradient_penalty=10, augment=ALL, augment_p=adaptive)
    with FakeTensorMode():
        networks, batch = small()
        networks["discriminator_augmenter"] = Augmenter(ALL, adaptive)
        method = Pix2Pix(gan=gan, lambda_features=10, restraint=restraint)
        assert set(step(method, networks, batch)) == {"discriminator", "r1", "generator"}
        assert HistoryPool(3, 1, 12, 12)(batch.target).shape == batch.target.shape
