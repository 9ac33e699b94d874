"""Every fast way to convolve against PyTorch's own, in both directions and twice differentiated."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels import conv as ways
from gantrans.kernels.blocked import conv2d_blocked
from gantrans.kernels.conv import Conv2d, ConvTranspose2d, for_inference, set_fast
from gantrans.kernels.gemm import conv2d_gemm, conv_transpose2d_gemm
from gantrans.kernels.product import by_place, packed_places
from gantrans.kernels.winograd import Winograd, conv2d, toom_cook
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet

Convolve = Callable[[Tensor, Tensor], Tensor]


def reflected(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight)


# name -> (fast, direct, shape of x, shape of the weight); odd sizes leave tiles incomplete
CASES: dict[str, tuple[Convolve, Convolve, tuple[int, ...], tuple[int, ...]]] = {
    "winograd 3x3": (
        lambda x, w: conv2d(Winograd(4, 3), x, w, 1),
        lambda x, w: F.conv2d(x, w, padding=1),
        (2, 5, 13, 18), (4, 5, 3, 3),
    ),
    "winograd 3x3 reflect": (
        lambda x, w: conv2d(Winograd(4, 3), x, w, 1, "reflect"), reflected, (2, 5, 13, 18), (4, 5, 3, 3),
    ),
    "winograd 3x3 reflect whole tiles": (
        lambda x, w: conv2d(Winograd(4, 3), x, w, 1, "reflect"), reflected, (1, 5, 16, 8), (4, 5, 3, 3),
    ),
    "winograd 4x4": (
        lambda x, w: conv2d(Winograd(3, 4), x, w, 1),
        lambda x, w: F.conv2d(x, w, padding=1),
        (2, 5, 15, 9), (4, 5, 4, 4),
    ),
    "gemm": (
        lambda x, w: conv2d_gemm(x, w, None, 2, 1),
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        (2, 5, 4, 6), (4, 5, 4, 4),
    ),
    "gemm one pixel": (
        lambda x, w: conv2d_gemm(x, w, None, 2, 1),
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        (1, 5, 2, 2), (4, 5, 4, 4),
    ),
    "gemm transposed": (
        lambda x, w: conv_transpose2d_gemm(x, w, None, 2, 1),
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1),
        (2, 5, 2, 3), (5, 4, 4, 4),
    ),
    "blocked": (lambda x, w: conv2d_blocked(x, w, None), F.conv2d, (2, 5, 14, 12), (3, 5, 7, 7)),
}  # fmt: skip


def derivatives(convolve: Convolve, shapes: list[tuple[int, ...]], dtype: torch.dtype) -> Iterator[Tensor]:
    """The outcome, its gradients, and those of a penalty on these gradients."""
    rng = torch.Generator().manual_seed(0)
    x, weight = (
        torch.randn(s, generator=rng, dtype=torch.float64).to(dtype).requires_grad_() for s in shapes
    )
    y = convolve(x, weight)
    outer = torch.randn(y.shape, generator=rng, dtype=torch.float64).to(dtype)
    first = torch.autograd.grad(y, (x, weight), outer, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), (x, weight))
    yield from (y, *first, *second)


def furthest(ours: Iterator[Tensor], theirs: Iterator[Tensor]) -> float:
    """The largest relative error, in the norm of each tensor."""
    pairs = list(zip(ours, theirs, strict=True))
    return max(
        float((a.double() - b.double()).norm().detach() / b.double().norm().detach()) for a, b in pairs
    )


@pytest.mark.parametrize("name", CASES)
def test_a_fast_way_is_exact(name: str) -> None:
    fast, direct, *shapes = CASES[name]
    assert furthest(*(derivatives(f, shapes, torch.float64) for f in (fast, direct))) < 1e-12


@pytest.mark.parametrize("name", CASES)
def test_a_fast_way_keeps_float32(name: str) -> None:
    """The issue's bound for a layer; float64 is the truth for both."""
    fast, direct, *shapes = CASES[name]
    truth = list(derivatives(direct, shapes, torch.float64))
    assert furthest(derivatives(fast, shapes, torch.float32), iter(truth)) < 1e-5


