"""match-recipe tells what our own recipes did to pictures, says nothing of what they did not do, and what it
writes `gantrans pairs` takes."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from gantrans import draws
from gantrans.degrade import estimate_jpeg, estimate_noise
from gantrans.degrade.estimate_blur import edge_ratio, sigma_of
from gantrans.degrade.estimate_jpeg import JpegFound, from_comb, luma_steps, of_tables
from gantrans.degrade.estimate_noise import noise
from gantrans.degrade.recipe import degrade, parse_recipe
from gantrans.imaging import decode
from gantrans.match import measure as match_measure
from gantrans.match.fit import highest, share_above, spread, usable, without
from gantrans.match.measure import BLURS_PX, Looked, blur_curve, look
from tests.conftest import Cli

SIDE = 160
SEEDS = range(8)


@functools.cache
def natural(seed: int, side: int = SIDE) -> np.ndarray:
    """A 1/f spectrum in a part of it, edges of every direction, calm areas; never compressed: (side, side, 3)
    uint8."""
    rng = draws.generator("natural", seed)
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    falling = np.fft.fft2(rng.normal(size=(side, side))) / np.maximum(np.hypot(fy, fx), 1 / side)
    texture = np.real(np.fft.ifft2(falling))
    y, x = np.mgrid[:side, :side] / side
    picture = 120 + 50 * (x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1))[..., None] * rng.uniform(0.6, 1, 3)
    for _ in range(9):
        angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        side_of = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) - at
        shade = np.clip(side_of * side / 1.2 + 0.5, 0, 1)[
            ..., None
        ]  # an edge as lenses leave it, 1.2 px wide
        disk = (np.hypot(x - rng.uniform(), y - rng.uniform()) < 0.3)[..., None]
        picture = picture + shade * disk * rng.choice([-1, 1]) * rng.uniform(40, 90, 3)
    rough = (np.hypot(x - rng.uniform(), y - rng.uniform()) < 0.35)[..., None]
    return np.clip(picture + rough * texture[..., None] / texture.std() * 12, 2, 253).astype(np.uint8)


def made(seed: int, *steps: Any) -> np.ndarray:
    if not steps:
        return natural(seed)
    return degrade(parse_recipe({"steps": list(steps)}), natural(seed), seed=1, key=str(seed))[0]


def grain(sigma: float, grey: float = 1.0) -> dict[str, Any]:
    return {"gaussian_noise": {"sigma_levels": sigma, "grey": grey}}


def jpeg(quality: int) -> dict[str, Any]:
    return {"jpeg": {"quality": quality}}


def blur(sigma: float) -> dict[str, Any]:
    return {"gaussian_blur": {"sigma_px": sigma}}


def of_quality(quality: int) -> JpegFound:
    return JpegFound(quality, luma_steps(quality), True)


# --- JPEG -------------------------------------------------------------------------------------------------


def test_tables_of_every_quality_are_read_exactly() -> None:
    for quality in range(1, 101):
        stream = io.BytesIO()
        Image.fromarray(natural(0)[:16, :16]).save(stream, "JPEG", quality=quality)
        assert of_tables(Image.open(stream).quantization[0]).quality == quality  # type: ignore[attr-defined]


@pytest.mark.parametrize("before", [[], [grain(6)], [blur(1)]], ids=["plain", "noisy", "soft"])
@pytest.mark.parametrize("quality", [15, 40, 75])
def test_the_comb_tells_quality(quality: int, before: list[Any]) -> None:
    found = [from_comb(made(seed, *before, jpeg(quality))) for seed in SEEDS]
    told = [f.quality for f in found if f]
    assert len(told) >= 6
    assert max(abs(q - quality) for q in told) <= 1


def test_the_comb_is_found_where_blocks_begin_elsewhere() -> None:
    found = from_comb(made(1, jpeg(40))[3:, 5:])
    assert found is not None
    assert (found.quality, found.corner) == (40, (5, 3))


@pytest.mark.parametrize(
    "steps",
    [[], [grain(5)], [blur(1.5)], [jpeg(30), grain(4)], [jpeg(30), {"down_up": {"factor": 1.5}}],
     [{"pixelate": {"block_px": 8}}], [{"quantise": {"levels": 16}}]],
)  # fmt: skip
def test_no_quality_is_told_where_none_is_left(steps: list[Any]) -> None:
    assert [from_comb(made(seed, *steps)) for seed in SEEDS] == [None] * len(SEEDS)


def test_offender_that_counts_what_was_quantised_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 lies on every comb, and the coarsest is rewarded most."""
    monkeypatch.setattr(estimate_jpeg, "_LEAST", -1)
    found = [from_comb(made(seed, jpeg(40))) for seed in SEEDS]
    assert all(f is None or abs(f.quality - 40) > 8 for f in found)


