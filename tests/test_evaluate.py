"""gantrans evaluate: what is matched, measured, named and left behind."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.bundles.bundle import Card, save_bundle
from gantrans.core.device import open_core
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.readers import ReadFiles
from gantrans.imaging import matlab_bicubic
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference.predicted_mask import predicted_mask
from gantrans.inference.predictor import Predictor
from gantrans.metrics.pairwise import psnr
from gantrans.nets import catalogue
from gantrans.nets.features import squeezenet_features
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.unet import UNet
from gantrans.training.validate import PairValidation
from tests.conftest import Answer, Cli, draw_picture, some

SIZE = (48, 52)
CHEAP = ["metrics=[psnr,ssim]", "device=cpu"]


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GANTRANS_WEIGHTS", raising=False)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """targets/, outputs/ that are 10, 20, ... levels too bright, and source/ 40 levels too bright."""
    for i in range(4):
        target = draw_picture(i, *SIZE) // 2
        for name, add in (("targets", 0), ("outputs", 10 * (i + 1)), ("source", 40)):
            file = tmp_path / name / f"sub{i % 2}" / f"picture-{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, target + np.uint8(add))
    return tmp_path


def told(root: Path, name: str = "outputs-evaluation/metrics.json") -> dict:
    return json.loads((root / name).read_text())


def of(root: Path, *keys: str) -> list[str]:
    return [f"{key}={root / key}" for key in keys]


def decibels(levels: float) -> float:
    return 20 * math.log10(255 / levels)


def test_figures_are_those_of_the_pictures_and_worst_comes_first(folders: Path, cli: Cli) -> None:
    answer = cli("evaluate", *of(folders, "outputs", "source", "targets"), *CHEAP, "worst=2")
    assert answer.code == 0, answer.err
    found = told(folders)
    assert (found["found"], found["measured"], found["rejected"]) == (4, 4, [])
    for i in range(4):
        values = found["images"][f"sub{i % 2}/picture-{i}"]
        assert values["psnr"] == pytest.approx(decibels(10 * (i + 1)), abs=1e-4)
        assert values["psnr_input"] == pytest.approx(decibels(40), abs=1e-4)
    mean = np.mean([decibels(10 * (i + 1)) for i in range(4)])
    assert found["metrics"]["psnr"] == pytest.approx(mean, abs=1e-4)
    assert found["metrics"]["psnr_input"] == pytest.approx(decibels(40), abs=1e-4)
    line = next(line for line in answer.out.splitlines() if line.startswith("psnr"))
    assert f"{mean:.4f}" in line and f"{decibels(40):.4f}" in line and "dB, higher is better" in line
    strip = read(folders / "outputs-evaluation/worst.png").pixels
    assert strip.shape[0] > 2 * SIZE[0] and strip.shape[1] > 4 * SIZE[1]
    kept = told(folders)["images"]
    assert min(kept, key=lambda stem: kept[stem]["psnr"]) == "sub1/picture-3"


def test_the_strip_shows_the_worst_and_only_those(folders: Path, cli: Cli) -> None:
    """One row of the last picture, 40 levels off: its error map has one colour, which no other's has."""
    from gantrans.imaging.sheet import error_map

    assert cli("evaluate", *of(folders, "outputs", "targets"), *CHEAP, "worst=1").code == 0
    strip = read(folders / "outputs-evaluation/worst.png").pixels.reshape(-1, 3)
    grey = np.full((1, 1, 3), 100, np.uint8)
    for levels, there in ((40, True), (30, False), (10, False)):
        colour = error_map(grey + np.uint8(levels), grey)[0, 0]
        assert ((strip == colour).all(1).sum() > 1000) == there, levels


def test_every_file_that_is_not_measured_is_named_and_counts_reconcile(folders: Path, cli: Cli) -> None:
    outputs, targets = folders / "outputs", folders / "targets"
    write(outputs / "alone.png", draw_picture(1, *SIZE))
    write(targets / "missing.png", draw_picture(1, *SIZE))
    for folder in (outputs, targets):
        write(folder / "large.png", draw_picture(1, 30, 30 if folder == targets else 31))
        write(folder / "twice.png", draw_picture(1, *SIZE))
        write(folder / "broken.png", draw_picture(1, *SIZE))
    write(outputs / "twice.jpg", draw_picture(1, *SIZE))
    (outputs / "broken.png").write_bytes(b"<html>")
    answer = cli("evaluate", *of(folders, "outputs", "targets"), *CHEAP)
    assert answer.code == 0, answer.err
    found = told(folders)
    assert (found["found"], found["measured"]) == (9, 4)
    reasons = {row["image"]: row["reason"] for row in found["rejected"]}
    assert set(reasons) == {"alone", "missing", "large", "twice", "broken"}
    assert "large.png is 31x30 but" in reasons["large"] and "is 30x30" in reasons["large"]
    assert "no file of that relative path and stem" in reasons["missing"]
    assert "twice.jpg and twice.png differ in their suffix alone" in reasons["twice"]
    assert answer.err.count("not measured:") == 5
    assert "found 9: 4 measured, 5 not" in answer.out


