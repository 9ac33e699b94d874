"""Transfer learning: a pretrained encoder, weights taken over, what waits and what learns less."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.build.config import compose_verb
from gantrans.build.method import build_method, build_networks
from gantrans.build.transfer import depth_decay, freeze_steps, start_weights
from gantrans.bundles.bundle import Card, bundle_folder, load_bundle, save_bundle
from gantrans.bundles.interop import write_reference
from gantrans.core.device import open_core
from gantrans.core.graph import GraphRunner
from gantrans.errors import CheckpointError, ConfigError, GantransError
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets import catalogue, resnet34
from gantrans.nets.attention import SelfAttention
from gantrans.nets.colorizer import Colorizer
from gantrans.nets.features import MEAN, STD
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.resnet34 import ResNet34
from gantrans.nets.unet import UNet
from gantrans.nets.weights import TABLE
from gantrans.training import depth
from gantrans.training.depth import depth_groups, pretrained_part
from gantrans.training.guard import NanGuard
from gantrans.training.state import State
from gantrans.training.step import build_optimizers, set_base_rate, train_step
from tests.conftest import TINY, Cli, Finished, some
from tests.tape import TapeBackend
from tests.test_graph import raw_batch, stepper_of
from tests.test_training import assert_same, newest

PUBLISHED, FILE = 21_797_672, TABLE["resnet34"].files[0]  # parameters of torchvision's resnet34, with fc
LAYERS = [
    (64, 64, 3, 1),
    (64, 128, 4, 2),
    (128, 256, 6, 2),
    (256, 512, 3, 2),
]  # in, out, blocks, first stride


def published() -> dict[str, tuple[int, ...]]:
    """The names and shapes of torchvision's resnet34."""

    def norm(key: str, width: int) -> dict[str, tuple[int, ...]]:
        kinds = ("weight", "bias", "running_mean", "running_var")
        return {f"{key}.{kind}": (width,) for kind in kinds} | {f"{key}.num_batches_tracked": ()}

    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}
    for number, (inside, width, blocks, stride) in enumerate(LAYERS, 1):
        for block in range(blocks):
            key = f"layer{number}.{block}"
            shapes[f"{key}.conv1.weight"] = (width, width if block else inside, 3, 3)
            shapes[f"{key}.conv2.weight"] = (width, width, 3, 3)
            shapes |= norm(f"{key}.bn1", width) | norm(f"{key}.bn2", width)
            if block == 0 and stride == 2:
                shapes[f"{key}.downsample.0.weight"] = (width, inside, 1, 1)
                shapes |= norm(f"{key}.downsample.1", width)
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights that keep the size of activations, with averages that are not those of a new norm."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in shapes.items():
        value = torch.randn(shape, generator=rng)
        if len(shape) > 1:
            value *= (2 / value[0].numel()) ** 0.5
        elif key.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        else:
            value = 0.1 * value + (1 if key.endswith(("weight", "running_var")) else 0)
        state[key] = value
    return state


