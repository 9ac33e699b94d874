"""Label maps and small sources on their way through data, training, bundles and translation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.build import data_colours
from gantrans.build.config import compose_verb
from gantrans.build.data_pairs import pair_data
from gantrans.build.data_unpaired import unpaired_data
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.readers import ReadFiles
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import label_colours
from gantrans.imaging.decode import Refused
from gantrans.imaging.label_colours import as_palette, classes_of
from gantrans.imaging.labels import read_labels
from tests.conftest import Cli, draw_picture
from tests.test_features import random_state

CLASSES = 4
TINY = (
    "train.total=2step",
    "train.batch_size=2",
    "val.images=2",
    "val.probes=1",
    "core.device=cpu",
    "data.workers=0",
)
LIGHT = (
    "generator=unet_light",
    "generator.width=4",
    "generator.depth=3",
    "augment.resize=null",
    "augment.crop=16",
)


def painted(labels: np.ndarray) -> np.ndarray:
    """A picture whose colours tell the classes."""
    return (labels * np.array([60, 40, 20], np.uint8)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("maps")
    for role in ("source", "target"):
        (root / role).mkdir()
    for i in range(5):
        blocks = np.random.default_rng(i).integers(0, CLASSES, (6, 8)).astype(np.uint8)
        labels = blocks.repeat(6, 0).repeat(6, 1)[..., None]
        Image.fromarray(labels[..., 0]).save(root / "source" / f"{i}.png")
        Image.fromarray(painted(labels)).save(root / "target" / f"{i}.png")
    return root


def item_of(folder: Path, i: int = 0) -> Item:
    return Item(str(i), folder / "source" / f"{i}.png", folder / "target" / f"{i}.png")


@pytest.mark.parametrize("augment", [
    Augment(crop=16), Augment(crop=16, quarter_turns=True),
    Augment(crop=16, rotate_deg=30, scale=(0.7, 1.4), warp=0.1),
])  # fmt: skip
def test_classes_move_with_their_picture_and_are_never_mixed(folder: Path, augment: Augment) -> None:
    pairs = PairDataset([item_of(folder)], ReadFiles(), augment, 0, source_mode="labels", classes=CLASSES)
    agreeing = []
    for epoch in range(12):
        planes, picture = pairs.pair(epoch, 0)
        assert planes.shape == (16, 16, CLASSES) and set(np.unique(planes)) <= {0, 255}
        assert (planes.sum(2, dtype=np.int64) == 255).all()
        colours = painted(np.arange(CLASSES, dtype=np.uint8)[:, None]).astype(int)
        nearest = np.abs(colours - picture[:, :, None].astype(int)).sum(3).argmin(2)
        agreeing.append(nearest == planes.argmax(2))
    # Where the picture is resampled, the colours of edges may be anything between.
    assert np.mean(agreeing) > (0.999 if augment.warp == 0 else 0.85)


def test_small_sources_are_cut_where_their_targets_are(tmp_path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(small).save(tmp_path / "s.png")
    Image.fromarray(small.repeat(3, 0).repeat(3, 1)).save(tmp_path / "t.png")
    item = Item("a", tmp_path / "s.png", tmp_path / "t.png")
    augment = Augment(crop=24, quarter_turns=True)
    pairs = PairDataset([item], ReadFiles(), augment, 0, scale=3, small=True)
    seen = set()
    for epoch in range(20):
        source, target = pairs.pair(epoch, 0)
        assert source.shape == (8, 8, 3) and target.shape == (24, 24, 3)
        np.testing.assert_array_equal(target[1::3, 1::3], source)
        seen.add(source.tobytes())
    assert len(seen) > 15


@pytest.mark.parametrize(("keys", "code", "words"), [
    (("data.source_mode=labels",), 2, "label maps need the number of their classes"),
    (("data.source_mode=labels", "data.classes=3"), 3, "holds class 3, but data.classes=3 has 0 to 2"),
    (("data.source_mode=labels", "data.classes=3", "data.ignore=[2]"), 2, "2 is one of the 3 classes"),
    (("data.classes=4",), 2, "data.classes=4: is for label maps"),
    (("data.source_mode=labels", "data.classes=4", "augment.jitter_source=0.1"), 2, "augment.jitter_source"),
    (("data.target_mode=labels", "data.classes=4"), 3, "a label map has one channel"),
    (("scale=3",), 2, "scale=3: nothing here changes sizes; choose experiment=superres"),
    (("val.metrics=[lpip]",), 2, "no metric 'lpip'"),
    (("val.best=lpips_squeeze",), 2, "accepted are psnr, ssim"),
])  # fmt: skip
def test_keys_that_do_not_fit_are_answered_in_a_line(
    folder: Path, tmp_path: Path, cli: Cli, keys: tuple[str, ...], code: int, words: str
) -> None:
    experiment = ("experiment=restore", *LIGHT, "init.kind=normal", *keys)
    answer = cli("train", *experiment, f"data.root={folder}", f"run.dir={tmp_path / 'run'}", *TINY)
    assert answer.code == code and words in answer.err and "Traceback" not in answer.err


def test_labels_to_photo_and_back_go_all_the_way(folder: Path, tmp_path: Path, cli: Cli) -> None:
    modes = {"labels2photo": (), "photo2labels": ("data.swap=true",)}
    for experiment, swap in modes.items():
        run = tmp_path / experiment
        keys = (f"experiment={experiment}", f"data.root={folder}", f"data.classes={CLASSES}", *LIGHT, *swap)
        answer = cli(
            "train", *keys, "discriminator=patchgan_light", "augment.scale=[1,1]", f"run.dir={run}", *TINY
        )
        assert answer.code == 0, answer.err
        said = answer.out
        given = folder / ("target" if swap else "source")
        answer = cli("translate", f"model={run}", f"source={given}", f"out={run / 'out'}", "device=cpu")
        assert answer.code == 0, answer.err
        made = read_labels(run / "out" / "0.png") if swap else np.asarray(Image.open(run / "out" / "0.png"))
        assert made.shape[:2] == (36, 48) and made.dtype == np.uint8
        if swap:
            assert made.max() < CLASSES
            metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            last = [m for m in metrics if m["split"] == "val"][-1]
            assert 0 <= last["pixel_accuracy"] <= 1 and 0 < last["majority_accuracy"] < 1
            assert said.count(f"(the commonest class everywhere: {last['majority_accuracy']:.4f})") == 1
            assert said.count(f"(the commonest class everywhere: {last['majority_iou']:.4f})") == 1
    strange = tmp_path / "strange"
    strange.mkdir()
    Image.fromarray(np.full((8, 8), CLASSES, np.uint8)).save(strange / "a.png")
    answer = cli(
        "translate", f"model={tmp_path / 'labels2photo'}", f"source={strange}", f"out={tmp_path / 'x'}"
    )
    assert answer.code == 3 and "holds class 4, but this model knows 0 to 3" in answer.err
    answer = cli(
        "translate", f"model={tmp_path / 'photo2labels'}", f"source={folder / 'target'}",
        f"out={tmp_path / 'y'}", "format=jpg",
    )  # fmt: skip
    assert answer.code == 2 and "png" in answer.err


def test_values_that_stand_for_no_class(folder: Path, tmp_path: Path, cli: Cli) -> None:
    base = (
        "experiment=photo2labels",
        f"data.root={folder}",
        "data.swap=true",
        "data.classes=3",
        *LIGHT,
        *TINY,
    )
    base = (*base, "discriminator=patchgan_light", "augment.scale=[1,1]")
    answer = cli("train", *base, f"run.dir={tmp_path / 'a'}")
    assert answer.code == 3 and "holds class 3" in answer.err
    answer = cli("train", *base, "data.ignore=[3]", f"run.dir={tmp_path / 'b'}")
    assert answer.code == 0, answer.err
    about = json.loads((tmp_path / "b" / "bundle" / "bundle.json").read_text())
    assert (about["classes"], about["ignore"]) == (3, [3])


def test_a_run_is_measured_by_other_metrics_too(folder: Path, tmp_path: Path, cli: Cli) -> None:
    """And the best may be the lowest: of two validations the one with the smaller distance is kept."""
    torch.save(random_state("squeezenet1_1"), tmp_path / "squeezenet1_1_features.pth")
    keys = (
        "experiment=restore",
        f"data.root={folder}",
        *LIGHT,
        "generator.norm=none",
        "data.source_mode=rgb",
    )
    keys = (*keys, *TINY, "discriminator.width=2")
    keys = (*keys, "val.every=1step", "val.metrics=[lpips_squeeze]", "val.best=lpips_squeeze")
    run = tmp_path / "run"
    answer = cli("train", *keys, f"run.dir={run}", f"val.weights={tmp_path}")
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    seen = {m["step"]: m["lpips_squeeze"] for m in lines if m["split"] == "val"}
    assert len(seen) == 3
    best = min(seen, key=lambda step: seen[step])
    assert f"best lpips_squeeze, of step {best})" in answer.out
    answer = cli("train", *keys, f"run.dir={tmp_path / 'none'}", f"val.weights={folder}")
    assert answer.code == 2 and "squeezenet1_1-b8a52dc0.pth" in answer.err


def test_superres_goes_all_the_way(tmp_path: Path, cli: Cli) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(4):
        rows, columns = np.mgrid[:45, :61]
        waves = [127 + 100 * np.sin(rows / (3 + i) + columns / (2 + c)) for c in range(3)]
        Image.fromarray(np.stack(waves, 2).astype(np.uint8)).save(photos / f"{i}.png")
    base = ("experiment=superres", f"data.root={photos}", "generator.width=4", "generator.blocks=1", *TINY)
    run = tmp_path / "run"
    answer = cli("train", *base, "scale=3", "augment.crop=24", f"run.dir={run}")
    assert answer.code == 0, answer.err
    answer = cli(
        "translate", f"model={run}", f"source={photos / '0.png'}", f"out={tmp_path / 'out'}", "device=cpu"
    )
    assert answer.code == 0, answer.err
    assert Image.open(tmp_path / "out" / "0.png").size == (183, 135)
    for keys, words in (
        (("scale=3", "augment.crop=25"), "must be a multiple of 3"),
        (("scale=3", "augment.crop=24", "augment.warp=0.1"), "augment.warp: would resample"),
        (("scale=3", "recipe.scale=2", "augment.crop=24"), "generator.scale=3: the sources here are 1/2"),
        (("scale=5", "augment.crop=25"), "scale=5: accepted are 1, 2, 3, 4, 8"),
    ):
        answer = cli("train", *base, *keys, f"run.dir={tmp_path / 'bad'}")
        assert answer.code == 2 and words in answer.err, answer.err


def test_colours_are_not_learned_from_grey_pictures(
    tmp_path: Path, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grey targets would be matched perfectly and teach nothing."""
    grey, mixed = tmp_path / "grey", tmp_path / "mixed"
    for root in (grey, mixed):
        root.mkdir()
        for i in range(5):
            picture = Image.fromarray(draw_picture(i)).convert("L")  # of one channel, and of three equal ones
            picture.convert("RGB" if i % 2 else "L").save(root / f"{i}.jpg")
    keys = ["experiment=colorize", "augment.crop=16", "augment.resize=null"]
    answer = cli("train", *keys, f"data.root={grey}", f"run.dir={tmp_path / 'run'}")
    assert answer.code == 3 and answer.err.count("\n") == 1 and not (tmp_path / "run").exists()
    assert "5 of 5 targets that were looked at are grey, as " in answer.err
    assert f"{grey / '0.jpg'}; colours are learned from colour photos" in answer.err
    apart = ["experiment=colorize_unpaired", *keys[1:], f"data.root={mixed}", f"data.targets={grey}"]
    with pytest.raises(DataError, match=r"unpaired: as data\.targets"):
        unpaired_data(compose_verb("train", apart))
    halves = tmp_path / "halves"
    halves.mkdir()
    wide = np.concatenate([draw_picture(1), draw_picture(2).mean(2, keepdims=True).repeat(3, 2)], axis=1)
    for i in range(3):
        Image.fromarray(wide.astype(np.uint8)).save(halves / f"{i}.png")
    sides = [*keys, f"data.root={halves}", "data.layout=side_by_side"]
    with pytest.raises(DataError, match="3 of 3 targets"):
        pair_data(compose_verb("train", sides))
    pair_data(compose_verb("train", [*sides, "data.side=right"]))
    assert capsys.readouterr().err == ""
    Image.fromarray(draw_picture(3)).save(mixed / "3.jpg")
    pair_data(compose_verb("train", [*keys, f"data.root={mixed}"]))
    assert "4 of 5 targets that were looked at are grey" in capsys.readouterr().err
    pair_data(compose_verb("train", [*keys, f"data.root={grey}", "data.source_mode=rgb"]))
    monkeypatch.setattr(data_colours, "GREY", 0.0)  # a look that sees colour everywhere
    pair_data(compose_verb("train", [*keys, f"data.root={grey}"]))