def test_nothing_measurable_ends_with_3(folders: Path, cli: Cli) -> None:
    for file in (folders / "outputs").rglob("*.png"):
        write(file, draw_picture(0, 10, 10))
    answer = cli("evaluate", *of(folders, "outputs", "targets"), *CHEAP)
    assert answer.code == 3 and "none of 4 images could be measured, first: " in answer.err, answer
    (folders / "none").mkdir()
    answer = cli("evaluate", f"outputs={folders / 'none'}", *of(folders, "targets"), *CHEAP)
    assert answer.code == 3 and "has 0 images" in answer.err, answer
    assert not (folders / "outputs-evaluation").exists()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A generator that is the identity: residual, with its head at zero."""
    torch.manual_seed(0)
    network = UNet(width=2, depth=3, norm="batch", residual=True)
    save_bundle(tmp_path / "bundle", network, Card(catalogue.describe(network)))
    return tmp_path / "bundle"


def test_a_model_that_copies_measures_as_its_input(folders: Path, bundle: Path, cli: Cli) -> None:
    answer = cli("evaluate", f"model={bundle}", *of(folders, "source", "targets"), *CHEAP)
    assert answer.code == 0, answer.err
    means = told(folders, "bundle/evaluation/metrics.json")["metrics"]
    assert means["psnr"] == means["psnr_input"] == pytest.approx(decibels(40), abs=1e-4)
    assert means["ssim"] == means["ssim_input"]


def test_an_ensemble_is_the_mean_over_flips_and_turns(folders: Path, cli: Cli) -> None:
    torch.manual_seed(0)
    network = UNet(width=2, depth=3, norm="none").eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    save_bundle(folders / "turned", network, Card(catalogue.describe(network)))
    given = [f"model={folders / 'turned'}", *of(folders, "source", "targets"), *CHEAP]
    figures = []
    for ensemble in ("false", "true"):
        answer = cli("evaluate", *given, f"ensemble={ensemble}")
        assert answer.code == 0, answer.err
        figures.append(told(folders, "turned/evaluation/metrics.json"))
    assert [found["ensemble"] for found in figures] == [False, True]
    predictor, by_hand = Predictor(network, Card(catalogue.describe(network)), open_core("cpu")), []
    for file in (folders / "source").rglob("*.png"):
        x01, target = (
            torch.from_numpy(read(path).pixels.copy()).permute(2, 0, 1)[None] / 255
            for path in (file, folders / "targets" / file.relative_to(folders / "source"))
        )
        turns = [(flip, k) for flip in (False, True) for k in range(4)]
        made = [predictor.predict_x01(torch.rot90(x01.flip(3) if f else x01, k, (2, 3))) for f, k in turns]
        back = [torch.rot90(y, -k, (2, 3)) for y, (_, k) in zip(made, turns, strict=True)]
        mean = torch.stack([y.flip(3) if f else y for y, (f, _) in zip(back, turns, strict=True)]).mean(0)
        by_hand.append(float(psnr((mean * 255).round() / 255, target)))
    plain, ensemble = (found["metrics"]["psnr"] for found in figures)
    assert ensemble == pytest.approx(np.mean(by_hand), abs=0.01)
    assert abs(plain - ensemble) > 0.05, "a single look is something else"
    answer = cli("evaluate", *of(folders, "outputs", "targets"), *CHEAP, "ensemble=true")
    assert answer.code == 2 and "ensemble=true is for what a model makes" in answer.err


LEVEL = round(255 / (1 + math.exp(-4 * math.tanh(0.25))))  # what the head below makes, see nets/remover.py


def remover() -> MaskedUNet:
    """Changes nothing, and says that it did so everywhere by the same share."""
    network = MaskedUNet(width=2, depth=2)
    with torch.no_grad():
        network.head.bias[-1] = 0.25  # type: ignore[index]
    return network.eval()


def shows_mask(strip: np.ndarray) -> bool:
    return int((strip == LEVEL).all(2).sum()) > SIZE[0] * SIZE[1] / 2


def test_a_mask_that_the_model_predicts_is_in_the_strip(folders: Path, bundle: Path, cli: Cli) -> None:
    network = remover()
    save_bundle(folders / "remover", network, Card(catalogue.describe(network)))
    for model, there in ((folders / "remover", True), (bundle, False)):
        answer = cli("evaluate", f"model={model}", *of(folders, "source", "targets"), *CHEAP, "worst=1")
        assert answer.code == 0, answer.err
        assert told(model, "evaluation/metrics.json")["metrics"]["psnr"] == pytest.approx(
            decibels(40), abs=1e-3
        )
        assert shows_mask(read(model / "evaluation/worst.png").pixels) == there


def test_validation_draws_the_mask_that_the_model_predicts(folders: Path) -> None:
    files = [(folders / name / "sub0/picture-0.png") for name in ("source", "targets")]
    pairs = PairDataset([Item("one", *files)], ReadFiles(), Augment(crop=None), 0)
    validation = PairValidation(pairs, pairs, most=1, probes=1)
    for network, there in ((remover(), True), (UNet(width=2, depth=2, residual=True).eval(), False)):
        predictor = Predictor(network, Card(catalogue.describe(network)), open_core("cpu"))
        assert shows_mask(validation.strips({"to_target": predictor})["val"]) == there
        labelled = Predictor(
            network, Card(catalogue.describe(network), source_mode="labels"), open_core("cpu")
        )
        assert predicted_mask(labelled, np.zeros((4, 4, 1), np.uint8)) is None


def test_a_mask_is_predicted_of_sources_in_any_mode(tmp_path: Path, cli: Cli) -> None:
    """Grey, with alpha, and of 16 bits, as translate takes them."""
    network = remover()
    save_bundle(tmp_path / "remover", network, Card(catalogue.describe(network)))
    rgb = draw_picture(1, 24, 28)
    grey = Image.fromarray(rgb).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    sources = {"grey": grey, "alpha": Image.fromarray(rgb).convert("RGBA"), "deep": deep}
    for name, picture in sources.items():
        for side in ("source", "targets"):
            (tmp_path / side).mkdir(exist_ok=True)
            picture.save(tmp_path / side / f"{name}.png")
    keys = (f"model={tmp_path / 'remover'}", *of(tmp_path, "source", "targets"), "metrics=[psnr]", "worst=3")
    answer = cli("evaluate", *keys)
    assert answer.code == 0, answer.err
    assert "3 measured, 0 not" in answer.out
    strip = read(tmp_path / "remover/evaluation/worst.png").pixels
    assert (strip == LEVEL).all(2).sum() > 2.9 * 24 * 28, "a mask is missing"


def test_a_mask_comes_in_the_tiles_of_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    network, sides = remover(), []
    torch.nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type]
    pixels, card = draw_picture(1, 200, 210), Card(catalogue.describe(network))
    whole = predicted_mask(Predictor(network, card, open_core("cpu")), pixels)
    predict = network.predict_mask
    monkeypatch.setattr(network, "predict_mask", lambda x: (sides.append(x.shape[2:]), predict(x))[1])
    predictor = Predictor(network, card, open_core("cpu"), tile=64)
    tiled = predicted_mask(predictor, pixels)
    assert whole is not None
    assert tiled is not None
    assert np.ptp(whole) > 3
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert len(sides) > 4
    assert max(map(max, sides)) < 200


def test_super_resolution_is_told_from_sizes_and_measured_by_its_protocol(tmp_path: Path, cli: Cli) -> None:
    for i in range(2):
        large = draw_picture(i, 60, 66)
        small = matlab_bicubic.resize(large, 20, 22)
        for name, pixels in (
            ("targets", large),
            ("source", small),
            ("outputs", matlab_bicubic.resize(small, 60, 66)),
        ):
            (tmp_path / name).mkdir(exist_ok=True)
            write(tmp_path / name / f"{i}.png", pixels)
    answer = cli("evaluate", *of(tmp_path, "outputs", "source", "targets"), "device=cpu")
    assert answer.code == 0, answer.err
    found = told(tmp_path)
    assert (found["scale"], found["shave"]) == (3, 3)
    assert next(iter(found["metrics"])) == "psnr_y"
    for name in ("psnr_y", "ssim_y", "psnr", "ssim"):
        assert found["metrics"][name] == found["metrics"][f"{name}_input"], "bicubic is measured as bicubic"
    answer = cli("evaluate", *of(tmp_path, "outputs", "source", "targets"), "device=cpu", "shave=0")
    assert answer.code == 0, answer.err
    assert told(tmp_path)["metrics"]["psnr_y"] != found["metrics"]["psnr_y"]
    answer = cli("evaluate", *of(tmp_path, "outputs", "source", "targets"), "device=cpu", "scale=2")
    assert answer.code == 3 and "at scale 2 is 44x40 but" in answer.err, answer


def test_what_is_left_out_is_told_with_its_file(folders: Path, cli: Cli) -> None:
    answer = cli("evaluate", *of(folders, "outputs", "targets"), "device=cpu")
    assert answer.code == 0, answer.err
    assert set(told(folders)["left_out"]) >= {"fid", "kid", "lpips_alex", "squeeze_distance"}
    assert (
        "left out: fid, kid: weights are missing: pt_inception-2015-12-05-6726825d.pth (91 MiB" in answer.out
    )
    assert "colourfulness" in answer.out and "target" in answer.out.splitlines()[0]
    answer = cli("evaluate", *of(folders, "outputs", "targets"), "metrics=[psnr,lpips_vgg]")
    assert answer.code == 2 and "lpips_vgg: weights are missing: vgg16-397923af.pth (528 MiB" in answer.err
    assert "Without it work psnr, ssim" in answer.err and len(answer.err.splitlines()) == 1


@pytest.fixture
def squeezenet(tmp_path: Path) -> Path:
    """Planted weights, of SqueezeNet's shapes."""
    generator = torch.Generator().manual_seed(0)
    shapes = squeezenet_features().weights()
    folder = tmp_path / "weights"
    folder.mkdir()
    state = {key: torch.randn(value.shape, generator=generator) * 0.1 for key, value in shapes.items()}
    torch.save(state, folder / "squeezenet1_1_features.pth")
    return folder