def by_formula(x: Tensor, state: dict[str, Tensor]) -> list[Tensor]:
    """ResNet-34 as the paper has it (He et al. 2016, table 1), on torchvision's names."""

    def norm(x: Tensor, key: str) -> Tensor:
        mean, var, weight, bias = (state[f"{key}.{k}"].view(-1, 1, 1)
                                   for k in ("running_mean", "running_var", "weight", "bias"))  # fmt: skip
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    found = [F.relu(norm(F.conv2d(x, state["conv1.weight"], stride=2, padding=3), "bn1"))]
    y = F.max_pool2d(found[0], 3, 2, 1)
    for number, (_, _, blocks, first) in enumerate(LAYERS, 1):
        for block in range(blocks):
            key, stride = f"layer{number}.{block}", 1 if block else first
            made = F.relu(norm(F.conv2d(y, state[f"{key}.conv1.weight"], None, stride, 1), f"{key}.bn1"))
            made = norm(F.conv2d(made, state[f"{key}.conv2.weight"], None, 1, 1), f"{key}.bn2")
            if f"{key}.downsample.0.weight" in state:
                skip = F.conv2d(y, state[f"{key}.downsample.0.weight"], None, stride)
                y = norm(skip, f"{key}.downsample.1")
            y = F.relu(made + y)
        found.append(y)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same layers, narrow. Not below 8: oneDNN's gradient of a 1x1 convolution with stride 2 of 4
    channels, channels last, writes beyond its memory."""
    monkeypatch.setattr(resnet34, "CHANNELS", (8, 8, 8, 16, 16))
    monkeypatch.setattr(resnet34, "BLOCKS", (1, 1, 1, 1))


def small_state(seed: int = 0) -> dict[str, Tensor]:
    shapes = {key: tuple(value.shape) for key, value in ResNet34().state_dict().items()}
    return drawn({**shapes, "fc.weight": (10, 16), "fc.bias": (10,)}, seed)


def planted(folder: Path, seed: int = 0) -> Path:
    """A file of weights under the published name, for a `small` network."""
    folder.mkdir(exist_ok=True)
    torch.save(small_state(seed), folder / FILE)
    return folder


def unet(**more: Any) -> PretrainedUNet:
    torch.manual_seed(1)
    given: dict[str, Any] = {"width": 4} | more
    made = PretrainedUNet(**given)
    init_weights(made, "kaiming")
    return made


# --- the encoder


def test_names_shapes_and_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        encoder = ResNet34()
    own = {key: tuple(value.shape) for key, value in encoder.state_dict().items()}
    assert own == {key: shape for key, shape in published().items() if not key.startswith("fc.")}
    assert sum(p.numel() for p in encoder.parameters()) + 512 * 1000 + 1000 == PUBLISHED


def test_the_encoder_is_the_published_network() -> None:
    state = {key: value.double() for key, value in drawn(published()).items()}
    encoder = ResNet34().double().eval()
    assert encoder.fill(state, "a test") == len(published()) - 2
    x = torch.randn(1, 3, 32, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = by_formula(x, state)
    assert [y.shape[1] for y in expected] == list(resnet34.CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x), expected, rtol=1e-9, atol=1e-9)
        state["layer3.5.bn2.bias"] += 1e-3  # a difference of one norm in the depth is seen
        assert (encoder(x)[3] - by_formula(x, state)[3]).abs().max() > 1e-4


@pytest.mark.slow
def test_the_encoder_is_torchvisions() -> None:
    models = pytest.importorskip("torchvision.models")
    theirs, ours = models.resnet34().double().eval(), ResNet34().double().eval()
    theirs.load_state_dict(drawn(published()))
    ours.fill(theirs.state_dict(), "torchvision")
    x = torch.randn(1, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad():
        y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
            y = layer(y)
        torch.testing.assert_close(ours(x)[-1], y, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("small")
def test_other_files_are_refused_and_older_ones_taken() -> None:
    good = small_state()
    deeper = {**good, "layer1.0.conv3.weight": torch.zeros(1)}
    wide = {**good, "conv1.weight": torch.zeros(64, 3, 7, 7)}
    lacking = {key: value for key, value in good.items() if key != "layer2.0.bn1.bias"}
    sick = {**good, "layer4.0.bn2.bias": torch.full((16,), torch.nan)}
    for state, said in (
        (deeper, "'layer1.0.conv3.weight' is not in that network"),
        (wide, r"conv1.weight: found \(64, 3, 7, 7\), expected \(8, 3, 7, 7\)"),
        (lacking, "layer2.0.bn1.bias: found nothing"),
        (sick, "layer4.0.bn2.bias holds NaN"),
    ):
        encoder = ResNet34()
        before = encoder.conv1.weight.clone()
        with pytest.raises(CheckpointError, match=said):
            encoder.fill(state, "a file")
        assert torch.equal(encoder.conv1.weight, before), "nothing is taken of a file that is refused"
    encoder = ResNet34()
    encoder.fill({k: v for k, v in good.items() if not k.endswith("num_batches_tracked")}, "an older file")
    assert torch.equal(encoder.layer4[0].bn2.bias, good["layer4.0.bn2.bias"])  # type: ignore[index,union-attr]


# --- the U-Net


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("how", [
    {}, {"residual": True, "norm": "instance"}, {"in_channels": 1}, {"in_channels": 4, "residual": True},
    {"in_channels": 2, "out_channels": 1, "attention": True}, {"antialias": False, "norm": "none"},
])  # fmt: skip
def test_any_size_comes_back_as_it_went_in(how: dict[str, Any]) -> None:
    made = unet(**how)
    channels, out = made.arguments["in_channels"], made.arguments["out_channels"]
    for train in (True, False):
        for height, width in ((1, 1), (1, 70), (33, 64), (65, 40)):
            y = made.train(train)(torch.randn(1, channels, height, width))
            assert y.shape == (1, out, height, width)
            assert y.isfinite().all()
            if not made.residual:
                assert y.abs().max() <= 1
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.usefixtures("small")
def test_the_picture_is_padded_mirrored_and_cropped_back() -> None:
    made = unet(norm="none", antialias=False).double().eval()
    x = torch.randn(1, 3, 70, 60, dtype=torch.float64)
    padded = F.pad(x, (2, 2, 13, 13), mode="reflect")
    torch.testing.assert_close(made(x), made(padded)[..., 13:83, 2:62], rtol=0, atol=1e-12)


@pytest.mark.usefixtures("small")
def test_the_encoder_sees_what_it_was_trained_on() -> None:
    """x11 -> ImageNet's mean and spread; grey is repeated; a mask adds its own weights before the norm."""
    colour, grey, masked = (unet(in_channels=n).eval() for n in (3, 1, 4))
    for network in (grey, masked):
        network.encoder.load_state_dict(colour.encoder.state_dict())
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    given = ((x + 1) / 2 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(colour._encode(x), colour.encoder(given), rtol=1e-4, atol=1e-5)
    one = x[:, :1]
    torch.testing.assert_close(grey._encode(one), colour._encode(one.expand(-1, 3, -1, -1)))
    assert masked.mask is not None
    mask = torch.ones(2, 1, 64, 64)
    assert not torch.allclose(masked._encode(torch.cat([x, mask], 1))[0], colour._encode(x)[0])
    nn.init.zeros_(masked.mask.weight)
    torch.testing.assert_close(masked._encode(torch.cat([x, mask], 1)), colour._encode(x))


@pytest.mark.usefixtures("small")
def test_a_residual_start_is_the_source() -> None:
    made = unet(in_channels=4, residual=True)
    x = torch.randn(1, 4, 40, 40)
    assert torch.equal(made(x), x[:, :3])


def test_attention_is_the_formula_and_starts_as_nothing() -> None:
    layer = SelfAttention(16).double()
    x = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(0.5)
    with torch.no_grad():
        q, k, h = (part(x).flatten(2) for part in (layer.query, layer.key, layer.value))
        weights = (q.transpose(1, 2) @ k).softmax(2)  # (N, places, places), rows sum to 1
        seen = (h @ weights.transpose(1, 2)).view(2, 2, 5, 7)
        torch.testing.assert_close(layer(x), x + 0.5 * layer.back(seen), rtol=1e-9, atol=1e-9)
        scaled = (q.transpose(1, 2) @ k / 2**0.5).softmax(2)  # a transformer's, which this is not
        other = x + 0.5 * layer.back((h @ scaled.transpose(1, 2)).view(2, 2, 5, 7))
        assert (layer(x) - other).abs().max() > 1e-6


@pytest.mark.usefixtures("small")
def test_depth_groups_hold_each_parameter_once() -> None:
    for how in ({}, {"in_channels": 4, "attention": True}):
        made = unet(**how)
        groups = depth_groups(made)
        names = {id(p): name for name, p in made.named_parameters()}
        assert sorted(id(p) for group in groups for p in group) == sorted(names)
        first, second, last = ({names[id(p)].rpartition(".")[0] for p in group} for group in groups)
        assert {"encoder.conv1", "encoder.bn1", "encoder.layer2.0.bn2"} <= first
        assert {"encoder.layer3.0.conv1", "encoder.layer4.0.bn2"} <= second
        assert all(name.startswith("encoder.") for name in first | second)
        assert not any(name.startswith("encoder.") for name in last)
    assert depth_groups(UNet(width=1)) != []
    assert pretrained_part(UNet(width=1)) == []


@pytest.mark.usefixtures("small")
def test_a_description_names_no_file_and_needs_none(tmp_path: Path) -> None:
    made = unet(pretrained=True, weights=str(planted(tmp_path / "w")))
    description = catalogue.describe(made)
    assert not {"pretrained", "weights"} & description["arguments"].keys()
    shutil.rmtree(tmp_path / "w")
    again = catalogue.build(description)
    again.load_state_dict(made.state_dict())
    assert not again.pretrained
    with pytest.raises(ValueError, match="pretrained='yes'"):
        unet(pretrained="yes")
    with pytest.raises(ValueError, match="in_channels=5: accepted are 1 and 3"):
        unet(in_channels=5)


@pytest.mark.usefixtures("small")
def test_a_colorizer_may_have_the_encoder(tmp_path: Path) -> None:
    files = planted(tmp_path / "w")
    how: dict[str, Any] = {"encoder": "resnet34", "width": 4, "depth": 5}
    made = Colorizer(**how, pretrained=True, weights=str(files))
    init_weights(made, "kaiming")
    grey = torch.rand(1, 1, 40, 50) * 1.8 - 0.9
    torch.testing.assert_close(made(grey), grey.expand(-1, 3, -1, -1), atol=2e-3, rtol=0)
    made.load_pretrained()
    start = {f"unet.encoder.{key}": value for key, value in small_state().items()}
    assert all(torch.equal(v, start[k]) for k, v in made.state_dict().items() if k in start)
    assert [len(g) for g in depth_groups(made)] == [len(g) for g in depth_groups(made.unet)]
    again = catalogue.build(catalogue.describe(made))
    again.load_state_dict(made.state_dict())
    assert torch.equal(again.eval()(grey), made.eval()(grey))
    for wrong in (
        {"depth": 6},
        {"dropout": True},
        {"encoder": "plain", "pretrained": True},
        {"encoder": "vgg"},
    ):
        with pytest.raises(ValueError, match=r"encoder=|go with encoder"):
            Colorizer(**{**how, **wrong})


# --- what waits, and what learns less


def state_of(method: Pix2Pix, decay: float = 1.0) -> State:
    torch.manual_seed(3)
    networks = {"generator": unet(), "discriminator": PatchGAN(6, 2, layers=1, norm="instance")}
    optimizers = build_optimizers(networks, method, lr=1e-3, betas=(0.5, 0.999), decay=decay)
    scaler = torch.amp.GradScaler("cpu", enabled=False)  # type: ignore[attr-defined]
    return State(networks, optimizers, {"generator": unet()}, scaler)


def moved(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Which of its parameters and buffers are not as they were, without the names of tensors."""
    return {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}


def step(state: State, method: Pix2Pix, **how: Any) -> set[str]:
    before = {key: value.clone() for key, value in state.networks["generator"].state_dict().items()}
    batch = open_core("cpu").prepare(raw_batch(state.step))
    train_step(state, batch, method, open_core("cpu"), NanGuard(), seed=0, rate=1.0, ema=0.9, **how)
    return moved(state.networks["generator"], before)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("how", [{}, {"who": "generator"}, {"accumulate": 2}])
def test_what_is_frozen_does_not_move_and_the_rest_does(how: dict[str, Any]) -> None:
    method = Pix2Pix()
    state = state_of(method)
    generator = state.networks["generator"]
    parameters = {name for name, _ in generator.named_parameters()}
    frozen = step(state, method, frozen=True, **how)
    assert not any(name.startswith("encoder.") for name in frozen), "neither weights nor averages"
    assert {name for name in parameters if not name.startswith("encoder.")} <= frozen
    assert "decoder.0.merge.norm1.running_mean" in frozen
    assert all(p.requires_grad for p in generator.parameters())
    assert all(module.training for module in generator.modules())
    free = step(state, method, **how)
    assert parameters <= free
    assert "encoder.layer1.0.bn1.running_mean" in free


@pytest.mark.usefixtures("small")
def test_an_encoder_that_is_only_kept_from_gradients_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: its batch norms go on averaging."""
    monkeypatch.setattr(depth, "_in", lambda *_: False)
    method = Pix2Pix()
    assert "encoder.bn1.running_mean" in step(state_of(method), method, frozen=True)


@pytest.mark.usefixtures("small")
def test_layers_learn_by_depth() -> None:
    """Adam's first step is its rate, in the direction of the gradient's sign."""
    method = Pix2Pix()
    for decay in (1.0, 2.5):
        state = state_of(method, decay)
        set_base_rate(state.optimizers, 1e-3)  # as resume does
        groups = depth_groups(state.networks["generator"])
        before = [[p.detach().clone() for p in group] for group in groups]
        step(state, method)
        for back, (group, old) in enumerate(zip(groups[::-1], before[::-1], strict=True)):
            most = max((p - q).abs().max().item() for p, q in zip(group, old, strict=True))
            assert most == pytest.approx(1e-3 / decay**back, rel=0.01)
        rates = [group["lr"] for group in state.optimizers["generator"].param_groups]
        assert rates == pytest.approx([1e-3, 4e-4, 1.6e-4] if decay > 1 else [1e-3])
        assert len(state.optimizers["discriminator"].param_groups) == 1


@pytest.mark.usefixtures("small")
def test_both_generators_share_their_depths() -> None:
    method = CycleGAN(pool=0)
    networks = {role.name: unet() if role.kind == "generator" else PatchGAN(3, 2) for role in method.roles}
    optimizer = build_optimizers(networks, method, lr=1e-3, betas=(0.5, 0.9), decay=2.0)["generators"]
    ways = [depth_groups(networks[way])[::-1] for way in ("to_target", "to_source")]
    for group, one, other in zip(optimizer.param_groups, *ways, strict=True):
        assert {id(p) for p in group["params"]} == {id(p) for p in [*one, *other]}


@pytest.mark.usefixtures("small")
def test_a_frozen_step_is_captured_apart_to_the_same_bits() -> None:
    method, core = Pix2Pix(), open_core("cpu")
    ends, backend = [], TapeBackend()
    for graphs in (None, GraphRunner(backend, warmup=1)):
        state = state_of(method, decay=2.0)
        stepper = stepper_of(state, method, graphs, core)
        for number in range(6):
            stepper(core.move(raw_batch(number)), rate=1 - number / 20, frozen=number < 3)
        ends.append(state.state_dict())
    assert backend.captured == 2
    assert_same(*ends)


def config_of(*keys: str) -> DictConfig:
    kept = [k for k in TINY if not k.startswith("generator")]
    return compose_verb("train", [*kept, "data.root=x", "init.kind=kaiming", *keys])


RESNET = ("generator=unet_resnet34", "generator.width=4")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("keys", "expected"),
    some(
        [
            ((), 0),
            (("train.freeze=3ep",), 30),
            (("train.freeze=7step",), 7),
            (("train.freeze=0.5", "train.total=5ep"), 25),
            (("train.freeze=1", "train.total=5ep"), 50),
            (("train.freeze=2",), "accepted are a share of train.total, above 0 to 1"),
            (("train.freeze=soon",), "200ep (epochs)"),
            (("train.freeze=2min",), "only train.total takes a time"),
            (("train.freeze=0.5", "train.total=2min"), "has no number of them yet"),
            (("train.freeze=1ep", "generator.pretrained=false"), "nothing is pretrained"),
            (("train.freeze=1ep", "generator.pretrained=false", "train.init_from=x"), 10),
            (("train.freeze=1ep", "generator=unet_light"), "UNet has no groups of layers"),
            (("train.lr_decay_by_depth=2.6", "generator=unet_light"), "UNet has no groups of layers"),
            (("train.lr_decay_by_depth=0.5",), "train.lr_decay_by_depth=0.5: accepted: 1"),
        ]
    ),
)
def test_freeze_is_a_number_of_steps_or_an_error(keys: tuple[str, ...], expected: int | str) -> None:
    config = config_of(*RESNET[: 1 if "generator=unet_light" in keys else 2], *keys)
    method = build_method(config)
    networks = build_networks(config, open_core("cpu"), method)
    if isinstance(expected, str):
        with pytest.raises(ConfigError) as caught:
            depth_decay(config, method, networks)
            freeze_steps(config, method, networks, 20)
        assert expected in str(caught.value)
    else:
        assert freeze_steps(config, method, networks, 20) == expected


# --- a run on pretrained weights


def arguments(photos: Path, run: Path, *more: str) -> list[str]:
    kept = [k for k in TINY if not k.startswith("generator")]
    return ["train", *kept, *RESNET, f"data.root={photos}", f"run.dir={run}", *more]


@pytest.mark.usefixtures("small")
def test_missing_weights_are_named_and_nothing_is_left(photos: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli(*arguments(photos, tmp_path / "run", f"generator.weights={tmp_path / 'none'}"))
    assert answer.code == 2
    for said in (FILE, "83 MiB", str(tmp_path / "none"), "generator.pretrained=false", "torchvision.models"):
        assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    answer = cli(*arguments(photos, tmp_path / "run", f"generator.weights={tmp_path / 'bad.pth'}"))
    assert answer.code == 4
    assert "generator.pretrained=true" in answer.err
    assert (
        cli(*arguments(photos, tmp_path / "run", "generator.pretrained=false", "train.total=1step")).code == 0
    )


@pytest.mark.usefixtures("small")
def test_a_run_freezes_then_unfreezes_and_resumes_bit_for_bit(photos: Path, tmp_path: Path, cli: Cli) -> None:
    files = planted(tmp_path / "weights")
    keys = (f"generator.weights={files}", "train.freeze=3step", "train.lr_decay_by_depth=2.0",
            "train.save_every=1step", "train.keep_last=9", "train.ema=0")  # fmt: skip
    whole = tmp_path / "whole"
    answer = cli(*arguments(photos, whole, *keys))
    assert answer.code == 0, answer.err
    assert f"{files / FILE}, all but its classifier" in answer.out
    assert "frozen    until step 3" in answer.out
    for stop in (2, 3):
        assert cli(*arguments(photos, tmp_path / f"{stop}", *keys, f"train.stop_at={stop}step")).code == 0
    shutil.rmtree(files)
    for stop in (2, 3):
        answer = cli("resume", tmp_path / f"{stop}", "train.stop_at=null")
        assert answer.code == 0, answer.err
        assert FILE not in answer.out, "weights are read at the start of a new run only"
        assert ("frozen" in answer.out) == (stop < 3)
        assert_same(newest(whole), newest(tmp_path / f"{stop}"))
    start = {f"encoder.{key}": value for key, value in small_state().items()}
    saved = [torch.load(whole / "checkpoints" / f"step-00000{n}.pt", weights_only=True) for n in (3, 4)]
    frozen, free = (s["networks"]["generator"] for s in saved)
    assert all(torch.equal(frozen[key], start[key]) for key in frozen if key.startswith("encoder."))
    assert not any(
        torch.equal(free[key], start[key]) for key in start if key.endswith("conv1.weight") and key in free
    )
    rates = [group["lr"] for group in saved[1]["optimizers"]["generator"]["param_groups"]]
    assert rates == pytest.approx([rates[0], rates[0] / 2, rates[0] / 4])
    _, card = load_bundle(whole)
    assert card.provenance["pretrained_generator"]["file"] == FILE
    assert cli("resume", whole, "train.lr_decay_by_depth=1").code == 2
    before = json.loads((whole / "metrics.jsonl").read_text().splitlines()[1])
    assert before["lr_generator"] == pytest.approx(rates[0], rel=0.5), (
        "what is logged is the rate of the head"
    )


@pytest.mark.usefixtures("small")
def test_a_run_that_saved_nothing_reads_its_weights_again(photos: Path, tmp_path: Path, cli: Cli) -> None:
    """Without that it would go on with an encoder as drawn, and say nothing."""
    files, run = planted(tmp_path / "weights"), tmp_path / "run"
    keys = (f"generator.weights={files}", "train.freeze=1", "train.total=1step", "train.ema=0")
    assert cli(*arguments(photos, run, *keys)).code == 0
    whole = newest(run)
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    answer = cli("resume", run)
    assert answer.code == 0, answer.err
    assert FILE in answer.out
    assert_same(whole["networks"], newest(run)["networks"])


# --- weights taken over


def networks_of(*keys: str) -> tuple[DictConfig, Any, dict[str, nn.Module]]:
    config = compose_verb("train", [*TINY, "data.root=x", *keys])
    method = build_method(config)
    return config, method, build_networks(config, open_core("cpu"), method)


def started(path: Path, *keys: str) -> tuple[dict[str, nn.Module], dict[str, Any], str]:
    config, method, networks = networks_of(f"train.init_from={path}", *keys)
    origin, account = start_weights(config, method, networks)
    return networks, origin.get("init_from", {}), "\n".join(account)


def bundle(folder: Path, network: nn.Module, way: str = "to_target") -> Path:
    save_bundle(bundle_folder(folder, way), network, Card(network=catalogue.describe(network)))
    return folder


def tiny_unet(seed: int = 9, **more: Any) -> UNet:
    torch.manual_seed(seed)
    return UNet(**{"width": 2, "depth": 6, "residual": True} | more)


def same(network: nn.Module, other: nn.Module, but: tuple[str, ...] = ()) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(v, theirs[k]) for k, v in network.state_dict().items() if k not in but)


def test_a_bundle_is_taken_over_whole(tmp_path: Path) -> None:
    source = tiny_unet()
    networks, facts, account = started(bundle(tmp_path / "b", source))
    assert same(networks["generator"], source)
    count = len(source.state_dict())
    assert f"generator: {count} of {count} tensors from {tmp_path / 'b'}" in account
    assert "discriminator: starts anew" in account
    about = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert facts["generator"] == {"sha256": about["weights"]["sha256"], "taken": count, "of": count}
    assert facts["path"] == str(tmp_path / "b")


def test_a_head_with_other_channels_is_left_and_named(tmp_path: Path) -> None:
    source = tiny_unet(residual=False)
    keys = ("data.target_mode=grey", "generator.residual=false")
    networks, facts, account = started(bundle(tmp_path / "b", source), *keys)
    assert same(networks["generator"], source, but=("head.weight", "head.bias"))
    assert "not head.weight, which is (4, 3, 4, 4) there and (4, 1, 4, 4) here" in account
    assert "out_channels=3 there, 1 here" in account
    assert facts["generator"]["of"] - facts["generator"]["taken"] == 2
    fresh = networks_of(*keys)[2]["generator"]
    assert torch.equal(networks["generator"].head.weight, fresh.head.weight)  # type: ignore[union-attr]
    _, _, account = started(tmp_path / "b")
    assert "residual=False there, True here" in account, "what changes the meaning, and no shape, is told"


@pytest.mark.parametrize(
    ("make", "keys", "said"),
    [
        (tiny_unet, ("generator=resnet_light",), "holds a UNet and generator is a ResNetGenerator"),
        (lambda: tiny_unet(width=3, norm="none"), ("generator.norm=none", "data.target_mode=grey",
         "generator.residual=false"), "nothing of"),
    ],
)  # fmt: skip
def test_what_does_not_fit_at_all_is_an_error(
    tmp_path: Path, make: Callable[[], UNet], keys: tuple[str, ...], said: str
) -> None:
    kept = [k for k in TINY if not k.startswith("generator.")] if keys[0].startswith("generator=") else TINY
    config = compose_verb(
        "train", [*kept, "data.root=x", f"train.init_from={bundle(tmp_path, make())}", *keys]
    )
    method = build_method(config)
    with pytest.raises(ConfigError, match=said):
        start_weights(config, method, build_networks(config, open_core("cpu"), method))


def test_what_is_no_model_is_said_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "page.pth").write_text("<html>")
    for path, said in (
        ("nowhere", "no such file or folder; needed is a run, a bundle or a .pth"),
        ("empty", "neither a run folder nor a bundle"),
        ("page.pth", "is a web page"),
    ):
        with pytest.raises(GantransError, match=said) as caught:
            started(tmp_path / path)
        assert "model=" not in str(caught.value)


