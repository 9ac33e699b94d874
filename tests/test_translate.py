"""Translate keeps sizes, names, alpha and depth; bundles describe themselves and refuse what is not sound."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image, ImageCms

from gantrans.bundles.bundle import Card, load_bundle, save_bundle
from gantrans.core.device import open_core
from gantrans.errors import CheckpointError
from gantrans.imaging import write as writing
from gantrans.imaging.metadata import Extras, of_file
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference import desk
from gantrans.inference import translate as translating
from gantrans.inference.files import read_given
from gantrans.inference.predicted_mask import predicted_mask
from gantrans.inference.predictor import Predictor
from gantrans.inference.record import NAME, Record
from gantrans.nets import catalogue
from gantrans.nets.init import init_weights
from gantrans.nets.remover import MaskedUNet
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
        if p.is_file() and p.name != NAME
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
    assert answer.code == 3, "some failed, and a script must know"
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
        if was.alpha is not None and now.alpha is not None:
            assert np.array_equal(now.alpha, was.alpha)
        lossless = Path(renamed.get(name, name)).suffix == ".png"
        difference = np.abs(now.pixels.astype(int) - np.broadcast_to(was.pixels, now.pixels.shape)).mean()
        assert difference <= (0.01 if lossless else 6), name


def test_a_second_call_keeps_what_is_there(mixed: Path, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    arguments = ("translate", f"model={bundle}", f"source={mixed}", f"out={out}")
    assert cli(*arguments).code == 3
    first = files_of(out)
    assert "12 kept" in cli(*arguments).out
    (out / "plain.png").write_bytes(b"old")
    assert "12 translated" in cli(*arguments, "overwrite=true").out
    assert files_of(out) == first
    for name in ("broken.jpg", "empty.png"):
        (mixed / name).unlink()
    assert cli(*arguments).code == 0


def test_what_was_made_in_another_way_is_not_kept(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    arguments = ("translate", f"model={bundle}", f"source={photos}", f"out={out}", "format=jpg")
    assert cli(*arguments).code == 0
    first = files_of(out)
    answer = cli(*arguments, "quality=40")
    assert answer.code == 2
    assert "5 of its files were made in another way (quality was 95, now 40)" in answer.err
    assert files_of(out) == first
    (out / "photo-3.jpg").unlink()
    assert "1 translated, 4 kept" in cli(*arguments).out
    assert "5 translated" in cli(*arguments, "quality=40", "overwrite=true").out
    assert cli(*arguments).code == 2, "the newest line of a file counts"
    another = UNet(width=2, depth=3, norm="batch", residual=True)
    save_bundle(bundle, another, Card(catalogue.describe(another), task="another"))
    assert "model was" in cli(*arguments, "quality=40").err


def test_a_changed_input_and_a_cut_record_are_made_anew_or_kept(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    arguments = ("translate", f"model={bundle}", f"source={photos}", f"out={out}")
    cli(*arguments)
    write(photos / "photo-2.png", draw_picture(77))
    assert "1 translated, 4 kept" in cli(*arguments).out
    np.testing.assert_array_equal(read(out / "photo-2.png").pixels, draw_picture(77))
    record = (out / NAME).read_bytes()
    (out / NAME).write_bytes(record[:-9])  # as an interrupt may leave it: photo-2 is known as it was before
    assert "1 translated, 4 kept" in cli(*arguments).out
    assert "5 kept" in cli(*arguments).out
    assert [line.endswith(b"}") for line in (out / NAME).read_bytes().splitlines()].count(False) == 1


def test_an_interrupted_folder_goes_on(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("translate", f"model={bundle}", f"source={photos}", "format=jpg")
    cli(*arguments, f"out={tmp_path / 'whole'}")
    seen: list[int] = []

    def stopped(predictor: Predictor, pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        seen.append(1)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return predict(predictor, pixels, mask)

    predict = Predictor.__call__
    with monkeypatch.context() as patched:
        patched.setattr(Predictor, "__call__", stopped)
        assert cli(*arguments, f"out={tmp_path / 'out'}").code == 130
    left = files_of(tmp_path / "out")
    assert len(left) == 3
    assert "2 translated, 3 kept" in cli(*arguments, f"out={tmp_path / 'out'}").out
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("serial", [False, True])
def test_the_next_file_is_read_beside_the_network(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, serial: bool
) -> None:
    started = [threading.Event() for _ in range(6)]
    beside: list[bool] = []

    def reading(path: Path, *rest: Any) -> Any:
        started[int(path.stem[-1])].set()
        return read_given(path, *rest)

    def predicting(predictor: Predictor, pixels: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        beside.append(started[len(beside) + 1].wait(0.05 if serial else 20) or len(beside) == 4)
        return predict(predictor, pixels, mask)

    def one_by_one(jobs: Any, function: Any, depth: int) -> Any:  # the offender
        del depth
        for job in jobs:
            yield from ahead([job], function, 0)

    predict, ahead = Predictor.__call__, translating._ahead
    started[5].set()
    monkeypatch.setattr(translating, "read_given", reading)
    monkeypatch.setattr(Predictor, "__call__", predicting)
    if serial:
        monkeypatch.setattr(translating, "_ahead", one_by_one)
    assert cli("translate", f"model={bundle}", f"source={photos}", f"out={tmp_path / 'out'}").code == 0
    assert all(beside) != serial


def test_equal_sizes_go_through_together_where_that_helps(
    bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for i, size in enumerate([(9, 9)] * 3 + [(9, 8)] + [(9, 9)] * 2):
        write(source / f"{i}.png", draw_picture(i, *size))
    (source / "3b.png").write_bytes(b"no")
    together: list[int] = []

    def batch(predictor: Predictor, pixels: list[np.ndarray], masks: None) -> list[np.ndarray]:
        assert masks is None
        together.append(len(pixels))
        return [predictor(one) for one in pixels]

    monkeypatch.setattr(Predictor, "batch", batch)
    for module in (translating, desk):
        monkeypatch.setattr(module, "on_cpu", lambda _: False)
    out = tmp_path / "out"
    assert (
        "6 translated, 1 failed" in cli("translate", f"model={bundle}", f"source={source}", f"out={out}").out
    )
    assert together == [3, 2]
    for i in (0, 3, 5):
        np.testing.assert_array_equal(read(out / f"{i}.png").pixels, read(source / f"{i}.png").pixels)


def test_what_cannot_be_written_costs_only_itself(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    out = tmp_path / "out"
    long = "n" * 251 + ".png"
    (photos / "photo-0.png").rename(photos / long)
    (out / "photo-2.webp" / "in the way").mkdir(parents=True)
    answer = cli("translate", f"model={bundle}", f"source={photos}", f"out={out}", "format=webp")
    assert answer.code == 3
    assert "3 translated, 2 failed" in answer.out
    assert "the name is too long; choose a shorter one" in answer.err
    assert f"{photos / 'photo-2.png'}: " in answer.err
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EFBIG]
)
def test_what_cannot_be_written_is_named_and_what_to_do(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(path: Path, *_: object) -> None:
        raise OSError(number, os.strerror(number), str(path))  # of its temporary name, which nobody knows

    monkeypatch.setattr(writing, "_put", fails)
    answer = cli("translate", f"model={bundle}", f"source={photos}", f"out={tmp_path / 'out'}")
    assert answer.code == 5
    assert re.search(r"storage error: (.*): cannot be written: .*; (free|choose|check)", answer.err)
    assert str(tmp_path / "out" / "photo-0.png") in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_record_that_cannot_be_written_is_named(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    """A device that never ends, too: it is not read."""
    record = tmp_path / "out" / NAME
    record.parent.mkdir()
    record.symlink_to("/dev/full")
    answer = cli("translate", f"model={bundle}", f"source={photos}", f"out={record.parent}")
    assert (answer.code, f"{record}: cannot be written: the disk is full" in answer.err) == (5, True)


def test_a_model_that_says_what_it_changes_is_written_down(
    photos: Path, bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    torch.manual_seed(0)
    network = MaskedUNet(width=2, depth=2)
    torch.nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type]
    save_bundle(tmp_path / "remover", network, Card(catalogue.describe(network)))
    out, told = tmp_path / "out", tmp_path / "told"
    use = (f"source={photos}", f"masks_out={told}", "format=webp", "quality=100")
    assert cli("translate", f"model={tmp_path / 'remover'}", f"out={out}", *use).code == 0
    assert sorted(files_of(told)) == [f"photo-{i}.png" for i in range(5)]
    predictor = Predictor(network, Card(catalogue.describe(network)), open_core("cpu"))
    expected = predicted_mask(predictor, read(photos / "photo-3.png").pixels)
    assert expected is not None
    found = read(told / "photo-3.png").pixels
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)
    assert np.ptp(found) > 3
    refused = cli("translate", f"model={bundle}", f"out={tmp_path / 'other'}", *use)
    assert refused.code == 2
    assert "does not predict what it changes" in refused.err
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    for place in (photos, photos / "masks", out, out / "masks"):
        words = (f"source={photos}", f"out={out}", f"masks_out={place}", "overwrite=true")
        refused = cli("translate", f"model={tmp_path / 'remover'}", *words)
        assert refused.code == 2 and "masks_out=" in refused.err, place
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before


def test_a_record_that_is_damaged_is_no_reason_to_stop(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    lines = ['{"file": ["x"], "setup": "a"}', '{"file": "photo-0.png"}', "[" * 100_000, '{"setup": ["x"]}']
    (out / "translate.jsonl").write_text("\n".join(lines))
    record = Record(out, {"model": "m"})
    planned = [(photos / "photo-0.png", out / "photo-0.png")]
    (out / "photo-0.png").write_bytes(b"x")
    record.check(planned)
    assert record.may_stay(*planned[0])


def test_a_mask_that_changed_is_no_longer_the_one_it_was_made_with(photos: Path, tmp_path: Path) -> None:
    source, target, mask = photos / "photo-0.png", tmp_path / "out" / "photo-0.png", tmp_path / "m.png"
    record = Record(target.parent, {"model": "m"})
    record.masks = {source: mask}
    mask.write_bytes(b"one")
    target.parent.mkdir()
    target.write_bytes(b"made")
    record.wrote(source, target)
    assert record.may_stay(source, target)
    mask.write_bytes(b"another")
    assert not record.may_stay(source, target)


def test_names_never_meet(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    rgb = Image.fromarray(draw_picture(1, 9, 9))
    for name in ("a.gif", "a.png", "a.ppm", "a.gif.png"):
        rgb.save(source / name)
    assert "4 translated" in cli("translate", f"model={bundle}", f"source={source}", f"out={out}").out
    assert sorted(files_of(out)) == ["a.gif.2.png", "a.gif.png", "a.png", "a.ppm.png"]


def test_one_file_and_another_format(mixed: Path, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    code = cli(
        "translate", f"model={bundle}", f"source={mixed / 'plain.png'}", f"out={out}", "format=jpg"
    ).code
    assert code == 0
    assert list(files_of(out)) == ["plain.jpg"]
    sizes = [(out / "plain.jpg").stat().st_size]
    for more in (["quality=30"], ["format=webp", "quality=100"], ["format=tif"]):
        assert cli(
            "translate", f"model={bundle}", f"source={mixed / 'plain.png'}", f"out={out / more[0]}",
            "format=jpg", *more,
        ).code == 0  # fmt: skip
    assert (out / "quality=30" / "plain.jpg").stat().st_size < sizes[0] / 2
    for name in ("format=webp/plain.webp", "format=tif/plain.tif"):
        np.testing.assert_array_equal(read(out / name).pixels, read(mixed / "plain.png").pixels)


def test_16_bit_tiff_stays_16_bit_tiff(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """Colour and grey, by name and as asked for; with alpha, PNG. What it carries goes along."""
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    deep = (draw_picture(1, 33, 47).astype(np.uint16) * 257) ^ 5
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x013B] = "A. Painter"
    exif.get_ifd(0x8769)[0x829A] = 0.25
    exif[0x8769] = exif.get_ifd(0x8769)
    held = Extras(icc, exif.tobytes().removeprefix(b"Exif\x00\x00"), (300.0, 150.0))
    write(source / "colour.tif", deep, extras=held)
    write(source / "grey.tiff", deep[..., :1])
    write(source / "alpha.tif", deep, deep[..., 0])
    write(source / "other.png", deep)
    use = ("translate", f"model={bundle}", f"source={source}", "metadata=keep")
    assert cli(*use, f"out={out}").code == 0
    assert set(files_of(out)) == {"colour.tif", "grey.tiff", "alpha.png", "other.png"}
    for name in files_of(out):
        given = read(source / name.replace("alpha.png", "alpha.tif")).pixels
        assert read(out / name).pixels.dtype == np.uint16
        np.testing.assert_allclose(read(out / name).pixels, np.broadcast_to(given, (33, 47, 3)), atol=1)
    found = of_file(out / "colour.tif")
    assert (found.icc, found.dpi) == (icc, (300.0, 150.0))
    with Image.open(out / "colour.tif") as image:
        assert image.getexif()[0x013B] == "A. Painter"
        assert image.getexif().get_ifd(0x8769)[0x829A] == 0.25
    assert cli(*use, f"out={out / 'tif'}", "format=tif").code == 0
    assert (out / "tif" / "other.tif").is_file()


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
        ("bundle", "mixed quality=0", 2, "quality=0: accepted are 1 to 100"),
        ("bundle", "mixed metadata=all", 2, "metadata=all: accepted are drop and keep"),
        ("bundle", "mixed format=gif", 2, "format=gif: accepted are"),
        ("bundle", "mixed tile=-1", 2, "tile=-1: accepted are"),
    ],
)
@pytest.mark.usefixtures("mixed", "bundle")
def test_refusals(tmp_path: Path, cli: Cli, model: str, source: str, code: int, said: str) -> None:
    source, *more = source.split()
    answer = cli(
        "translate",
        f"model={tmp_path / model}",
        f"source={tmp_path / source}",
        f"out={tmp_path / 'o'}",
        *more,
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
    none = {"psnr": np.float64(30), "fid": float("nan"), "ssim": float("-inf")}
    save_bundle(tmp_path, network, Card(catalogue.describe(network), metrics=none))
    assert load_bundle(tmp_path)[1].metrics == {"psnr": 30.0}, "what is no number in JSON is left out"
    assert not re.search("NaN|Infinity", (tmp_path / "bundle.json").read_text())
    save_bundle(tmp_path, network, Card(catalogue.describe(network)))
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


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
