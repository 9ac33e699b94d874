"""One recipe, two engines: what the device makes of a batch is what the workers make of each picture, within
the bounds of one table; and training on it is as reproducible as on theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from gantrans import draws
from gantrans.core.device import images_of, open_core
from gantrans.core.prefetch import Prefetch
from gantrans.data import pixels
from gantrans.data.augment import Augment
from gantrans.data.device_pairs import DevicePairs
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.readers import DegradeClean
from gantrans.data.stream import RawBatch, batches
from gantrans.data.unpaired import HybridDataset, ImageSet
from gantrans.degrade.base import Params
from gantrans.degrade.blur import GaussianBlur
from gantrans.degrade.colour import Gray
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade, parse_recipe
from gantrans.degrade_batch import engine, forms, noises, sizes, weights
from gantrans.degrade_batch.engine import KINDS, degrade_batch
from gantrans.degrade_batch.making import drawn, finished, program_of
from gantrans.degrade_batch.packed import pack
from gantrans.degrade_batch.program import Program
from gantrans.degrade_batch.stacks import Given
from gantrans.errors import ConfigError
from gantrans.imaging import filters, ranges
from gantrans.imaging.write import write
from tests.conftest import TINY, Cli, draw_picture
from tests.test_operations import photo
from tests.test_training import assert_same, newest

CPU = torch.device("cpu")
RECIPES = Path(__file__).parent.parent / "conf" / "recipe"
# How far a sample may be from the worker engine's, and their mean, in levels, for pictures of 8 bits. What is
# not named is equal. 1 and 0.002: a sum that is rounded to the other level.
BOUNDS: dict[str, tuple[float, float]] = {
    "gaussian_blur": (1, 0.002),
    "anisotropic_blur": (1, 0.002),
    "generalised_blur": (1, 0.002),
    "plateau_blur": (1, 0.002),
    "box_blur": (1, 0.002),
    "defocus_blur": (1, 0.002),
    "motion_blur": (1, 0.002),
    "ringing": (1, 0.002),
    "gaussian_noise": (1, 0.002),
    "speckle_noise": (1, 0.002),
    "row_noise": (1, 0.002),
    "low_contrast": (1, 0.002),
    "halftone": (1, 0.002),
    "down_up": (2, 0.02),  # by area alone: OpenCV's sums
    "sepia": (3, 0.25),  # OpenCV's matrix is in 1/1024, and a curve follows
    "fading": (2, 0.25),
}
FINE = 0.05  # the same for pictures of 16 bits, all operations


def mixed(name: str, seed: int) -> tuple[Recipe, list[np.ndarray], list[Params]]:
    """Pictures smooth and rough, in colour and grey, of 8 and 16 bits, most of one size; a draw for each."""
    recipe = Recipe(name, CATALOGUE[name](), "0" * 16)
    pictures = [photo(48, 64, seed=seed), photo(48, 64, 1, seed), photo(50, 36), photo(48, 64, seed=seed + 1)]
    pictures.append(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8))
    for channels in (1, 3):
        pictures.append(ranges.from_x01(ranges.to_x01(photo(48, 64, channels, seed)) * 0.997, np.uint16))
    params = [recipe.draw(draws.generator("test", seed, i)) for i in range(len(pictures))]
    return recipe, pictures, params


def by_workers(recipe: Recipe, picture: np.ndarray, params: Params) -> np.ndarray:
    if picture.dtype == np.uint8:
        return recipe.apply(picture, params)
    return ranges.from_x01(recipe.apply(ranges.to_x01(picture), params), np.uint16)


def differences(made: list[np.ndarray], wanted: list[np.ndarray]) -> list[np.ndarray]:
    """In 8-bit levels."""
    assert [m.shape for m in made] == [w.shape for w in wanted]
    unit = {np.dtype(np.uint8): 1.0, np.dtype(np.uint16): 257.0}
    return [np.abs(m.astype(float) - w) / unit[m.dtype] for m, w in zip(made, wanted, strict=True)]


def beyond(name: str, seed: int) -> list[str]:
    """What breaks the bounds of an operation."""
    recipe, pictures, params = mixed(name, seed)
    wanted = [by_workers(recipe, *each) for each in zip(pictures, params, strict=True)]
    found = differences(degrade_batch(recipe, pictures, params, CPU), wanted)
    highest, mean = BOUNDS.get(name, (0, 0))
    said = []
    for picture, off in zip(pictures, found, strict=True):
        most, usual = (highest, mean) if picture.dtype == np.uint8 else (FINE, FINE)
        if off.max() > most or off.mean() > usual:
            said.append(f"{name}, {picture.dtype}: {off.max()} at most, {off.mean()} on average")
    return said


@pytest.mark.parametrize("name", CATALOGUE)
def test_engines_agree_and_neighbours_change_nothing(name: str) -> None:
    for seed in range(3):
        assert beyond(name, seed) == []
    recipe, pictures, params = mixed(name, 7)
    together = degrade_batch(recipe, pictures, params, CPU)
    alone = [degrade_batch(recipe, [p], [d], CPU)[0] for p, d in zip(pictures, params, strict=True)]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


def test_engines_agree_on_grey_of_the_same_lightness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "lightness", lambda: Gray("lightness"))  # type: ignore[arg-type]
    assert beyond("lightness", 0) == []
    monkeypatch.setitem(KINDS, "lightness", lambda levels, _: levels[:, 1:2].expand(-1, 3, -1, -1))
    assert len(beyond("lightness", 0)) == 5  # of seven pictures two are grey


ENLARGED_BY_AREA = (1, 0.1)  # OpenCV cuts both its products to quarters of a level
LONG = ((33, 99), (99, 33), (35, 105), (105, 35), (97, 31), (120, 40), (61, 64))


def off_by_filter(kind: str, method: str) -> list[str]:
    """What breaks the bound of `down_up` with that filter on one of its ways, on rough pictures."""
    rng, said = np.random.default_rng(3), []
    most, usual = ENLARGED_BY_AREA if (kind, method) == ("up", "area") else BOUNDS["down_up"]
    for factor in (2, 2.7, 5):
        names = {"down": "bicubic", "up": "bicubic", kind: method}
        recipe = Recipe("filters", CATALOGUE["down_up"](factor=factor, **names), "0" * 16)
        pictures = [rng.integers(0, 2, (*size, 1), np.uint8) * np.uint8(255) for size in LONG]
        pictures += [rng.integers(0, 256, (*size, 3), np.uint8) for size in LONG]
        params = [recipe.draw(draws.generator("test", i)) for i in range(len(pictures))]
        wanted = [recipe.apply(*each) for each in zip(pictures, params, strict=True)]
        for picture, off in zip(
            pictures, differences(degrade_batch(recipe, pictures, params, CPU), wanted), strict=True
        ):
            if off.max() > most or off.mean() > usual:
                said.append(f"{factor} {picture.shape}: {off.max()} at most, {off.mean()} on average")
    return said


@pytest.mark.parametrize("kind", ["down", "up"])
@pytest.mark.parametrize("method", filters.METHODS)
def test_long_pictures_and_every_filter_are_within_the_bounds(kind: str, method: str) -> None:
    assert off_by_filter(kind, method) == []


def in_pillows_order(u8: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """Columns first where the height shrinks by much more than the width: what Pillow 13 does by itself."""
    first = (height, u8.shape[1]) if u8.shape[0] > 2 * u8.shape[1] else (u8.shape[0], width)
    return HONEST_RESIZE(HONEST_RESIZE(u8, *first, method), height, width, method)


HONEST_RESIZE = filters.resize_u8


def test_the_bounds_find_passes_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "resize_u8", in_pillows_order)
    assert off_by_filter("down", "bicubic")


def test_the_bounds_find_halves_that_go_to_the_even(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "_whole", lambda coarse, rest: (coarse + rest).round().clamp(0, 255))
    assert off_by_filter("down", "box")


def shifted(honest: engine.Op) -> engine.Op:
    return lambda levels, given: honest(levels, given).roll(1, dims=3)


def of_a_neighbour(honest: engine.Op) -> engine.Op:
    """Each sample with the numbers of the one before."""
    return lambda levels, given: honest(levels, replace(given, inputs=[*given.inputs[1:], given.inputs[0]]))


def truncated(honest: engine.Op) -> engine.Op:
    return lambda levels, given: torch.floor(honest(levels, given) - 0.5 + 1e-3)


@pytest.mark.parametrize("offence", [shifted, of_a_neighbour, truncated])
@pytest.mark.parametrize(
    ("name", "kind"),
    [("gaussian_blur", "separable"), ("down_up", "resize"), ("jpeg", "jpeg"), ("sepia", "curve"),
     ("gaussian_noise", "normal_noise")],
)  # fmt: skip
def test_the_bounds_find_an_engine_that_is_wrong(
    name: str, kind: str, offence: Callable[[engine.Op], engine.Op], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, kind, offence(KINDS[kind]))
    assert beyond(name, 1 if name != "gaussian_blur" else 0)


def test_what_the_host_does_is_listed_and_nothing_else() -> None:
    recipes = {name: Recipe(name, cls(), "0" * 16) for name, cls in CATALOGUE.items()}
    left = tuple(name for name, recipe in recipes.items() if forms.left_to_the_host(recipe))
    assert left == forms.ON_THE_HOST
    assert forms.left_to_the_host(recipe_of("realworld")) == ["webp"]
    assert forms.left_to_the_host(recipe_of("oldphoto")) == []


# --- parts


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (3, 4), (4, 5), (13, 31), (33, 47), (16, 32)])
def test_jpeg_is_libjpegs_bit_for_bit_at_every_quality(size: tuple[int, int]) -> None:
    recipe = Recipe("jpeg", CATALOGUE["jpeg"](), "0" * 16)
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        params = [{"quality": quality} for quality in (1, 7, 25, 49, 50, 51, 75, 95, 100)]
        rough = [rng.integers(0, 256, (*size, channels), np.uint8) for _ in params]
        for made, picture, each in zip(degrade_batch(recipe, rough, params, CPU), rough, params, strict=True):
            np.testing.assert_array_equal(made, recipe.apply(picture, each))


@pytest.mark.parametrize("method", filters.METHODS)
def test_weights_are_those_of_the_filters(method: str) -> None:
    assert method in weights.METHODS, "a new filter needs its weights here"
    for before, after in (((40, 60), (20, 30)), ((40, 60), (17, 26)), ((41, 30), (50, 44)),
                          ((40, 60), (40, 60)), ((37, 53), (9, 13)), ((9, 8), (1, 1))):  # fmt: skip
        x01 = ranges.to_x01(photo(*before, 1))
        now, summed = before, x01[..., 0]
        for size, way in weights.stages(before, after, method, whole=False):
            down, across = (dense(*weights.band(a, b, way), a) for a, b in zip(now, size, strict=True))
            now, summed = size, np.clip(down @ summed @ across.T, 0, 1)
        wanted = filters.resize(x01, *after, method)[..., 0]
        np.testing.assert_allclose(summed, wanted, atol=2e-5, err_msg=f"{method} {before} {after}")


def dense(starts: np.ndarray, taps: np.ndarray, before: int) -> np.ndarray:
    out = np.zeros((len(starts), before + taps.shape[1]))
    for row, start, values in zip(out, starts, taps, strict=True):
        row[start : start + len(values)] = values
    return out[:, :before]


def test_tiny_pictures_and_wide_kernels() -> None:
    for name in CATALOGUE:
        step = CATALOGUE[name]()
        recipe = Recipe(name, step, "0" * 16)
        sizes = [(1, 1), (1, 7), (5, 1)]
        pictures = [photo(h * step.scale, w * step.scale, c) for h, w in sizes for c in (1, 3)]
        params = [recipe.draw(draws.generator("test", i)) for i in range(len(pictures))]
        wanted = [recipe.apply(*each) for each in zip(pictures, params, strict=True)]
        off = differences(degrade_batch(recipe, pictures, params, CPU), wanted)
        assert max(each.max() for each in off) <= max(1, BOUNDS.get(name, (0, 0))[0]), name


# --- recipes


def recipe_of(name: str) -> Recipe:
    config = yaml.safe_load(
        (RECIPES / f"{name}.yaml")
        .read_text()
        .replace('"${recipe.scale}"', "2")
        .replace("${oc.select:scale,2}", "2")
    )
    return parse_recipe(config)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_whole_recipes_agree(name: str) -> None:
    """JPEG after a sample that is a level off moves a coefficient by a step of its table, so means it is that
    are bounded here."""
    recipe, pictures = recipe_of(name), [photo(64, 64, seed=seed) for seed in range(8)]
    params = [recipe.draw(draws.generator("degrade", 0, str(i), 0)) for i in range(8)]
    made = degrade_batch(recipe, pictures, params, CPU)
    off = differences(made, [recipe.apply(*each) for each in zip(pictures, params, strict=True)])
    assert max(each.mean() for each in off) < 1 and np.mean([each.mean() for each in off]) < 0.3
    alone = [degrade_batch(recipe, [p], [d], CPU)[0] for p, d in zip(pictures, params, strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(made, alone, strict=True))


def test_orders_and_sizes_that_change_within_a_shuffle() -> None:
    steps = [{"shuffle": [{"downscale": {"factor": 2}}, {"pixelate": {"block_px": 5}},
                          {"jpeg": {"quality": 30}}, {"maybe": {"p": 0.5, "do": ["gamma"]}}]}]  # fmt: skip
    recipe = parse_recipe({"steps": steps})
    pictures = [photo(48, 64, seed=seed) for seed in range(8)]
    params = [recipe.draw(draws.generator("test", i)) for i in range(8)]
    assert len({tuple(p["steps"][0]["compose"]["order"]) for p in params}) > 3
    for made, picture, each in zip(
        degrade_batch(recipe, pictures, params, CPU), pictures, params, strict=True
    ):
        wanted = recipe.apply(picture, each)
        assert made.shape == wanted.shape == (24, 32, 3)
        assert np.abs(made.astype(float) - wanted).mean() < 0.5


def test_both_engines_draw_the_same() -> None:
    recipe, picture = recipe_of("realworld"), photo(32, 32)
    for i in range(5):
        _, wanted = degrade(recipe, picture, seed=3, key="a", draw=i)
        assert drawn(recipe, picture, seed=3, key="a", draw=i)[1] == wanted


class Inverted:
    """A degradation of a user's own."""

    scale = 1
    takes_u8 = True

    def sample(self, rng: np.random.Generator) -> Params:
        return {"fails": bool(rng.random() < 0)}

    def forward(self, u8: np.ndarray, params: Params) -> np.ndarray:
        if u8.max() == 77:
            raise IndexError("seventy-seven")
        return 255 - u8