def test_a_pth_of_the_reference_family_is_taken_over(tmp_path: Path) -> None:
    source = tiny_unet(residual=False)
    write_reference(source, tmp_path / "latest_net_G.pth")
    networks, facts, _ = started(tmp_path / "latest_net_G.pth", "generator.residual=false")
    counters = tuple(k for k in source.state_dict() if k.endswith("num_batches_tracked"))
    assert same(networks["generator"], source, but=counters)
    assert len(facts["generator"]["sha256"]) == 64


def test_both_ways_of_a_cyclegan_are_taken_over_where_they_are(tmp_path: Path) -> None:
    there, back = tiny_unet(1), tiny_unet(2)
    keys = ("method=cyclegan", "val.best=null")
    kept = [k for k in TINY if not k.startswith(("experiment", "method"))]
    both = bundle(bundle(tmp_path / "both", there), back, "to_source")
    one = bundle(tmp_path / "one", there)
    for path, ways in ((both, {"to_target": there, "to_source": back}), (one, {"to_target": there})):
        config = compose_verb("train", [*kept, "experiment=restore", "data.root=x", f"train.init_from={path}",
                                        *keys])  # fmt: skip
        method = build_method(config)
        networks = build_networks(config, open_core("cpu"), method)
        origin, account = start_weights(config, method, networks)
        assert all(same(networks[way], network) for way, network in ways.items())
        assert ("to_source: starts anew" in "\n".join(account)) == ("to_source" not in ways)
        assert origin["init_from"].keys() == {"path", *ways}


