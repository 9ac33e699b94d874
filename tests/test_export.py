"""Exported graphs are the network they came from, at any size and batch; one that is not is never kept."""

from __future__ import annotations

import copy
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gantrans.build.config import compose_verb
from gantrans.build.factory import make
from gantrans.bundles import export_graph
from gantrans.bundles.bundle import Card, save_bundle
from gantrans.bundles.export_check import TOLERANCE, compared, probes
from gantrans.bundles.export_graph import write_onnx, write_program
from gantrans.cli.export_probes import own_probes
from gantrans.errors import CheckpointError
from gantrans.imaging import sheet
from gantrans.nets import catalogue
from gantrans.nets.adain import AdaINGenerator
from gantrans.nets.catalogue import GENERATORS
from gantrans.nets.colorizer import Colorizer, Decolorizer
from gantrans.nets.inpainter import Inpainter
from gantrans.nets.norm import set_norm_statistics
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.superres import SRResNet
from gantrans.nets.unet import UNet
from tests.conftest import Cli, draw_picture

HAS_ONNX = all(importlib.util.find_spec(name) for name in export_graph.ONNX_PACKAGES)
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="extra onnx")
CONFIGS = sorted(path.stem for path in (Path(__file__).parent.parent / "conf/generator").glob("*.yaml"))
SIZES = ((1, 20, 20), (2, 37, 50), (1, 64, 33), (3, 18, 21))  # beside the probes


def drawn(network: nn.Module) -> nn.Module:
    """In eval mode, every number at random, layers that start at zero too."""
    torch.manual_seed(0)
    if isinstance(network, AdaINGenerator):
        for value in network.encoder.weights().values():
            value.normal_(0, 0.06)
        network.encoder.filled = True
    for name, value in network.named_parameters():
        if not value.any():
            nn.init.normal_(value, 0, 0.1) if value.dim() > 1 else nn.init.normal_(value, 0, 0.02)
        elif name.endswith("gamma"):
            nn.init.ones_(value)
    for name, value in network.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    if isinstance(network, AdaINGenerator):
        network.set_style(torch.rand(1, 3, 64, 48) * 2 - 1)
    return network.eval().requires_grad_(False)


def card_of(network: nn.Module, **more: Any) -> Card:
    about = catalogue.describe(network)
    modes = {1: "grey", 3: "rgb"}
    source, target = (modes.get(about["arguments"][f"{side}_channels"], "rgb") for side in ("in", "out"))
    told = {"source_mode": source, "target_mode": target, "scale": about["arguments"].get("scale", 1)}
    return Card(about, **{**told, **more})


def pictures(channels: int) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(n, channels, h, w) * 2 - 1 for n, h, w in SIZES]


def onnx_of(path: Path) -> Any:
    return export_graph._session(path.read_bytes())


def program_of(path: Path) -> Any:
    return torch.export.load(path).module()


def same(network: nn.Module, run: Any, inputs: list[Tensor]) -> None:
    for x in inputs:
        with torch.no_grad():
            truth = network(x)
            assert truth.std() > 1e-3
            assert (run(x) - truth).abs().max() <= TOLERANCE, x.shape


@needs_onnx
@pytest.mark.slow  # the exporter's own import and tables take most of it
def test_a_run_becomes_a_graph_of_any_size(tmp_path: Path, cli: Cli) -> None:
    """With batch norm over each picture: a graph that took the averages would be refused."""
    import onnx  # pyright: ignore[reportMissingImports]

    network = drawn(SRResNet(width=2, blocks=1, norm="batch"))
    card = card_of(network, norm_statistics="image", task="maps", licence="CC0")
    save_bundle(tmp_path / "b", network, card)
    out = tmp_path / "deep" / "model.onnx"
    answer = cli("export", f"model={tmp_path / 'b'}", f"out={out}")
    assert answer.code == 0, answer.err
    assert "batch, height (any) and width are free" in answer.out
    set_norm_statistics(network, "image")
    same(network, onnx_of(out), [*pictures(3), torch.rand(1, 3, 5, 3)])
    model = onnx.load(out)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["gantrans.task"] == "maps"
    assert told["gantrans.licence"] == "CC0"
    assert told["gantrans.range"].startswith("-1 to 1")
    assert (told["gantrans.in_channels"], told["gantrans.scale"]) == ("3", "2")
    sides = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["batch", 3, "height", "width"]
    assert {node.domain for node in model.graph.node} == {""}, "operators of ONNX's own only"
    before = out.read_bytes()
    assert "exists; choose another file" in cli("export", f"model={tmp_path / 'b'}", f"out={out}").err
    assert out.read_bytes() == before


