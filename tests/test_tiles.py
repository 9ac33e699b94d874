"""A picture in tiles comes out as it does whole, at any size, in whatever memory there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gantrans.bundles.bundle import Card
from gantrans.core.device import open_core
from gantrans.errors import ConfigError, DataError
from gantrans.inference import memory, predictor, rendering, tiles
from gantrans.inference.predictor import Predictor
from gantrans.inference.receptive import Reach, reach_of
from gantrans.kernels.conv import Conv2d
from gantrans.nets import catalogue
from gantrans.nets.adain import AdaINGenerator
from gantrans.nets.blocks import pad_to_grid
from gantrans.nets.colorizer import Colorizer
from gantrans.nets.init import init_weights
from gantrans.nets.norm import InstanceNorm
from gantrans.nets.pretrained_unet import PretrainedUNet
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.superres import RRDBNet, SRResNet
from gantrans.nets.unet import UNet
from tests.conftest import draw_picture

Made = tuple[nn.Module, dict[str, object]]
FAMILIES: dict[str, Callable[[], Made]] = {
    "unet": lambda: (UNet(width=3, depth=3, norm="batch"), {}),
    "unet, image": lambda: (UNet(width=3, depth=3, norm="batch"), {"norm_statistics": "image"}),
    "resnet": lambda: (ResNetGenerator(width=3, blocks=1, downs=1), {}),
    "superres": lambda: (SRResNet(width=4, blocks=1, scale=2, residual=False), {"scale": 2}),
    "dense": lambda: (RRDBNet(width=4, blocks=1, growth=2, scale=1, residual=False), {}),
    "mask": lambda: (
        UNet(4, 3, width=3, depth=2, norm="none", residual=True),
        {"mask": "input", "outside": "copy"},
    ),
    "enlarged": lambda: (UNet(width=3, depth=2, norm="none"), {"scale": 2}),
    "labels": lambda: (
        UNet(3, 4, width=3, depth=2, norm="none"),
        {"target_mode": "labels", "classes": 4},
    ),
    "colours": lambda: (Colorizer(width=3, depth=2, working_px=0), {"source_mode": "grey"}),
}
SLOW_FAMILIES: dict[str, Callable[[], Made]] = {
    "blurred": lambda: (ResNetGenerator(width=3, blocks=1, downs=1, antialias=True), {}),
    "remover": lambda: (MaskedUNet(width=3, depth=2), {}),
    "superres, image": lambda: (
        SRResNet(width=3, blocks=2, scale=3, norm="batch", residual=False),
        {"scale": 3, "norm_statistics": "image"},
    ),
    "resnet34": lambda: (PretrainedUNet(width=2), {}),
}


def made(name: str, **how: object) -> Predictor:
    network, card = {**FAMILIES, **SLOW_FAMILIES}[name]()
    torch.manual_seed(1)
    init_weights(network, "normal", 0.1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1)  # a residual network that has learned something
    about = Card(catalogue.describe(network), **card)  # type: ignore[arg-type]
    return Predictor(network, about, open_core("cpu"), **how)  # type: ignore[arg-type]


def given(card: Card, height: int, width: int) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture of 16 bits, so that rounding hides nothing, and a mask where one is needed."""
    pixels = (draw_picture(3, height, width).astype(np.uint16) * 257) ^ 9
    mask = np.zeros((height, width, 1), np.uint8)
    mask[height // 4 : height // 2 + 1, : width // 2 + 1] = 255
    return pixels[..., : 1 if card.source_mode == "grey" else 3], mask if card.mask == "input" else None


def difference(one: np.ndarray, other: np.ndarray) -> float:
    assert one.shape == other.shape
    assert one.dtype == other.dtype
    return float(np.abs(one.astype(float) - other).max() / np.iinfo(one.dtype).max)


def same(name: str, size: tuple[int, int], tile: int) -> None:
    whole, cut = made(name, tile=0), made(name, tile=tile)
    picture = given(whole.card, *size)
    expected = whole(*picture)
    assert expected.std() > 0
    assert difference(cut(*picture), expected) < 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tiled_result_is_the_untiled_one(name: str) -> None:
    same(name, (67, 90), 24)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_FAMILIES)