COLOURS = ((0, 0, 170), (0, 85, 255), (255, 170, 0), (170, 0, 0))
PALETTE = "data.palette=[[0,0,170],[0,85,255],[255,170,0],[170,0,0]]"


@pytest.fixture(scope="module")
def facade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photo left, coloured labels right, as JPEG."""
    root = tmp_path_factory.mktemp("facade")
    for i in range(4):
        blocks = (
            np.random.default_rng(i).integers(0, CLASSES, (3, 4)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
        )
        both = np.concatenate([painted(blocks[..., None]), np.array(COLOURS, np.uint8)[blocks]], axis=1)
        Image.fromarray(both).save(root / f"{i}.jpg", quality=75)
        np.save(root / f"{i}.npy", blocks)
    return root


def test_colours_become_the_nearest_classes(facade: Path) -> None:
    truth = np.load(facade / "0.npy")
    lossy = np.asarray(Image.open(facade / "0.jpg"))[:, 64:]
    assert (
        np.ptp(lossy.reshape(-1, 3), axis=0).max() > 100 and len(np.unique(lossy.reshape(-1, 3), axis=0)) > 20
    )
    found = classes_of(lossy, COLOURS)
    assert found.shape == (48, 64, 1) and found.dtype == np.uint8
    assert (found[..., 0] == truth).mean() > 0.97
    with pytest.raises(Refused, match=r"an area of colour \(\d+, \d+, \d+\), but the nearest"):
        classes_of(lossy, COLOURS[:2])


def test_palettes_are_lists_or_files(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("name,r,g,b\n# no class\nwall, 0, 0, 170\nwindow, 0, 85, 255 # glass\n\n")
    assert as_palette(str(tmp_path / "p.csv")) == as_palette([list(c) for c in COLOURS[:2]]) == COLOURS[:2]
    (tmp_path / "q.txt").write_text("0 0 170\n0 85\n")
    for wrong, words in (
        (str(tmp_path / "q.txt"), r"colour 1 is \[0, 85\]; accepted are three whole numbers"),
        ([[0, 0, 300]], "colour 0 is"), ([[1, 2, 3], [1, 2, 3]], "1 of them distinct"), ([], "0 colours"),
        (str(tmp_path / "none.csv"), "not readable as text"), ([7], "colour 0 is 7"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            as_palette(wrong)


def test_photos_to_coloured_labels_go_all_the_way(
    facade: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ("experiment=photo2labels", *LIGHT, "augment.scale=[1,1]", "discriminator=patchgan_light", *TINY)
    halves = (*base, f"data.root={facade}", "data.layout=side_by_side", f"data.classes={CLASSES}")
    run = tmp_path / "run"
    answer = cli("train", *halves, PALETTE, f"run.dir={run}")
    assert answer.code == 0, answer.err
    assert "pixel_accuracy" in answer.out and "mean_iou" in answer.out
    for keys, code, words in (
        ((), 2, "or for targets give data.palette"),
        (("data.palette=[[0,0,170],[0,85,255]]",), 2, "2 colours for data.classes=4"),
        ((PALETTE.replace("255,170,0", "0,255,0"),), 3, ".jpg: has an area of colour (2"),
        ((PALETTE, "data.target_mode=rgb", "data.classes=null"), 2, "data.palette"),
    ):
        answer = cli("train", *halves, *keys, f"run.dir={tmp_path / 'x'}")
        assert answer.code == code and words in answer.err and answer.err.count("\n") == 1, answer.err
    pairs = pair_data(compose_verb("train", [*halves, PALETTE, "data.cache_mib=4"])).train
    assert isinstance(pairs, PairDataset)
    truth = np.load(pairs.items[0].source.with_suffix(".npy"))
    for _ in range(2):  # decoded, and from the cache
        assert (pairs.whole(0)[1][..., 0] == truth).mean() > 0.97
    monkeypatch.setattr(label_colours, "TOLERANCE", 500.0)  # which lets any colour pass
    pair_data(compose_verb("train", [*halves, PALETTE.replace("255,170,0", "0,255,0")]))