# --- noise ------------------------------------------------------------------------------------------------


def median_noise(sigma: float, quality: int | None, *, blind: bool = False) -> float:
    after = [jpeg(quality)] if quality else []
    known = of_quality(quality) if quality and not blind else None
    found = [noise(made(seed, grain(sigma), *after), known).sigma for seed in SEEDS]
    return float(np.median([f for f in found if f is not None] or [np.nan]))


def close_enough(found: float, sigma: float) -> bool:
    return abs(found - sigma) <= max(1, 0.25 * sigma)


@pytest.mark.parametrize(
    ("sigma", "quality"), [(2, None), (6, None), (20, None), (6, 80), (12, 50), (20, 50), (25, 30)]
)
def test_noise_is_told_also_behind_known_steps(sigma: float, quality: int | None) -> None:
    assert close_enough(median_noise(sigma, quality), sigma)


def test_offender_that_does_not_know_of_compression() -> None:
    assert not close_enough(median_noise(12, 50, blind=True), 12)


def test_noise_that_compression_wiped_out_is_not_guessed() -> None:
    found = [noise(made(seed, grain(3), jpeg(20)), of_quality(20)) for seed in SEEDS]
    assert np.median([f.sigma for f in found if f.sigma is not None]) == 0
    assert all(f.floor > 10 for f in found)


def test_colour_of_noise() -> None:
    for grey in (0.0, 1.0):
        colours = [noise(made(seed, grain(8, grey)), None).colour for seed in SEEDS]
        assert all(c is not None and (c < 0.3 if grey else c > 0.7) for c in colours)