def test_a_tiled_result_is_the_untiled_one_for_others_too(name: str) -> None:
    same(name, (101, 150), 40)


def test_norms_that_see_their_tile_alone_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "whole_picture_norms", lambda _: [])
    with pytest.raises(AssertionError):
        same("resnet", (67, 90), 24)


def seam_energy(picture: np.ndarray, step: int, cell: int = 8) -> float:
    """How much the picture bends at multiples of `step` columns, to how much it does at others of `cell`: a
    network's own pattern has that period."""
    x = picture.astype(float)
    bends = np.abs(x[:, :-3] - 3 * x[:, 1:-2] + 3 * x[:, 2:-1] - x[:, 3:]).mean((0, 2))
    at = np.arange(2, len(bends) + 2)
    return float(bends[at % step == 0].mean() / bends[(at % step != 0) & (at % cell == 0)].mean())


@pytest.mark.parametrize("halo", [None, 0])
def test_tile_borders_are_as_smooth_as_all_else(halo: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if halo is not None:  # the planted offender
        monkeypatch.setattr(predictor, "reach_of", lambda n: replace(reach_of(n), halo=halo))
    tiled = made("dense", tile=24)
    rows, cols = np.mgrid[:96, :168]
    waves = 32000 + 9000 * np.sin(
        rows / 7 + cols / 5
    )  # alike everywhere, and smooth, so that seams would show
    energy = seam_energy(tiled(np.repeat(waves.astype(np.uint16)[..., None], 3, 2)), 24)
    assert energy < 1.1 if halo is None else energy > 2, energy


def test_reach_is_that_of_kernels_and_strides() -> None:
    unet = UNet(width=7, depth=4)
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    assert reach_of(unet).halo == 32  # 2 * 2**depth - 1 by hand, in whole cells
    assert torch.equal(torch.rand(1), before)
    blocks, rate = 3, 2  # 3 + 1 at the picture's size, 2 blocks' convolutions at half of it, 1, then 3
    by_hand = 3 + 1 + blocks * 2 * rate + 2 + 3
    halo = reach_of(ResNetGenerator(width=5, blocks=blocks, downs=1)).halo
    assert halo is not None
    assert by_hand - 2 <= halo <= by_hand + 8


def test_what_looks_at_the_whole_picture_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    attending = PretrainedUNet(width=4, attention=True)
    for network in (attending, AdaINGenerator(), Colorizer(width=2, depth=2), nn.Identity()):
        assert reach_of(network).halo is None
        assert reach_of(network).reason
    network = Colorizer(width=2, depth=2, working_px=16)
    pixels = draw_picture(1, 40, 50)[..., :1]
    card = Card(catalogue.describe(network), source_mode="grey")
    for _ in range(2):
        tiled = Predictor(network, card, open_core("cpu"), tile=16)
        assert np.array_equal(tiled(pixels), Predictor(network, card, open_core("cpu"), tile=0)(pixels))
    tiled(pixels)
    assert capsys.readouterr().err.count("not cut into tiles") == 2  # once each


@pytest.mark.parametrize(
    ("length", "inner", "halo", "blend"), [(96, 24, 16, 0), (104, 24, 8, 4), (7, 8, 8, 0)]
)
def test_spans_cover_a_side_once(length: int, inner: int, halo: int, blend: int) -> None:
    sums = np.zeros(length)
    for span in tiles.spans(length, inner, halo, blend=blend):
        assert 0 <= span.begin <= span.keep_first <= span.keep_last <= span.end <= length
        sums[span.keep_first : span.keep_last] += span.weights()
    assert np.allclose(sums, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 50), (9, 16), (33, 64)])
