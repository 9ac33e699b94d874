"""Images without partners: which folders are read, in which order, and that runs on them go on exactly."""

from __future__ import annotations

import functools
import json
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.cli.main import main
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item, items_of
from gantrans.data.layouts_unpaired import find_folder, find_unpaired
from gantrans.data.readers import read_files
from gantrans.data.stream import batches
from gantrans.data.unpaired import HybridDataset, ImageSet, UnpairedDataset
from gantrans.errors import DataError
from gantrans.imaging.colour import to_rgb
from gantrans.imaging.read import read
from gantrans.lab import lab_from_rgb
from gantrans.nets.colorizer import Colorizer, Decolorizer
from tests.conftest import TINY, Cli, draw_picture, some


def fill(folder: Path, count: int, start: int = 0, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        Image.fromarray(draw_picture(i, 40, 44)).save(folder / f"{i}{suffix}")
    return folder


def found(root: Path, targets: Path | None = None) -> dict[str, dict[str, int]]:
    index = find_unpaired(root, targets, val_fraction=0.2, seed=0)
    kinds = {"source": index.source, "target": index.target}
    return {kind: {split: len(items) for split, items in splits.items()} for kind, splits in kinds.items()}


def test_train_and_test_folders_of_the_reference_are_read_as_they_are(tmp_path: Path) -> None:
    for name, count in (("trainA", 5), ("trainB", 3), ("testA", 2), ("testB", 4)):
        fill(tmp_path / name, count)
    assert found(tmp_path) == {
        "source": {"train": 5, "test": 2, "val": 2},
        "target": {"train": 3, "test": 4, "val": 4},
    }


def test_other_names_and_nested_folders_are_read_and_a_part_held_out(tmp_path: Path) -> None:
    fill(tmp_path / "source" / "deep", 9)
    fill(tmp_path / "target", 6, suffix=".jpg")
    kinds = found(tmp_path)
    for kind, count in (("source", 9), ("target", 6)):
        assert kinds[kind]["train"] + kinds[kind]["val"] == count
        assert kinds[kind]["val"] >= 1
    nested = tmp_path / "nested"
    fill(nested / "train" / "A", 4)
    fill(nested / "train" / "B", 2)
    assert sum(found(nested)["source"].values()) == 4


def test_two_folders_anywhere(tmp_path: Path) -> None:
    horses, zebras = fill(tmp_path / "horses", 4), fill(tmp_path / "zebras", 7)
    kinds = found(horses, zebras)
    assert {kind: sum(splits.values()) for kind, splits in kinds.items()} == {"source": 4, "target": 7}


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        ([], "trainA/ + trainB/"),
        (["trainA"], "trainA/ \\+ trainB/"),
        (["testA", "testB"], "no training images of the source kind"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, folders: list[str], said: str) -> None:
    for name in folders:
        fill(tmp_path / name, 2)
    with pytest.raises(DataError, match=said.replace("+", "\\+").replace("\\\\", "\\")):
        found(tmp_path)
    with pytest.raises(DataError, match=r"data\.targets=.*nowhere: no such folder"):
        found(tmp_path, tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"data\.unpaired=.*nowhere: no such folder"):
        find_folder(tmp_path / "nowhere", "data.unpaired", val_fraction=0.1, seed=0)


def image_set(folder: Path, name: str, augment: Augment | None = None) -> ImageSet:
    return ImageSet(name, items_of(folder), augment or Augment(crop=32), seed=3)


def test_every_image_is_seen_as_often_whatever_the_counts(tmp_path: Path) -> None:
    data = UnpairedDataset(
        image_set(fill(tmp_path / "a", 5), "source"), image_set(fill(tmp_path / "b", 3), "target")
    )
    assert len(data) == 5
    keys = [data.sample(position).key.split(" + ") for position in range(15)]
    assert set(Counter(source for source, _ in keys).values()) == {3}
    assert set(Counter(target for _, target in keys).values()) == {5}
    assert len({tuple(pair) for pair in keys}) > 7, "who meets whom changes from epoch to epoch"


def test_the_two_kinds_are_augmented_independently(tmp_path: Path) -> None:
    folder = fill(tmp_path / "same", 1)
    data = UnpairedDataset(image_set(folder, "source"), image_set(folder, "target"))
    pairs = [(s.source, s.target) for s in map(data.sample, range(12))]
    assert sum(np.array_equal(a, b) for a, b in pairs) < 3


def test_a_batch_of_the_hybrid_holds_pairs_that_agree_and_real_images(tmp_path: Path) -> None:
    root = fill(tmp_path / "pairs", 4)
    items = [Item(item.key, item.source, item.source) for item in items_of(root)]
    augment = Augment(crop=24, rotate_deg=10)
    pairs = PairDataset(items, read_files, augment, seed=3)
    data = HybridDataset(pairs, image_set(fill(tmp_path / "real", 7, start=50), "unpaired", augment))
    assert len(data) == 4
    whole = list(islice(batches(data, batch_size=3, first_step=0, workers=0), 6))
    later = list(islice(batches(data, batch_size=3, first_step=4, workers=1), 2))
    for one, other in zip(whole[4:], later, strict=True):
        assert one.keys == other.keys
        assert one.unpaired is not None and other.unpaired is not None
        assert torch.equal(one.unpaired, other.unpaired)
    for batch in whole:
        assert torch.equal(batch.source, batch.target)
        assert batch.unpaired is not None and batch.unpaired.shape == batch.source.shape
        assert batch.pin_memory if torch.cuda.is_available() else True


def test_a_bad_image_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", 2)
    (folder / "0.png").write_bytes(b"<html>")
    small = fill(tmp_path / "b", 1)
    data = UnpairedDataset(image_set(folder, "source"), image_set(small, "target"))
    with pytest.raises(DataError, match=r"0\.png"):
        list(islice(batches(data, batch_size=4, first_step=0, workers=0), 1))
    tight = UnpairedDataset(image_set(small, "source", Augment(crop=64)), image_set(small, "target"))
    with pytest.raises(DataError, match=r"44x40 is smaller than the crop of 64; set augment\.crop=40"):
        tight.sample(0)


# --- whole runs

KEYS = [key for key in TINY if not key.startswith(("experiment=", "generator", "discriminator.norm"))]
NETS = ["generator=resnet_light", "generator.width=2", "generator.blocks=1", "discriminator.norm=instance"]
COLOUR = ["generator.width=2", "generator.depth=2", "generator.working_px=0", "discriminator.norm=instance"]
RUNS = {
    "cyclegan": ["experiment=cyclegan", "method.pool=4"],
    "cut": ["experiment=cut", "method.patches=8", "method.width=4"],
    "fastcut": ["experiment=fastcut", "method.patches=8", "method.width=4"],
    "degradation": ["experiment=cyclegan", "method=degradation"],
    "hybrid": ["experiment=hybrid"],
    "hybrid_nce": ["experiment=hybrid", "method.tie=nce"],
    "restrained": ["experiment=cyclegan", "method.pool=2", "adversary.r1=1", "adversary.r1_every=2",
                   "adversary.augment=[colour,translation,cutout]", "adversary.augment_p=0.5"],
    "colour": ["experiment=colorize_unpaired", "method.pool=2"],
    "nogan": ["experiment=restore_nogan", "train.stages=[{generator:2},{discriminator:2},{both:2}]"],
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that tests read; those that change them take a copy, `domains`."""
    root = tmp_path_factory.mktemp("world")
    fill(root / "data" / "trainA", 5)
    fill(root / "data" / "trainB", 3, start=20)
    fill(root / "real", 4, start=40)
    fill(root / "clean", 5, start=60)
    for side in (40, 50, 60):
        fill(root / "mixed", 0)
        Image.fromarray(draw_picture(side, side, side)).save(root / "mixed" / f"{side}.png")
    return root


@pytest.fixture
def domains(world: Path, tmp_path: Path) -> Path:
    for name in ("data", "real", "clean", "mixed"):
        shutil.copytree(world / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs that nothing disturbed, by their names, each made once."""

    @functools.cache
    def made(name: str) -> Path:
        run = tmp_path_factory.mktemp("whole") / name
        assert main(command(world, name, run)) == 0
        return run

    return made


def command(domains: Path, name: str, run: str | Path, *more: str) -> list[str]:
    paired = name.startswith("hybrid") or name == "nogan"
    root = domains / ("clean" if paired else "data")
    real = [f"data.unpaired={domains / 'real'}"] if name.startswith("hybrid") else []
    extra = ["augment.resize=40"] if not paired else []
    nets = COLOUR if name == "colour" else NETS
    keys = [*RUNS[name], *KEYS, *nets, f"data.root={root}", *real, *extra]
    return ["train", *keys, f"run.dir={domains / run}", *more]


@pytest.mark.parametrize("name", some(RUNS))
def test_every_method_resumes_bit_for_bit(
    world: Path, whole: Callable[[str], Path], tmp_path: Path, cli: Cli, name: str
) -> None:
    from tests.test_training import assert_same, newest

    runs = (whole(name), tmp_path / "parts")
    assert cli(*command(world, name, runs[1], "train.stop_at=3step")).code == 0
    answer = cli("resume", runs[1], "train.stop_at=null", "data.workers=1")
    assert answer.code == 0, answer.err
    undisturbed, parts = map(newest, runs)
    assert_same(undisturbed, parts)
    lines = [(run / "metrics.jsonl").read_bytes() for run in runs]
    assert lines[0] == lines[1]
    strips = [(run / "samples" / "step-000006.png").read_bytes() for run in runs]
    assert strips[0] == strips[1]
    if name == "cyclegan":
        pool = undisturbed["networks"]["target_pool"]
        assert int(pool["held"]) == 4 and bool(pool["images"].any()), "the history is part of the state"
    if name == "restrained":
        assert undisturbed["networks"]["target_discriminator_augmenter"]["probability"] == 0.5


def test_a_history_that_is_not_resumed_is_noticed(
    world: Path, whole: Callable[[str], Path], tmp_path: Path, cli: Cli
) -> None:
    """The comparison above can fail: forget the history, and the continuation differs."""
    from gantrans.training import checkpoint
    from tests.test_training import assert_same, newest

    run = tmp_path / "parts"
    assert cli(*command(world, "cyclegan", run, "train.stop_at=4step")).code == 0
    folder = run / "checkpoints"
    saved, state, _ = checkpoint.load_newest(folder)
    state["networks"]["target_pool"]["images"].zero_()
    checkpoint.save(folder, state, saved.step, saved.metrics)
    assert cli("resume", run, "train.stop_at=null").code == 0
    with pytest.raises(AssertionError):
        assert_same(newest(whole("cyclegan")), newest(run))


def test_both_ways_of_a_cyclegan_translate(domains: Path, cli: Cli) -> None:
    keys = ["data.target_mode=grey", "method.lambda_identity=0", "train.total=2step"]
    assert cli(*command(domains, "cyclegan", "run", *keys)).code == 0
    photos = domains / "data" / "trainA"
    for direction, mode in (("to_target", "L"), ("AtoB", "L"), ("to_source", "RGB"), ("BtoA", "RGB")):
        out = domains / direction
        answer = cli(
            "translate",
            f"model={domains / 'run'}",
            f"source={photos}",
            f"out={out}",
            f"direction={direction}",
        )
        assert answer.code == 0, answer.err
        assert len(list(out.glob("*.png"))) == 5
        with Image.open(out / "0.png") as image:
            assert (image.size, image.mode) == ((44, 40), mode)
    first, again = ((domains / way / "0.png").read_bytes() for way in ("to_source", "BtoA"))
    assert first == again
    bundle = json.loads((domains / "run" / "bundle" / "to_source" / "bundle.json").read_text())
    assert (bundle["source_mode"], bundle["target_mode"]) == ("grey", "rgb")
    answer = cli("translate", f"model={domains / 'run'}", f"source={photos}", f"out={domains / 'x'}",
                 "direction=up")  # fmt: skip
    assert answer.code == 2 and "accepted are to_target" in answer.err


def test_colours_are_learned_without_pairs_and_the_lightness_stays(domains: Path, cli: Cli) -> None:
    """Both ways are bundles of their own kind; a grey picture keeps its L, which colours alone would not."""
    for file in (domains / "data" / "trainA").iterdir():
        with Image.open(file) as image:
            image.convert("L").save(file)
    keys = ["train.total=2step", "train.lr=0.02", "train.ema=0", "generator.saturation=3"]
    answer = cli(*command(domains, "colour", "run", *keys))
    assert answer.code == 0, answer.err
    found = {}
    for way, folder, name in (("to_target", "trainA", "Colorizer"), ("to_source", "trainB", "Decolorizer")):
        bundle = domains / "run" / "bundle" / ("to_source" if way == "to_source" else "")
        assert json.loads((bundle / "bundle.json").read_text())["network"]["name"] == name
        source, out = domains / "data" / folder, domains / way
        answer = cli(
            "translate", f"model={domains / 'run'}", f"source={source}", f"out={out}", f"direction={way}"
        )
        assert answer.code == 0, answer.err
        first = min(path.name for path in source.iterdir())
        found[way] = [read(place / first).pixels for place in (source, out)]
    grey, colours = found["to_target"]
    assert grey.shape[2] == 1 and colours.shape[2] == 3 and np.ptp(colours, axis=2).max() > 10
    before, after = (lab_from_rgb(to_rgb(p) / 255.0)[..., 0] for p in (grey, colours))
    assert np.abs(before - after).max() < 0.5  # what rounding to 8 bits does
    assert found["to_source"][1].shape[2] == 1


def test_the_way_back_from_colour_starts_exact_and_sees_one_pixel_at_a_time() -> None:
    torch.manual_seed(0)
    there, back = Colorizer(width=2, depth=2, norm="none").eval(), Decolorizer(width=4).eval()
    torch.nn.init.normal_(there.head.weight, std=0.02)  # type: ignore[arg-type]
    grey = torch.rand(2, 1, 7, 9) - 0.5
    coloured = there(grey)
    assert (coloured - grey).abs().max() > 0.01
    torch.testing.assert_close(back(coloured), grey, atol=1e-3, rtol=0)
    assert back(torch.rand(1, 3, 1, 1)).shape == (1, 1, 1, 1)

    def reach(made: torch.nn.Module) -> int:
        """How many pixels of grey follow one of colour."""
        torch.nn.init.normal_(made.head.weight)  # type: ignore[union-attr,arg-type]
        x = torch.rand(1, 3, 9, 9)
        changed = x.clone()
        changed[..., 4, 4] = 1 - x[..., 4, 4]
        return int(((made(x) - made(changed)).abs() > 1e-6).sum())

    assert reach(back) == 1
    back.layers.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1)  # what could hide colours in a pattern
    assert reach(back) == 9
    with pytest.raises(ValueError, match=r"makes 1 channel of 3, found 3 of 3; set data\.source_mode=grey"):
        Decolorizer(3, 3)


def test_a_one_way_model_says_so(domains: Path, cli: Cli) -> None:
    assert cli(*command(domains, "cut", "run", "train.total=1step")).code == 0
    keys = [f"model={domains / 'run'}", f"source={domains / 'real'}", f"out={domains / 'out'}"]
    answer = cli("translate", *keys, "direction=to_source")
    assert answer.code == 4
    assert "translates one way only; use direction=to_target" in answer.err


def test_exchanging_the_kinds_exchanges_the_ways(domains: Path, cli: Cli) -> None:
    assert cli(*command(domains, "cyclegan", "run", "data.swap=true", "train.total=1step")).code == 0
    provenance = json.loads((domains / "run" / "bundle" / "bundle.json").read_text())["provenance"]
    assert provenance["train_images"] == {"source": 2, "target": 4}


def test_a_moved_data_folder_is_no_other_data(domains: Path, cli: Cli) -> None:
    """Images are known by their names below their own folder, the kinds exchanged or not."""
    hashes = []
    for place in ("here", "there"):
        fill(domains / place / "one", 5)
        fill(domains / place / "two", 3, start=20)
        root = (f"data.root={domains / place / 'one'}", f"data.targets={domains / place / 'two'}")
        run = domains / f"run-{place}"
        answer = cli(*command(domains, "cut", run.name, *root, "data.swap=true", "train.stop_at=1step"))
        assert answer.code == 0, answer.err
        provenance = json.loads((run / "bundle" / "bundle.json").read_text())["provenance"]
        hashes.append(provenance["train_images_hash"])
    assert hashes[0] == hashes[1]


MISTAKES = [
    ("cyclegan", ["data.layout=paired"], 2, "this method learns from unpaired images"),
    ("cyclegan", ["val.best=psnr"], 2, "no targets to compare with; set val.best=null"),
    ("cyclegan", ["augment.crop=null"], 2, "pool=4 keeps images of one size: set augment.crop=N"),
    ("cyclegan", ["data.unpaired=real"], 2, "only method=hybrid reads it"),
    ("cyclegan", ["data.source_mode=grey"], 2, "source has 1 channels and target 3; set it to 0"),
    ("cyclegan", ["data.targets=nowhere"], 3, "data.targets=nowhere: no such folder"),
    ("cyclegan", ["method.pool=many"], 2, "pool=many: accepted are whole numbers"),
    ("cut", ["augment.crop=null"], 2, "set augment.crop=N, or method.identity=false"),
    ("cut", ["method.lambda_nce=0"], 2, "lambda_nce=0"),
    ("cut", ["method.patches=2.5"], 2, "patches=2.5: accepted are whole numbers"),
    ("cut", ["method.width=abc"], 2, "width=abc: accepted are whole numbers"),
    ("cut", ["method.identity=3"], 2, "identity=3: accepted are true and false"),
    ("cyclegan", ["method.lambda_source=abc"], 2, "lambda_source=abc: accepted are finite numbers"),
    ("cyclegan", ["method.lambda_source=null"], 2, "lambda_source=None: accepted are finite numbers"),
    ("cyclegan", ["data.targets=real"], 3, "holds both kinds itself (trainA/ + trainB/)"),
    ("cyclegan", ["data.root=real", "data.targets=real"], 3, "3 more are sources and targets at once"),
    ("hybrid", ["data.unpaired=clean"], 3, "are clean and bad at once"),
    ("hybrid", ["method.lambda_tie=0"], 2, "lambda_tie=0 ties"),
    ("cyclegan", ["method.pool=100000000"], 2, "whole numbers from 0 to 10000"),
    ("cyclegan", ["method.gan=[a]"], 2, "accepted are vanilla"),
    ("nogan", ["adversary.augment=[[colour]]"], 2, "augment: ['colour'] is not known"),
    ("hybrid", ["augment.crop=null", "data.unpaired=mixed"], 3, "images of different sizes"),
    ("nogan", ["adversary.augment_p=0.5"], 2, "augment_p=0.5 has nothing to act on"),
    ("hybrid", ["data.unpaired=null"], 2, "missing: data.unpaired="),
    ("hybrid", ["data.unpaired=nowhere"], 3, "data.unpaired=nowhere: no such folder"),
    ("hybrid", ["recipe=lowres"], 2, "choose another recipe than lowres"),
    ("hybrid", ["method.tie=rope"], 2, "accepted are cycle, nce"),
    ("hybrid", ["data.layout=unpaired"], 2, "this method learns from pairs"),
    ("nogan", ["data.targets=x"], 2, "only unpaired methods read it"),
    ("nogan", ["train.stages=[{everyone:1}]"], 2, "train.stages[0]={'everyone': 1}: accepted is one of"),
    ("nogan", ["train.stages=[{both:-1}]"], 2, "train.stages[0].both=-1: accepted are numbers above 0"),
    ("nogan", ["train.stages=[7]"], 2, "train.stages[0]=7"),
    ("nogan", ["train.total=1min"], 2, "give train.total in step, img or ep"),
    ("nogan", ["adversary.smooth=0.7"], 2, "smooth=0.7"),
    ("nogan", ["adversary.augment=[warp]"], 2, "adversary: augment: 'warp' is not known"),
    ("nogan", ["adversary.augment_p=2"], 2, "adversary: augment_p=2"),
    ("nogan", ["adversary.r1=-1"], 2, "adversary: r1=-1"),
    ("nogan", ["method.gan=wgan"], 2, "set adversary.gradient_penalty=10"),
    ("nogan", ["method.gan=hinge", "adversary.smooth=0.1"], 2, "has no labels"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "code", "said"), some(MISTAKES))
def test_mistakes_are_answered_in_one_line(
    domains: Path, cli: Cli, name: str, more: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(domains)
    answer = cli(*command(domains, name, "run", *more))
    assert answer.code == code, answer
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
    assert not (domains / "run").exists() or "different sizes" in said, "found out only while it trains"


def test_a_method_of_the_users_own_needs_no_fork(
    domains: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module with the class, a folder with method/mine.yaml: see docs/ARCHITECTURE.md."""
    monkeypatch.chdir(domains)
    (domains / "painting.py").write_text(
        "from gantrans.methods.base import Phase, Role\n"
        "class Mean:\n"
        "    learns_from = 'unpaired'\n"
        "    roles = (Role('painter', 'generator', ('source',), 'target'),)\n"
        "    phases = (Phase('paint', ('painter',)),)\n"
        "    def __init__(self, weight: float = 1.0): self.weight = weight\n"
        "    def forward(self, networks, batch): return {'output': networks['painter'](batch.source)}\n"
        "    def loss(self, phase, networks, batch, shared):\n"
        "        loss = self.weight * (shared['output'].mean() - batch.target.mean()).square()\n"
        "        return loss, {'G_mean': loss.detach()}\n"
    )
    (domains / "own" / "method").mkdir(parents=True)
    (domains / "own" / "method" / "mine.yaml").write_text("_target_: painting.Mean\nweight: 2.0\n")
    words = [word for word in command(domains, "cyclegan", "run") if not word.startswith("method.")]
    words += ["method=mine", "--config-dir", "own", "train.total=2step"]
    assert "plugins=[painting]" in cli(*words).err
    answer = cli(*words, "plugins=[painting]")
    assert answer.code == 0, answer.err
    assert "G_mean" in (domains / "run" / "metrics.jsonl").read_text()
    assert cli("translate", "model=run", "source=real", "out=out").code == 0
    refused = cli(*words, "plugins=[painting]", "run.dir=other", "adversary.r1=1")
    assert refused.code == 2 and "Mean takes no restraint" in refused.err


def test_unpaired_folders_given_to_pix2pix_are_pointed_to_cyclegan(domains: Path, cli: Cli) -> None:
    answer = cli("train", "experiment=restore", f"data.root={domains / 'data'}")
    assert answer.code == 3
    assert "experiment=cyclegan" in answer.err


def test_resume_names_the_keys_that_alter_the_history(domains: Path, cli: Cli) -> None:
    assert cli(*command(domains, "cyclegan", "run", "train.stop_at=1step")).code == 0
    for change in (
        "method.pool=9",
        "adversary.augment=[colour]",
        "adversary.augment_p=0.5",
        "augment.crop=24",
        "data.swap=true",
    ):
        answer = cli("resume", domains / "run", change)
        assert answer.code == 2, answer
        assert change in answer.err