def test_texture_does_not_pass_for_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = sum(np.sin(x * np.cos(a) * f + y * np.sin(a) * f + p) * 5
                for a, f, p in zip(rng.uniform(0, 6, 40), rng.uniform(1.5, 2.3, 40), rng.uniform(0, 6, 40),
                                   strict=True))  # fmt: skip
    pixels = np.clip(128 + waves, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    assert noise(pixels, None).sigma is None
    monkeypatch.setattr(estimate_noise, "_WHITE", np.inf)  # the offender that takes anything fine for noise
    assert (noise(pixels, None).sigma or 0) > 2


# --- blur -------------------------------------------------------------------------------------------------


def told_blur(sigma: float, after: list[Any], known: list[Any], noise_levels: float = 0.0) -> float:
    """The median over half of the seeds, by the curve of the other half."""
    clean = [Looked(str(seed), natural(seed), None) for seed in (11, 13, 15, 17, 19, 21)]
    curve, _ = blur_curve(clean, known, noise_levels)
    points = usable(curve, np.array(BLURS_PX))
    ratios = [edge_ratio(made(seed, blur(sigma), *after), noise_levels) for seed in (10, 12, 14, 16, 18, 20)]
    blurs = np.array(BLURS_PX[:points])
    return float(np.median([sigma_of(r, blurs, curve[:points]) for r in ratios if r]))


@pytest.mark.parametrize("after", [[], [jpeg(40)], [grain(5)]], ids=["plain", "jpeg", "noise"])
@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_blur_is_told_beside_clean_pictures_made_alike(sigma: float, after: list[Any]) -> None:
    levels = 5.0 if after == [grain(5)] else 0.0
    assert abs(told_blur(sigma, after, after, levels) - sigma) <= max(0.4, 0.3 * sigma)


def test_offender_that_compares_noisy_pictures_with_silent_ones() -> None:
    assert abs(told_blur(2.0, [grain(20)], []) - 2.0) > 0.6


def test_the_curve_ends_where_it_is_flat() -> None:
    assert usable(np.array([2.0, 1.5, 1.2, 1.19, 1.0]), np.arange(5.0)) == 3
    assert usable(np.array([2.0, 1.5, np.nan]), np.arange(3.0)) == 2
    assert sigma_of(1.35, np.arange(3.0), np.array([2.0, 1.5, 1.2])) == pytest.approx(1.5)
    assert sigma_of(9.0, np.arange(3.0), np.array([2.0, 1.5, 1.2])) == 0


# --- from numbers to ranges -------------------------------------------------------------------------------


def test_the_share_of_degraded_pictures() -> None:
    rng = np.random.default_rng(0)
    clean, bad = rng.normal(size=60), rng.normal(size=60)
    assert share_above(bad, clean) == 0
    bad[:30] += 20
    assert share_above(bad, clean) == pytest.approx(0.5, abs=0.15)
    assert share_above(bad[:30], clean) == pytest.approx(1)
    assert share_above(bad[28:32], clean[:4]) == 0, "of so few, chance may be all of it"
    false = [share_above(rng.normal(size=20), rng.normal(size=20)) > 0 for _ in range(400)]
    assert np.mean(false) < 0.02
    assert sorted(highest(bad, 0.5)) == sorted(bad[:30])


def test_ranges_are_of_pictures_and_not_of_the_estimator() -> None:
    rng = np.random.default_rng(0)
    true, error = rng.uniform(5, 15, 4000), rng.normal(size=4000) * 2
    width = np.ptp(np.percentile(error, [10, 90]))
    median, low, high = spread(true + error, float(width))
    assert (median, low, high) == pytest.approx((10, 6, 14), abs=0.5)
    assert spread(10 + error, float(width))[1:] == pytest.approx((10, 10), abs=0.5)
    _, raw_low, _ = spread(true + error)
    assert raw_low < low - 0.5, "the offender: percentiles as they are"
    assert without(np.array([5.0, 2.0]), 3.0) == pytest.approx([4, 0])


# --- folders ----------------------------------------------------------------------------------------------


def fill(folder: Path, seeds: range, *steps: Any, suffix: str = ".png", **options: Any) -> Path:
    folder.mkdir()
    for seed in seeds:
        Image.fromarray(made(seed, *steps)).save(folder / f"{seed}{suffix}", **options)
    return folder


def steps_of(file: Path) -> dict[str, Any]:
    recipe = yaml.safe_load(file.read_text(encoding="utf-8"))
    parse_recipe(recipe)
    return {name: values for step in recipe["steps"] for name, values in step.items()}


def test_all_at_once_and_pairs_takes_it(tmp_path: Path, cli: Cli) -> None:
    bad = fill(tmp_path / "bad ones", range(20, 31), blur(1.5), grain(8), jpeg(80))
    clean = fill(tmp_path / "clean", range(40, 50))
    out, found = tmp_path / "my.yaml", tmp_path / "found.json"
    answer = cli("match-recipe", f"source={bad}", f"clean={clean}", f"out={out}", f"json={found}")
    assert answer.code == 0, answer
    steps = steps_of(out)
    assert list(steps) == ["gaussian_blur", "gaussian_noise", "jpeg"]
    assert steps["jpeg"] == {"quality": [80, 80]}
    assert np.mean(steps["gaussian_noise"]["sigma_levels"]) == pytest.approx(8, rel=0.25)
    assert np.mean(steps["gaussian_blur"]["sigma_px"]) == pytest.approx(1.5, abs=0.45)
    assert [s["operation"] for s in json.loads(found.read_text())["steps"]] == list(steps)
    assert all(f"# in {share}" in out.read_text() for share in ("100%",))
    made_pairs = cli("pairs", f"source={clean}", f"out={tmp_path / 'pairs'}", f"recipe={out}", "workers=0")
    assert made_pairs.code == 0, made_pairs
    again = cli("match-recipe", f"source={bad}", f"out={out}")
    assert again.code == 2
    assert "overwrite=true" in again.err


@pytest.mark.parametrize("beside", [True, False])
def test_of_clean_pictures_nothing_is_said(tmp_path: Path, cli: Cli, beside: bool) -> None:
    keys = [f"source={fill(tmp_path / 'a', range(20, 31))}", f"out={tmp_path / 'my.yaml'}"]
    if beside:
        keys.append(f"clean={fill(tmp_path / 'b', range(40, 50))}")
    answer = cli("match-recipe", *keys)
    assert answer.code == 3
    assert "nothing found" in answer.err
    assert not (tmp_path / "my.yaml").exists()


def test_files_tell_their_quality_and_what_some_have_is_for_some(tmp_path: Path, cli: Cli) -> None:
    bad = fill(tmp_path / "bad", range(20, 26), suffix=".jpg", quality=35)
    for seed in range(26, 32):
        Image.fromarray(natural(seed)).save(bad / f"{seed}.png")
    assert cli("match-recipe", f"source={bad}", f"out={tmp_path / 'my.yaml'}").code == 0
    assert steps_of(tmp_path / "my.yaml") == {"maybe": {"p": 0.5, "do": [{"jpeg": {"quality": [35, 35]}}]}}


def test_what_cannot_be_used_is_named(tmp_path: Path, cli: Cli) -> None:
    bad = fill(tmp_path / "bad", range(20, 26), jpeg(30))
    (bad / "broken.png").write_bytes(b"no image")
    Image.fromarray(natural(0)[:20, :20]).save(bad / "tiny.png")
    answer = cli("match-recipe", f"source={bad}", f"out={tmp_path / 'my.yaml'}")
    assert answer.code == 0, answer
    assert "found 8 images: 6 measured, 2 left out" in answer.out
    assert "broken.png: is text" in answer.out
    assert "tiny.png: is too small" in answer.out


def no_images(root: Path) -> list[str]:
    (root / "empty").mkdir()
    return [f"source={root / 'empty'}", f"out={root / 'my.yaml'}"]


def too_few(root: Path) -> list[str]:
    return [f"source={fill(root / 'few', range(3))}", f"out={root / 'my.yaml'}"]


def no_yaml(root: Path) -> list[str]:
    return [f"source={root}", f"out={root / 'my.txt'}"]


def itself(root: Path) -> list[str]:
    return [f"source={root}", f"clean={root}", f"out={root / 'my.yaml'}"]


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [(no_images, 3, "holds no images"), (too_few, 3, "needed are 5"), (no_yaml, 2, "ends in .yaml"),
     (itself, 2, "is source= itself")],
)  # fmt: skip
def test_mistakes_are_answered(
    tmp_path: Path, cli: Cli, keys: Callable[[Path], list[str]], code: int, says: str
) -> None:
    answer = cli("match-recipe", *keys(tmp_path))
    assert answer.code == code
    assert says in answer.err


def test_large_and_turned_files_are_measured_as_they_are_stored(tmp_path: Path) -> None:
    """Blocks begin at the corner of the stored picture, however EXIF turns it."""
    wide = np.tile(made(3, grain(12)), (5, 6, 1))[:, :1100]
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.fromarray(wide).save(tmp_path / f"{turn}.jpg", quality=50, exif=exif)
    looked = [look(tmp_path, f"{turn}.jpg") for turn in range(1, 9)]
    assert {one.pixels.shape for one in looked} == {(match_measure.MAX_SIDE, match_measure.MAX_SIDE, 3)}
    assert all(np.array_equal(one.pixels, looked[0].pixels) for one in looked)
    found = looked[0].noise().sigma
    assert found is not None
    assert close_enough(found, 12)
    assert np.array_equal(decode.oriented(decode.oriented(wide, 6), 8), wide)