def test_a_users_own_step_is_done_by_the_loaders_and_the_rest_by_the_device() -> None:
    own = {"own": Inverted}
    recipe = parse_recipe({"steps": ["gamma", "own", {"jpeg": {"quality": 20}}]}, own)
    assert forms.left_to_the_host(recipe) == ["inverted"]
    program, params = drawn(recipe, photo(16, 16), seed=0, key="k")
    assert [call.kind for call in program.calls] == ["jpeg"]
    (made,) = degrade_batch(recipe, [photo(16, 16)], [params], CPU)
    np.testing.assert_array_equal(made, recipe.apply(photo(16, 16), params))
    with pytest.raises(ConfigError, match="a step failed on k: IndexError: seventy-seven"):
        drawn(parse_recipe({"steps": ["own"]}, own), np.full((8, 8, 3), 77, np.uint8), seed=0, key="k")


# --- on the way to training


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Pictures in colour and grey, of 8 bits, and one of 16."""
    found = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        picture = draw_picture(i, 44 + i, 48 + 2 * i)
        write(path, picture[..., :1] if i == 2 else picture)
        found.append(Item(path.stem, path, path))
    write(tmp_path / "deep.png", ranges.from_x01(ranges.to_x01(draw_picture(9, 50, 50)), np.uint16))
    return [*found, Item("deep", tmp_path / "deep.png", tmp_path / "deep.png")]


def pairs_of(items: list[Item], name: str = "realworld", **given: object) -> DevicePairs:
    recipe, augment = recipe_of(name), given.pop("augment", Augment(crop=32))
    reader = DegradeClean(recipe, 5, masks="mask" in given)
    return DevicePairs(items, reader, augment, 1, scale=recipe.scale, **given)  # type: ignore[arg-type]


def stream(data: DevicePairs, count: int, **how: object) -> list[RawBatch]:
    """Batches as training gets them."""
    given = {"batch_size": 3, "first_step": 0, "workers": 0, **how}
    return list(islice(Prefetch(batches(data, **given), open_core("cpu")), count))  # type: ignore[arg-type]


def assert_equal(a: RawBatch, b: RawBatch) -> None:
    assert a.keys == b.keys and torch.equal(a.source, b.source) and torch.equal(a.target, b.target)


AUGMENTS = {
    "rgb": {},
    "grey source": {"source_mode": "grey"},
    "grey target": {"target_mode": "grey", "augment": Augment(crop=32, jitter_target=0.2)},
    "geometry": {"augment": Augment(crop=32, resize=40, rotate_deg=20, warp=0.1, quarter_turns=True)},
    "jitter": {"augment": Augment(crop=32, jitter_source=0.3, jitter_target=0.2)},
    "small": {"name": "lowres", "augment": Augment(crop=32, jitter_source=0.3)},
}


@pytest.mark.parametrize("given", AUGMENTS.values(), ids=AUGMENTS)
def test_a_source_is_the_degraded_crop_in_its_mode(items: list[Item], given: dict) -> None:
    """Step by step, as PairDataset would finish it."""
    data = pairs_of(items, **{"name": "noise", **given})
    found = stream(data, 5)
    for step, batch in enumerate(found):
        assert batch.source.shape[1:] == ((1 if data.source_mode == "grey" else 3), 32, 32)
        for i, key in enumerate(batch.keys):
            source, target = by_hand(data, 3 * step + i)
            got = [x[i].permute(1, 2, 0).numpy() for x in (batch.source, batch.target)]
            unit = [255 if x.dtype == np.float32 else 1 for x in got]
            fine = 255 / np.iinfo(source.dtype).max
            assert np.abs(got[1] * unit[1] - target * fine).max() < 1e-3, key
            off = np.abs(got[0] * unit[0] - source * fine)
            assert off.max() <= 3 and off.mean() < 0.1, (key, off.max(), off.mean())


def by_hand(data: DevicePairs, position: int) -> tuple[np.ndarray, np.ndarray]:
    epoch, index = place(position, len(data), data.seed)
    item, augment = data.items[index], data.augment
    clean = pixels.opaque(item.target)
    clean = pixels.shorter_side(clean, augment.resize) if augment.resize else clean
    clean = crop_to_multiple(clean, data.scale)
    rng = draws.generator("augment", data.seed, item.key, epoch)
    clean = np.ascontiguousarray(augment.draw(rng, *clean.shape[:2]).apply(clean))
    source, _ = degrade(data.reader.recipe, clean, seed=5, key=item.key, draw=epoch)  # type: ignore[attr-defined]
    source = pixels.enlarged(pixels.to_mode(source, data.source_mode), clean)
    source = augment.jitter(rng, source, augment.jitter_source)
    return source, augment.jitter(rng, pixels.to_mode(clean, data.target_mode), augment.jitter_target)


def test_workers_starting_point_and_parts_change_nothing(items: list[Item]) -> None:
    data = pairs_of(items)
    alone, helped = stream(data, 5), stream(data, 3, first_step=2, workers=2)
    for a, b in zip(alone[2:], helped, strict=True):
        assert_equal(a, b)
    part = stream(data, 5, part=range(1, 3))
    for a, b in zip(alone, part, strict=True):
        got = b.source.float() if a.source.dtype != torch.uint8 else b.source
        scale = 255 if a.source.dtype != b.source.dtype else 1  # the deep one may be in the other part
        assert torch.allclose(a.source[1:].float() * scale, got.float()) and a.keys[1:] == b.keys


def test_a_batch_comes_out_whole_and_of_one_kind(items: list[Item]) -> None:
    """What a captured step and the discriminator see is what the worker engine gives them."""
    raw = next(batches(pairs_of(items[:6]), batch_size=3, first_step=0, workers=0))
    assert raw.source.numel() == 0 and raw.programs is not None
    (made,) = stream(pairs_of(items[:6]), 1)
    assert made.programs is None and made.source.dtype == torch.uint8
    assert images_of(made).keys() == {"source", "target", "unpaired"}
    prepared = open_core("cpu").prepare(raw)
    assert torch.equal(prepared.source, open_core("cpu").prepare(made).source)


def test_the_hybrid_has_its_pairs_degraded_too(items: list[Item]) -> None:
    pairs, real = pairs_of(items[:6]), ImageSet("unpaired", items[:6], Augment(crop=32), 1)
    (alone,) = stream(pairs, 1)
    (beside,) = stream(HybridDataset(pairs, real), 1)  # type: ignore[arg-type]
    assert torch.equal(alone.source, beside.source) and beside.unpaired is not None
    assert beside.source.shape == beside.unpaired.shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_makes_what_the_cpu_makes(items: list[Item]) -> None:
    raw = list(islice(batches(pairs_of(items[:6]), batch_size=6, first_step=0, workers=0), 3))
    core = open_core("cuda")
    for batch, moved in zip(raw, Prefetch(iter(b.pin_memory() for b in raw), core), strict=True):
        off = (moved.source.cpu().float() - open_core("cpu").move(batch).source.float()).abs()
        assert off.mean() < 0.1
    assert torch.backends.cuda.matmul.fp32_precision == "tf32", "left as it was found"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["marks", "cutout"])
def test_outside_of_the_mask_not_a_bit_changes(items: list[Item], name: str) -> None:
    covered = 0
    for batch in stream(pairs_of(items[:6], name, mask="input"), 12):
        picture, mask = batch.source[:, :3], batch.source[:, 3:]
        same = (picture == batch.target).all(dim=1, keepdim=True)
        assert same[mask == 0].all()
        covered += int((mask > 0).sum())
    assert covered > 0


def test_an_uncovered_picture_that_changes_is_found(
    items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "marks", shifted(KINDS["marks"]))
    with pytest.raises(AssertionError):
        test_outside_of_the_mask_not_a_bit_changes(items, "cutout")


def programs_of_all() -> list[Program]:
    """Each kind of call, on pictures of 8 and 16 bits."""
    found: dict[object, Program] = {}
    for name, step in [*((name, cls()) for name, cls in CATALOGUE.items()), ("gray", Gray(by="lightness"))]:
        recipe = Recipe(name, step, "0" * 16)
        params = recipe.draw(draws.generator("t", 1))
        for picture in (photo(8, 8), ranges.to_x01(photo(8, 8))):
            program = program_of(recipe, picture, params)
            kinds = [call.kind for call in program.calls]
            if picture.dtype == np.uint8 or {"curve", "poisson", "quantise", "marks"} & {*kinds}:
                found.setdefault((program.start.dtype, *kinds), program)
    mask = np.zeros((9, 9, 1), np.uint8)
    sources = [finished(program, channels=1, height=9, width=9, jitter=(1, 1, 1), mask=mask)
               for program in list(found.values())[:2]]  # fmt: skip
    called = {call.kind for program in [*found.values(), *sources] for call in program.calls}
    assert called | {"rgb"} == KINDS.keys()
    return [*found.values(), *sources]


@pytest.fixture
def without_values() -> Iterator[None]:
    noises._normal.cache_clear()
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield
    noises._normal.cache_clear()


@pytest.mark.slow
def test_nothing_waits_for_the_device(without_values: None) -> None:
    del without_values
    made = engine.run(pack(programs_of_all()))
    assert all(picture.dim() == 3 for picture in made)


def test_a_planted_wait_is_found(without_values: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del without_values

    def waits(levels: Tensor, given: Given) -> Tensor:
        return levels * float(given.inputs[0][0].sum())

    monkeypatch.setitem(KINDS, "jpeg", waits)
    with pytest.raises(DataDependentOutputException):
        engine.run(pack(programs_of_all()))


# --- runs


@pytest.mark.parametrize("more", [("recipe=marks", "data.mask=input", "augment.crop=40")])
def test_a_run_resumes_bit_for_bit_and_names_its_engine(
    photos: Path, tmp_path: Path, cli: Cli, more: tuple[str, ...]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    keys = ["train", *TINY, "data.degrade=device", f"data.root={photos}", *more]
    assert cli(*keys, f"run.dir={whole}").code == 0
    assert cli(*keys, f"run.dir={parts}", "train.stop_at=3step").code == 0
    assert cli("resume", parts, "train.stop_at=null", "data.workers=1").code == 0
    assert_same(newest(whole), newest(parts))
    assert (whole / "metrics.jsonl").read_bytes() == (parts / "metrics.jsonl").read_bytes()
    card = json.loads((whole / "bundle" / "bundle.json").read_text())
    assert card["provenance"]["recipe"]["engine"] == "device"


def test_a_run_says_who_does_what(photos: Path, tmp_path: Path, cli: Cli) -> None:
    keys = [
        *TINY,
        "data.degrade=device",
        f"data.root={photos}",
        f"run.dir={tmp_path / 'run'}",
        "recipe=realworld",
    ]
    answer = cli("train", *keys, "train.total=1step")
    assert answer.code == 0
    said = "degraded by realworld on the device, but webp and what comes before by the loader processes"
    assert said in answer.out + answer.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("data.degrade=gpu",), "data.degrade=gpu: accepted are device, worker"),
        (("data.degrade=device", "recipe=lowres", "augment.crop=33"), "must be a multiple of 2, as 32"),
        (("data.degrade=device", "data.layout=paired", "data.root=PAIRS"), "only clean images are degraded"),
    ],
)
def test_what_makes_no_sense_is_refused(
    photos: Path, tmp_path: Path, cli: Cli, more: tuple[str, ...], said: str
) -> None:
    for role in ("source", "target"):
        (tmp_path / "pairs" / role).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(draw_picture(i)).save(tmp_path / "pairs" / role / f"{i}.png")
    given = [word.replace("PAIRS", str(tmp_path / "pairs")) for word in more]
    answer = cli("train", *TINY, f"data.root={photos}", f"run.dir={tmp_path / 'run'}", *given)
    assert answer.code == 2 and said in answer.err, answer.err


def test_a_large_sigma_is_no_wider_than_its_picture_allows() -> None:
    """Borders reflect as often as it takes."""
    recipe = Recipe("blur", GaussianBlur(30.0), "0" * 16)
    (made,) = degrade_batch(recipe, [photo(9, 7)], [{"sigma_px": 30.0}], CPU)
    assert np.abs(made.astype(float) - recipe.apply(photo(9, 7), {"sigma_px": 30.0})).max() <= 1
