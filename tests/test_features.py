"""Frozen feature networks: torchvision's names, shapes and arithmetic; and losses between activations."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.errors import CheckpointError, ConfigError
from gantrans.losses import perceptual
from gantrans.losses.perceptual import (
    Perceptual,
    even_contents,
    even_styles,
    feature_distance,
    gram,
    gram_distance,
    gram_style,
    moment_style,
    total_variation,
)
from gantrans.nets.adain import adain, mean_std
from gantrans.nets.features import (
    MEAN,
    NETWORKS,
    STD,
    FeatureNet,
    load_features,
    squeezenet_features,
    vgg_features,
)
from gantrans.nets.init import init_weights
from gantrans.nets.weights import TABLE

# torchvision's `features`: (place, channels in and out) of each 3 x 3 convolution, and parameters in all.
VGG16 = [(0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
         (17, 256, 512), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512),
         (28, 512, 512)]  # fmt: skip
VGG19 = [(0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
         (16, 256, 256), (19, 256, 512), (21, 512, 512), (23, 512, 512), (25, 512, 512), (28, 512, 512),
         (30, 512, 512), (32, 512, 512), (34, 512, 512)]  # fmt: skip
PARAMETERS = {"vgg16": 14_714_688, "vgg19": 20_024_384, "squeezenet1_1": 722_496}
FIRES = [(3, 64, 16, 64), (4, 128, 16, 64), (6, 128, 32, 128), (7, 256, 32, 128), (9, 256, 48, 192),
         (10, 384, 48, 192), (11, 384, 64, 256), (12, 512, 64, 256)]  # fmt: skip


def published(name: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of torchvision's weights."""
    if name == "squeezenet1_1":
        shapes: dict[str, tuple[int, ...]] = {"features.0.weight": (64, 3, 3, 3)}
        for place, inside, squeezed, expanded in FIRES:
            shapes[f"features.{place}.squeeze.weight"] = (squeezed, inside, 1, 1)
            shapes[f"features.{place}.expand1x1.weight"] = (expanded, squeezed, 1, 1)
            shapes[f"features.{place}.expand3x3.weight"] = (expanded, squeezed, 3, 3)
    else:
        table = {"vgg16": VGG16, "vgg19": VGG19}[name]
        shapes = {f"features.{place}.weight": (outside, inside, 3, 3) for place, inside, outside in table}
    return shapes | {key.replace("weight", "bias"): shape[:1] for key, shape in shapes.items()}


