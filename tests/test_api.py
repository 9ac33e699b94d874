"""gantrans as a library: the same results as the verbs, and the files of docs/examples as they are."""

from __future__ import annotations

import io
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.api import Model, Pairs, train
from gantrans.build.config import compose_verb
from gantrans.build.method import build_method
from gantrans.build.recipe import build_recipe
from gantrans.bundles.bundle import Card, save_bundle
from gantrans.degrade.recipe import degrade
from gantrans.errors import CheckpointError, ConfigError, DataError
from gantrans.imaging.read import read
from gantrans.nets import catalogue
from gantrans.nets.superres import SRResNet
from gantrans.nets.unet import UNet
from tests.conftest import TINY, Cli, draw_picture

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def bundle(folder: Path, **about: object) -> Path:
    """A tiny generator that changes what it is given, as a bundle."""
    torch.manual_seed(3)
    inputs = {"grey": 1}.get(str(about.get("source_mode", "rgb")), 3) + (about.get("mask") == "input")
    if about.get("scale", 1) != 1:
        network: torch.nn.Module = SRResNet(inputs, 3, width=4, blocks=1, scale=2)
    else:
        network = UNet(inputs, 3, width=4, depth=2, norm="none", dropout=False)
    save_bundle(folder, network, Card(network=catalogue.describe(network), **about))  # type: ignore[arg-type]
    return folder


def test_a_picture_comes_out_as_translate_writes_it(tmp_path: Path, cli: Cli) -> None:
    model, photo = bundle(tmp_path / "model"), draw_picture(1, 37, 51)
    alpha = draw_picture(2, 37, 51)[..., 0]
    Image.fromarray(np.dstack([photo, alpha])).save(tmp_path / "a.png")
    assert cli("translate", f"model={model}", f"source={tmp_path / 'a.png'}", f"out={tmp_path / 'out'}",
               "device=cpu").code == 0  # fmt: skip
    written = read(tmp_path / "out" / "a.png")
    translate = Model(model, device="cpu")
    assert np.array_equal(translate(photo), written.pixels)
    made = translate(Image.open(tmp_path / "a.png"))
    assert made.mode == "RGBA"
    assert np.array_equal(np.asarray(made), np.dstack([written.pixels, alpha]))
    assert not np.array_equal(written.pixels, photo), "a model that does nothing would pass all of this"


def test_a_batch_is_the_same_pictures(tmp_path: Path) -> None:
    translate = Model(bundle(tmp_path / "model"), device="cpu")
    photos = [draw_picture(i, 33, 46) for i in range(2)]
    batch = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2) / 255
    made = (translate(batch).permute(0, 2, 3, 1) * 255).round().byte().numpy()
    for one, photo in zip(made, photos, strict=True):
        assert np.abs(one.astype(int) - translate(photo)).max() <= 1


def test_orientation_scale_masks_and_other_modes(tmp_path: Path) -> None:
    larger = Model(bundle(tmp_path / "sr", scale=2), device="cpu")
    photo = Image.fromarray(draw_picture(4, 20, 30))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter
    photo.save(tmp_path / "turned.jpg", exif=turned)
    assert larger(Image.open(tmp_path / "turned.jpg")).size == (40, 60)
    assert larger(photo.convert("P")).size == larger(photo.convert("CMYK")).size == (60, 40)
    assert larger(photo.convert("RGBA")).mode == "RGBA"
    masked = Model(bundle(tmp_path / "masked", mask="input", outside="copy"), device="cpu")
    hidden = np.zeros((20, 30), np.uint8)
    hidden[5:9, 7:20] = 255
    made, given = np.asarray(masked(photo, Image.fromarray(hidden))), np.asarray(photo)
    assert np.array_equal(made[hidden == 0], given[hidden == 0])
    assert not np.array_equal(made, given)
    deep = (draw_picture(5, 20, 30).astype(np.uint16) * 257)[..., :3]
    assert larger(deep).dtype == np.uint16


def test_what_is_no_picture_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    model = Model(bundle(tmp_path / "model"), device="cpu")
    masked = Model(bundle(tmp_path / "masked", mask="input"), device="cpu")
    for call, said in (
        (lambda: model(np.zeros((4, 4), np.uint8)), "(H, W, C)"),
        (lambda: model(np.zeros((4, 4, 3))), "float64"),
        (lambda: model(torch.zeros(1, 4, 8, 8)), "(N, 3, H, W)"),
        (lambda: model(Image.new("F", (4, 4))), "floating point"),
        (lambda: masked(np.zeros((8, 8, 3), np.uint8)), "trained with masks"),
        (lambda: masked(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9), np.uint8)), "one size"),
    ):
        with pytest.raises(DataError) as told:
            call()
        assert said in str(told.value)
    with pytest.raises(CheckpointError, match="no such folder"):
        Model(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="sideways"):
        Model(tmp_path / "model", direction="sideways")