def test_padding_is_that_of_the_networks(size: tuple[int, int]) -> None:
    x, reach = torch.rand(1, 1, *size), Reach(8, 16, 8)
    padded, _ = pad_to_grid(x, reach.cell, reach.least)
    for axis, length in enumerate(size, 2):
        before, behind = tiles.margins(length, reach)
        at = tiles.mirrored(0, length + before + behind, length, (before, behind))
        x = x.index_select(axis, torch.from_numpy(at))
    assert torch.equal(x, padded)


@pytest.mark.parametrize("most_px", [64 * 64, 200 * 200, 10**6])
def test_tiles_fit_the_memory_that_there_is(most_px: int) -> None:
    layout = tiles.fitting(320, 480, most_px, Reach(8, 8, 24))
    assert layout.largest_px <= most_px
    assert layout.exact
    assert layout.total_px >= 320 * 480
    tight = tiles.fitting(320, 480, 40 * 40, Reach(8, 8, 24))
    assert tight.largest_px <= 40 * 40
    assert not tight.exact


def scarce(monkeypatch: pytest.MonkeyPatch, most_px: int) -> list[int]:
    """A machine on which no more pixels than these can be translated at once; what was asked of it."""
    asked: list[int] = []
    translate = Predictor.predict_x01

    def tried(self: Predictor, x01: torch.Tensor) -> torch.Tensor:
        asked.append(x01.numel() // x01.shape[1])
        if asked[-1] > most_px:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory")
        return translate(self, x01)

    monkeypatch.setattr(Predictor, "predict_x01", tried)
    return asked


def test_where_memory_runs_out_tiles_become_smaller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = made("unet")
    pictures = [draw_picture(seed, 80, 96) for seed in (1, 2)]
    expected = [whole(one) for one in pictures]
    asked = scarce(monkeypatch, 60 * 60)
    found = made("unet").batch(pictures)
    assert asked[0] == 2 * 80 * 96
    assert all(difference(one, other) < 1 / 200 for one, other in zip(found, expected, strict=True))
    told = capsys.readouterr().err
    assert told.count("one picture at a time") == 1
    assert told.count("smaller tiles") == 1


@pytest.mark.parametrize("tile", [None, 0])
def test_where_nothing_helps_it_is_said(tile: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    poor = made("unet", tile=tile)
    scarce(monkeypatch, 5)
    with pytest.raises(DataError, match="do not fit memory"):
        poor(draw_picture(1, 80, 96))


def test_other_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = made("unet")
    monkeypatch.setattr(broken, "_answer", lambda _: torch.zeros(2, 3) @ torch.zeros(2, 3))
    with pytest.raises(RuntimeError, match="shapes"):
        broken(draw_picture(1, 20, 20))
    with pytest.raises(ConfigError, match="tile=-1"):
        made("unet", tile=-1)


def test_too_little_for_the_halo_fades(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network, picture = made("unet"), draw_picture(4, 96, 168)
    expected = network(picture)
    monkeypatch.setattr(Predictor, "_fits", lambda *_: False)
    monkeypatch.setattr(Predictor, "_most_px", lambda _: 32 * 32)
    found = network(picture)
    assert difference(found, expected) < 0.1
    assert "fade into each other" in capsys.readouterr().err


def test_several_of_one_size_are_each_as_if_alone() -> None:
    for name in ("unet", "unet, image", "mask"):
        one = made(name)
        pictures = [draw_picture(seed, 30, 45) for seed in (1, 2, 3)]
        marks = [given(one.card, 30, 45)[1]] * 3
        together = one.batch(pictures, marks)
        for picture, mask, answer in zip(pictures, marks, together, strict=True):
            assert difference(answer, one(picture, mask)) <= 1 / 255
    assert [x.shape for x in one.batch([pictures[0], pictures[1][:7]], [marks[0], marks[0][:7]])] == [
        (30, 45, 3),
        (7, 45, 3),
    ]


def test_an_ensemble_has_no_side_that_it_prefers() -> None:
    """Its answer to a turned picture is its answer, turned: true of no single network with random weights."""
    picture = given(made("unet").card, 24, 40)[0]
    together, tiled = made("unet", ensemble=True), made("unet", ensemble=True, tile=16)
    answer = together(picture)
    assert difference(np.rot90(together(np.rot90(picture))), np.rot90(answer, 2)) < 1e-4
    assert difference(np.rot90(made("unet")(np.rot90(picture))), np.rot90(made("unet")(picture), 2)) > 1e-2
    assert difference(tiled(picture), answer) < 1e-3


def test_half_precision_works_in_tiles() -> None:
    network, card = FAMILIES["resnet"]()
    init_weights(network, "normal", 0.1)
    about = Card(catalogue.describe(network), **card)  # type: ignore[arg-type]
    whole, cut = (Predictor(network, about, open_core("cpu", "bf16"), tile=tile) for tile in (0, 40))
    picture = draw_picture(5, 60, 70)
    assert difference(cut(picture), whole(picture)) < 0.05  # bfloat16 rounds to 3 digits, layer by layer
    assert not any(isinstance(m, InstanceNorm) and m.moments for m in network.modules())


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 120)])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_size_comes_back(name: str, size: tuple[int, int]) -> None:
    sized(name, size)


