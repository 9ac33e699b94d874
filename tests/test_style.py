"""Style transfer: by optimising a picture (the verb stylize), and by a network that learns one style."""

from __future__ import annotations

import inspect
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from gantrans.build.validation import without_targets
from gantrans.bundles.bundle import Card, load_bundle, save_bundle
from gantrans.cli.main import main
from gantrans.core.device import open_core
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.readers import ReadFiles
from gantrans.data.unpaired import ImageSet
from gantrans.errors import ConfigError, DataError, DivergedError
from gantrans.imaging import sheet
from gantrans.imaging.colour import luma
from gantrans.inference import stylize as module
from gantrans.inference.stylize import Wanted, stylize
from gantrans.losses.perceptual import total_variation
from gantrans.methods.gatys import LAYERS, LEAST, Weights, aims_of, looked_at, optimise, terms_of
from gantrans.methods.style_adain import STYLE_LAYERS, StyleAdaIN
from gantrans.methods.style_fast import StyleFast, StyleLook
from gantrans.nets import catalogue
from gantrans.nets.adain import ENCODED, HALVINGS, AdaINGenerator, mean_std
from gantrans.nets.features import NETWORKS, FeatureNet, load_features
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.weights import TABLE
from gantrans.training.validate import PairValidation
from gantrans.training.validate_unpaired import UnpairedValidation
from gantrans.types import Batch, Shapes
from tests.conftest import Cli, draw_picture
from tests.steps import train_steps
from tests.test_features import random_state