RGB8 = np.full((8, 8, 3), 9, np.uint8)
GREY16 = Image.fromarray(np.full((8, 8), 514, np.uint16))
MASK = np.full((8, 8), 255, np.uint8)
UNFIT: dict[str, tuple[str, Callable[[], tuple[object, ...]], str]] = {
    "no batch": ("plain", lambda: (torch.rand(0, 3, 8, 8),), "empty"),
    "no side": ("plain", lambda: (torch.rand(1, 3, 0, 8),), "empty"),
    "integers": ("plain", lambda: (torch.ones(1, 3, 8, 8, dtype=torch.uint8),), "floats in [0, 1]"),
    "of 255": ("plain", lambda: (torch.rand(1, 3, 8, 8) * 255,), "divide 8-bit values by 255"),
    "below 0": ("plain", lambda: (torch.rand(1, 3, 8, 8) - 1,), "values from -"),
    "nan": ("plain", lambda: (torch.full((1, 3, 8, 8), torch.nan),), "NaN"),
    "inf": ("plain", lambda: (torch.full((1, 3, 8, 8), torch.inf),), "inf"),
    "2 channels": ("plain", lambda: (RGB8[..., :2],), "C 1 or 3"),
    "4 channels": ("plain", lambda: (np.zeros((8, 8, 4), np.uint8),), "alpha"),
    "5 channels": ("plain", lambda: (np.zeros((8, 8, 5), np.uint8),), "C 1 or 3"),
    "classes of colour": ("labels", lambda: (RGB8,), "C 1,"),
    "none": ("plain", lambda: (None,), "NoneType"),
    "name": ("plain", lambda: ("a.png",), "Image.open(path)"),
    "path": ("plain", lambda: (Path("a.png"),), "Image.open(path)"),
    "list": ("plain", lambda: ([1, 2],), "list"),
    "cut short": ("plain", lambda: (cut_short(),), "cannot be read"),
    "integers too large": ("plain", lambda: (Image.new("I", (8, 8), 70000),), "70000"),
    "mask beside a batch": ("masked", lambda: (torch.rand(1, 4, 8, 8), torch.rand(8, 8)), "last channel"),
    "mask of nothing": ("larger", lambda: (RGB8, MASK), "takes none"),
    "mask of 4": ("masked", lambda: (RGB8, np.zeros((8, 8, 4), np.uint8)), "C 1 or 3"),
    "mask of truths": ("masked", lambda: (RGB8, MASK > 0), "bool"),
    "mask as a name": ("masked", lambda: (RGB8, "mask.png"), "Image.open(path)"),
    "mask of floats": ("masked", lambda: (RGB8, Image.new("F", (8, 8))), "floating point"),
}  # fmt: skip


def cut_short() -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(draw_picture(1, 40, 40)).save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:900]))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "masked": {"mask": "input", "outside": "copy"},
        "larger": {"scale": 2},
        "labels": {"source_mode": "labels", "classes": 3},
    }
    at = tmp_path_factory.mktemp("models")
    return {kind: Model(bundle(at / kind, **about), device="cpu") for kind, about in kinds.items()}


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_a_model_is_a_data_error(models: dict[str, Model], case: str) -> None:
    kind, given, said = UNFIT[case]
    with pytest.raises(DataError, match=re.escape(said)):
        models[kind](*given())  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"key": "a", "clean": Image.new("F", (8, 8))}, DataError, "floating point"),
        ({"key": "a", "clean": None}, DataError, "NoneType"),
        ({"key": "a", "clean": "a.png"}, DataError, "Image.open"),
        ({"key": "a", "clean": np.zeros((8, 8, 4), np.uint8)}, DataError, "alpha"),
        ({"key": "a", "clean": RGB8, "draw": -1}, ConfigError, "draw=-1"),
        ({"key": "a", "clean": RGB8, "draw": 0.5}, ConfigError, "draw=0.5"),
        ({"key": Path("a"), "clean": RGB8}, ConfigError, "key="),
    ],
)
def test_what_makes_no_pair_is_refused(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        Pairs("blur")(**given)


@pytest.mark.parametrize(
    "key", [{"tile": "x"}, {"tile": 8.5}, {"tile": -1}, {"tile": True}, {"ensemble": "no"}, {"path": None}]
)
def test_keys_of_another_kind_are_refused(tmp_path: Path, key: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(key))}="):
        Model(**{"path": tmp_path, "device": "cpu", **key})


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_deep_grey_is_made_colour_of_8_bits(models: dict[str, Model], mode: str) -> None:
    made = models["plain"](GREY16 if mode == "I;16" else Image.new(mode, (8, 8), 514))
    assert made.mode == "RGB"
    deep = models["plain"](np.full((8, 8, 1), 514, np.uint16))
    assert np.abs(np.asarray(made) - deep / 257).max() <= 0.5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_batches_of_any_float_type_are_those_of_float32(models: dict[str, Model], dtype: torch.dtype) -> None:
    batch = torch.rand(2, 3, 8, 8).to(dtype)
    made = models["plain"](batch)
    assert made.dtype == torch.float32
    assert torch.equal(made, models["plain"](batch.float()))
    slack = torch.full((1, 3, 8, 8), 1 + 1e-6)
    assert models["plain"](slack).shape == slack.shape, "rounding is no mistake of the caller's"


