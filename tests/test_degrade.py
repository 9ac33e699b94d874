"""degrade: drawn first, applied second; every draw addressed by name; every mistake answered where it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gantrans import draws
from gantrans.degrade import algebra, blur, compress, noise, resolution
from gantrans.degrade.base import Degradation, Params, snake_case
from gantrans.degrade.marks import text
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade, parse_recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import colour, ranges

RECIPES = Path(__file__).parent.parent / "conf" / "recipe"
OURS = ("crappify", "blur", "defocus", "motion", "noise", "jpeg", "lowres", "gray", "realworld")


def photo(height: int = 48, width: int = 72, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """A smooth picture with edges and fine texture, so that every degradation has something to lose."""
    y, x = np.mgrid[:height, :width] / 48
    planes = [
        0.5 + 0.3 * np.sin(5 * x + 3 * c) * np.cos(4 * y) + 0.15 * ((9 * x + c).astype(int) % 2)
        for c in range(3)
    ]
    texture = np.random.default_rng(0).uniform(-0.05, 0.05, (height, width, 3))
    return ranges.from_x01(np.stack(planes, axis=2)[..., :channels] + texture[..., :channels], dtype)


def catalogue(name: str, **changes: Any) -> dict[str, Any]:
    """A recipe of the catalogue as Hydra would hand it over: its interpolations resolved."""
    text = (RECIPES / f"{name}.yaml").read_text().replace("${oc.select:scale,2}", "2")
    scale = {**yaml.safe_load(text), **changes}.get("scale")
    return {**yaml.safe_load(text.replace('"${recipe.scale}"', str(scale))), **changes}


def rng(seed: int = 0) -> np.random.Generator:
    return draws.generator("test", seed)


class Add:
    """A degradation of the user's own: counts in which order it is applied."""

    scale = 1

    def __init__(self, amount: float = 0.1, times: float = 1.0) -> None:
        self.amount, self.times = amount, times

    def sample(self, rng: np.random.Generator) -> Params:
        return {"amount": self.amount, "chance": float(rng.random())}

    def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
        return x01 * np.float32(self.times) + np.float32(params["amount"])


def test_degrade_never_imports_torch() -> None:
    code = "import sys; from gantrans.degrade import recipe; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what holds for every degradation -----------------------------------------------------------------------