@pytest.mark.parametrize("channels", [256, 512])
def test_winograd_keeps_float32_over_many_channels(channels: int) -> None:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(1, channels, 12, 12, generator=rng, dtype=torch.float64)
    for side, plan in ways.PLANS.items():
        weight = torch.randn(8, channels, side, side, generator=rng, dtype=torch.float64)
        truth = F.conv2d(x, weight, padding=1)
        made = conv2d(plan, x.float(), weight.float(), 1)
        assert float((made - truth).norm() / truth.norm()) < 1e-5


def test_the_comparison_notices_a_wrong_tap() -> None:
    fast, direct, *shapes = CASES["winograd 3x3"]

    def planted(x: Tensor, weight: Tensor) -> Tensor:
        return direct(x, weight) + 1e-6 * F.conv2d(x, weight.flip(3), padding=1)

    assert furthest(*(derivatives(f, shapes, torch.float64) for f in (planted, direct))) > 1e-8
    assert furthest(*(derivatives(f, shapes, torch.float64) for f in (fast, planted))) > 1e-8


@pytest.mark.parametrize(("m", "r"), [(4, 3), (3, 4), (4, 2), (2, 3)])
def test_toom_cook_correlates(m: int, r: int) -> None:
    a, g, b = toom_cook(m, r)
    rng = np.random.default_rng(0)
    d, kernel = rng.standard_normal(m + r - 1), rng.standard_normal(r)
    np.testing.assert_allclose(a @ ((g @ kernel) * (b @ d)), np.correlate(d, kernel), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape", "way"),
    [
        (Conv2d(256, 256, 3, padding=1, padding_mode="reflect"), (1, 256, 32, 32), "winograd"),
        (Conv2d(256, 512, 4, padding=1), (1, 256, 32, 32), "winograd"),
        (Conv2d(32, 512, 4, padding=1), (1, 32, 32, 32), "direct"),
        (Conv2d(256, 512, 4, padding=1), (1, 256, 9, 9), "direct"),
        (Conv2d(256, 256, 3, padding=1, groups=2), (1, 256, 32, 32), "direct"),
        (Conv2d(256, 256, 3, padding=2, dilation=2), (1, 256, 32, 32), "direct"),
        (Conv2d(256, 256, (3, 4), padding=1), (1, 256, 32, 32), "direct"),
        (Conv2d(512, 512, 4, 2, 1), (1, 512, 16, 16), "gemm"),
        (Conv2d(512, 512, 4, 2, 1), (4, 512, 16, 16), "direct"),
        (Conv2d(512, 512, 4, 2, 1, padding_mode="reflect"), (1, 512, 8, 8), "direct"),
        (Conv2d(64, 3, 7, padding=3, padding_mode="reflect"), (1, 64, 32, 32), "blocked"),
        (Conv2d(64, 3, 7, padding=3), (1, 64, 31, 32), "direct"),
        (ConvTranspose2d(8, 4, 4, 2, 1), (1, 8, 8, 8), "gemm"),
        (ConvTranspose2d(8, 4, 4, 2, 1), (1, 8, 9, 8), "direct"),
        (ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1), (1, 8, 4, 4), "direct"),
    ],
)  # fmt: skip
def test_each_shape_goes_its_way_and_comes_out_alike(
    layer: Conv2d | ConvTranspose2d, shape: tuple[int, ...], way: str
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert layer.way(x) == way
    with torch.no_grad():
        fast = layer(x)
        set_fast(layer, False)
        direct = layer(x)
        set_fast(layer, True)
    torch.testing.assert_close(fast, direct, rtol=1e-4, atol=1e-4)
    assert way in ("direct", "blocked") or not torch.equal(fast, direct)


def test_reduced_precision_leaves_winograd_alone() -> None:
    layer = Conv2d(128, 128, 3, padding=1)
    x = torch.zeros(1, 128, 32, 32)
    assert layer.way(x) == "winograd"
    assert layer.way(x.bfloat16()) == "direct"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer.way(x) == "direct"


@pytest.mark.parametrize(
    ("network", "side"),
    [
        (ResNetGenerator(width=32, blocks=2), 96),
        (UNet(width=8, depth=6), 64),
        (PatchGAN(in_channels=3, width=32, layers=3), 128),
    ],
)
def test_whole_networks_agree_with_their_twin(
    network: nn.Module, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every gradient of a network in float64, where rounding cannot hide a mistake."""
    network, used = network.double(), set()
    for layer in (Conv2d, ConvTranspose2d):
        monkeypatch.setattr(
            layer, "way", lambda self, x, way=layer.way: used.add(way(self, x)) or way(self, x)
        )
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = []
    for fast in (True, False):
        set_fast(network, fast)
        torch.manual_seed(0)
        loss = network(x).square().mean()
        found.append([loss.detach(), *torch.autograd.grad(loss, list(network.parameters()))])
    assert used - {"direct"}
    largest = max(float(g.norm()) for g in found[1][1:])
    for ours, theirs in zip(*found, strict=True):
        # in front of a norm a bias has no gradient, so rounding is all there is: hence `largest`
        assert float((ours - theirs).norm()) <= 1e-12 * max(float(theirs.norm()), largest)


def test_kept_weights_follow_their_weight() -> None:
    """What is kept for inference is dropped when the weight changes, and never copied or saved."""
    layer, x = Conv2d(96, 96, 3, padding=1), torch.randn(1, 96, 32, 32)
    for_inference(layer)
    with torch.inference_mode():
        before = layer(x)
        assert layer._kept is not None
        assert torch.equal(layer(x), before)
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.mul_(2)  # type: ignore[union-attr]
        torch.testing.assert_close(layer(x), 2 * before)
    assert copy.deepcopy(layer)._kept is None
    assert set(layer.state_dict()) == {"weight", "bias"}
    layer(x).sum().backward()  # training on top of it
    assert layer.weight.grad is not None and layer._kept is None
    with torch.no_grad():
        layer(x)
    kept = layer._kept
    assert kept is not None
    told = list(kept[0])
    told[3] = layer.weight._version
    layer._kept = (tuple(told), ways.PLANS[3].packed(layer.weight * 0, x))  # a planted stale form is noticed
    with torch.no_grad():
        assert not torch.allclose(layer(x), 2 * before)


@pytest.mark.parametrize("rows", [3, 600])  # fewer and more than MANY_ROWS
def test_products_by_place_are_those_of_each_place(rows: int) -> None:
    """torch.bmm's, oneDNN's and the packed one, each checked against the definition."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, 9, 20, generator=generator), torch.randn(9, 34, 20, generator=generator)
    truth = torch.einsum("tpc,pkc->tpk", a.double(), b.double()).float()
    found = [by_place(a, b)]
    with torch.no_grad():
        found += [by_place(a, b), by_place(a, packed_places(b, rows))]
    for product in found:
        assert product.is_contiguous()
        torch.testing.assert_close(product, truth, rtol=1e-4, atol=1e-4)


def test_weights_packed_for_winograd_serve_every_size() -> None:
    """Packed for the tiles of the first picture, right for all, few or many, odd channels or not."""
    sizes = [(20, 20), (96, 130), (21, 33)]
    for layer in (Conv2d(96, 100, 3, padding=1, padding_mode="reflect"), Conv2d(100, 96, 4)):
        pictures = [torch.randn(2, layer.in_channels, *size) for size in sizes]
        for_inference(layer)
        with torch.no_grad():
            for x in pictures:
                assert layer.way(x) == "winograd"
                found = layer(x)
                assert layer._kept is not None and layer._kept[1].is_mkldnn
                set_fast(layer, False)
                torch.testing.assert_close(found, layer(x), rtol=1e-4, atol=1e-4)
                set_fast(layer, True)


@pytest.mark.parametrize(
    "layer", [Conv2d(6, 8, 4, 2, 1), Conv2d(6, 8, 3, padding=1), ConvTranspose2d(6, 8, 4, 2, 1)]
)
def test_packed_weights_serve_every_size(layer: Conv2d | ConvTranspose2d) -> None:
    """Packed for the first picture, right for all; and not where training or another format needs it."""
    sizes = [(1, 6, 4, 4), (2, 6, 32, 24), (1, 6, 7, 9)]
    pictures = [torch.randn(size, generator=torch.Generator().manual_seed(3)) for size in sizes]
    with torch.inference_mode():
        plain = [layer(x) for x in pictures]
        assert layer._kept is None
        for_inference(layer)
        for x, expected in zip(pictures, plain, strict=True):
            torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)
        assert layer._kept is not None and "packed" in layer._kept[0]
        layer._kept = (layer._kept[0], layer._kept[1] * 0)  # were it not used, this would change nothing
        assert not torch.allclose(layer(pictures[0]), plain[0])
    layer(pictures[0]).sum().backward()
    assert layer.weight.grad is not None


def test_kept_weights_notice_what_replaces_them() -> None:
    """Another tensor behind the parameter, another type; and weights made in inference mode are not kept."""
    x = torch.randn(1, 96, 32, 32)
    for change in (lambda c: setattr(c.weight, "data", c.weight.data * 2), lambda c: c.double()):
        layer = Conv2d(96, 96, 3, padding=1)
        for_inference(layer)
        with torch.no_grad():
            layer(x)
            change(layer)
            twin = copy.deepcopy(layer)
            set_fast(twin, False)
            given = x.to(layer.weight.dtype)
            torch.testing.assert_close(layer(given), twin(given), rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        layer = Conv2d(96, 96, 3, padding=1)
        for_inference(layer)
        assert layer(x).shape == x.shape
        assert layer._kept is None


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(96, 96, 3, (1, 2), 1),
        Conv2d(96, 96, 3, 1, (1, 0)),
        Conv2d(96, 8, 4, (2, 1), 1),
        ConvTranspose2d(96, 8, 4, (2, 1), 1),
        ConvTranspose2d(96, 8, 4, 2, (1, 0)),
        ConvTranspose2d(96, 8, (4, 2), 2, 1),
        Conv2d(96, 96, 3, padding="same"),
    ],
)
def test_what_differs_between_directions_is_left_to_pytorch(layer: Conv2d | ConvTranspose2d) -> None:
    x = torch.randn(1, 96, 6, 6) if isinstance(layer, ConvTranspose2d) else torch.randn(1, 96, 24, 24)
    assert layer.way(x) == "direct"
    twin = copy.deepcopy(layer)
    set_fast(twin, False)
    assert torch.equal(layer(x), twin(x))