def test_sets_are_measured_without_pairs(folders: Path, squeezenet: Path, cli: Cli) -> None:
    for i, file in enumerate(sorted((folders / "outputs").rglob("*.png"))):
        file.rename(folders / "outputs" / f"other-{i}.png")
    (folders / "outputs" / "broken.png").write_bytes(b"")
    keys = ["paired=false", f"weights={squeezenet}", "device=cpu"]
    answer = cli("evaluate", *of(folders, "outputs", "source", "targets"), *keys)
    assert answer.code == 0, answer.err
    found = told(folders)
    assert (found["found"], found["measured"]) == (13, 12)
    assert list(found["metrics"]) == ["squeeze_distance", "squeeze_distance_input"]
    assert found["metrics"]["squeeze_distance"] > 0
    assert "fid" not in found["metrics"] and "published" not in answer.out
    assert "of 4 images: not FID, comparable with itself alone" in answer.out
    file = squeezenet / "squeezenet1_1_features.pth"
    assert f"squeeze_distance: features of squeezenet1_1, {file}\n" in answer.out
    same = cli(
        "evaluate", f"outputs={folders / 'targets'}", *of(folders, "targets"), *keys, f"out={folders / 'o'}"
    )
    assert same.code == 0, same.err
    assert told(folders, "o/metrics.json")["metrics"]["squeeze_distance"] == pytest.approx(0, abs=1e-3)
    (folders / "one").mkdir()
    write(folders / "one/a.png", draw_picture(0, *SIZE))
    answer = cli("evaluate", f"outputs={folders / 'one'}", *of(folders, "targets"), *keys)
    assert answer.code == 3 and "outputs has 1 usable images" in answer.err


