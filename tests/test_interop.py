"""Import and export: weights of the reference family come and go bit for bit; nothing unsound comes in."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gantrans.bundles.bundle import Card, load_bundle, save_bundle
from gantrans.bundles.interop import generator_of, write_reference
from gantrans.bundles.model_card import model_card
from gantrans.bundles.pth import STALE, read_weights
from gantrans.data.fingerprint import fingerprint_of
from gantrans.data.layouts import Item
from gantrans.data.unpaired import UnpairedDataset
from gantrans.errors import CheckpointError
from gantrans.nets import catalogue
from gantrans.nets.patchgan import PatchGAN, PixelGAN
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet
from tests.conftest import TINY, Cli, draw_picture, some

pytestmark = pytest.mark.filterwarnings("error")  # one would be a second line on the terminal

State = dict[str, Tensor]
Translate = Callable[..., bytes]
NORMS, SWITCH = ("batch", "instance", "none"), (False, True)
FAMILY: list[tuple[type[nn.Module], dict[str, Any]]] = [
    *((UNet, {"depth": d, "norm": n, "dropout": d != 7}) for d in (5, 7, 8) for n in NORMS),
    *((ResNetGenerator, {"blocks": b, "norm": n, "dropout": x, "antialias": a})
      for b, n, x, a in product((6, 9), NORMS[:2], SWITCH, SWITCH)),
    (ResNetGenerator, {"blocks": 6, "norm": "none"}),
    *((cls, {"in_channels": i, "out_channels": 4 - i}) for cls in (UNet, ResNetGenerator) for i in (1, 3)),
]  # fmt: skip


def drawn(cls: type[nn.Module], seed: int = 0, **arguments: Any) -> nn.Module:
    """A network in eval mode whose every number is random, averages of batch norm too."""
    torch.manual_seed(seed)
    network = cls(**{"width": 2, **arguments}).eval().requires_grad_(False)
    for key, value in network.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif not key.endswith(("filt", "num_batches_tracked")):
            value.normal_(0, 0.3)
    return network


def state_of(network: nn.Module) -> State:
    """Under the reference's names."""
    state = network.state_dict()
    return {theirs: state[ours].clone() for ours, theirs in reference_keys(network).items()}


def saved(content: object, **how: Any) -> bytes:
    torch.save(content, stream := io.BytesIO(), **how)
    return stream.getvalue()


def back(path: Path, data: bytes) -> nn.Module:
    path.write_bytes(data)
    return generator_of(read_weights(path), path)


def same(one: nn.Module, other: nn.Module) -> bool:
    x = torch.rand(1, one.arguments["in_channels"], 33, 40) * 2 - 1
    y = one(x)
    assert y.std() > 1e-3
    return torch.equal(y, other(x))


RESNET, UNET = drawn(ResNetGenerator, blocks=2), drawn(UNet, depth=5)
GOOD, KEY = state_of(RESNET), "model.4.weight"


@pytest.mark.parametrize(("cls", "arguments"), FAMILY)
def test_every_architecture_comes_back(tmp_path: Path, cls: type[nn.Module], arguments: dict) -> None:
    network, path = drawn(cls, **arguments), tmp_path / "deep" / "latest_net_G.pth"
    write_reference(network, path)
    again = generator_of(read_weights(path), path)
    untold = {"dropout": True} if cls is UNet else {}  # by the keys
    assert (type(again), again.arguments) == (cls, {**network.arguments, **untold})
    assert same(network, again)


def test_two_weights_exchanged_are_noticed(tmp_path: Path) -> None:
    one, other = "model.10.conv_block.1.weight", "model.11.conv_block.1.weight"
    assert not same(RESNET, back(tmp_path / "x.pth", saved({**GOOD, one: GOOD[other], other: GOOD[one]})))


@pytest.fixture
def translate(tmp_path: Path, cli: Cli) -> Translate:
    """The bytes of the picture that a model makes of one."""

    def call(model: Path, *more: str) -> bytes:
        Image.fromarray(draw_picture(1)).save(tmp_path / "in.png")
        assert cli("translate", f"model={model}", f"source={tmp_path / 'in.png'}", f"out={tmp_path / 'o'}",
                   "overwrite=true", "device=cpu", *more).code == 0  # fmt: skip
        return (tmp_path / "o" / "in.png").read_bytes()

    return call