EVERY: dict[str, Degradation] = {name: cls() for name, cls in CATALOGUE.items()}
EVERY["compose"] = algebra.Compose([noise.GaussianNoise(), compress.Jpeg(), text.TextMark()], shuffle=True)
EVERY["one_of"] = algebra.OneOf([blur.GaussianBlur(), text.TextMark(tiled=1)], [1, 3])
EVERY["maybe"] = algebra.Maybe(blur.MotionBlur(), 0.7)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_degradation_is_pure_and_its_parameters_survive_json(name: str, channels: int) -> None:
    step = EVERY[name]
    for seed in range(6):
        params = step.sample(rng(seed))
        stored = json.loads(json.dumps(params))
        for height, width in ((48, 72), (2, 2)):  # parameters do not depend on the size; tiny images work
            x01 = ranges.to_x01(photo(height, width, channels))
            before = x01.copy()
            once, again = step.forward(x01, params), step.forward(x01.copy(), stored)
            np.testing.assert_array_equal(x01, before)
            np.testing.assert_array_equal(once, again)
            assert once.shape == (height // step.scale, width // step.scale, channels)
            assert once.dtype == np.float32 and once.min() >= 0 and once.max() <= 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_operation_draws_from_its_generator_alone_and_changes_the_picture(name: str) -> None:
    step = EVERY[name]
    np.random.seed(1)  # the global generator must play no part
    first = step.sample(rng(3))
    np.random.seed(2)
    assert step.sample(rng(3)) == first
    x01 = ranges.to_x01(photo())
    changed = step.forward(x01, first)
    assert changed.shape != x01.shape or np.abs(changed - x01).mean() > 1e-3
    assert snake_case(CATALOGUE[name].__name__) == name  # so manifests use the words of recipes


def test_fixed_amounts_are_fixed_and_intervals_are_filled() -> None:
    assert {blur.GaussianBlur(2).sample(rng(i))["sigma_px"] for i in range(5)} == {2}
    drawn = [blur.GaussianBlur([1, 3]).sample(rng(i))["sigma_px"] for i in range(300)]
    assert 1 <= min(drawn) < 1.1 and 2.9 < max(drawn) <= 3 and abs(np.mean(drawn) - 2) < 0.1
    assert {compress.Jpeg([30, 32]).sample(rng(i))["quality"] for i in range(60)} == {30, 31, 32}


@pytest.mark.parametrize("make, words", [
    (lambda: blur.GaussianBlur(-1), "sigma_px=-1: accepted is a number from 0 to 100"),
    (lambda: blur.GaussianBlur([3, 1]), r"sigma_px=\[3, 1\]"),
    (lambda: blur.GaussianBlur("2"), "sigma_px=2"),  # type: ignore[arg-type]
    (lambda: blur.DefocusBlur(float("nan")), "radius_px=nan"),
    (lambda: blur.MotionBlur(length_px=[1, 2, 3]), "length_px"),
    (lambda: blur.MotionBlur(angle_deg=999), "angle_deg"),
    (lambda: noise.GaussianNoise(grey=1.5), "grey=1.5: accepted is a probability"),
    (lambda: noise.GaussianNoise(sigma_levels=True), "sigma_levels"),
    (lambda: noise.PoissonNoise(0), "peak_photons"),
    (lambda: compress.Jpeg(0), "quality=0: accepted is a whole number from 1 to 100"),
    (lambda: compress.Jpeg(30.5), "whole number"),
    (lambda: resolution.DownUp(0.5), "factor"),
    (lambda: resolution.DownUp(down="cubic"), "down=cubic: accepted is one of nearest, box"),
    (lambda: resolution.DownUp(up=[]), "up"),
    (lambda: resolution.Downscale([2, 4]), "one whole number"),  # type: ignore[arg-type]
    (lambda: resolution.Downscale(1), "factor=1"),
    (lambda: text.TextMark(size=0), "size"),
    (lambda: text.TextMark(opacity=2), "opacity"),
    (lambda: text.TextMark(tiled=-1), "tiled"),
    (lambda: algebra.Maybe(Add(), 2), "p=2"),
    (lambda: algebra.Maybe(resolution.Downscale(2), 0.5), "changes the size"),
    (lambda: algebra.OneOf([Add(), Add()], [1]), "weights"),
    (lambda: algebra.OneOf([Add(), Add()], [0, 0]), "weights"),
    (lambda: algebra.OneOf([Add(), resolution.Downscale(2)]), "scale"),
    (lambda: algebra.OneOf([]), "no steps"),
    (lambda: algebra.Compose([]), "no steps"),
])  # fmt: skip
def test_constructors_name_the_parameter_what_was_found_and_what_is_accepted(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


# --- the algebra --------------------------------------------------------------------------------------------


def test_compose_applies_in_order_and_shuffle_in_every_order() -> None:
    steps = [Add(0.5), Add(0, times=2)]
    x01 = np.zeros((1, 1, 1), np.float32)
    plain = algebra.Compose(steps)
    assert plain.forward(x01, plain.sample(rng()))[0, 0, 0] == 1.0
    shuffled = algebra.Compose(steps, shuffle=True)
    seen = [float(shuffled.forward(x01, shuffled.sample(rng(i)))[0, 0, 0]) for i in range(40)]
    assert set(seen) == {0.5, 1.0} and 8 < seen.count(1.0) < 32


def test_one_of_and_maybe_follow_their_weights() -> None:
    one_of = algebra.OneOf([Add(1), Add(2), Add(3)], [1, 0, 3])
    drawn = [one_of.sample(rng(i))["choice"] for i in range(400)]
    assert drawn.count(1) == 0 and abs(drawn.count(2) / 400 - 0.75) < 0.07
    maybe = algebra.Maybe(Add(), 0.25)
    applied = sum(maybe.sample(rng(i))["applied"] for i in range(400))
    assert abs(applied / 400 - 0.25) < 0.07
    assert (
        not algebra.Maybe(Add(), 0).sample(rng())["applied"]
        and algebra.Maybe(Add(), 1).sample(rng())["applied"]
    )


def test_scales_multiply() -> None:
    step = algebra.Compose([resolution.Downscale(2), compress.Jpeg(50), resolution.Downscale(3)])
    assert step.scale == 6
    assert step.forward(ranges.to_x01(photo()), step.sample(rng())).shape == (8, 12, 3)


# --- the operations -----------------------------------------------------------------------------------------


def test_stronger_blur_and_compression_lose_more() -> None:
    x01 = ranges.to_x01(photo())

    def loss(step: Degradation) -> float:
        return float(np.square(step.forward(x01, step.sample(rng())) - x01).mean())

    for weaker, stronger in (
        (blur.GaussianBlur(0.8), blur.GaussianBlur(3)),
        (blur.DefocusBlur(1), blur.DefocusBlur(6)),
        (blur.MotionBlur(3), blur.MotionBlur(25)),
        (compress.Jpeg(90), compress.Jpeg(8)),
        (resolution.DownUp(1.5), resolution.DownUp(8)),
        (noise.GaussianNoise(3), noise.GaussianNoise(40)),
        (noise.PoissonNoise(1000), noise.PoissonNoise(10)),
        (text.TextMark(opacity=0.2), text.TextMark(opacity=1)),
    ):
        assert loss(weaker) < loss(stronger)


@pytest.mark.parametrize("step, most", [
    (blur.GaussianBlur(0), 1e-6), (blur.DefocusBlur(0), 1e-6), (blur.MotionBlur(0), 1e-6),
    (resolution.DownUp(1), 0), (noise.GaussianNoise(0), 0), (noise.PoissonNoise(1e6), 6e-3),
    (text.TextMark(opacity=0), 1e-6),
])  # fmt: skip
def test_at_zero_strength_nothing_changes(step: Degradation, most: float) -> None:
    x01 = ranges.to_x01(photo())
    assert np.abs(step.forward(x01, step.sample(rng())) - x01).max() <= most


def test_jpeg_is_jpeg() -> None:
    """At its best quality it keeps brightness, everywhere and on average."""
    for channels in (1, 3):
        pixels = photo(channels=channels)
        step = compress.Jpeg(100)
        made = step.forward(ranges.to_x01(pixels), step.sample(rng())) * 255
        assert abs(made.mean() - pixels.mean()) < 0.5
        assert np.abs(colour.luma(made) - colour.luma(pixels.astype(np.float32))).mean() < 1.5


def test_noise_has_the_stated_moments() -> None:
    x01 = np.full((200, 200, 3), 0.5, np.float32)
    step = noise.GaussianNoise(10, grey=0)
    field = step.forward(x01, step.sample(rng())) - x01
    assert abs(field.std() * 255 - 10) < 0.2 and abs(field.mean() * 255) < 0.2
    assert abs(np.corrcoef(field[..., 0].ravel(), field[..., 1].ravel())[0, 1]) < 0.02
    step = noise.GaussianNoise(10, grey=1)
    field = step.forward(x01, step.sample(rng())) - x01
    np.testing.assert_array_equal(field[..., 0], field[..., 2])
    step = noise.PoissonNoise(100)
    for level in (0.2, 0.6):
        flat = np.full((200, 200, 1), level, np.float32)
        noisy = step.forward(flat, step.sample(rng()))
        assert noisy.mean() == pytest.approx(level, rel=0.01) and noisy.var() == pytest.approx(
            level / 100, rel=0.05
        )


def test_jpeg_refuses_what_libjpeg_cannot_hold() -> None:
    step = compress.Jpeg(50)
    with pytest.raises(DataError, match="65501x1 is too large"):
        step.forward(np.zeros((1, 65501, 1), np.float32), step.sample(rng()))


def test_a_mark_lies_within_the_picture_and_is_as_tall_as_stated() -> None:
    grey = np.full((200, 300, 3), 0.5, np.float32)
    step = text.TextMark(size=0.2, opacity=1, angle_deg=0, tiled=0)
    for seed in range(8):
        params = {**step.sample(rng(seed)), "text": "HX", "effect": "plain", "colour": [1.0, 0.0, 0.0]}
        changed = np.abs(step.forward(grey, params) - grey).max(axis=2) > 0.25
        rows, columns = np.nonzero(changed)
        assert rows.min() > 0 and rows.max() < 199 and columns.min() > 0 and columns.max() < 299
        assert 0.6 * 40 < np.ptp(rows) < 40  # capitals are about 0.7 of the font's size, 0.2 * 200 px
        reddest = step.forward(grey, params)[changed].max(axis=0)
        assert reddest[0] == pytest.approx(1) and reddest[1] <= 0.5 + 1e-6
    tiled = text.TextMark(size=0.1, opacity=1, tiled=1)
    params = {**tiled.sample(rng()), "text": "demo"}
    changed = np.abs(tiled.forward(grey, params) - grey).max(axis=2) > 0.1
    quarters = [part.any() for half in np.array_split(changed, 2) for part in np.array_split(half, 2, axis=1)]
    assert all(quarters)


def test_a_long_mark_is_shrunk_to_fit() -> None:
    grey = np.full((100, 120, 1), 0.5, np.float32)
    step = text.TextMark(size=0.9, opacity=1, angle_deg=0, tiled=0)
    params = {**step.sample(rng()), "text": "All rights reserved", "effect": "plain", "colour": [0.0] * 3}
    columns = np.nonzero(np.abs(step.forward(grey, params) - grey).max(axis=(0, 2)) > 0.2)[0]
    assert columns.min() > 0 and columns.max() < 119 and np.ptp(columns) > 60


# --- recipes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("channels, dtype", [(3, np.uint8), (1, np.uint8), (3, np.uint16)])
def test_the_catalogue_degrades_any_picture_and_follows_its_address(
    name: str, channels: int, dtype: type
) -> None:
    recipe = parse_recipe(catalogue(name))
    assert recipe.name == name and len(recipe.hash) == 16
    pixels = photo(channels=channels, dtype=dtype)
    source, params = degrade(recipe, pixels, seed=1, key="a.png")
    again, _ = degrade(recipe, pixels, seed=1, key="a.png")
    np.testing.assert_array_equal(source, again)
    assert source.dtype == dtype and source.shape[0] * recipe.scale == pixels.shape[0]
    assert json.loads(json.dumps(params)) == params
    stored = json.loads(json.dumps(params))
    if dtype is np.uint8:
        replayed = recipe.apply(pixels, stored)
    else:
        replayed = ranges.from_x01(recipe.apply(ranges.to_x01(pixels), stored), dtype)
    np.testing.assert_array_equal(replayed, source)  # the manifest alone can make the pair again
    if name not in ("lowres", "gray"):  # which draw nothing
        for part in ("seed", "key", "draw"):
            addresses = [{"seed": 1, "key": "a.png", "draw": 0, part: value} for value in (3, 4, 5, 6)]
            assert len({json.dumps(degrade(recipe, pixels, **address)[1]) for address in addresses}) > 1, part


def test_every_shipped_recipe_begins_with_what_it_looks_like() -> None:
    for name in OURS:
        head = (RECIPES / f"{name}.yaml").read_text().splitlines()
        assert head[0].startswith("# ") and any("Turn" in line for line in head[:4])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_lowres_takes_its_scale_from_one_key(scale: int) -> None:
    recipe = parse_recipe(catalogue("lowres", scale=scale))
    assert recipe.scale == scale
    target = crop_to_multiple(photo(49, 71), scale)
    source, _ = degrade(recipe, target, seed=0, key="a")
    assert (source.shape[0] * scale, source.shape[1] * scale) == target.shape[:2]
    assert 49 - target.shape[0] < scale and 71 - target.shape[1] < scale
    with pytest.raises(ValueError, match="crop_to_multiple"):
        degrade(recipe, photo(scale * 8 + 1, scale * 8), seed=0, key="a")


def test_the_hash_follows_what_is_done_and_not_how_it_is_told() -> None:
    def hash_of(*steps: Any, **keys: Any) -> str:
        return parse_recipe({"steps": list(steps), **keys}).hash

    base = hash_of({"jpeg": {"quality": [10, 70]}})
    assert base == hash_of("jpeg") == hash_of({"jpeg": None}, name="x", about="y")
    others = [
        hash_of({"jpeg": {"quality": [10, 71]}}), hash_of("jpeg", "jpeg"), hash_of({"shuffle": ["jpeg"]}),
        hash_of({"maybe": {"p": 0.5, "do": ["jpeg"]}}), hash_of({"maybe": {"p": 0.6, "do": ["jpeg"]}}),
        hash_of({"one_of": ["jpeg"]}), hash_of({"one_of": {"do": ["jpeg"], "weights": [2]}}),
        hash_of("gaussian_blur"),
    ]  # fmt: skip
    assert len({base, *others}) == len(others) + 1
    assert parse_recipe(catalogue("crappify")).hash == parse_recipe(catalogue("crappify")).hash


@pytest.mark.parametrize("config, words", [
    ({"steps": [{"jpeg": {}}, {"gaussian_blur": {"radius": 2}}]},
     r"recipe\.steps\[1\]: gaussian_blur has no parameter 'radius'; it takes sigma_px$"),
    ({"steps": [{"gausian_blur": {}}]},
     r"recipe\.steps\[0\]: there is no 'gausian_blur'; did you mean gaussian_blur"),
    ({"steps": [{"xyz": {}}]}, r"accepted are .*down_up.*maybe.*one_of.*shuffle"),
    ({"steps": [{"jpeg": {"quality": 300}}]},
     r"recipe\.steps\[0\]\.jpeg: quality=300: accepted is a whole number"),
    ({"steps": [{"jpeg": 30}]}, r"recipe\.steps\[0\]\.jpeg: found 30; needed are parameters by name"),
    ({"steps": [{"jpeg": {}, "down_up": {}}]}, r"recipe\.steps\[0\]: found .* one name"),
    ({"steps": [7]}, r"recipe\.steps\[0\]: found 7"),
    ({"steps": {"jpeg": {}}}, r"recipe\.steps: found .* list of steps"),
    ({"steps": []}, r"recipe\.steps: needed is a list"),
    ({"name": "x"}, r"recipe\.steps: needed is a list"),
    ({"steps": ["jpeg"], "step": []}, r"recipe\.step: no such key; accepted are name, about, scale, steps"),
    ({"steps": [{"maybe": {"do": ["jpeg"]}}]}, r"recipe\.steps\[0\]\.maybe: lacks 'p'"),
    ({"steps": [{"maybe": {"p": 7, "do": ["jpeg"]}}]}, r"recipe\.steps\[0\]: p=7"),
    ({"steps": [{"maybe": {"p": 0.5, "do": [{"jpeg": {"q": 1}}]}}]},
     r"steps\[0\]\.maybe\.do\[0\]: jpeg has no .*'q'"),
    ({"steps": [{"one_of": ["jpeg", "nope"]}]}, r"recipe\.steps\[0\]\.one_of\[1\]: there is no 'nope'"),
    ({"steps": [{"one_of": {"do": ["jpeg"], "weights": [1, 2]}}]},
     r"weights=\[1, 2\]: accepted are 1 numbers"),
    ({"steps": [{"shuffle": ["jpeg", {"maybe": None}]}]}, r"steps\[0\]\.shuffle\[1\]\.maybe: lacks"),
    ({"steps": [{"downscale": {"factor": 3}}], "scale": 2}, r"recipe\.scale=2: the steps scale by 3"),
])  # fmt: skip
def test_mistakes_in_recipes_are_answered_with_their_place(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_recipe(config)


def test_the_users_own_degradations() -> None:
    recipe = parse_recipe({"steps": [{"my.Add": {"amount": 0.25}}]}, {"my.Add": Add})
    source, params = degrade(recipe, np.zeros((2, 2, 1), np.uint8), seed=0, key="k")
    assert (source == 64).all() and params["steps"][0]["add"]["amount"] == 0.25
    with pytest.raises(ConfigError, match="it takes amount, times"):
        parse_recipe({"steps": [{"my.Add": {"much": 1}}]}, {"my.Add": Add})
    with pytest.raises(ConfigError, match="no method 'sample'"):
        parse_recipe({"steps": [{"my.Path": {}}]}, {"my.Path": type("Bare", (), {})})

    class Shrinks(Add):
        def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
            return x01[:-1]

    with pytest.raises(ConfigError, match=r"recipe r: made .* is needed"):
        degrade(Recipe("r", Shrinks(), "0" * 16), photo(), seed=0, key="k")


def test_numbers_that_are_not_finite_are_refused() -> None:
    class Divides:
        scale = 1

        def sample(self, rng: np.random.Generator) -> Params:
            return {}

        def forward(self, x01: np.ndarray, params: Params) -> np.ndarray:
            return x01 * np.float32("nan")

    with pytest.raises(ConfigError, match="not finite"):
        degrade(Recipe("r", Divides(), "0" * 16), photo(), seed=0, key="k")