@pytest.mark.slow
def test_a_program_of_torch_export(tmp_path: Path) -> None:
    network, out = drawn(SRResNet(width=2, blocks=1)), tmp_path / "model.pt2"
    made = write_program(network, card_of(network, task="large"), out)
    assert made.bytes == out.stat().st_size
    same(network, program_of(out), pictures(3))
    extra = {"gantrans.json": ""}
    torch.export.load(out, extra_files=extra)
    assert json.loads(extra["gantrans.json"])["gantrans.scale"] == "2"


WRONG: dict[str, tuple[Any, str]] = {
    "off": (lambda y: y + 2 * TOLERANCE, "from PyTorch; accepted is 1e-04"),
    "NaN": (lambda y: y * torch.nan, "nan from PyTorch"),
    "one pixel": (
        lambda y: torch.where(torch.arange(y.numel()).view(y.shape) == 7, y + 1, y),
        "from PyTorch",
    ),
    "smaller": (lambda y: y[..., 1:], "it answers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_the_network_is_refused_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    network, (change, said) = drawn(UNet(width=2, depth=2)), WRONG[name]
    for part, stub in (("_program", None), ("_onnx", b"graph"), ("_session", lambda x: change(network(x)))):
        monkeypatch.setattr(export_graph, part, lambda *_, stub=stub: stub)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    with pytest.raises(CheckpointError, match="not written: at 64x64 pixels, batch 1") as refused:
        write_onnx(network, card_of(network), tmp_path / "new" / "x.onnx")
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(export_graph, "_session", lambda _: lambda x: network(x) + TOLERANCE / 2)
    assert write_onnx(network, card_of(network), tmp_path / "x.onnx").apart == pytest.approx(5e-5, rel=0.01)


def make_run(folder: Path, network: nn.Module, card: Card, columns: int = 4, count: int = 5) -> Path:
    """A run folder with its bundle and two strips, the newer one of `count` pictures of 48x40."""
    save_bundle(folder / "bundle", network, card)
    (folder / "config.yaml").write_text("plugins: [never_imported]\ndata: {root: /nowhere}\n")
    (folder / "samples").mkdir()
    for step, rows in ((2, 1), (30, count)):
        cells = [[draw_picture(10 * row + c, 40, 48) for c in range(columns)] for row in range(rows)]
        strip = sheet.grid(cells, ["source"] * columns, [f"val: {row}" for row in range(rows)])
        for name in (f"step-{step:06d}.png", "step-000099-unpaired.png"):
            Image.fromarray(strip).save(folder / "samples" / name)
    return folder


def test_a_run_is_compared_on_its_own_pictures(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a graph that is right on all made pictures and wrong on those of the run."""
    network = drawn(UNet(width=2, depth=2))
    run, out, seen = make_run(tmp_path / "run", network, card_of(network)), tmp_path / "x.onnx", {}
    told: list[dict[str, str]] = []

    def off(x: Tensor) -> Tensor:
        seen[len(seen)] = x
        return network(x) + (0.01 if tuple(x.shape[2:]) == (40, 48) else 0)

    monkeypatch.setattr(export_graph, "_program", lambda *_: None)
    monkeypatch.setattr(export_graph, "_onnx", lambda _, metadata, __: told.append(metadata) or b"graph")
    monkeypatch.setattr(export_graph, "_session", lambda _: off)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    refused = cli("export", f"model={run}", f"out={out}")
    assert (refused.code, out.exists()) == (4, False)
    assert "not written: at 48x40 pixels, batch 1, it is 1.0e-02 from PyTorch" in refused.err
    bare = cli("export", f"model={run / 'bundle'}", f"out={out}")
    assert "made pictures of 1x64x64, 2x45x70, 1x97x33 alone: a bundle without its run" in bare.out
    monkeypatch.setattr(
        export_graph, "_session", lambda _: lambda x: seen.update({len(seen): x}) or network(x)
    )
    seen.clear()
    answer = cli("export", f"model={run}", f"out={out}", "overwrite=true")
    assert "4 validation pictures of the run (samples/step-000030.png) and made ones of 1x64" in answer.out
    assert told[-1]["gantrans.compared_on"].startswith("4 validation pictures of the run")
    assert len(seen) == 3 + 4
    for row in range(4):
        expected = torch.from_numpy(draw_picture(10 * row, 40, 48)).permute(2, 0, 1)[None] / 127.5 - 1
        assert (seen[3 + row] - expected).abs().max() <= 1e-6


def test_strips_give_what_a_model_takes_or_the_reason(tmp_path: Path) -> None:
    network = UNet(4, 3, width=2, depth=2)
    card = card_of(network, mask="input", source_mode="rgb")
    found = own_probes(make_run(tmp_path / "masked", network, card, columns=5, count=2), card, "to_target")
    assert [tuple(x.shape) for x in found.pictures] == [(1, 4, 40, 48)] * 2
    run = make_run(tmp_path / "plain", network, card)
    assert own_probes(run, card, "to_target").why_none == "step-000030.png shows none that this model takes"
    enlarged = own_probes(run, card_of(UNet(width=2, depth=2), scale=8), "to_source")
    assert [tuple(x.shape) for x in enlarged.pictures] == [(1, 3, 256, 256)] * 4, "the middle, enlarged first"
    grey = own_probes(run, card_of(UNet(1, 3, width=2, depth=2)), "to_target")
    assert grey.pictures[0].shape == (1, 1, 40, 48)
    labels = replace(card, source_mode="labels", classes=3)
    assert "label maps" in own_probes(run, labels, "to_target").why_none
    newest = run / "samples" / "step-000030.png"
    Image.fromarray(draw_picture(1)).save(newest)
    assert "cannot be cut" in own_probes(run, card, "to_target").why_none
    newest.write_bytes(b"no picture")
    assert "step-000030.png" in own_probes(run, card, "to_target").why_none
    for path in (run / "samples").iterdir():
        path.unlink()
    newest.symlink_to(tmp_path / "masked" / "samples" / newest.name)
    assert own_probes(run, card, "to_target").why_none == "the run's samples/ holds no strip"


def test_a_graph_with_other_norms_is_noticed() -> None:
    """The comparison knows one mode of batch norm from the other."""
    network = drawn(UNet(width=2, depth=3))
    other = copy.deepcopy(network)
    with pytest.raises(CheckpointError, match="from PyTorch"):
        compared(network, card_of(network, norm_statistics="image"), other, Path("x.onnx"), lambda: None)
    compared(network, card_of(network), other, Path("x.onnx"), lambda: None)


def test_probes_are_like_what_the_network_is_given() -> None:
    network = UNet(5, 3, width=2, depth=2)
    card = replace(card_of(network), source_mode="labels", classes=4, mask="input")
    for x in probes(card):
        assert set(x[:, :4].unique().tolist()) == {-1.0, 1.0}
        assert ((x[:, :4] > 0).sum(1) == 1).all()
        assert -1 <= x.min() <= x.max() <= 1
        assert x[:, 4].std() > 0.1


def test_what_cannot_be_exported_is_said(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = drawn(UNet(width=2, depth=2))
    save_bundle(Path("b"), network, card_of(network))
    adain = drawn(AdaINGenerator())
    save_bundle(Path("any"), adain, card_of(adain))
    Image.fromarray(draw_picture(1)).save("style.png")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "onnxruntime" else find(name, *a)
    )
    for code, said, *words in (
        (2, "onnxruntime: pip install 'gantrans[onnx]'", "model=b", "out=n/x.onnx"),
        (2, "accepted for format=auto are files that end in .onnx", "model=b", "out=n/x.trt"),
        (2, "accepted for format=onnx are files that end in .onnx", "model=b", "out=n/x.pt2", "format=onnx"),
        (2, "format=coreml: accepted are auto", "model=b", "out=n/x.onnx", "format=coreml"),
        (2, "this model takes no style", "model=b", "out=n/x.onnx", "style=style.png"),
        (2, "takes any style; give style=", "model=any", "out=n/x.onnx"),
        (3, "style=none.png: no such file", "model=any", "out=n/x.onnx", "style=none.png"),
        (2, "a .pth file holds no style", "model=any", "out=n/x.pth", "style=style.png"),
    ):
        answer = cli("export", *words)
        assert (answer.code, answer.err.count("\n")) == (code, 1), answer.err
        assert said in answer.err
    assert not Path("n").exists()


OWN: dict[str, tuple[nn.Module, dict[str, Any]]] = {
    "batch norm of each picture": (UNet(width=2, depth=3), {"norm_statistics": "image"}),
    "instance": (UNet(width=2, depth=3, norm="instance", residual=True), {}),
    "mask": (UNet(4, 3, width=2, depth=3, residual=True), {"mask": "input", "outside": "copy"}),
    "labels out": (UNet(3, 7, width=2, depth=3), {"target_mode": "labels", "classes": 7}),
    "labels in": (UNet(5, 3, width=2, depth=3), {"source_mode": "labels", "classes": 5}),
    "enlarged first": (UNet(width=2, depth=3), {"scale": 2}),
    "scale 3": (SRResNet(width=2, blocks=1, scale=3, upsample="resize"), {}),
    "mask out": (MaskedUNet(width=2, depth=2), {}),
    "marks": (Inpainter(width=2, depth=2, translucent=True), {"mask": "input", "outside": "copy"}),
    "holes": (Inpainter(width=2, depth=2), {"mask": "input", "outside": "copy"}),
    "to grey": (Decolorizer(), {}),
    "colours": (Colorizer(width=2, depth=2, working_px=0), {}),
}


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_every_kind_of_model_is_exported_both_ways(tmp_path: Path, name: str) -> None:
    network, more = drawn(OWN[name][0]), OWN[name][1]
    card = card_of(network, **more)
    given = pictures(card.network["arguments"]["in_channels"])
    if card.mask == "input":  # covered or not, nothing between
        given = [torch.cat([x[:, :-1], x[:, -1:].sign()], 1) for x in given]
    write_onnx(network, card, tmp_path / "x.onnx")
    same(network, onnx_of(tmp_path / "x.onnx"), given)
    write_program(network, card, tmp_path / "x.pt2")
    same(network, program_of(tmp_path / "x.pt2"), given)


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_every_generator_of_the_catalogue_is_exported(tmp_path: Path, name: str) -> None:
    """As conf/generator has it, in full width, but for pretrained weights."""
    config = compose_verb("train", [f"generator={name}", "data.root=x", "augment.resize=176"]).generator
    channels = {"in_channels": 1, "out_channels": 3} if "colorizer" in name else {}
    if name in ("inpainter", "eraser"):
        channels = {"in_channels": 4, "out_channels": 3}
    if "pretrained" in config:
        config.pretrained = False
    network = drawn(make(config, "generator", GENERATORS, [], **channels))
    write_onnx(network, card_of(network), tmp_path / "x.onnx")
    inputs = pictures(channels.get("in_channels", 3))
    if "colorizer" in name:  # beyond the size at which it guesses, too
        inputs = [inputs[1], torch.rand(1, 1, 300, 270) * 2 - 1]
    same(network, onnx_of(tmp_path / "x.onnx"), inputs)