def bundled(folder: Path, network: nn.Module, statistics: str = "running") -> Path:
    modes = ({1: "grey", 3: "rgb"}[network.arguments[f"{side}_channels"]] for side in ("in", "out"))
    save_bundle(folder, network, Card(catalogue.describe(network), *modes, norm_statistics=statistics))
    return folder


@pytest.mark.parametrize(
    ("network", "statistics"),
    [(UNET, "running"), (drawn(UNet, depth=5, in_channels=1), "image"),
     (drawn(ResNetGenerator, blocks=1, antialias=True, out_channels=1), "running")],
)  # fmt: skip
def test_pictures_are_the_same_after_export_and_import(
    tmp_path: Path, translate: Translate, cli: Cli, network: nn.Module, statistics: str
) -> None:
    a, b, file = tmp_path / "a", tmp_path / "b", tmp_path / "x.pth"
    before = translate(bundled(a, network, statistics))
    assert cli("export", f"model={a}", f"out={file}").code == 0
    words = ("import", "--config-dir", tmp_path, file)  # the file needs no key, whatever comes before it
    assert cli(*words, f"out={b}", f"norm_statistics={statistics}").code == 0
    assert translate(b) == before
    if network is UNET:  # the comparison sees a difference where there is one: import's default is "image"
        assert cli("import", file, f"out={b}", "overwrite=true").code == 0
        assert translate(b) != before


# --- what others do to their files is undone


def keyed(change: Callable[[str], str]) -> Callable[[State], object]:
    return lambda state: {change(key): value for key, value in state.items()}


def valued(change: Callable[[Tensor], Tensor]) -> Callable[[State], object]:
    return lambda state: {key: change(value) for key, value in state.items()}


def with_metadata(state: State) -> object:
    ordered = OrderedDict(state)
    ordered._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    assert hasattr(torch.load(io.BytesIO(saved(ordered))), "_metadata")
    return ordered


TOLERATED: dict[str, Callable[[State], object]] = {
    **{f"prefix {p}": keyed(lambda k, p=p: p + k) for p in (
        "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module.")},
    "inside": keyed(lambda k: k.replace("model.", "model._orig_mod.module.")),
    **{f"in {w}": lambda s, w=w: {"epoch": 3, w: s} for w in ("state_dict", "netG")},
    "wrapped twice": lambda s: {"state_dict": {f"module.{key}": value for key, value in s.items()}},
    "metadata": with_metadata,
    "half": valued(Tensor.half),
    "bfloat16": valued(Tensor.bfloat16),
    "double": valued(Tensor.double),
    "parameters": valued(lambda v: nn.Parameter(v, requires_grad=v.is_floating_point())),
    "other strides": valued(lambda v: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v),
    "before PyTorch 0.4.1": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
}  # fmt: skip


@pytest.mark.parametrize("name", TOLERATED)
def test_what_others_do_to_their_files_is_undone(tmp_path: Path, name: str) -> None:
    kind = {"half": torch.float16, "bfloat16": torch.bfloat16}.get(name, torch.float32)
    for network, zipped in ((RESNET, True), (UNET, False)):  # UNET's file as before PyTorch 1.6
        expected = drawn(type(network), **network.arguments).to(kind).float()
        data = saved(TOLERATED[name](state_of(network)), _use_new_zipfile_serialization=zipped)
        again = back(tmp_path / "x.pth", data)
        assert same(expected, again)
        assert {value.dtype for value in again.parameters()} == {torch.float32}


@pytest.mark.parametrize("arguments", [{}, {"blocks": 1}, {"blocks": 1, "dropout": True, "antialias": True}])
def test_stale_statistics_of_instance_norms_are_dropped(tmp_path: Path, arguments: dict) -> None:
    cls = ResNetGenerator if arguments else UNet
    network = drawn(cls, norm="instance", **arguments)
    affine = state_of(drawn(cls, norm="batch", **arguments))
    stale = {key: value for key, value in affine.items() if key.endswith(STALE)}
    assert stale
    assert same(network, back(tmp_path / "x.pth", saved({**stale, **state_of(network)})))
    with pytest.raises(CheckpointError, match=r"bias: found .*, expected nothing"):  # of norms with weights
        back(tmp_path / "x.pth", saved({**affine, **state_of(network)}))