def test_class_maps_are_measured_by_their_indices(tmp_path: Path, cli: Cli) -> None:
    rng = np.random.default_rng(0)
    for name in ("outputs", "targets"):
        (tmp_path / name).mkdir()
    for i in range(3):
        target = rng.integers(0, 4, (20, 24), dtype=np.uint8)
        output = target.copy()
        output[: 5 * i] = (output[: 5 * i] + 1) % 4  # a quarter wrong in 1, half in 2
        target[-1] = 255
        image = Image.fromarray(output, mode="L").convert("P")
        image.putdata(output.ravel().tolist())
        image.putpalette([7 * (j % 30) for j in range(768)])
        image.save(tmp_path / "outputs" / f"{i}.png")
        Image.fromarray(target).save(tmp_path / "targets" / f"{i}.png")
    write(tmp_path / "outputs/colours.png", draw_picture(0, 20, 24))
    write(tmp_path / "targets/colours.png", draw_picture(0, 20, 24))
    answer = cli("evaluate", *of(tmp_path, "outputs", "targets"), "labels=4", "ignore=255", "worst=2")
    assert answer.code == 0, answer.err
    found = told(tmp_path)
    assert found["images"]["1"]["pixel_accuracy"] == pytest.approx(14 / 19)
    assert found["metrics"]["pixel_accuracy"] == pytest.approx((19 + 14 + 9) / 57)
    assert found["metrics"]["mean_iou"] < found["metrics"]["class_accuracy"] < 1
    assert "is a picture of mode RGB" in answer.err and "found 4: 3 measured, 1 not" in answer.out
    assert (tmp_path / "outputs-evaluation/worst.png").is_file()
    answer = cli("evaluate", *of(tmp_path, "outputs", "targets"), "labels=3", "ignore=255")
    assert answer.code == 3 and "holds classes 0 to 3; accepted are 0 to 2" in answer.err