SHAPES: Shapes = {"source": (3, 32), "target": (3, 32)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, two of them too small (tiny.png) and too narrow (strip.png), and two files of made-up weights
    of SqueezeNet."""
    folder = tmp_path_factory.mktemp("style")
    pictures = [
        ("photo", 48, 60),
        ("style", 64, 50),
        ("another", 50, 50),
        ("tiny", 14, 20),
        ("strip", 40, 200),
    ]
    for seed, (name, *size) in enumerate(pictures):
        Image.fromarray(draw_picture(seed, *size)).save(folder / f"{name}.png")
    for seed in (0, 1):
        torch.save(random_state("squeezenet1_1", seed), folder / f"weights-{seed}.pth")
    return folder


@pytest.fixture(scope="module")
def network() -> FeatureNet:
    made = NETWORKS["squeezenet1_1"]()
    made.fill(random_state("squeezenet1_1"), "a test")
    return made


def x01(seed: int, height: int = 40, width: int = 52) -> np.ndarray:
    return draw_picture(seed, height, width).astype(np.float32) / 255


def x11(seed: int, height: int = 40, width: int = 52) -> Tensor:
    return torch.from_numpy(x01(seed, height, width)).permute(2, 0, 1)[None] * 2 - 1


def wanted(**given: Any) -> Wanted:
    return Wanted("squeezenet1_1", **{"weights": Weights(1.0, 100.0, 0.1), "steps": 4, **given})


# --- optimising a picture


def test_every_network_has_layers_that_it_knows() -> None:
    assert set(LAYERS) == set(NETWORKS)
    for name, layers in LAYERS.items():
        for kind in layers:
            NETWORKS[name]().check(kind)


def test_terms_are_weighted_and_vanish_where_they_should(network: FeatureNet) -> None:
    content, style = x11(0), x11(1)
    aims = aims_of(content, style, network, LAYERS["squeezenet1_1"])
    terms = terms_of(content, aims, network, Weights(2.0, 3.0, 4.0))
    assert terms["content"].item() == pytest.approx(0, abs=1e-9)
    assert terms["style"] > 0
    assert terms["tv"].item() == pytest.approx(4 * total_variation(content).item())
    assert terms_of(style, aims, network, Weights())["style"].item() == pytest.approx(0, abs=1e-9)
    twice = terms_of(content, aims, network, Weights(2.0, 6.0, 4.0))
    assert twice["style"].item() == pytest.approx(2 * terms["style"].item())


def test_the_best_picture_is_kept_whatever_comes_later() -> None:
    """A loss that rises again: the least is returned, with its terms."""
    seen: list[float] = []

    def losses(x: Tensor) -> dict[str, Tensor]:
        value = (x - 3).square().sum() + 5 * len(seen)  # each look costs more
        seen.append(value.item())
        return {"a": value}

    best, done = optimise(torch.zeros(1, 1, 2, 2), losses, 20)
    assert best.loss == min(seen) == best.terms["a"]
    assert done == 20


def test_a_loss_that_is_never_finite_is_an_error() -> None:
    with pytest.raises(DivergedError, match="lower the weights"):
        optimise(torch.ones(1, 1, 2, 2), lambda x: {"a": x.sum() * torch.nan}, 10)


def test_optimising_lowers_the_loss_and_keeps_the_size(network: FeatureNet) -> None:
    content, style, core = x01(0), x01(1), open_core("cpu")
    made = stylize(content, style, network, wanted(steps=10), core)
    assert made.x01.shape == content.shape
    assert made.x01.min() >= 0 and made.x01.max() <= 1
    aims = aims_of(x11(0), x11(1), network, LAYERS["squeezenet1_1"])
    before = sum(float(t) for t in terms_of(x11(0), aims, network, wanted().weights).values())
    assert sum(made.terms.values()) < 0.7 * before
    again = stylize(content, style, network, wanted(steps=10), core)
    assert np.array_equal(made.x01, again.x01), "the same bits each time"


def test_large_pictures_are_made_coarse_to_fine(network: FeatureNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COARSE", 40)
    monkeypatch.setattr(module, "LEAST", 20)
    sizes: list[tuple[int, ...]] = []
    honest = module.optimise
    monkeypatch.setattr(
        module, "optimise", lambda s, *a, **k: (sizes.append(s.shape[2:]), honest(s, *a, **k))[1]
    )
    made = stylize(x01(0, 82, 131), x01(1), network, wanted(steps=2), open_core("cpu"))
    assert [tuple(size) for size in sizes] == [(20, 33), (41, 66), (82, 131)]
    assert made.x01.shape == (82, 131, 3)
    assert made.done == made.planned == 6


def test_a_wish_to_stop_keeps_the_best_so_far_at_full_size(
    network: FeatureNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COARSE", 40)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    made = stylize(x01(0, 70, 80), x01(1), network, wanted(steps=30), open_core("cpu"), stop)
    assert (made.done, made.planned) == (10, 60)
    assert made.x01.shape == (70, 80, 3)


def test_with_the_contents_colours_brightness_alone_changes(network: FeatureNet) -> None:
    content = x01(0) * 0.5 + 0.25  # far from the bounds, which would clip colours
    strong = {"weights": Weights(1.0, 1e4, 0.0), "steps": 10}
    made = stylize(content, x01(1), network, wanted(colour="content", **strong), open_core("cpu")).x01
    inside = ((made > 0) & (made < 1)).all(2)
    change = (made - content)[inside]
    assert np.abs(change).max() > 0.02
    assert np.abs(change - change[:, :1]).max() < 1e-5
    plain = stylize(content, x01(1), network, wanted(**strong), open_core("cpu")).x01
    assert np.abs((plain - content) - (luma(plain) - luma(content))[..., None]).max() > 0.02


def test_too_small_a_picture_is_refused(network: FeatureNet) -> None:
    with pytest.raises(DataError, match="content is 60x20: needed are 32 pixels"):
        stylize(x01(0, 20, 60), x01(1), network, wanted(), open_core("cpu"))


@pytest.mark.parametrize("longest", [8, 40.5, 64, 1000])
@pytest.mark.parametrize("size", [(32, 32), (50, 64), (40, 1000), (300, 33)])
def test_a_style_picture_is_never_stretched_nor_too_small(size: tuple[int, int], longest: float) -> None:
    fitted = looked_at(*size, longest)
    share = [made / side for made, side in zip(fitted, size, strict=True)]
    assert in_proportion(size, fitted) and min(fitted) >= LEAST and max(share) <= 1
    assert max(fitted) <= max(longest + 0.5, LEAST * max(size) / min(size) + 0.5)


def in_proportion(size: tuple[int, int], fitted: tuple[int, int]) -> bool:
    """Up to the half pixel that each side is rounded by."""
    share = max(fitted) / max(size)
    return all(abs(made - side * share) <= 1 for made, side in zip(fitted, size, strict=True))


def test_a_picture_that_is_stretched_is_found() -> None:
    assert not in_proportion((40, 1000), (max(LEAST, round(40 * 0.256)), 256))
    with pytest.raises(ValueError, match="is 20x14 pixels: needed are 32 a side or more"):
        looked_at(14, 20, 256)


# --- the verb


def command(files: Path, out: Path, *more: str) -> list[str]:
    given = {"content": files / "photo.png", "style": files / "style.png", "out": out,
             "weights": files / "weights-0.pth", "steps": 2, "device": "cpu", "size": 40}  # fmt: skip
    given |= dict(option.split("=", 1) for option in more)
    return ["stylize", *(f"{key}={value}" for key, value in given.items())]


def made_by(files: Path, folder: Path, *more: str) -> bytes:
    out = folder / "made.png"
    out.unlink(missing_ok=True)
    assert main(command(files, out, *more)) == 0
    return out.read_bytes()


@pytest.fixture(scope="module")
def plain(files: Path) -> bytes:
    first = made_by(files, files)
    assert first == made_by(files, files)
    return first


@pytest.mark.parametrize(
    "change",
    ["content=another.png", "style=another.png", "size=44", "size=null", "style_scale=1.5", "steps=3",
     "content_weight=50", "style_weight=1", "tv_weight=90", "weights=weights-1.pth", "colour=content",
     "start=noise"],
)  # fmt: skip
def test_each_key_of_stylize_has_an_effect(files: Path, tmp_path: Path, plain: bytes, change: str) -> None:
    key, _, value = change.partition("=")
    path = files / value
    assert made_by(files, tmp_path, f"{key}={path if path.is_file() else value}") != plain


def test_the_seed_is_that_of_the_noise(files: Path, tmp_path: Path, plain: bytes) -> None:
    assert made_by(files, tmp_path, "seed=1") == plain
    noise = [made_by(files, tmp_path, "start=noise", f"seed={seed}") for seed in (0, 1, 1)]
    assert noise[0] != noise[1] == noise[2]


def test_stylize_says_what_it_did(files: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "made.png"
    answer = cli(*command(files, out))
    assert answer.code == 0
    assert f"features  SqueezeNet 1.1, {files / 'weights-0.pth'}" in answer.out
    assert f"made      40x32, 2 of 2 steps -> {out}" in answer.out
    with Image.open(out) as image:
        assert image.size == (40, 32)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ("content=nowhere.png", 3, "content=nowhere.png: no such file"),
        ("style=nowhere.png", 3, "style=nowhere.png: no such file"),
        ("style=.", 3, "is a folder; one picture is needed"),
        ("style=FILES/weights-0.pth", 3, "weights-0.pth: "),
        ("weights=nowhere.pth", 2, "weights are missing: squeezenet1_1-b8a52dc0.pth"),
        ("weights=FILES/photo.png", 4, "damaged, or not a file of weights"),
        ("features=vgg19", 4, "not the weights of VGG-19"),
        ("features=resnet", 2, "features=resnet: accepted are squeezenet1_1, vgg16, vgg19"),
        ("out=made.txt", 2, "out=made.txt: needed is a file name that ends in"),
        ("out=FILES/photo.png", 2, "is one of the pictures that are read"),
        ("out=FILES/another.png", 2, "is there already; name another, or give overwrite=true"),
        ("out=nowhere/made.png", 2, "its folder does not exist"),
        ("size=8", 2, "size=8: accepted are 32 pixels or more"),
        ("size=abc", 2, "size=abc: accepted are whole numbers, or null"),
        ("style=FILES/tiny.png", 3, "tiny.png: is 20x14 pixels: needed are 32 a side or more"),
        ("content=FILES/tiny.png", 3, "tiny.png: is 20x14 pixels: needed are 32 a side or more"),
        (
            "content=FILES/strip.png",
            3,
            "strip.png: is 200x40 pixels, with size=40 40x8: needed are 32 a side or "
            "more; give size=160 or more",
        ),
        ("steps=0", 2, "steps=0: accepted are 1 or more"),
        ("style_scale=0", 2, "style_scale=0"),
        ("style_weight=-1", 2, "style_weight=-1.0: accepted are finite numbers"),
        ("colour=both", 2, "colour=both: accepted are style, content"),
        ("start=zero", 2, "start=zero: accepted are content, noise"),
        ("device=tpu", 2, "accepted are auto, cpu, cuda"),
    ],
)
def test_stylize_answers_bad_input_in_one_line(
    files: Path, tmp_path: Path, cli: Cli, change: str, code: int, said: str
) -> None:
    out = tmp_path / "made.png"
    answer = cli(*command(files, out, change.replace("FILES", str(files))))
    assert answer.code == code, answer
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_missing_weights_say_where_they_are_looked_for(
    files: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANTRANS_WEIGHTS", str(tmp_path))
    answer = cli(*command(files, tmp_path / "made.png", "features=vgg19", "weights=null"))
    assert answer.code == 2
    assert "vgg19-dcbb9e9d.pth" in answer.err and str(tmp_path) in answer.err


@pytest.mark.parametrize(("lacking", "there"), [("vgg19", "squeezenet1_1"), ("squeezenet1_1", "vgg16")])
def test_missing_weights_say_which_network_is_there(tmp_path: Path, lacking: str, there: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_features(lacking, tmp_path)
    assert "is there" not in str(caught.value)
    (tmp_path / TABLE[there].files[0]).touch()
    with pytest.raises(
        ConfigError, match=f"{TABLE[lacking].files[0]}.*Without it: features={there} is there"
    ):
        load_features(lacking, tmp_path)


def test_overwriting_must_be_asked_for(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "made.png"
    out.write_bytes(b"old")
    assert main(command(files, out)) == 2
    assert out.read_bytes() == b"old"
    assert main(command(files, out, "overwrite=true")) == 0
    assert out.read_bytes() != b"old"


def test_an_interrupt_keeps_the_best_so_far_and_says_so(
    files: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = module.terms_of

    def interrupted(*given: Any) -> dict[str, Tensor]:
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(module, "terms_of", honest)
        return honest(*given)

    monkeypatch.setattr(module, "terms_of", interrupted)
    out = tmp_path / "made.png"
    answer = cli(*command(files, out, "steps=40"))
    assert answer.code == 130
    assert f"interrupted: stopped; the best so far is kept: 40x32, 10 of 40 steps -> {out}" in answer.err
    with Image.open(out) as image:
        assert image.size == (40, 32)


def test_a_failure_on_the_way_leaves_no_file(
    files: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "terms_of", lambda x, *_: {"a": x.sum() * torch.nan})
    answer = cli(*command(files, tmp_path / "made.png"))
    assert answer.code == 7
    assert not list(tmp_path.iterdir())


# --- a network for one style


def look_of(method: StyleFast) -> StyleLook:
    build = method.roles[1].build
    assert build is not None
    made = build({}, SHAPES)
    assert isinstance(made, StyleLook)
    return made


def networks_of(method: StyleFast) -> dict[str, nn.Module]:
    torch.manual_seed(5)
    return {"generator": ResNetGenerator(width=2, blocks=1), "look": look_of(method)}


def method_of(files: Path, **given: Any) -> StyleFast:
    base = {"style": str(files / "style.png"), "weights": str(files / "weights-0.pth")}
    return StyleFast(**{**base, **given})


def batch_of(seed: int = 0) -> Batch:
    source = torch.cat([x11(2 * seed + i, 32, 32) for i in range(2)])
    return Batch(source, source)


def test_style_fast_weights_each_term_as_stated(files: Path) -> None:
    method = method_of(files, content_weight=2.0, style_weight=3.0, tv_weight=4.0)
    networks, batch = networks_of(method), batch_of()
    shared = method.forward(networks, batch)
    loss, metrics = method.loss(method.phases[0], networks, batch, shared)
    torch.testing.assert_close(loss.detach(), torch.stack(list(metrics.values())).sum())
    assert metrics["G_tv"].item() == pytest.approx(4 * total_variation(shared["output"]).item())
    content, style = networks["look"](shared["output"], batch.source)
    assert metrics["G_content"].item() == pytest.approx(2 * content.item())
    assert metrics["G_style"].item() == pytest.approx(3 * style.item())
    assert networks["look"](batch.source, batch.source)[0].item() == pytest.approx(0, abs=1e-9)


def test_the_loss_of_the_network_is_that_of_the_optimisation(files: Path, network: FeatureNet) -> None:
    look = look_of(method_of(files, style_size=64))
    aims = aims_of(x11(0, 32, 32), x11(1, 64, 50), network, LAYERS["squeezenet1_1"])
    terms = terms_of(x11(4, 32, 32), aims, network, Weights(1.0, 1.0, 0.0))
    content, style = look(x11(4, 32, 32), x11(0, 32, 32))
    torch.testing.assert_close((content, style), (terms["content"], terms["style"]), rtol=1e-4, atol=1e-7)


def test_only_the_generator_learns_and_it_does(files: Path) -> None:
    method = method_of(files)
    networks = networks_of(method)
    before = {key: value.clone() for key, value in networks["look"].features.weights().items()}  # type: ignore[union-attr,operator]
    history = train_steps(method, networks, [batch_of(i % 2) for i in range(30)], betas=(0.9, 0.999))
    first, last = (sum(step.values()) for step in (history[0], history[-1]))
    assert last < 0.8 * first
    after = networks["look"].features.weights()  # type: ignore[union-attr,operator]
    assert all(torch.equal(value, before[key]) for key, value in after.items())


ARGUMENTS = {"style": "another.png", "features": "vgg16", "weights": "weights-1.pth", "style_size": 40,
             "content_weight": 5.0, "style_weight": 1.0, "tv_weight": 9.0}  # fmt: skip


VGG = pytest.param("features", marks=pytest.mark.slow)  # made-up weights of 59 MB


def test_the_table_of_arguments_is_complete() -> None:
    assert set(ARGUMENTS) == set(inspect.signature(StyleFast).parameters)


def fast_outcome(files: Path, **given: Any) -> list[dict[str, float]]:
    method = method_of(files, **given)
    return train_steps(method, networks_of(method), [batch_of(), batch_of(1)])


@pytest.fixture(scope="module")
def fast(files: Path) -> list[dict[str, float]]:
    first = fast_outcome(files)
    assert first == fast_outcome(files)
    return first


@pytest.mark.parametrize("argument", [*(a for a in ARGUMENTS if a != "features"), VGG])
def test_each_argument_of_style_fast_has_an_effect(
    files: Path, fast: list[dict[str, float]], argument: str
) -> None:
    value: Any = ARGUMENTS[argument]
    if argument in ("style", "weights"):
        value = str(files / value)
    given = {argument: value}
    if argument == "features":
        torch.save(random_state("vgg16"), files / "vgg16-397923af.pth")
        given["weights"] = str(files / "vgg16-397923af.pth")
    assert fast_outcome(files, **given) != fast
    (files / "vgg16-397923af.pth").unlink(missing_ok=True)


def test_style_fast_never_waits_for_the_device(files: Path) -> None:
    method = method_of(files)
    look = look_of(method)
    with FakeTensorMode(allow_non_fake_inputs=True):
        networks = {"generator": ResNetGenerator(width=2, blocks=1), "look": look}
        source = torch.empty(2, 3, 32, 32)
        shared = method.forward(networks, Batch(source, source))
        method.loss(method.phases[0], networks, Batch(source, source), shared)[0].backward()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"style": "nowhere.png"}, "style=nowhere.png: no such file"),
        ({"features": "resnet"}, "accepted are squeezenet1_1, vgg16, vgg19"),
        ({"style_weight": 0}, "leaves no style to learn"),
        ({"content_weight": -1.0}, "content_weight=-1.0"),
        ({"style_size": 8}, "style_size=8: accepted are whole numbers from 32"),
    ],
)
def test_style_fast_refuses_what_makes_no_sense(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StyleFast(**given)


def run_of(photos: Path, files: Path, run: Path, *more: str) -> list[str]:
    return ["train", "experiment=style_fast", f"data.root={photos}", f"method.style={files / 'style.png'}",
            f"method.weights={files / 'weights-0.pth'}", f"run.dir={run}", "generator.width=2",
            "generator.blocks=1", "augment.resize=null", "augment.crop=32", "train.total=4step",
            "train.schedule=constant", "val.every=4step", "val.images=1", "val.probes=1", "log.every=1step",
            "data.workers=0", "core.threads=1", "core.device=cpu", *more]  # fmt: skip


def test_a_style_network_resumes_to_the_same_bits_and_translates(
    photos: Path, files: Path, tmp_path: Path, cli: Cli
) -> None:
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    told = cli(*run_of(photos, files, straight))
    assert told.code == 0, told
    assert f"features  SqueezeNet 1.1, {files / 'weights-0.pth'}" in told.out
    assert "PSNR" not in told.out and "output differs from input by" in told.out, "a photo is no target"
    assert not any("psnr" in line for line in (straight / "metrics.jsonl").read_text().splitlines())
    assert cli(*run_of(photos, files, halves, "train.stop_at=2step")).code == 0
    assert cli("resume", halves, "train.stop_at=null").code == 0
    lines = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (straight, halves)
    ]
    last = [[line for line in found if line["step"] == 4] for found in lines]
    assert last[0] and last[0] == last[1]
    assert {"G_content", "G_style", "G_tv"} <= last[0][0].keys()
    stored = sum(p.stat().st_size for p in (straight / "checkpoints").rglob("*") if p.is_file())
    frozen = sum(value.numel() * 4 for value in random_state("squeezenet1_1").values())
    grams = sum(value.nbytes for value in look_of(method_of(files)).state_dict().values())
    kept = len(list((straight / "checkpoints").iterdir()))
    assert stored < kept * (grams + frozen / 2), "the frozen network is in no checkpoint"
    assert cli("translate", f"model={straight}", f"source={photos}", f"out={tmp_path / 'out'}").code == 0
    for path in photos.iterdir():
        with Image.open(path) as given, Image.open(tmp_path / "out" / path.name) as made:
            assert given.size == made.size


def test_a_missing_style_or_weights_leave_no_run(photos: Path, files: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    for change, said in [
        ("method.style=null", "style is missing; give the picture whose style is to be learned"),
        ("method.style=nowhere.png", "style=nowhere.png: no such file"),
        ("method.weights=nowhere", "weights are missing: squeezenet1_1"),
        (f"method.style={files / 'tiny.png'}", "tiny.png: is 20x14 pixels: needed are 32 a side or more"),
        ("val.best=psnr", "no targets to compare with; set val.best=null"),
    ]:
        answer = cli(*run_of(photos, files, run, change))
        assert answer.code == (3 if "tiny" in change else 2), answer
        assert said in answer.err and len(answer.err.splitlines()) == 1
        assert not run.exists()


# --- a network for any style


def adain_of(files: Path, **given: Any) -> tuple[StyleAdaIN, dict[str, nn.Module]]:
    """The method, and its networks as `build` makes them."""
    method = StyleAdaIN(**{"weights": str(files / "weights-0.pth"), **given})
    torch.manual_seed(5)
    networks: dict[str, nn.Module] = {"generator": AdaINGenerator()}
    build = method.roles[1].build
    assert build is not None
    networks["look"] = build(networks, SHAPES)
    return method, networks


def adain_batch(seed: int = 0) -> Batch:
    content, style = (torch.cat([x11(seed + i + j, 32, 32) for i in range(2)]) for j in (0, 7))
    return Batch(content, style)


def test_the_encoders_layers_are_where_they_are_said_to_be() -> None:
    for name, (layer, width) in ENCODED.items():
        network = NETWORKS[name]()
        network.fill(random_state(name), "a test")
        found = network(torch.zeros(1, 3, 64, 64), [layer, *STYLE_LAYERS[name]])
        assert found[layer].shape[1] == width
        assert found[layer].shape[2] in (64 // 2**HALVINGS, 64 // 2**HALVINGS - 1)


@pytest.mark.parametrize("size", [(17, 17), (32, 45), (41, 100)])
def test_any_size_comes_out_as_it_went_in(files: Path, size: tuple[int, int]) -> None:
    _, networks = adain_of(files)
    assert networks["generator"](torch.zeros(2, 3, *size)).shape == (2, 3, *size)


def test_the_decoder_is_given_the_styles_moments(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, networks = adain_of(files)
    generator = networks["generator"]
    assert isinstance(generator, AdaINGenerator)
    given: list[Tensor] = []
    monkeypatch.setattr(generator, "decode", lambda y, like: (given.append(y), like)[1])
    content, style = x11(0), x11(1)
    generator(content)
    torch.testing.assert_close(given[0], generator.encode(content), rtol=1e-3, atol=1e-4)  # its own style
    generator.set_style(style)
    generator(content)
    wanted = mean_std(generator.encode(style))
    mean, std = mean_std(given[1])
    live = mean_std(given[0])[1] > 0.1  # a channel that is flat has nothing that could be spread
    assert live.float().mean() > 0.5
    torch.testing.assert_close(mean, wanted[0], rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(std[live], wanted[1][live], rtol=1e-2, atol=1e-2)


def test_adain_teaches_the_decoder_alone_and_it_learns(files: Path) -> None:
    method, networks = adain_of(files)
    generator = networks["generator"]
    assert isinstance(generator, AdaINGenerator)
    before = generator.get_extra_state()
    history = train_steps(method, networks, [adain_batch(i % 2) for i in range(30)], betas=(0.9, 0.999))
    first, last = (sum(step.values()) for step in (history[0], history[-1]))
    assert last < 0.9 * first
    assert torch.equal(before, generator.get_extra_state())
    shared = method.forward(networks, adain_batch())
    loss, metrics = method.loss(method.phases[0], networks, adain_batch(), shared)
    torch.testing.assert_close(loss.detach(), torch.stack(list(metrics.values())).sum())


ADAIN_ARGUMENTS = {"style": "style.png", "weights": "weights-1.pth", "content_weight": 5.0,
                   "style_weight": 3.0, "tv_weight": 1.0}  # fmt: skip


Outcome = tuple[list[dict[str, float]], list[float]]


def adain_outcome(files: Path, **given: Any) -> Outcome:
    method, networks = adain_of(files, **given)
    history = train_steps(method, networks, [adain_batch(), adain_batch(1)])
    with torch.no_grad():
        return history, networks["generator"](x11(3)).flatten().tolist()


@pytest.fixture(scope="module")
def adain(files: Path) -> Outcome:
    first = adain_outcome(files)
    assert first == adain_outcome(files)
    return first


@pytest.mark.parametrize("argument", list(inspect.signature(StyleAdaIN).parameters))
def test_each_argument_of_style_adain_has_an_effect(files: Path, adain: Outcome, argument: str) -> None:
    value: Any = ADAIN_ARGUMENTS[argument]
    value = str(files / value) if argument in ("style", "weights") else value
    assert adain_outcome(files, **{argument: value}) != adain


def test_a_bundle_of_adain_needs_no_other_file(files: Path, tmp_path: Path) -> None:
    _, networks = adain_of(files, style=str(files / "style.png"))
    generator = networks["generator"]
    save_bundle(tmp_path, generator, Card(catalogue.describe(generator)))
    loaded, _ = load_bundle(tmp_path)
    assert isinstance(loaded, AdaINGenerator)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x11(0)), generator(x11(0)))
        loaded.set_style(x11(4))
        assert not torch.allclose(loaded(x11(0)), generator(x11(0)))


def test_adain_refuses_what_makes_no_sense(files: Path) -> None:
    with pytest.raises(ValueError, match="the decoder learns from both"):
        StyleAdaIN(style_weight=0)
    with pytest.raises(ValueError, match=r"style=nowhere\.png: no such file"):
        StyleAdaIN(style="nowhere.png")
    method = StyleAdaIN(weights=str(files / "weights-0.pth"))
    build = method.roles[1].build
    assert build is not None
    with pytest.raises(
        ValueError, match="ResNetGenerator takes no style; method=style_adain needs generator"
    ):
        build({"generator": ResNetGenerator(width=2, blocks=1)}, SHAPES)
    with pytest.raises(ValueError, match="accepted are squeezenet1_1"):
        AdaINGenerator(features="resnet")
    with pytest.raises(ValueError, match="in_channels=2"):
        AdaINGenerator(in_channels=2)


def test_style_adain_trains_resumes_and_translates(
    photos: Path, files: Path, tmp_path: Path, cli: Cli
) -> None:
    paintings = tmp_path / "paintings"
    paintings.mkdir()
    for name in ("style", "another", "photo"):
        (paintings / f"{name}.png").write_bytes((files / f"{name}.png").read_bytes())
    given = [
        a for a in run_of(photos, files, tmp_path / "run") if not a.startswith(("experiment", "generator"))
    ]
    given += ["experiment=style_adain", f"data.targets={paintings}"]
    assert cli(*given, "train.stop_at=2step").code == 0
    assert cli("resume", tmp_path / "run", "train.stop_at=null").code == 0
    straight = [a.replace(str(tmp_path / "run"), str(tmp_path / "straight")) for a in given]
    assert cli(*straight).code == 0
    ends = [(tmp_path / run / "metrics.jsonl").read_text().splitlines()[-2:] for run in ("run", "straight")]
    assert ends[0] == ends[1] and "G_style" in "".join(ends[0])
    use = ("translate", f"model={tmp_path / 'run'}", f"source={photos}")
    told = cli(*use, f"out={tmp_path / 'out'}")
    assert told.code == 2 and "give style=FILE" in told.err
    told = cli(*use, f"out={tmp_path / 'out'}", f"style={files / 'tiny.png'}")
    assert told.code == 3 and "tiny.png: is 20x14 pixels: needed are 32 a side or more" in told.err
    made = []
    for style in ("style", "another"):
        told = cli(*use, f"out={tmp_path / style}", f"style={paintings / style}.png")
        assert told.code == 0, told
        made.append({p.name: p.read_bytes() for p in (tmp_path / style).glob("*.png")})
    assert made[0].keys() == made[1].keys() and made[0] != made[1]


# --- what is looked at


def titles_of(validation: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[np.ndarray]]:
    """The titles of the strip of val, and the pictures of its first row; outputs are the inputs, inverted."""
    asked: list[tuple[list[list[np.ndarray]], list[str]]] = []
    honest = sheet.grid
    monkeypatch.setattr(sheet, "grid", lambda *given: (asked.append(given[:2]), honest(*given))[1])
    validation.strips({"to_target": lambda x: 255 - x})
    rows, titles = asked[0]
    return titles, rows[0]


@pytest.mark.parametrize("kind", ["style_fast", "style_adain"])
def test_a_look_is_shown_beside_its_style_and_compared_with_nothing(
    files: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    item, style = Item("photo", files / "photo.png", files / "photo.png"), str(files / "style.png")
    pairs = PairDataset([item], ReadFiles(), Augment(), 0)
    images = {"to_target": ImageSet("source", [item], Augment(), 0, "rgb")}
    method, given = (
        (StyleFast(style), PairValidation(pairs, pairs, 1, 1))
        if kind == "style_fast"
        else (StyleAdaIN(style), UnpairedValidation(images, images, 1, 1))
    )
    validation = without_targets(method, given)
    titles, row = titles_of(validation, monkeypatch)
    assert titles[1:] == ["style", "output"] and len(row) == 3
    assert np.array_equal(row[0], draw_picture(0, 48, 60)) and np.array_equal(row[2], 255 - row[0])
    assert row[1].shape[0] == 60, "no longer than the photo"
    assert not validation.metrics
    inverse: Any = lambda x: 255 - x  # noqa: E731
    found = validation.measure({"to_target": inverse})
    assert found["health_change"] > 0.1 and all(name.startswith("health_") for name in found)


def test_a_look_has_nothing_to_be_measured_by(files: Path) -> None:
    pairs = PairDataset([Item("a", files / "photo.png", files / "photo.png")], ReadFiles(), Augment(), 0)
    asked = PairValidation(pairs, pairs, 1, 1, more={"lpips_alex": lambda a, b: (a - b).mean()})
    with pytest.raises(ConfigError, match=r"val\.metrics=\['lpips_alex'\]: this method learns a look"):
        without_targets(StyleFast(str(files / "style.png")), asked)


def test_short_titles_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    honest = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda *given: (written.append(given[2]), honest(*given))[1]
    )
    tiny = np.zeros((16, 16, 3), np.uint8)
    names = ["input", "output", "and back", "a column that says far too much"]
    made = sheet.grid([[tiny] * 4], names)
    words = [text for text in written if len(text) > 1]  # what a font lacks is looked for letter by letter
    assert words[:3] == names[:3] and "..." in words[3]
    assert made.shape[1] < 300