def sized(name: str, size: tuple[int, int], tile: int | None = 24) -> None:
    one = made(name, tile=tile)
    found = one(*given(one.card, *size))
    assert found.shape[:2] == (size[0] * one.card.scale, size[1] * one.card.scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES, *SLOW_FAMILIES])
def test_every_size_comes_back_up_to_600(name: str) -> None:
    sides = (1, 2, 3, 5, 8, 13, 31, 64, 100, 257, 600)
    for height in sides:
        for width in (1, 7, 64, 600):
            sized(name, (height, width), None)
    sized(name, (600, 600), 200)


def test_memory_is_measured() -> None:
    kept = []
    most = memory.peak_bytes(lambda: kept.append(torch.zeros(1000) + torch.zeros(1000)))
    assert most == 3 * 4000  # both terms and the sum
    assert 0 < memory.budget_bytes(torch.device("cpu")) <= memory.CPU_BYTES
    assert memory.is_full(MemoryError())
    assert not memory.is_full(RuntimeError("sizes differ"))


class Wasteful(Conv2d):
    """A planted offender: its fast way takes 3 KB for each pixel, and 16 MB for its weight."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        turned = self.weight.flatten()[:1].expand(2**22).clone()
        room = input[:, :1].expand(-1, 768, -1, -1).clone() if self.fast else input
        return super().forward(input) + 0 * (room.flatten()[0] + turned[0])


def test_what_a_fast_way_takes_for_a_pixel_is_seen() -> None:
    layer = Wasteful(3, 3, 3, padding=1).eval()
    with torch.inference_mode():
        quick = memory.bytes_per_px(layer, layer, 3, 32)
        layer.fast = False
        plain = memory.bytes_per_px(layer, layer, 3, 32)
    assert 3000 < quick - plain < 3200
    assert plain < 200  # weights do not count


def test_a_large_work_returns_memory_between_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[int] = []
    held = iter(range(0, 2**40, 2**29))
    monkeypatch.setattr(memory, "give_back_free_blocks", lambda: returned.append(1))
    monkeypatch.setattr(memory, "held_bytes", lambda: next(held))
    network = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    for needed, times in ((2**20, 0), (2**28, 3)):
        returned.clear()
        with memory.tidied(network, needed):
            network(torch.zeros(1))
        assert len(returned) == times
        network(torch.zeros(1))
        assert len(returned) == times  # hooks are gone