def test_a_model_that_makes_class_maps_is_measured_by_its_own_classes(folders: Path, cli: Cli) -> None:
    torch.manual_seed(0)
    network = UNet(out_channels=4, width=2, depth=3, norm="none")
    torch.nn.init.normal_(next(p for p in reversed(list(network.parameters())) if p.dim() > 1))
    card = Card(catalogue.describe(network), target_mode="labels", classes=4, ignore=(255,))
    save_bundle(folders / "maps", network, card)
    predictor = Predictor(network, card, open_core("cpu"))
    right = total = 0
    for file in (folders / "source").rglob("*.png"):
        made = predictor(read(file).pixels)
        target = (made + (np.arange(SIZE[1])[None, :, None] < 13)).astype(np.uint8) % 4  # a quarter is wrong
        target[:8] = 255
        right, total = right + (made == target).sum(), total + (target != 255).sum()
        out = folders / "classes" / file.relative_to(folders / "source")
        out.parent.mkdir(parents=True, exist_ok=True)
        write(out, target)
    given = [
        f"model={folders / 'maps'}",
        *of(folders, "source"),
        f"targets={folders / 'classes'}",
        "device=cpu",
    ]
    answer = cli("evaluate", *given)
    assert answer.code == 0, answer.err
    found = told(folders, "maps/evaluation/metrics.json")
    assert found["labels"] == 4 and found["ignore"] == [255]
    assert found["metrics"]["pixel_accuracy"] == pytest.approx(right / total) == pytest.approx(0.75)
    answer = cli("evaluate", *given, "labels=3")
    assert answer.code == 2 and "the model says its own" in answer.err
    answer = cli("evaluate", *given, "metrics=[psnr]")
    assert answer.code == 2 and "by metrics of their own" in answer.err


def test_a_class_that_a_model_does_not_know_costs_only_its_file(folders: Path, cli: Cli) -> None:
    network = UNet(in_channels=3, width=2, depth=3, norm="none")
    save_bundle(
        folders / "photos", network, Card(catalogue.describe(network), source_mode="labels", classes=3)
    )
    for i, top in enumerate((2, 3)):
        for name, pixels in (("maps", np.arange(SIZE[0] * SIZE[1]) % (top + 1)), ("wanted", None)):
            (folders / name).mkdir(exist_ok=True)
            made = draw_picture(i, *SIZE) if pixels is None else pixels.reshape(*SIZE, 1).astype(np.uint8)
            write(folders / name / f"{i}.png", made)
    given = [f"source={folders / 'maps'}", f"targets={folders / 'wanted'}", *CHEAP]
    answer = cli("evaluate", f"model={folders / 'photos'}", *given)
    assert answer.code == 0, answer.err
    assert "1.png: holds class 3" in answer.err and "found 2: 1 measured, 1 not" in answer.out
    assert "psnr_input" not in told(folders, "photos/evaluation/metrics.json")["metrics"], (
        "classes are no levels"
    )