def test_types_are_not_mixed_behind_the_back() -> None:
    with pytest.raises(RuntimeError):
        Conv2d(8, 8, 4, 2, 1)(torch.zeros(1, 8, 4, 4, dtype=torch.bfloat16))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_gradients_hold_for_every_kind_of_border(mode: str) -> None:
    """Winograd knows the adjoint of two of them; the others are PyTorch's."""
    layer = Conv2d(96, 96, 3, padding=1, padding_mode=mode).double()
    x = torch.randn(1, 96, 24, 24, dtype=torch.float64, requires_grad=True)
    assert layer.way(x) == ("winograd" if mode in ("zeros", "reflect") else "direct")
    found = []
    for fast in (True, False):
        set_fast(layer, fast)
        found.append(torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()]))
    for ours, theirs in zip(*found, strict=True):
        assert float((ours - theirs).norm()) <= 1e-12 * float(theirs.norm())


def test_kept_weights_notice_a_fused_optimizer() -> None:
    """Whose steps PyTorch does not count as changes of the weight."""
    layer, x = Conv2d(96, 96, 3, padding=1), torch.randn(1, 96, 24, 24)
    for_inference(layer)
    with torch.no_grad():
        layer(x)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, fused=True)
    layer(x).square().sum().backward()
    optimizer.step()
    with torch.no_grad():
        twin = copy.deepcopy(layer)
        set_fast(twin, False)
        torch.testing.assert_close(layer(x), twin(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layer", [Conv2d(6, 8, 4, 2, 1), ConvTranspose2d(6, 8, 4, 2, 1)])
def test_no_pictures_and_wrong_channels_are_pytorchs(layer: Conv2d | ConvTranspose2d) -> None:
    x = torch.randn(0, 6, 4, 4, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape
    with pytest.raises(RuntimeError, match="channels"), torch.no_grad():
        layer(torch.randn(1, 5, 4, 4))