def test_cyclegan_both_ways(tmp_path: Path, translate: Translate, cli: Cli) -> None:
    nets = {"A": RESNET, "B": drawn(ResNetGenerator, 1, blocks=1)}
    expected = {way: translate(bundled(tmp_path / way, network)) for way, network in nets.items()}
    assert expected["A"] != expected["B"]
    a, b = (tmp_path / f"latest_net_G_{way}.pth" for way in nets)
    out, alone = tmp_path / "both", tmp_path / "alone"
    write_reference(nets["A"], a)
    assert cli("import", a, f"out={alone}").code == 0
    assert "one way only" in cli("export", f"model={alone}", f"out={b}", "direction=BtoA").err
    b.write_bytes(b"broken")
    refuse(cli, a, out, f"{b}: not a readable")  # and no half of it
    write_reference(nets["B"], b)
    assert cli("import", a, f"out={out}").code == 0
    assert cli("import", b, f"out={alone}", "direction=to_source").code == 0
    for model, back_word in ((out, "to_source"), (alone, "BtoA")):
        assert translate(model) == expected["A"]
        assert translate(model, f"direction={back_word}") == expected["B"]
    assert cli("export", f"model={out}", f"out={tmp_path / 'x.pth'}", "direction=BtoA").code == 0
    assert same(nets["B"], back(tmp_path / "y.pth", (tmp_path / "x.pth").read_bytes()))


# --- what is refused


def planted(change: Callable[[Tensor], Tensor], key: str = KEY) -> bytes:
    return saved({**GOOD, key: change(GOOD[key])})


def lacking(key: str) -> bytes:
    return saved({k: v for k, v in GOOD.items() if k != key})


