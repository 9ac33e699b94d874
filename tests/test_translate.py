"""Translate keeps sizes, names, alpha and depth; bundles describe themselves and refuse what is not sound."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from gantrans.core.device import open_core
from gantrans.errors import CheckpointError
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference.bundle import Card, load_bundle, save_bundle
from gantrans.inference.predictor import Predictor
from gantrans.nets import catalogue
from gantrans.nets.init import init_weights
from gantrans.nets.unet import UNet
from tests.conftest import Cli, draw_picture


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A generator that is the identity: residual, with its head at zero."""
    torch.manual_seed(0)
    network = UNet(width=2, depth=3, norm="batch", dropout=True, residual=True)
    folder = tmp_path / "bundle"
    save_bundle(folder, network, Card(catalogue.describe(network)))
    return folder


def files_of(root: Path) -> dict[str, str]:
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    root = tmp_path / "mixed"
    rgb = draw_picture(1, 33, 47)
    alpha = np.linspace(0, 255, rgb.shape[1], dtype=np.uint8)[None].repeat(rgb.shape[0], 0)
    deep = (rgb.astype(np.uint16) * 257) ^ 5
    (root / "sub").mkdir(parents=True)
    write(root / "plain.png", rgb)
    write(root / "sub" / "ünï codé (1).jpg", rgb)
    write(root / "alpha.png", rgb, alpha)
    write(root / "deep.png", deep)
    write(root / "deep grey.png", deep[..., :1])
    write(root / "tiny.png", rgb[:1, :1])
    write(root / "wide.webp", rgb[:5])
    Image.fromarray(rgb).save(root / "really png.jpg", format="PNG")
    Image.fromarray(np.dstack([rgb, alpha])).save(root / "alpha as.jpg", format="PNG")
    Image.fromarray(rgb).convert("P").save(root / "palette.gif")
    Image.fromarray(rgb).convert("CMYK").save(root / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(root / "turned.jpg", exif=exif)
    (root / "broken.jpg").write_bytes(b"<html>404</html>")
    (root / "empty.png").write_bytes(b"")
    (root / "notes.txt").write_text("not an image")
    return root


def test_every_file_comes_back_as_it_was(mixed: Path, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    before, out = files_of(mixed), tmp_path / "out"
    answer = cli("translate", f"model={bundle}", f"source={mixed}", f"out={out}", "device=cpu")
    assert answer.code == 0, answer.err
    assert files_of(mixed) == before
    assert "found 14 images: 12 translated, 2 failed" in answer.out
    assert "broken.jpg" in answer.err
    assert "empty.png" in answer.err
    renamed = {"palette.gif": "palette.png", "alpha as.jpg": "alpha as.png"}
    good = [n for n in before if n not in ("broken.jpg", "empty.png", "notes.txt")]
    assert set(files_of(out)) == {renamed.get(n, n) for n in good}
    for name in good:
        was, now = read(mixed / name), read(out / renamed.get(name, name))
        assert now.pixels.shape[:2] == was.pixels.shape[:2], name
        assert now.depth == was.depth, name
        assert (now.alpha is None) == (was.alpha is None), name
        if was.alpha is not None:
            assert np.array_equal(now.alpha, was.alpha)
        lossless = Path(renamed.get(name, name)).suffix == ".png"
        difference = np.abs(now.pixels.astype(int) - np.broadcast_to(was.pixels, now.pixels.shape)).mean()
        assert difference <= (0.01 if lossless else 6), name


def test_a_second_call_keeps_what_is_there(mixed: Path, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    arguments = ("translate", f"model={bundle}", f"source={mixed}", f"out={out}")
    assert cli(*arguments).code == 0
    first = files_of(out)
    assert "12 kept" in cli(*arguments).out
    (out / "plain.png").write_bytes(b"old")
    assert "12 translated" in cli(*arguments, "overwrite=true").out
    assert files_of(out) == first


def test_one_file_and_another_format(mixed: Path, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    code = cli(
        "translate", f"model={bundle}", f"source={mixed / 'plain.png'}", f"out={out}", "format=jpg"
    ).code
    assert code == 0
    assert list(files_of(out)) == ["plain.jpg"]


def test_inputs_are_never_overwritten(mixed: Path, bundle: Path, cli: Cli) -> None:
    before = files_of(mixed)
    for source, out in ((mixed, mixed), (mixed / "plain.png", mixed), (mixed, mixed / "sub" / "..")):
        answer = cli("translate", f"model={bundle}", f"source={source}", f"out={out}")
        assert answer.code == 2
        assert "overwritten" in answer.err
    assert files_of(mixed) == before


@pytest.mark.parametrize(
    ("model", "source", "code", "said"),
    [
        ("nowhere", "mixed", 4, "no such folder"),
        ("mixed", "mixed", 4, "neither a run folder nor a bundle"),
        ("bundle", "nowhere", 3, "no such file or folder"),
        ("bundle", "bundle", 3, "no images found"),
        ("bundle", "mixed/broken.jpg", 3, "none of 1 files could be used"),
    ],
)
@pytest.mark.usefixtures("mixed", "bundle")
def test_refusals(tmp_path: Path, cli: Cli, model: str, source: str, code: int, said: str) -> None:
    answer = cli(
        "translate", f"model={tmp_path / model}", f"source={tmp_path / source}", f"out={tmp_path / 'o'}"
    )
    assert answer.code == code
    assert said in answer.err


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 7), (8, 8), (33, 65), (64, 40)])
@pytest.mark.parametrize("statistics", ["running", "image"])
def test_any_size_comes_back_and_is_the_same_alone_or_in_company(
    size: tuple[int, int], statistics: str
) -> None:
    torch.manual_seed(1)
    network = UNet(width=2, depth=3, norm="batch")
    init_weights(network)
    card = Card(catalogue.describe(network), norm_statistics=statistics)
    predictor = Predictor(network, card, open_core("cpu"))
    pixels = draw_picture(2, *size)
    assert predictor(pixels).shape == pixels.shape
    x01 = torch.rand(3, 3, *size)
    together = predictor.predict_x01(x01)
    alone = torch.cat([predictor.predict_x01(x[None]) for x in x01])
    assert torch.allclose(together, alone, atol=1e-6)
    assert together.min() >= 0
    assert together.max() <= 1


def test_scale_enlarges_first(bundle: Path) -> None:
    network, card = load_bundle(bundle)
    bigger = Predictor(network, Card(card.network, scale=3), open_core("cpu"))
    assert bigger(draw_picture(1, 10, 12)).shape == (30, 36, 3)


def test_a_bundle_comes_back_bit_for_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = UNet(width=3, depth=3)
    save_bundle(tmp_path, network, Card(catalogue.describe(network), task="x", metrics={"psnr": 30.5}))
    loaded, card = load_bundle(tmp_path)
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    assert (card.task, card.metrics) == ("x", {"psnr": 30.5})
    save_bundle(tmp_path, network, Card(catalogue.describe(network)))
    assert len(list(tmp_path.iterdir())) == 2


def damage(folder: Path, **changes: object) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def weights_of(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def reweigh(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Replace the weights and make the hash fit, as an attacker would."""
    data = safetensors.torch.save(tensors)
    weights_of(folder).write_bytes(data)
    damage(folder, weights={"file": weights_of(folder).name, "sha256": hashlib.sha256(data).hexdigest()})


NET = {
    "in_channels": 3,
    "out_channels": 3,
    "width": 2,
    "depth": 3,
    "norm": "batch",
    "dropout": True,
    "residual": True,
}
HOSTILE = {
    "not json": lambda f: (f / "bundle.json").write_text("{"),
    "format": lambda f: damage(f, format="other/9"),
    "foreign class": lambda f: damage(f, network={"name": "os.system", "arguments": {}}),
    "huge width": lambda f: damage(f, network={"name": "UNet", "arguments": {**NET, "width": 10**9}}),
    "unknown argument": lambda f: damage(f, network={"name": "UNet", "arguments": {**NET, "hook": "x"}}),
    "other shape": lambda f: damage(f, network={"name": "UNet", "arguments": {**NET, "width": 3}}),
    "list": lambda f: damage(f, network=[1]),
    "path out": lambda f: damage(f, weights={"file": "../x.safetensors", "sha256": "0"}),
    "no hash": lambda f: damage(f, weights={"file": "x.safetensors"}),
    "missing weights": lambda f: weights_of(f).unlink(),
    "flipped": lambda f: weights_of(f).write_bytes(weights_of(f).read_bytes()[:-1] + b"\x77"),
    "cut short": lambda f: weights_of(f).write_bytes(weights_of(f).read_bytes()[:100]),
    "extra key": lambda f: reweigh(f, {**safetensors.torch.load_file(weights_of(f)), "more": torch.zeros(1)}),
    "nan": lambda f: reweigh(f, {k: v * float("nan") if v.is_floating_point() else v
                                 for k, v in safetensors.torch.load_file(weights_of(f)).items()}),
    "mode": lambda f: damage(f, source_mode="cmyk"),
    "statistics": lambda f: damage(f, norm_statistics="none"),
    "scale": lambda f: damage(f, scale=10**6),
    "range": lambda f: damage(f, value_range=[0, 1]),
    "channels": lambda f: damage(f, source_mode="grey"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_unsound_bundles_are_refused(bundle: Path, name: str) -> None:
    HOSTILE[name](bundle)
    with pytest.raises(CheckpointError) as caught:
        load_bundle(bundle)
    assert str(bundle) in str(caught.value)