def test_masks_are_read_and_obeyed_as_translate_does(models: dict[str, Model]) -> None:
    photo, half = draw_picture(1, 8, 8), MASK.copy()
    half[:4] = 0
    green = np.zeros((8, 8, 3), np.uint8)
    green[..., 1] = half
    for kind in ("plain", "masked"):
        made = models[kind](photo, half)
        assert np.array_equal(made[:4], photo[:4])
        assert not np.array_equal(made[4:], photo[4:])
        for same in (green, Image.fromarray(green), half.astype(np.uint16) * 257, Image.fromarray(half)):
            assert np.array_equal(models[kind](photo, same), made)
    assert not np.array_equal(models["plain"](photo)[:4], photo[:4])


def test_addresses_and_transparency_are_those_of_the_verb() -> None:
    noise, photo = Pairs("noise", seed=5), draw_picture(0, 8, 8)
    assert np.array_equal(noise("a", photo, draw=np.int64(3))[0], noise("a", photo, draw=3)[0])
    clear = Image.fromarray(np.dstack([photo, np.zeros((8, 8), np.uint8)]))
    assert (noise("a", clear)[1] == 255).all()


def test_pairs_in_memory_are_those_of_the_verb(photos: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "pairs"
    keys = [f"source={photos}", f"out={out}", "recipe=lowres", "seed=5", "workers=0"]
    assert cli("pairs", *keys).code == 0
    pairs = Pairs("lowres", seed=5)
    found = sorted(out.glob("*/source/*.png"))
    assert len(found) == 5
    for path in found:
        source, target = pairs(path.stem, Image.open(photos / path.name))
        assert np.array_equal(source, read(path).pixels)
        assert np.array_equal(target, read(path.parent.parent / "target" / path.name).pixels)
    noise = Pairs("noise", seed=5)
    photo = draw_picture(0)
    first, again, other, drawn = (
        noise(key, photo, draw=draw)[0] for key, draw in (("a", 0), ("a", 0), ("b", 0), ("a", 1))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, drawn)
    with pytest.raises(DataError, match="needed is"):
        noise("a", photo[..., 0])
    with pytest.raises(ConfigError, match="did you mean blur"):
        Pairs("blurr")


def test_pairs_and_the_module_itself_need_no_torch() -> None:
    code = (
        "import sys, numpy as np; from gantrans.api import Pairs;"
        "Pairs('blur')('a', np.zeros((8, 8, 3), np.uint8)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_example_files_are_run_as_they_are(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    small = [key for key in TINY if not key.startswith(("experiment", "discriminator"))]
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    main = runpy.run_path(str(EXAMPLES / "use_as_library.py"))["main"]
    main(photos, run, *small)
    told = capsys.readouterr().out
    assert "differing by" in told
    assert "best PSNR" in told
    assert "a batch: (1, 3, 40, 44)" in told
    assert Image.open(run / "restored.png").size == (44, 40)
    losses = (run / "metrics.jsonl").read_text()
    assert "G_edges" in losses
    assert "Rain" in (run / "config.yaml").read_text()


def test_the_example_degradation_and_method_keep_their_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    recipe = build_recipe(
        compose_verb("pairs", [f"recipe={EXAMPLES / 'my_degradation.yaml'}"]).recipe, ["my_degradation"]
    )
    photo = draw_picture(0)
    wet, params = degrade(recipe, photo, seed=1, key="a")
    assert np.array_equal(wet, degrade(recipe, photo, seed=1, key="a")[0])
    assert wet.mean() > photo.mean() + 1, "rain is bright"
    assert "slant" in str(params)
    keys = ["data.root=x", "method=my_method", "plugins=[my_method]"]
    method = build_method(compose_verb("train", keys, str(EXAMPLES)))
    assert type(method).__name__ == "Sharp"
    with pytest.raises(ConfigError, match="lambda_edges"):
        build_method(compose_verb("train", [*keys, "method.lambda_edges=-1"], str(EXAMPLES)))
    with pytest.raises(ConfigError, match="plugins="):
        build_method(compose_verb("train", keys[:2], str(EXAMPLES)))


def test_training_is_refused_as_the_verb_refuses_it(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        train(tmp_path / "run", "run.dir=x")
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        train(tmp_path / "run", 5)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean batch_size"):
        train(tmp_path / "run", f"data.root={photos}", "train.batch_sise=3")
    with pytest.raises(DataError):
        train(tmp_path / "run", *TINY, f"data.root={tmp_path / 'nowhere'}")
    assert not (tmp_path / "run").exists()