def deflated(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as old, \
         zipfile.ZipFile(stream := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as new:  # fmt: skip
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return stream.getvalue()


FILE, OLD = saved(GOOD), saved(GOOD, _use_new_zipfile_serialization=False)
SOME = torch.ones(2)
REFUSED: dict[str, tuple[bytes, str]] = {
    "wrong key": (saved(keyed(lambda k: k.replace(KEY, "model.4.wait"))(GOOD)), "model.4.wait: found (4, 2,"),
    "one more": (saved({**GOOD, "model.99.weight": SOME}), "model.99.weight: found (2,), expected nothing"),
    "odd key": (saved({**GOOD, "a.b.conv_block.c": SOME}), "a.b.conv_block.c: found (2,), expected nothing"),
    "two lines": (saved({**GOOD, "a\nb\x1b[31m": SOME}), r"a\nb\x1b[31m is not the name"),
    "twice": (saved({**GOOD, f"module.{KEY}": GOOD[KEY]}), f"{KEY} is there twice"),
    "missing key": (lacking(KEY), f"{KEY}: found nothing, expected (4, 2, 3, 3)"),
    "missing first": (lacking("model.1.weight"), "model.1.weight: found nothing"),
    "shape": (planted(lambda v: v[:, :1]), f"{KEY}: found (4, 1, 3, 3), expected (4, 2, 3, 3)"),
    "no shape": (planted(torch.sum, "model.1.weight"), "model.1.weight: found ()"),
    "NaN": (planted(lambda v: v * torch.nan), f"{KEY} holds NaN"),
    "infinite in 32 bits": (planted(lambda v: v.double() * 1e300), f"{KEY} holds NaN or infinite"),
    "integers": (planted(Tensor.int), f"{KEY} is a tensor torch.int32"),
    "complex": (planted(lambda v: v * 1j), f"{KEY} is a tensor torch.complex64"),
    "sparse": (planted(Tensor.to_sparse), f"{KEY} is a tensor torch.float32, torch.sparse_coo"),
    "meta": (planted(lambda v: v.to("meta")), f"{KEY} is a tensor without data"),
    "stride 0": (planted(lambda _: torch.zeros(1).expand(10**9)), f"{KEY} claims a shape (1000000000,)"),
    "bomb": (deflated(saved({**GOOD, KEY: torch.zeros(10**6)})), "unpacks to 4,0"),
    "directory": (FILE.replace(b"PK\x01\x02", b"PK\x01\x03"), "not a readable checkpoint"),
    "empty": (b"", "is empty"),
    "web page": (b"\n<!doctype html><title>404</title>", "is a web page"),
    "text": (b"hello", "not a readable checkpoint"),
    **{f"{kind} cut to {n}": (data[:n], "not a readable checkpoint")
       for kind, data in (("zip", FILE), ("old", OLD)) for n in (1, 3, 99, 1000, len(data) // 2, -1)},
    "module": (saved(RESNET), "a pickled object (gantrans.nets.resnet.ResNetGenerator)"),
    "list": (saved([1]), "of type list"),
    "tensor": (saved(SOME), "of type Tensor"),
    "nothing": (saved({}), "is empty"),
    "trainer": (saved({"net": GOOD, "epoch": 3}), "net is of type dict"),
    "linear": (saved(nn.Linear(2, 2).state_dict()), "not a generator of"),
    "D of pixels": (saved(state_of(drawn(PixelGAN))), "holds a discriminator"),
    "D": (saved(state_of(drawn(PatchGAN))), "holds a discriminator"),
    "antialiased D": (saved(state_of(drawn(PatchGAN, antialias=True))), "holds a discriminator"),
    "4 channels": (saved(state_of(drawn(UNet, depth=5, in_channels=4))), "4 channels in"),
}  # fmt: skip


def refuse(cli: Cli, path: Path, out: Path, said: str) -> None:
    """One line that names the file and the reason, and no bundle."""
    answer = cli("import", path, f"out={out}")
    assert (answer.code, answer.err.count("\n"), out.exists()) == (4, 1, False), answer.err
    assert f"{path.parent}" in answer.err
    assert said in answer.err


@pytest.mark.parametrize("name", some(REFUSED, every=2))
def test_unsound_files_are_refused(tmp_path: Path, cli: Cli, name: str) -> None:
    data, said = REFUSED[name]
    (tmp_path / "x.pth").write_bytes(data)
    refuse(cli, tmp_path / "x.pth", tmp_path / "b", said)


def test_a_sound_file_is_taken_and_a_missing_one_is_not(tmp_path: Path, cli: Cli) -> None:
    refuse(cli, tmp_path / "x.pth", tmp_path / "b", "x.pth: cannot be read: No such file")
    refuse(cli, tmp_path, tmp_path / "b", "cannot be read")
    one, other = "model.10.conv_block.1.bias", "model.11.conv_block.1.bias"
    for state in (GOOD, {**GOOD, one: GOOD[other]}):  # one tensor under two names, too
        (tmp_path / "x.pth").write_bytes(saved(state))
        assert (
            cli("import", f"file={tmp_path / 'x.pth'}", f"out={tmp_path / 'b'}", "overwrite=true").code == 0
        )


@pytest.mark.parametrize("network", [UNET, drawn(ResNetGenerator, blocks=1, norm="batch", antialias=True)])
def test_every_weight_is_needed_in_its_shape(network: nn.Module) -> None:
    state = state_of(network)
    for key, value in state.items():
        for other in ({}, {key: value[None]}):
            with pytest.raises(CheckpointError, match=r"x\.pth: .*(found|accepted are)"):
                generator_of({k: v for k, v in state.items() if k != key} | other, Path("x.pth"))


def test_a_huge_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantrans.bundles.interop.MOST_PARAMETERS", 1000)
    with pytest.raises(CheckpointError, match=r"x\.pth: has [\d,]+ parameters; at most 1,000"):
        generator_of(GOOD, Path("x.pth"))


class Offender:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_no_code_is_run(tmp_path: Path, cli: Cli) -> None:
    canary, path = tmp_path / "canary", tmp_path / "x.pth"
    bad = {**GOOD, "x": Offender(canary)}
    found = "holds a pickled object ("
    for data, said in (
        (saved(bad), found),
        (saved(bad, _use_new_zipfile_serialization=False), found),
        (pickle.dumps(Offender(canary), 2), found),
        (pickle.dumps(Offender(canary), 4), "UnpicklingError"),  # of which PyTorch warns first
    ):
        path.write_bytes(data)
        refuse(cli, path, tmp_path / "b", said)
        assert not canary.exists()
    torch.load(io.BytesIO(saved(bad)), weights_only=False)
    assert canary.exists()  # it could have


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("import X.pth out=B", 2, "holds a bundle; choose another folder, or overwrite=true"),
        ("import X.pth out=NEW direction=sideways", 2, "direction=sideways: accepted are"),
        ("import X.pth out=NEW norm_statistics=none", 2, "norm_statistics=none: accepted are"),
        ("import X.pth out=X.pth", 5, "cannot be written"),
        ("export model=B out=X.pth", 2, "exists; choose another file, or overwrite=true"),
        ("export model=B out=NEW/x.safetensors", 2, "files that end in .onnx (onnx), .pt2 (program), .pth"),
        ("export model=B out=NEW/x.pth direction=sideways", 2, "direction=sideways: accepted are"),
        (
            "export model=B out=NEW/x.pth format=onnx",
            2,
            "accepted for format=onnx are files that end in .onnx",
        ),
        (
            "export model=R out=NEW/x.pth",
            4,
            "x.pth: cannot be exported: the reference's generators end in tanh",
        ),
    ],
)
def test_what_is_there_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, words: str, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("X.pth").write_bytes(FILE)
    bundled(Path("B"), UNET)
    bundled(Path("R"), drawn(UNet, depth=5, residual=True))
    before = {path: path.read_bytes() for path in Path().rglob("*.*")}
    answer = cli(*words.split())
    assert (answer.code, answer.err.count("\n")) == (code, 1), answer.err
    assert said in answer.err
    assert {path: path.read_bytes() for path in Path().rglob("*.*")} == before
    assert not Path("NEW").exists()


# --- what a bundle says of itself


def test_a_bundle_says_what_it_is(photos: Path, tmp_path: Path, cli: Cli) -> None:
    """To programs and to people; and neither where its files lay nor whose machine it was."""
    run = tmp_path / "run"
    keys = [k for k in TINY if not k.startswith(("train.total", "val.every"))]
    first = tmp_path / "private-weights"
    network = drawn(UNet, depth=6, residual=True)
    save_bundle(first, network, Card(catalogue.describe(network)))
    answer = cli("train", *keys, f"data.root={photos}", f"run.dir={run}", "train.total=1step",
                 "val.every=1step",
                 "bundle.licence='CC-BY-4.0 of the archive'", f"train.init_from={first}")  # fmt: skip
    assert answer.code == 0, answer.err
    about = json.loads((run / "bundle/bundle.json").read_text())
    text = (run / "bundle/README.md").read_text()
    assert about["licence"] == "CC-BY-4.0 of the archive"
    assert about["task"] == "restore"
    assert about["provenance"]["init_from"]["file"] == "private-weights"
    data = about["training_data"]
    assert data["files"] == about["provenance"]["train_images"]
    assert re.fullmatch("[0-9a-f]{64}", data["sha256"])
    for private in (str(tmp_path), str(photos)):
        assert private not in json.dumps(about) + text
    for said in ("gantrans translate model=.", "gantrans export model=.", "CC-BY-4.0 of the archive", "PSNR",
                 data["sha256"], about["weights"]["sha256"], "## Limits", "Training files: "):  # fmt: skip
        assert said in text, said
    _, card = load_bundle(run)
    assert card.training_data == data


def test_a_card_of_little_says_little() -> None:
    text = model_card(
        Card({"name": "UNet", "arguments": {}}, task="a\n# b"), parameters=1, size=2, sha256="x"
    )
    assert text.startswith("# a # b\n")
    for said in ("Unspecified: ask", "Not measured.", "## Training\nNot known."):
        assert said in text


def test_a_fingerprint_is_of_names_and_sizes_alone(tmp_path: Path) -> None:
    def found(folder: str, files: dict[str, int]) -> dict[str, Any]:
        root = tmp_path / folder
        root.mkdir()
        for name, size in files.items():
            (root / name).write_bytes(bytes(size))
        items = [Item(Path(n).stem, root / n, root / n) for n in sorted(files, reverse=folder == "b")]
        return fingerprint_of(SimpleNamespace(items=items))

    one = found("a", {"x.png": 3, "y.jpg": 4})
    assert (one["files"], one["bytes"]) == (2, 7)
    assert found("b", {"x.png": 3, "y.jpg": 4}) == one, "another folder, another order"
    for number, other in enumerate(({"x.png": 3, "y.png": 4}, {"x.png": 3, "y.jpg": 5}, {"x.png": 3})):
        assert found(f"o{number}", other)["sha256"] != one["sha256"]
    pair = [Item("x", tmp_path / "a/x.png", tmp_path / "a/y.jpg")]
    assert fingerprint_of(SimpleNamespace(items=pair))["files"] == 2
    sets = UnpairedDataset(SimpleNamespace(items=pair), SimpleNamespace(items=pair[:0]))  # type: ignore[arg-type]
    swapped = UnpairedDataset(SimpleNamespace(items=pair[:0]), SimpleNamespace(items=pair))  # type: ignore[arg-type]
    assert fingerprint_of(sets) != fingerprint_of(swapped)
