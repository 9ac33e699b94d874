"""Networks: any size, residual starts, dropout, norms, initialisation, names and descriptions."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.nets import catalogue
from gantrans.nets.blocks import pad_to_grid
from gantrans.nets.init import KINDS, init_weights
from gantrans.nets.norm import BatchNorm, InstanceNorm, per_image, set_norm_statistics
from gantrans.nets.patchgan import PatchGAN, PixelGAN
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet

NORMS = ("batch", "instance", "none")
SIZES = [(1, 1), (1, 7), (3, 2), (17, 33), (40, 24)]
GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "unet": lambda **kw: UNet(width=2, **{"depth": 5} | kw),
    "unet_shallow": lambda **kw: UNet(width=2, depth=2, **kw),
    "resnet": lambda **kw: ResNetGenerator(width=2, blocks=2, **kw),
    "resnet_flat": lambda **kw: ResNetGenerator(width=2, blocks=1, downs=0, **kw),
    "resnet_deep": lambda **kw: ResNetGenerator(width=2, blocks=1, downs=4, **kw),
}


def count(made: nn.Module) -> tuple[int, int]:
    """Parameters and state-dict keys."""
    return sum(p.numel() for p in made.parameters()), len(made.state_dict())


# --- sizes


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", GENERATORS)
def test_any_size_comes_back_as_it_went_in(name: str, norm: str, train: bool) -> None:
    made = GENERATORS[name](in_channels=1, out_channels=2, norm=norm).train(train)
    for height, width in SIZES:
        output = made(torch.randn(1, 1, height, width))
        assert output.shape == (1, 2, height, width)
        assert output.isfinite().all()
        assert output.abs().max() <= 1


@pytest.mark.parametrize("size", [(257, 256), (1, 1), (255, 300)])
def test_unet_256_takes_pictures_beside_its_grid(size: tuple[int, int]) -> None:
    made = UNet(width=1, norm="instance")
    assert made(torch.randn(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("name", GENERATORS)
def test_padding_is_mirrored_context_that_is_cropped_away(name: str) -> None:
    """On the grid nothing is padded; off it, the output is that of the mirrored picture, cropped."""
    made = GENERATORS[name](norm="none").double().eval()
    x = torch.randn(1, 3, 37, 41, dtype=torch.float64)
    for cell in (32, 16, 4, 1):
        padded, window = pad_to_grid(x, cell)
        assert padded.shape == (1, 3, -(-37 // cell) * cell, -(-41 // cell) * cell)
        assert torch.equal(padded[window], x)
    padded, window = pad_to_grid(x, 32)
    assert torch.equal(padded, F.pad(x, (11, 12, 13, 14), mode="reflect"))
    cell = {"unet": 32, "unet_shallow": 4, "resnet": 4, "resnet_flat": 1, "resnet_deep": 16}[name]
    padded, window = pad_to_grid(x, cell, least=32 if name == "resnet_deep" else 1)
    torch.testing.assert_close(made(x), made(padded)[window], rtol=0, atol=1e-14)


def test_sides_too_short_to_mirror_repeat_their_border_and_the_other_side_is_still_mirrored() -> None:
    x = torch.arange(40.0).view(1, 1, 2, 20)
    padded, window = pad_to_grid(x, 16)
    assert padded.shape == (1, 1, 16, 32)
    assert torch.equal(padded[window], x)
    rows = padded[0, 0]
    assert all(torch.equal(row, rows[7]) for row in rows[:7])
    assert torch.equal(rows[:, :6], rows[:, 7:13].flip(1))


def test_patchgan_names_the_smallest_size_it_takes() -> None:
    for layers in (1, 2, 3, 4):
        made = PatchGAN(in_channels=2, width=1, layers=layers).eval()
        least = 3 * 2**layers
        assert made(torch.randn(1, 2, least, least + 5)).shape[2] == 1
        assert made(torch.randn(2, 2, 2 * least, 2 * least)).shape == (2, 1, 4, 4)
        with pytest.raises(ValueError, match=f"at least {least}x{least}"):
            made(torch.randn(1, 2, 100, least - 1))


def test_patchgan_sees_70_pixels() -> None:
    """The receptive field of one logit, from the gradient at its input."""
    made = PatchGAN(in_channels=1, width=4, norm="none")
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    made(x)[0, 0, 7, 7].backward()
    assert x.grad is not None
    for dim in (0, 1):
        seen = x.grad[0, 0].abs().sum(dim).nonzero().flatten()
        assert seen.max() - seen.min() + 1 == 70


def test_pixelgan_judges_each_pixel_alone() -> None:
    made = PixelGAN(in_channels=2, width=4).eval()
    x = torch.randn(1, 2, 5, 6)
    assert torch.allclose(made(x)[..., 2:3, 3:4], made(x[..., 2:3, 3:4]), atol=1e-6)


# --- structure


def test_parameter_and_key_counts_of_the_reference() -> None:
    with torch.device("meta"):
        assert count(UNet()) == (54_413_955, 82)
        assert count(UNet(norm="instance")) == (54_409_603, 32)
        assert count(UNet(depth=7))[0] == 41_828_995
        assert len(UNet(depth=7).state_dict()) == 70
        assert count(ResNetGenerator()) == (11_378_179, 48)
        assert count(ResNetGenerator(norm="batch")) == (11_383_427, 140)
        assert count(ResNetGenerator(blocks=6)) == (7_837_699, 36)
        assert count(PatchGAN()) == (2_768_705, 22)
        assert count(PatchGAN(3, norm="instance")) == (2_764_737, 10)
        assert count(PixelGAN()) == (9_024, 9)


def test_convolutions_have_a_bias_where_the_reference_has_one() -> None:
    """Before instance norm everywhere; before batch norm or none, only where the architecture says so."""

    def biased(made: nn.Module) -> set[str]:
        convolutions = (nn.Conv2d, nn.ConvTranspose2d)
        return {n for n, m in made.named_modules() if isinstance(m, convolutions) and m.bias is not None}

    with torch.device("meta"):
        for norm in ("batch", "none"):
            assert biased(UNet(norm=norm)) == biased(ResNetGenerator(norm=norm)) == {"head"}
            assert biased(PatchGAN(norm=norm)) == {"stem.conv", "head"}
            assert biased(PixelGAN(norm=norm)) == {"stem.conv"}
        assert len(biased(UNet(norm="instance"))) == 16
        assert len(biased(ResNetGenerator(norm="instance"))) == 24
        assert len(biased(PatchGAN(norm="instance"))) == 5
        assert len(biased(PixelGAN(norm="instance"))) == 3


@pytest.mark.parametrize("name", GENERATORS)
def test_residual_networks_start_at_the_identity_and_leave_it(name: str) -> None:
    made = GENERATORS[name](residual=True)
    x = 3 * torch.randn(2, 3, 19, 32)  # beyond [-1, 1]: neither squashed nor clamped
    for train in (True, False):
        assert torch.equal(made.train(train)(x), x)
    for kind in KINDS:
        init_weights(made, kind)
        assert torch.equal(made(x), x)
    made.train()(x).square().mean().backward()
    with torch.no_grad():
        for p in made.parameters():
            p -= 0.1 * (p.grad if p.grad is not None else 0)
    assert not torch.equal(made(x), x)


@pytest.mark.parametrize("cls", [UNet, ResNetGenerator])
def test_residual_needs_equal_channels(cls: type[UNet] | type[ResNetGenerator]) -> None:
    with pytest.raises(ValueError, match="in_channels=3 and out_channels=1 must be equal"):
        cls(out_channels=1, residual=True)


def test_dropout_is_where_the_reference_has_it() -> None:
    def places(made: nn.Module) -> list[str]:
        return [name for name, module in made.named_modules() if isinstance(module, nn.Dropout)]

    with torch.device("meta"):
        for depth in range(2, 10):
            kept = places(UNet(width=1, depth=depth))
            assert kept == [f"up.{i}.dropout" for i in range(1, depth - 4)]
            assert all(
                UNet(width=8, depth=depth).get_submodule(n[:-7] + "conv").out_channels == 64 for n in kept
            )
        assert places(ResNetGenerator(blocks=2, dropout=True)) == ["blocks.0.dropout", "blocks.1.dropout"]
        assert places(UNet(dropout=False)) == places(ResNetGenerator()) == []


def test_dropout_acts_in_train_mode_only() -> None:
    x = torch.randn(1, 3, 64, 64)
    for made in (UNet(width=2, depth=6), ResNetGenerator(width=2, blocks=1, dropout=True)):
        assert not torch.equal(made.train()(x), made(x))
        assert torch.equal(made.eval()(x), made(x))


def test_output_keeps_channels_last_through_the_network() -> None:
    made = UNet(width=4, depth=3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.randn(2, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    assert made(x).is_contiguous(memory_format=torch.channels_last)


# --- norms


def test_instance_norm_is_torch_s_own_without_its_view() -> None:
    x = torch.randn(3, 5, 7, 6, dtype=torch.float64, requires_grad=True)
    ours, theirs = InstanceNorm()(x), F.instance_norm(x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((y * weight).sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    assert not ours._is_view()
    assert theirs._is_view()


def test_norms_stay_in_bfloat16_under_autocast() -> None:
    x = torch.randn(2, 4, 8, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert InstanceNorm()(x).dtype == torch.bfloat16


def trained_unet() -> UNet:
    made = UNet(width=2, depth=6)
    init_weights(made, gain=0.2)
    for _ in range(3):
        made(torch.randn(4, 3, 64, 64) * 2 + 1)
    return made.double().eval()


def test_image_statistics_are_each_image_s_own() -> None:
    made = trained_unet()
    x = torch.randn(3, 3, 64, 64, dtype=torch.float64) * torch.tensor([1.0, 3.0, 0.2]).view(3, 1, 1, 1)
    averaged = made(x)
    set_norm_statistics(made, "image")
    together = made(x)
    alone = torch.cat([made(image) for image in x.split(1)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    assert (together - averaged).abs().max() > 1e-3
    set_norm_statistics(made, "running")
    assert torch.equal(made(x), averaged)


def test_image_statistics_are_what_training_on_one_image_sees() -> None:
    """Batch norm in train mode at batch 1, with dropout off and averages unchanged."""
    made = trained_unet()
    trainer = copy.deepcopy(made).train()
    for module in trainer.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    before = copy.deepcopy(made.state_dict())
    set_norm_statistics(made, "image")
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(made(x), trainer(x), rtol=0, atol=1e-12)
    assert torch.equal(made(x), made(x))  # no dropout
    assert all(torch.equal(before[key], value) for key, value in made.state_dict().items())


def test_image_statistics_change_nothing_in_train_mode() -> None:
    x = torch.randn(4, 2, 5, 5)
    ours, theirs = BatchNorm(2), nn.BatchNorm2d(2)
    set_norm_statistics(ours, "image")
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)  # type: ignore[arg-type]


def test_norm_statistics_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(ValueError, match="accepted are running, image"):
        set_norm_statistics(UNet(width=1, depth=2), "batch")
    foreign = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    set_norm_statistics(foreign, "running")
    with pytest.raises(ValueError, match="1: a BatchNorm2d cannot"):
        set_norm_statistics(foreign, "image")


# --- initialisation


def test_initial_weights_have_the_stated_distribution() -> None:
    made = UNet(width=32, depth=5)
    init_weights(made)
    for name, p in made.named_parameters():
        if name.endswith("bias"):
            assert not p.any()
        else:
            mean = 1.0 if ".norm." in name else 0.0
            error = 5 * 0.02 / p.numel() ** 0.5
            assert abs(p.mean().item() - mean) < error
            assert abs(p.std().item() - 0.02) < error


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_initialisation_has_its_own_scale(kind: str) -> None:
    layer = nn.Sequential(nn.Conv2d(16, 16, 3))
    init_weights(layer, kind, gain=0.5)
    weight = layer[0].weight.detach().flatten(1)  # (16, 144)
    std = {
        "normal": 0.5,
        "xavier": 0.5 * (2 / 288) ** 0.5,
        "kaiming": (2 / 144) ** 0.5,
        "orthogonal": 0.5 / 12,
    }
    assert weight.std().item() == pytest.approx(std[kind], rel=0.1)
    if kind == "orthogonal":
        torch.testing.assert_close(weight @ weight.T, 0.25 * torch.eye(16), rtol=0, atol=1e-5)


def test_initialisation_follows_the_seed_and_refuses_unknown_kinds() -> None:
    made = [ResNetGenerator(width=2, blocks=1) for _ in range(2)]
    for one in made:
        torch.manual_seed(5)
        init_weights(one)
    assert all(torch.equal(a, b) for a, b in zip(made[0].parameters(), made[1].parameters(), strict=True))
    with pytest.raises(ValueError, match="accepted are normal, xavier, kaiming, orthogonal"):
        init_weights(made[0], "he")


# --- the reference's names (those of recorded networks: test_reference_figures.py)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dropout", [True, False])
def test_reference_keys_are_one_to_one_for_every_norm(norm: str, dropout: bool) -> None:
    with torch.device("meta"):
        networks = [
            *(UNet(width=1, depth=depth, norm=norm, dropout=dropout) for depth in (5, 7, 8, 9)),
            *(ResNetGenerator(width=1, blocks=n, norm=norm, dropout=dropout) for n in (0, 6, 9)),
            *(PatchGAN(width=1, layers=n, norm=norm) for n in (1, 3, 5)),
            PixelGAN(width=1, norm=norm),
        ]
    for made in networks:
        keys = reference_keys(made)
        assert list(keys) == list(made.state_dict())
        assert len(set(keys.values())) == len(keys)


def test_reference_keys_stated_in_its_documentation() -> None:
    with torch.device("meta"):
        resnet = reference_keys(ResNetGenerator(norm="batch", dropout=True)).items()
        unet = reference_keys(UNet()).items()
    assert {
        ("blocks.8.conv2.weight", "model.18.conv_block.6.weight"),
        ("blocks.0.norm2.bias", "model.10.conv_block.7.bias"),
        ("up.1.norm.running_var", "model.23.running_var"),
        ("head.bias", "model.26.bias"),
    } <= resnet
    innermost = "model.model.1.model" + 6 * ".3.model"
    assert {
        ("down.6.conv.weight", f"{innermost}.1.weight"),
        ("up.0.norm.weight", f"{innermost}.4.weight"),
        ("up.6.conv.weight", "model.model.1.model.5.weight"),
        ("head.weight", "model.model.3.weight"),
    } <= unet


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (ResNetGenerator(width=1, blocks=0, downs=1), "downs=2, this one has downs=1"),
        (ResNetGenerator(width=1, blocks=0, residual=True), "residual=true"),
        (UNet(width=1, depth=5, residual=True), "residual=true"),
        (UNet(width=1, depth=4), "depth of 5 or more"),
        (nn.Conv2d(1, 1, 1), "no Conv2d"),
    ],
)
def test_networks_without_a_counterpart_are_refused(made: nn.Module, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        reference_keys(made)


# --- descriptions

DESCRIBED = [
    UNet(1, 2, 3, depth=4, norm="none", dropout=False),
    UNet(2, 2, 3, depth=2, residual=True),
    ResNetGenerator(1, 2, 3, blocks=0, downs=4, norm="batch", dropout=True),
    PatchGAN(5, 3, layers=2, norm="instance"),
    PixelGAN(4, 3, norm="none"),
]


@pytest.mark.parametrize("made", DESCRIBED, ids=lambda made: type(made).__name__)
def test_a_network_is_rebuilt_from_its_description(made: nn.Module) -> None:
    description = json.loads(json.dumps(catalogue.describe(made)))
    again = catalogue.build(description)
    assert catalogue.describe(again) == description
    again.load_state_dict(made.state_dict())
    x = torch.randn(1, description["arguments"]["in_channels"], 24, 24)
    assert torch.equal(made.eval()(x), again.eval()(x))


def test_a_description_is_a_copy_and_complete() -> None:
    made = UNet(width=1, depth=2)
    catalogue.describe(made)["arguments"]["width"] = 7
    assert catalogue.describe(made) == {
        "name": "UNet",
        "arguments": {
            "in_channels": 3,
            "out_channels": 3,
            "width": 1,
            "depth": 2,
            "norm": "batch",
            "dropout": True,
            "residual": False,
        },
    }


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("os.system", {}, "accepted are UNet, ResNetGenerator"),
        (["UNet"], {}, "accepted are UNet"),
        ("UNet", ["width"], "must be an object"),
        ("UNet", {"blocks": 9}, "unknown argument 'blocks'; accepted are in_channels"),
        ("UNet", {"width": 0}, "width=0: accepted are whole numbers from 1 to 1024"),
        ("UNet", {"width": 64.0}, "width=64.0"),
        ("UNet", {"width": True}, "width=True"),
        ("UNet", {"width": 10**9}, "width=1000000000"),
        ("UNet", {"depth": 13}, "from 2 to 12"),
        ("UNet", {"dropout": 1}, "accepted are true and false"),
        ("UNet", {"norm": ["batch"]}, "accepted are batch, instance, none"),
        ("ResNetGenerator", {"downs": 5}, "from 0 to 4"),
        ("ResNetGenerator", {"blocks": 65}, "from 0 to 64"),
        ("PatchGAN", {"in_channels": 65}, "from 1 to 64"),
        ("PatchGAN", {"layers": 0}, "from 1 to 6"),
        ("PixelGAN", {"norm": "layer"}, "norm='layer'"),
        ("UNet", {"width": 1024, "depth": 12}, "parameters; at most"),
        ("ResNetGenerator", {"width": 1024, "blocks": 64, "downs": 4}, "parameters; at most"),
    ],
)
def test_absurd_descriptions_are_refused_before_anything_is_allocated(
    name: object, arguments: object, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        catalogue.build({"name": name, "arguments": arguments})


def test_every_argument_of_every_network_is_checked_and_kept() -> None:
    for cls in catalogue.CLASSES.values():
        with torch.device("meta"):
            made = catalogue.build({"name": cls.__name__})
        arguments = catalogue.describe(made)["arguments"]
        for name in arguments:
            with pytest.raises(ValueError, match=name):
                cls(**arguments | {name: "absurd"})


def test_foreign_networks_have_no_description() -> None:
    class UNet(nn.Module):  # the same name does not make it ours
        def forward(self, x: Tensor) -> Tensor:
            return x

    for made in (UNet(), nn.Identity()):
        with pytest.raises(ValueError, match="is not one of our networks"):
            catalogue.describe(made)


def test_every_combination_of_arguments_trains() -> None:
    """A backward pass reaches every parameter, at a size off the grid."""
    for norm, dropout, residual in itertools.product(NORMS, (True, False), (True, False)):
        for name in ("unet", "resnet"):
            made = GENERATORS[name](norm=norm, dropout=dropout, residual=residual)
            init_weights(made, gain=0.1)
            made(torch.randn(2, 3, 13, 22)).square().sum().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_is_the_same_in_every_layout(images: int, affine: bool) -> None:
    """One image or several, plane by plane or channels last: mean 0, variance 1, and the same gradients."""
    rng = torch.Generator().manual_seed(0)
    x, outer = (torch.randn(images, 5, 6, 7, generator=rng, dtype=torch.float64) for _ in range(2))
    scale = torch.rand(5, generator=rng, dtype=torch.float64) + 0.5 if affine else None
    shift = torch.rand(5, generator=rng, dtype=torch.float64) if affine else None
    centred = x - x.mean((2, 3), keepdim=True)
    formula = centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
    if scale is not None and shift is not None:
        formula = formula * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        leaf = x.contiguous(memory_format=layout).requires_grad_()
        made = per_image(leaf, scale, shift)
        torch.testing.assert_close(made, formula, rtol=0, atol=1e-12)
        assert made.is_contiguous(memory_format=layout)
        gradients += torch.autograd.grad(made, leaf, outer)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
