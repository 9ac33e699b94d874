"""The preview shows what `pairs` does, step by step; the gallery and its page tell of everything there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantrans.degrade import trace
from gantrans.degrade.algebra import Compose, Maybe, OneOf
from gantrans.degrade.base import Params, apply
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe, degrade, parse_recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import ranges
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.pairs import preview
from gantrans.pairs.generate import PairsJob, make_pairs
from gantrans.pairs.image import Setup
from gantrans.pairs.making import Making
from tests.conftest import Cli, draw_picture

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import gallery  # noqa: E402
import gallery_page  # noqa: E402

# Every combination, within each other; noise and blur do not commute, so that order shows.
STEPS: list[Any] = [
    {"shuffle": [
        {"gaussian_blur": {"sigma_px": [0.8, 1.5]}},
        {"gaussian_noise": {"sigma_levels": 15}},
        {"maybe": {"p": 0.5, "do": [{"exposure": {"stops": [-1, -0.5]}}, [{"gamma": {"gamma": 1.5}}]]}},
    ]},
    {"one_of": [{"jpeg": {"quality": [20, 60]}}, {"pixelate": {"block_px": 4}}]},
    {"maybe": {"p": 0.7, "do": [{"cut_boxes": {}}]}},
    {"downscale": {"factor": 2}},
]  # fmt: skip
RECIPE = parse_recipe({"name": "all sorts", "steps": STEPS})
SEEDS = range(12)
Trace = Callable[[Any, np.ndarray, Params], Iterator[tuple[str, Params, np.ndarray]]]


def straight(step: Any, params: Params) -> list[tuple[Any, Params]]:
    """The operations that were drawn, told apart by what the parameters hold, not by class."""
    combined = {"steps", "applied", "choice"} & set(params)
    inner = params if combined else next(iter(params.values()))
    if "steps" in inner:
        order = inner.get("order") or list(range(len(inner["steps"])))
        return [found for i in order for found in straight(step.steps[i], inner["steps"][i])]
    if "choice" in inner:
        return straight(step.choices[inner["choice"]], inner["do"])
    if "applied" in inner:
        return straight(step.step, inner["do"]) if inner["applied"] else []
    return [(step, inner)]


def faults_of(walk: Trace, recipe: Recipe, clean: np.ndarray, seed: int) -> list[str]:
    """Which of a walk's pictures are not what the operations up to there make, under the draws of `pairs`."""
    expected, params = degrade(recipe, clean, seed=seed, key="k")
    pixels = clean if clean.dtype == np.uint8 else ranges.to_x01(clean)
    found = list(walk(recipe.steps, pixels, params))
    wanted = straight(recipe.steps, params)
    faults = [] if len(found) == len(wanted) else [f"{len(found)} steps for {len(wanted)}"]
    for (name, shown, after), (step, its_params) in zip(found, wanted, strict=False):
        pixels = apply(step, pixels, its_params)
        if shown != its_params or not np.array_equal(after, pixels):
            faults.append(name)
    last = found[-1][2] if found else pixels
    if clean.dtype != np.uint8:
        last = ranges.from_x01(last, clean.dtype)
    return faults if np.array_equal(last, expected) else [*faults, "the end"]


