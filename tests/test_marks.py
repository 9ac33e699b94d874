"""Marks and cut-outs: the mask tells exactly what forward may change, at any size and depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gantrans import draws
from gantrans.degrade.marks import cutouts, text
from gantrans.degrade.marks.canvas import Layer, Mark, paint
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import degrade, parse_recipe

RECIPES = Path(__file__).parent.parent / "conf" / "recipe"
EVERY: dict[str, Any] = {name: cls() for name, cls in CATALOGUE.items() if issubclass(cls, Mark)}
EVERY["text_varied"] = text.TextMark(variety=1, tiled=0.5, effects=["hollow", "emboss", "caption"])
EVERY["cut_noise"] = cutouts.CutBlobs(fill="noise")
SIZES = ((96, 128), (61, 40), (1, 1), (1, 30), (30, 1), (3, 2))


def drawn(name: str, seed: int) -> dict[str, Any]:
    return EVERY[name].sample(draws.generator("test", seed))


def pictures(height: int, width: int, channels: int) -> list[np.ndarray]:
    """Black, white, random: between them every change of 2 levels or more shows."""
    shape = (height, width, channels)
    random = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), random]


def disagreement(step: Any, params: dict[str, Any], height: int, width: int, channels: int) -> str:
    """Empty where mask > 0 exactly where some picture changes, in uint8 and in float32."""
    mask = step.mask(height, width, params)
    for as_type in (lambda u8: u8, lambda u8: u8.astype(np.float32) / np.float32(255)):
        changed = np.zeros((height, width), bool)
        for picture in map(as_type, pictures(height, width, channels)):
            changed |= (step.forward(picture, params) != picture).any(axis=2)
        if (changed & (mask == 0)).any():
            return "changed outside its mask"
        if (~changed & (mask > 0)).any():
            return "a mask where nothing changed"
    return ""


@pytest.mark.parametrize("name", EVERY)
def test_the_mask_is_zero_exactly_where_nothing_changes(name: str) -> None:
    for seed in range(4):
        params = drawn(name, seed)
        for channels in (1, 3):
            for height, width in SIZES:
                assert disagreement(EVERY[name], params, height, width, channels) == "", (seed, height, width)


def test_a_mask_that_leaves_out_or_adds_a_pixel_is_caught() -> None:
    class Wrong(cutouts.CutBoxes):
        def mask(self, height: int, width: int, params: dict[str, Any]) -> np.ndarray:
            mask = super().mask(height, width, params)
            spot = np.argwhere(mask == 0 if params["add"] else mask > 0)[0]
            mask[tuple(spot)] = 255 if params["add"] else 0
            return mask

    params = cutouts.CutBoxes().sample(draws.generator("test", 0))
    assert disagreement(Wrong(), {**params, "add": False}, 40, 50, 3) == "changed outside its mask"
    assert disagreement(Wrong(), {**params, "add": True}, 40, 50, 3) == "a mask where nothing changed"


@pytest.mark.parametrize("name", EVERY)
def test_parameters_survive_json_and_the_input_stays(name: str) -> None:
    params, picture = drawn(name, 3), pictures(48, 72, 3)[2]
    before = picture.copy()
    once = EVERY[name].forward(picture, params)
    np.testing.assert_array_equal(once, EVERY[name].forward(picture, json.loads(json.dumps(params))))
    np.testing.assert_array_equal(picture, before)
    in_floats = EVERY[name].forward(picture.astype(np.float32) / np.float32(255), params)
    assert in_floats.dtype == np.float32 and in_floats.min() >= 0 and in_floats.max() <= 1
    assert np.abs(in_floats * 255 - once).max() <= 3  # several layers, each rounded to a level


def test_a_mark_looks_alike_on_small_and_large_pictures() -> None:
    for name in EVERY:
        shares = [(EVERY[name].mask(*size, drawn(name, 1)) / 255).mean() for size in ((192, 256), (384, 512))]
        assert abs(shares[0] - shares[1]) <= 0.02 + 0.35 * max(shares), name


def test_families_differ_and_are_drawn_by_their_address() -> None:
    masks = {name: EVERY[name].mask(96, 128, drawn(name, 0)).tobytes() for name in CATALOGUE if name in EVERY}
    assert len(set(masks.values())) == len(masks)
    for name in EVERY:
        assert json.dumps(drawn(name, 1)) == json.dumps(drawn(name, 1)) != json.dumps(drawn(name, 2))


def test_fills() -> None:
    picture = np.full((20, 30, 3), (10, 20, 200), np.uint8)
    picture[:, :15] = (30, 40, 100)
    for fill, expected in (("white", 255), ("black", 0), ("grey", 128), ("mean", (20, 30, 150))):
        step = cutouts.CutBoxes(count=1, size=0.4, fill=fill)
        params = step.sample(draws.generator("test", 0))
        hole = step.forward(picture, params)[step.mask(20, 30, params) == 255]
        assert len(hole) and (hole == expected).all(), fill


def test_dye_darkens_and_ink_hides() -> None:
    picture = np.full((1, 1, 3), 200, np.uint8)
    alpha, ink = np.full((1, 1), 255, np.uint8), np.array([255, 128, 0], np.uint8)
    assert paint(picture, [Layer(alpha, ink)])[0, 0].tolist() == [255, 128, 0]
    assert paint(picture, [Layer(alpha, ink, dye=True)])[0, 0].tolist() == [200, 100, 0]


@pytest.mark.parametrize("name", ["marks", "cutout", "oldphoto"])
def test_recipes_degrade_and_tell_where(name: str) -> None:
    recipe = parse_recipe(yaml.safe_load((RECIPES / f"{name}.yaml").read_text()))
    picture, covered = pictures(48, 72, 3)[2], 0
    assert recipe.masked
    for key in map(str, range(6)):
        source, params = degrade(recipe, picture, seed=0, key=key)
        mask = recipe.mask(48, 72, params)
        covered += mask.any()
        if name != "oldphoto":  # which fades and blurs everywhere
            np.testing.assert_array_equal(source[mask == 0], picture[mask == 0])
    assert covered >= 4


def test_a_family_is_held_out_by_leaving_it_out() -> None:
    recipe = parse_recipe({"steps": [{"one_of": ["stain", "stamp"]}]})
    seen = {
        next(iter(recipe.draw(draws.generator("test", i))["steps"][0]["one_of"]["do"])) for i in range(30)
    }
    assert seen == {"stain", "stamp"}


def test_unknown_fonts_and_fills_are_answered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no font files"):
        text.TextMark(fonts=str(tmp_path))
    with pytest.raises(ValueError, match="fill=pink: accepted is one of white, black"):
        cutouts.CutBoxes(fill="pink")