@pytest.mark.usefixtures("small")
def test_a_way_that_is_not_taken_over_starts_from_the_published_encoder(tmp_path: Path) -> None:
    """And where both ways are there, no file of weights is asked for."""
    torch.manual_seed(1)
    source = unet(residual=False)
    one = bundle(tmp_path / "one", source)
    both = bundle(bundle(tmp_path / "both", source), source, "to_source")
    kept = [k for k in TINY if not k.startswith(("experiment", "method", "generator"))]
    for path, files in ((one, planted(tmp_path / "weights")), (both, tmp_path / "none")):
        keys = (*RESNET, "method=cyclegan", "generator.residual=false", "val.best=null")
        places = (f"generator.weights={files}", f"train.init_from={path}")
        config = compose_verb("train", [*kept, "experiment=restore", "data.root=x", *keys, *places])
        method = build_method(config)
        networks = build_networks(config, open_core("cpu"), method)
        origin, account = start_weights(config, method, networks)
        assert same(networks["to_target"], source)
        if path == both:
            assert same(networks["to_source"], source) and origin.keys() == {"init_from"}
            continue
        encoder = networks["to_source"].get_submodule("encoder").state_dict()
        assert all(torch.equal(encoder[key], value) for key, value in small_state().items() if key in encoder)
        assert origin["pretrained_to_source"]["file"] == FILE and "pretrained_to_target" not in origin
        assert f"to_source: starts anew, but for its encoder: {one} has no" in "\n".join(account)