def clean_of(dtype: type) -> np.ndarray:
    picture = draw_picture(3, 40, 56)
    return picture if dtype is np.uint8 else picture.astype(np.uint16) * np.uint16(257) + np.uint16(5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_panel_is_the_recipe_applied_up_to_there(dtype: type) -> None:
    for seed in SEEDS:
        assert not faults_of(trace.trace, RECIPE, clean_of(dtype), seed)


def ignores_order(step: Any, params: Params) -> Iterator[tuple[Any, Params]]:
    if isinstance(step, Compose):
        for inner, its in zip(step.steps, params["steps"], strict=True):
            yield from ignores_order(inner, next(iter(its.values())))
    else:
        yield from trace.operations(step, params)


def does_every_maybe(step: Any, params: Params) -> Iterator[tuple[Any, Params]]:
    if isinstance(step, Maybe) and not params["applied"]:
        step, params = step.step, step.step.sample(np.random.default_rng(0))
    if isinstance(step, Compose):
        for index in params.get("order", range(len(step.steps))):
            yield from does_every_maybe(step.steps[index], next(iter(params["steps"][index].values())))
    else:
        yield from trace.operations(step, params)


def takes_the_first(step: Any, params: Params) -> Iterator[tuple[Any, Params]]:
    for inner in step.steps:
        if isinstance(inner, OneOf):
            yield inner.choices[0], inner.choices[0].sample(np.random.default_rng(0))
    yield from trace.operations(step, params)


@pytest.mark.parametrize("offender", [ignores_order, does_every_maybe, takes_the_first])
def test_a_walk_that_shows_something_else_is_caught(offender: Any) -> None:
    def walk(step: Any, pixels: np.ndarray, params: Params) -> Iterator[tuple[str, Params, np.ndarray]]:
        for inner, its_params in offender(step, params):
            pixels = apply(inner, pixels, its_params)
            yield "step", its_params, pixels

    assert any(faults_of(walk, RECIPE, clean_of(np.uint8), seed) for seed in SEEDS)


def test_panels_are_the_clean_picture_the_steps_and_the_mask() -> None:
    for seed in SEEDS:
        for dtype in (np.uint8, np.uint16):
            clean = clean_of(dtype)
            degraded, params = degrade(RECIPE, clean, seed=seed, key="k")
            first, *steps, mask = preview.panels(RECIPE, clean, seed=seed, key="k")
            assert np.array_equal(first.pixels, clean)
            assert np.array_equal(steps[-1].pixels, degraded)
            assert np.array_equal(mask.pixels[..., 0], RECIPE.mask(40, 56, params))
            assert [step.title.split()[0] for step in steps] == [str(i + 1) for i in range(len(steps))]
            assert steps[-1].title.endswith("downscale") and steps[-1].about.startswith("factor 2")
    plain = parse_recipe({"steps": ["gray"]})
    assert [p.title for p in preview.panels(plain, clean_of(np.uint8), seed=0, key="k")] == [
        "clean",
        "1 gray",
    ]


def test_parameters_are_told_in_words() -> None:
    params = {
        "quality": 35,
        "sigma": 1111.49,
        "dither": False,
        "boxes": [[0.1, 0.2]],
        "seed": 7,
        "at": [1.5, 2],
    }
    assert preview.told(params) == "quality 35, sigma 1110, dither no, 1 boxes"
    assert preview.told({"text": "x" * 30, "emblem": "none"}) == f"text {'x' * 17}..."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures after a broken one."""
    source = tmp_path / "in"
    source.mkdir()
    (source / "p0.png").write_bytes(b"broken")
    for number in range(1, 7):
        write(source / f"p{number}.png", draw_picture(number, 60, 84))
    return source


def made(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any
) -> tuple[list[str], list[Any]]:
    """What was said, and (key, clean image, its source) of each image that was shown."""
    shown: list[Any] = []
    panels = preview.panels

    def spy(recipe: Recipe, clean: np.ndarray, *, seed: int, key: str) -> Iterator[Any]:
        found = list(panels(recipe, clean, seed=seed, key=key))
        shown.append((key, clean, [p for p in found if p.title != "mask"][-1].pixels))
        return iter(found)

    monkeypatch.setattr(preview, "panels", spy)
    return preview.make_preview(Setup(folder, out, RECIPE, seed=3, **{"size": None, **keys})), shown


def test_three_images_spread_evenly_and_those_that_pairs_makes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, making = tmp_path / "p.png", Making.of({"flip_x": True, "rotate_deg": 9})
    said, shown = made(folder, out, monkeypatch, size=48, making=making)
    assert [key for key, *_ in shown] == ["p1.png", "p2.png", "p4.png"]
    assert len(said) == 1 and said[0].startswith("p0.png: ")
    job = PairsJob(folder, tmp_path / "pairs", RECIPE, "", 3, 0, 48, None, {"train": 1}, making)
    make_pairs(job)
    for key, clean, source in shown:
        assert np.array_equal(read(tmp_path / "pairs/train/target" / key).pixels, clean)
        assert np.array_equal(read(tmp_path / "pairs/train/source" / key).pixels, source)
    first = out.read_bytes()
    preview.make_preview(Setup(folder, out, RECIPE, 3, 48, making))
    assert out.read_bytes() == first
    preview.make_preview(Setup(folder, out, RECIPE, 4, 48, making))
    assert out.read_bytes() != first


def test_tiles_and_large_pictures(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, shown = made(folder, tmp_path / "p.png", monkeypatch, making=Making(tile=28))
    assert shown[0][0] == "p1.png#28,16"
    assert shown[0][1].shape == (28, 28, 3)
    large = tmp_path / "large"
    large.mkdir()
    write(large / "a.png", draw_picture(1, 500, 700))
    preview.make_preview(Setup(large, tmp_path / "l.png", parse_recipe({"steps": ["gray"]}), 0, None))
    sheet = np.asarray(Image.open(tmp_path / "l.png"))
    middle = draw_picture(1, 500, 700)[130:370, 190:510]  # 320 x 240, pixel for pixel
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (240, 320))[:, :20]
    assert any(np.array_equal(windows[y, x], middle[..., 0]) for y, x in np.ndindex(*windows.shape[:2]))


def test_nothing_that_can_be_used_and_keys_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    setup = Setup(folder, tmp_path / "p.png", RECIPE, 0, 48)
    with pytest.raises(DataError, match=r"no image can be used, first: p0\.png"):
        preview.make_preview(replace(setup, size=200))
    for changed, said in (
        (replace(setup, out=tmp_path / "p"), r"accepted is a file name that ends in \.png"),
        (replace(setup, out=folder / "p.png"), "lies within source="),
        (replace(setup, size=49), "a multiple of the recipe's scale 2"),
        (replace(setup, making=Making(tile=27)), "tile=27"),
    ):
        with pytest.raises(ConfigError, match=said):
            preview.make_preview(changed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_the_command_makes_one_png_and_says_where(
    folder: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = cli("pairs", f"source={folder}", "recipe=marks", "preview=true")
    assert answer.code == 0, answer
    assert "preview-marks.png" in answer.out and "passed over  p0.png" in answer.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "preview-marks.png"]
    assert cli("pairs", f"source={folder}", "preview=true", "out=x/y.png").code == 5
    answer = cli("pairs", f"source={folder}")
    assert answer.code == 2 and "out=..." in answer.err


# --- docs/recipes.md and docs/gallery.jpg -----------------------------------------------------------------


def missing_in(page: str) -> list[str]:
    """Operations without a row in the first part, recipes without one in the second: some share a name."""
    operations, _, recipes = page.partition("\n## Recipes\n")
    names = [path.stem for path in (ROOT / "conf" / "recipe").glob("*.yaml")]
    parts = ((operations, CATALOGUE), (recipes, names))
    return [name for text, wanted in parts for name in wanted if f"\n| `{name}` | " not in text]


def test_the_page_names_every_operation_and_every_recipe() -> None:
    page = gallery_page.PATH.read_text(encoding="utf-8")
    assert not missing_in(page)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(CATALOGUE) + len(gallery_page.recipes())
    for row in rows:  # the planted offenders: a page that lacks one row
        assert missing_in(page.replace(f"{row}\n", "", 1)) == [row.split("`")[1]]
    assert missing_in(page.replace("\n## Recipes\n", "\n"))


def test_the_page_tells_what_the_code_does_now() -> None:
    page = gallery_page.PATH.read_text(encoding="utf-8")
    assert page == gallery_page.text(), "docs/recipes.md is out of date: python scripts/gallery.py"
    assert "| `jpeg` | To JPEG and back" in page and "| `quality` 10 to 70 |" in page
    with Image.open(gallery.PICTURE) as picture:
        assert picture.format == "JPEG"
    assert gallery.PICTURE.stat().st_size < 400_000
    assert f"]({gallery.PICTURE.name})" in page


def test_strengths_rise_and_all_are_seen() -> None:
    """Each operation changes the picture, each time another way."""
    motif = read(gallery.sample_dir() / gallery.MOTIF).pixels
    for name in CATALOGUE:
        cells, text = gallery.operation_row(name, motif)
        assert text.startswith(name) and len(text) <= gallery.LETTERS
        assert len(cells) == (1 if name == "gray" else 3)
        assert len({one.tobytes() for one in cells}) == len(cells), name
        assert all(one.shape == (gallery.CELL[1], gallery.CELL[0], 3) for one in cells), name
    first, middle, last = gallery.strengths("jpeg")
    assert first["quality"] > middle["quality"] > last["quality"]