@pytest.mark.parametrize(
    ("keys", "code", "said"),
    some(
        [
            ("targets=T", 2, "give either model=RUN source=DIR, or outputs=DIR"),
            ("outputs=O", 2, "missing: targets"),
            ("model=O outputs=O targets=T", 2, "give either"),
            ("model=O targets=T", 2, "give source=DIR too"),
            ("model=M source=O targets=T", 4, "neither a run folder nor a bundle"),
            ("outputs=nowhere targets=T", 3, "no such folder"),
            ("outputs=F targets=T", 2, "is a file; give the folder that holds it"),
            ("outputs=O targets=T metrics=[psrn]", 2, "did you mean psnr?"),
            ("outputs=O targets=T metrics=[]", 2, "metrics=[] names none"),
            ("outputs=O targets=T worst=-1", 2, "worst=-1: accepted: 0"),
            ("outputs=O targets=T scale=0", 2, "scale=0: accepted are auto and whole numbers from 1"),
            ("outputs=O targets=T shave=much", 2, "shave=much: accepted are auto"),
            ("outputs=O targets=T weights=nowhere", 2, "weights=nowhere: no such folder"),
            ("outputs=O targets=T paired=false metrics=[psnr]", 2, "psnr compares pairs"),
            ("outputs=O targets=T labels=1", 2, "labels=1: accepted: 2 to 256"),
            ("outputs=O targets=T labels=4 metrics=[psnr]", 2, "by metrics of their own"),
            ("outputs=O targets=T ignore=3", 2, "give labels=N"),
            (
                "outputs=O targets=T fid_resize=tf metrics=[psnr]",
                2,
                "fid_resize=tf: accepted are pytorch-fid",
            ),
            ("outputs=O targets=T out=O", 2, "lies in outputs="),
            ("outputs=O targets=T out=T/new", 2, "lies in targets="),
            ("outputs=O targets=T device=tpu", 2, "accepted are auto, cpu, cuda"),
            ("outputs=O targets=T metric=[psnr]", 2, "did you mean metrics?"),
        ]
    ),
)
def test_mistakes_are_answered_in_one_line(folders: Path, cli: Cli, keys: str, code: int, said: str) -> None:
    places = {"O": folders / "outputs", "T": folders / "targets", "M": folders}
    places["F"] = folders / "targets/sub0/picture-0.png"
    parts = [word.partition("=") for word in keys.split()]
    arguments = [
        f"{key}={places.get(value.split('/')[0], value)}{value[1:] if value.startswith('T/') else ''}"
        for key, _, value in parts
    ]
    answer: Answer = cli("evaluate", *arguments)
    assert answer.code == code, answer
    assert said in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
    assert not (folders / "outputs-evaluation").exists()


def test_a_model_with_masks_is_refused(folders: Path, cli: Cli) -> None:
    network = UNet(in_channels=4, width=2, depth=3)
    save_bundle(folders / "masked", network, Card(catalogue.describe(network), mask="input"))
    answer = cli("evaluate", f"model={folders / 'masked'}", *of(folders, "source", "targets"), *CHEAP)
    assert answer.code == 2 and "was trained with masks; apply it by gantrans translate" in answer.err


@pytest.mark.parametrize("effect", ["worst=0", "json=JSON", "out=OUT"])
def test_where_results_go_is_chosen_by_key(folders: Path, cli: Cli, effect: str) -> None:
    """The keys that have no test of their own above."""
    places = {"JSON": folders / "my.json", "OUT": folders / "my"}
    key, _, value = effect.partition("=")
    given = [*of(folders, "outputs", "targets"), *CHEAP, f"{key}={places.get(value, value)}"]
    assert cli("evaluate", *given).code == 0
    left = {path.relative_to(folders).as_posix() for path in folders.rglob("*") if path.is_file()}
    made, strip = ("metrics.json", "worst.png")
    assert {path for path in left if path.count("/") < 2} == {
        "worst=0": {f"outputs-evaluation/{made}"},
        "json=JSON": {"my.json", f"outputs-evaluation/{strip}"},
        "out=OUT": {f"my/{made}", f"my/{strip}"},
    }[effect]


def test_help_names_every_key(cli: Cli) -> None:
    from dataclasses import fields

    from gantrans.build.schema import EvaluateSchema

    answer = cli("evaluate", "--help")
    assert answer.code == 0
    for key in fields(EvaluateSchema):
        line = next(line for line in answer.out.splitlines() if line.startswith(f"    {key.name} "))
        assert len(line.split(maxsplit=2)) == 3, f"{key.name}: its default and what it does"
    assert "  evaluate " in cli("--help").out