def test_a_run_goes_on_from_another_runs_weights(photos: Path, tmp_path: Path, cli: Cli) -> None:
    first, second = tmp_path / "first", tmp_path / "it's [second]"
    short = ["train", *TINY, f"data.root={photos}", "train.ema=0"]
    assert cli(*short, f"run.dir={first}", "val.best=null").code == 0
    answer = cli(*short, f"run.dir={second}", f"train.init_from={first}", "train.stop_at=1step")
    assert answer.code == 0, answer.err
    assert f"weights   generator: 58 of 58 tensors from {first / 'bundle'}" in answer.out
    assert "discriminator: " in answer.out
    assert f"{first / 'bundle'}, of step 6\n" in answer.out
    assert "step-000006.pt, of step 6\n" in answer.out
    start, _ = load_bundle(second)  # of the validation before the first step, or the one after it
    lines = [json.loads(line) for line in (second / "metrics.jsonl").read_text().splitlines()]
    last = [json.loads(line) for line in (first / "metrics.jsonl").read_text().splitlines()][-1]
    assert lines[0]["psnr"] == last["psnr"], "the first validation of this is the last of that"
    assert isinstance(start, UNet)
    refused = cli("resume", second, f"train.init_from={first}")
    assert refused.code == 2
    assert "train.init_from" in refused.err
    shutil.rmtree(first)
    assert cli("resume", second, "train.stop_at=null", "val.best=null").code == 0
    origin = newest(second)["origin"]["init_from"]
    assert origin["generator"]["taken"] == 58
    _, card = load_bundle(second)
    told = {**origin, "file": Path(origin["path"]).name}
    assert card.provenance["init_from"] == {k: v for k, v in told.items() if k != "path"}, (
        "bundles of a resumed run know it, too, but not where it lay"
    )


def test_a_discriminator_that_does_not_fit_starts_anew(finished: Finished) -> None:
    first = finished.run
    saved = newest(first)["networks"]["discriminator"]
    networks, facts, _ = started(first)
    assert facts.keys() == {"path", "generator", "discriminator"}
    own = networks["discriminator"].state_dict()
    assert all(torch.equal(own[key], value) for key, value in saved.items())
    networks, facts, account = started(first, "discriminator.width=3")
    assert "discriminator: starts anew: " in account
    assert "(2, 6, 4, 4), and (3, 6, 4, 4) here" in account
    assert "discriminator" not in facts