def random_state(name: str, seed: int = 0) -> dict[str, Tensor]:
    """Weights that keep the size of activations, under the published names."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in published(name).items():
        spread = 0.1 if len(shape) == 1 else (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        state[key] = torch.randn(shape, generator=rng) * spread
    return state


def filled(name: str = "squeezenet1_1", seed: int = 0) -> FeatureNet:
    network = NETWORKS[name]()
    network.fill(random_state(name, seed), "a test")
    return network


def pictures(n: int = 2, side: int = 33, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, side, side + 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def by_torch(name: str, x11: Tensor, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every activation, computed place by place as torchvision's modules are laid out."""
    x = ((x11 + 1) / 2 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    found = {}

    def conv(x: Tensor, at: str, **how: int) -> Tensor:
        return F.conv2d(x, state[f"features.{at}.weight"], state[f"features.{at}.bias"], **how)

    if name == "squeezenet1_1":
        found["conv1"] = conv(x, "0", stride=2)
        found["relu1"] = x = F.relu(found["conv1"])
        for number, (place, *_) in enumerate(FIRES, 2):
            if place in (3, 6, 9):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = F.relu(conv(x, f"{place}.squeeze"))
            both = [conv(x, f"{place}.expand1x1"), conv(x, f"{place}.expand3x3", padding=1)]
            found[f"expand{number}"] = torch.cat(both, 1)
            found[f"fire{number}"] = x = F.relu(found[f"expand{number}"])
        return found
    block, number, before = 1, 0, -2  # the first convolution follows nothing
    for place, _, _ in {"vgg16": VGG16, "vgg19": VGG19}[name]:
        if place > before + 2 and place > 0:  # torchvision's place in between is a pooling
            x, block, number = F.max_pool2d(x, 2, 2), block + 1, 0
        number, before = number + 1, place
        found[f"conv{block}_{number}"] = conv(x, str(place), padding=1)
        found[f"relu{block}_{number}"] = x = F.relu(found[f"conv{block}_{number}"])
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_names_and_shapes_are_the_published_ones(name: str) -> None:
    own = {key: tuple(value.shape) for key, value in NETWORKS[name]().weights().items()}
    assert own == published(name)
    assert sum(torch.Size(shape).numel() for shape in own.values()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_are_those_of_the_published_layout(name: str) -> None:
    network, x = filled(name), pictures(1)
    wanted = by_torch(name, x, random_state(name))
    assert network.names == list(wanted)
    torch.testing.assert_close(network(x, network.names), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.real
@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")
def test_activations_are_torchvisions() -> None:
    from torchvision.models import squeezenet1_1

    folder = os.environ.get("GANTRANS_REAL_DATA")
    if not folder:
        pytest.skip("GANTRANS_REAL_DATA names no folder")
    ours = load_features("squeezenet1_1", Path(folder) / "weights")
    theirs = squeezenet1_1(weights=None).features.eval()
    theirs.load_state_dict({key.removeprefix("features."): w for key, w in ours.weights().items()})
    x = pictures(1, 65)
    given = ((x + 1) / 2 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(ours(x, ["fire9"])["fire9"], theirs(given), rtol=1e-3, atol=1e-3)


def test_only_what_is_asked_for_is_computed() -> None:
    network, asked = filled(), []
    network.features["12"].register_forward_hook(lambda *_: asked.append(1))
    assert list(network(pictures(), ["fire3", "relu1"])) == ["relu1", "fire3"]
    assert not asked
    network(pictures(), ["fire9"])
    assert asked


def test_grey_is_repeated_and_other_pictures_are_refused() -> None:
    network, grey = filled(), pictures()[:, :1]
    torch.testing.assert_close(
        network(grey, ["fire3"])["fire3"], network(grey.expand(-1, 3, -1, -1), ["fire3"])["fire3"]
    )
    with pytest.raises(ValueError, match=r"needed are pictures .* found \(2, 4, 33, 37\)"):
        network(torch.zeros(2, 4, 33, 37), ["relu1"])
    with pytest.raises(ValueError, match="no layer 'fire10'; did you mean"):
        network(grey, ["fire10"])


@pytest.mark.parametrize(("name", "least"), [("vgg16", 16), ("squeezenet1_1", 17)])
def test_the_smallest_picture_is_the_stated_one(name: str, least: int) -> None:
    network = filled(name)
    last = network.names[-1]
    assert min(network(torch.zeros(1, 3, least, 40), [last])[last].shape[2:]) >= 1
    with pytest.raises(
        ValueError, match=f"a picture of 40x{least - 1} is too small for what comes after pool"
    ):
        network(torch.zeros(1, 3, least - 1, 40), [last])


def changed(network: nn.Module, weights: Callable[[], dict[str, Tensor]]) -> bool:
    """Whether what training does to every network changes these weights."""
    before = {key: value.clone() for key, value in weights().items()}
    init_weights(network, "normal", 0.02)
    for parameter in network.parameters():
        parameter.data.add_(1)
    network.load_state_dict(network.state_dict())
    return any(not torch.equal(value, before[key]) for key, value in weights().items())


def test_frozen_weights_are_touched_by_nothing_and_stored_nowhere() -> None:
    network = Perceptual(filled(), {"fire5": 1.0})
    assert not changed(network, network.features.weights)
    assert not list(network.parameters())
    stored = {**network.state_dict(), **dict(network.named_buffers())}
    assert sum(value.numel() for value in stored.values()) == 6, "the mean and spread of colours"


def test_weights_that_are_parameters_would_be_touched() -> None:
    planted = nn.Conv2d(3, 4, 3)
    assert changed(planted, lambda: dict(planted.state_dict()))


def test_frozen_weights_follow_the_module() -> None:
    network = filled().double()
    assert all(value.dtype == torch.float64 for value in network.weights().values())
    assert network(pictures().double(), ["fire2"])["fire2"].dtype == torch.float64
    moved = filled().to("meta")
    assert all(value.is_meta for value in (*moved.weights().values(), *moved.buffers()))
    assert list(moved.buffers()), "by which Core.place tells that something lies elsewhere"


# --- files of weights


def test_weights_come_from_a_file_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "squeezenet1_1-b8a52dc0.pth"
    torch.save(random_state("squeezenet1_1") | {"classifier.1.bias": torch.zeros(1000)}, path)
    network = load_features("squeezenet1_1", tmp_path)
    assert capsys.readouterr().out == f"features  SqueezeNet 1.1, {path}\n"
    assert torch.equal(network.weights()["features.0.bias"], random_state("squeezenet1_1")["features.0.bias"])


def test_missing_and_wrong_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"vgg19-dcbb9e9d\.pth \(548 MiB"):
        load_features("vgg19", tmp_path)
    with pytest.raises(ValueError, match="accepted are squeezenet1_1, vgg16, vgg19"):
        load_features("resnet50")
    with pytest.raises(ValueError, match="accepted are 16, 19"):
        vgg_features(11)
    path = tmp_path / "some.pth"
    torch.save(random_state("squeezenet1_1"), path)
    with pytest.raises(CheckpointError, match=r"some\.pth: .*features\.0\.weight: found \(64, 3, 5, 5\)"):
        vgg_features(16).fill({"features.0.weight": torch.zeros(64, 3, 5, 5)}, "some.pth")
    with pytest.raises(
        CheckpointError, match=r"not the weights of VGG-16: features\.2\.weight: found nothing"
    ):
        load_features("vgg16", path)
    torch.save(random_state("squeezenet1_1") | {"features.0.bias": torch.full((64,), torch.nan)}, path)
    with pytest.raises(CheckpointError, match=r"features\.0\.bias holds NaN"):
        load_features("squeezenet1_1", path)


def test_without_weights_there_are_no_activations() -> None:
    with pytest.raises(ValueError, match=r"SqueezeNet 1\.1 has no weights yet"):
        squeezenet_features()(pictures(), ["relu1"])


# --- losses


def test_gram_in_closed_form_and_whatever_the_size() -> None:
    x = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])
    assert gram(x).tolist() == [[[2.5, 1.5], [1.5, 4.5]]]
    torch.testing.assert_close(gram(x.repeat(1, 1, 3, 5)), gram(x))


def test_gram_distance_is_equation_4_of_gatys() -> None:
    a, b = torch.rand(3, 5, 7, 6, dtype=torch.float64), torch.rand(1, 5, 7, 6, dtype=torch.float64)
    n, m = 5, 42
    by_hand = []
    for image in a:
        ours, theirs = (y.reshape(n, m) @ y.reshape(n, m).T for y in (image, b[0]))
        by_hand.append(((ours - theirs) ** 2).sum() / (4 * n**2 * m**2))
    torch.testing.assert_close(gram_distance(gram(a), gram(b)), torch.stack(by_hand).mean())


def test_even_weights_let_each_layer_count_alike() -> None:
    small, large = torch.rand(1, 4, 6, 6), 1000 * torch.rand(1, 8, 3, 3)
    found = {"a": small, "b": large}
    grams = {layer: gram(x) for layer, x in found.items()}
    nothing = {layer: torch.zeros_like(x) for layer, x in found.items()}
    assert gram_style(nothing, grams, even_styles(grams)).item() == pytest.approx(1)
    assert feature_distance(nothing, found, even_contents(found)).item() == pytest.approx(1)
    halved = gram_style({**found, "a": torch.zeros_like(small)}, grams, even_styles(grams))
    assert halved.item() == pytest.approx(0.5)


def test_feature_distance_and_moments_in_closed_form() -> None:
    a, b = {"x": torch.tensor([[[[0.0, 4.0]]]])}, {"x": torch.tensor([[[[1.0, 1.0]]]])}
    assert feature_distance(a, b, {"x": 2.0}, "l1").item() == pytest.approx(2 * (1 + 3) / 2)
    assert feature_distance(a, b, {"x": 2.0}, "l2").item() == pytest.approx(2 * (1 + 9) / 2)
    assert moment_style(a, b, {"x": 3.0}).item() == pytest.approx(3 * (1 + 4), rel=1e-2)  # eps in the spread
    with pytest.raises(ValueError, match="accepted are l1, l2"):
        feature_distance(a, b, {"x": 1.0}, "l3")


def test_adain_gives_the_moments_that_are_asked_for() -> None:
    content, style = torch.rand(2, 3, 9, 8) * 5, torch.rand(2, 3, 4, 7) - 3
    made = mean_std(adain(content, *mean_std(style)))
    torch.testing.assert_close(made, mean_std(style), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(adain(content, *mean_std(content)), content, rtol=1e-3, atol=1e-4)
    assert torch.isfinite(adain(torch.ones(1, 2, 3, 3), *mean_std(style[:1, :2]))).all()


def test_total_variation_in_closed_form() -> None:
    ramp = torch.arange(4.0).expand(1, 1, 3, 4)
    assert total_variation(ramp).item() == 1
    assert total_variation(2 * ramp.transpose(2, 3)).item() == 2
    assert total_variation(torch.ones(1, 3, 5, 5)).item() == 0


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "perceptual": lambda a, b: Perceptual(filled(), {"fire3": 1.0})(a, b),
    "before activation": lambda a, b: Perceptual(filled(), {"expand3": 1.0}, "l2")(a, b),
    "moments": lambda a, b: moment_style({"x": a}, {"x": b}, {"x": 1.0}),
    "features": lambda a, b: feature_distance({"x": a}, {"x": b}, {"x": 1.0}),
    "gram": lambda a, b: gram_style({"x": a}, {"x": gram(b)}, {"x": 1.0}),
}


def sound(loss: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """0 for equals, above it else, and no gradient but into the output."""
    output, target = pictures(seed=1).requires_grad_(True), pictures(seed=2).requires_grad_(True)
    value = loss(output, target)
    value.backward()
    zero = loss(output, output.detach()).item()
    return zero == 0 and value > 0 and bool(output.grad.any()) and target.grad is None  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_vanish_for_equals_and_teach_the_output_only(name: str) -> None:
    assert sound(LOSSES[name])


def test_a_loss_that_moves_its_target_or_never_vanishes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not sound(lambda a, b: (gram(a) - gram(b)).square().sum())
    assert not sound(lambda a, b: (a - b.detach()).abs().mean() + 1)
    monkeypatch.setattr(perceptual, "gram_distance", lambda output, target: (output - target).square().mean())
    assert not sound(LOSSES["gram"])


def test_perceptual_before_activation_sees_what_the_activation_hides() -> None:
    network = filled()
    x, y = pictures(seed=1), pictures(seed=2)
    found = network(x, ["expand3", "fire3"])
    torch.testing.assert_close(F.relu(found["expand3"]), found["fire3"])
    before, after = (Perceptual(network, {layer: 1.0})(x, y) for layer in ("expand3", "fire3"))
    assert before > after


@pytest.mark.parametrize(
    ("layers", "kind", "said"),
    [
        ({"fire10": 1.0}, "l1", "no layer 'fire10'"),
        ({}, "l1", "no layer is named"),
        ({"fire3": 0.0}, "l1", "weight 0.0: accepted are finite numbers above 0"),
        ({"fire3": 1.0}, "l3", "accepted are l1, l2"),
    ],
)
def test_perceptual_refuses_what_makes_no_sense(layers: dict[str, float], kind: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Perceptual(filled(), layers, kind)


def test_gram_keeps_its_digits_under_half_precision() -> None:
    x = torch.rand(1, 4, 16, 16) + 10
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(gram(x), gram(x.float()), rtol=1e-6, atol=0)
        assert gram(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        coarse = x.flatten(2) @ x.flatten(2).transpose(1, 2) / 256
    assert (coarse - gram(x)).abs().max() > 1e-3, "the planted product has too few digits"


def test_the_table_of_networks_has_weights_to_look_for() -> None:
    assert set(NETWORKS) <= set(TABLE)
