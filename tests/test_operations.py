"""The operations of recipes: each is a property, 8 bits and floating point agree, pictures stay in place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from gantrans import draws, lab
from gantrans.degrade import blur, colour, compress, noise, resolution
from gantrans.degrade.base import Degradation, mask_of, masks
from gantrans.degrade.parse import CATALOGUE
from gantrans.degrade.recipe import Recipe, degrade, parse_recipe
from gantrans.imaging import filters, grain, kernels, ranges, tone
from gantrans.imaging.colour import luma

RECIPES = Path(__file__).parent.parent / "conf" / "recipe"
MODULES = ("blur", "resolution", "noise", "compress", "colour")
OURS = [name for name, cls in CATALOGUE.items() if cls.__module__.split(".")[-1] in MODULES]
# Largest difference in levels between uint8 and floating point: 0.5 is rounding alone, more where done twice.
BOUNDS = {
    "gaussian_blur": 1.2,
    "down_up": 4.0,
    "downscale": 4.0,
    "sepia": 1.6,
    "fading": 1.6,
    "quantise": 0.51,
}


def photo(height: int = 96, width: int = 128, channels: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.random((7, 9, channels)).astype(np.float32)
    smooth = filters.resize(low, height, width, "bicubic")
    return ranges.from_x01(smooth * 0.9 + rng.uniform(0, 0.1, smooth.shape).astype(np.float32), np.uint8)


def run(step: Degradation, pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    return step.forward(pixels, step.sample(draws.generator("test", seed)))


def difference(step: Degradation, u8: np.ndarray, seed: int) -> np.ndarray:
    params = step.sample(draws.generator("test", seed))
    return np.abs(step.forward(u8, params) - step.forward(ranges.to_x01(u8), params) * np.float32(255))


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("channels", [1, 3])
def test_8_bits_and_floating_point_agree(name: str, channels: int) -> None:
    step = CATALOGUE[name]()
    assert step.takes_u8
    for seed in range(4):
        error = difference(step, photo(channels=channels), seed)
        assert error.max() <= BOUNDS.get(name, 0.6) and error.mean() < 0.45


def test_the_bound_finds_a_shifted_uint8_path() -> None:
    class Shifted(blur.GaussianBlur):
        def forward(self, pixels: np.ndarray, params: dict) -> np.ndarray:
            blurred = super().forward(pixels, params)
            return np.roll(blurred, 1, axis=1) if pixels.dtype == np.uint8 else blurred

    assert difference(Shifted(), photo(), 0).max() > BOUNDS["gaussian_blur"]


@pytest.mark.parametrize("name", OURS)
def test_every_size_type_and_repetition(name: str) -> None:
    step = CATALOGUE[name]()
    for height, width in ((1, 1), (1, 7), (5, 1), (13, 31)):
        for channels in (1, 3):
            u8 = photo(height * step.scale, width * step.scale, channels)
            for pixels in (u8, ranges.to_x01(u8), np.flip(u8, 1)):
                before = pixels.copy()
                once = run(step, pixels)
                assert once.shape == (height, width, channels) and once.dtype == pixels.dtype
                np.testing.assert_array_equal(once, run(step, pixels))
                np.testing.assert_array_equal(pixels, before)
                assert once.dtype == np.uint8 or (once.min() >= 0 and once.max() <= 1)


def test_start_up_never_loads_opencv() -> None:
    code = "import sys; from gantrans.degrade import recipe; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- kernels ------------------------------------------------------------------------------------------------


def test_kernels_have_their_moments_and_known_shapes() -> None:
    round_one = kernels.generalised_kernel(2, 2, 0, 1)
    line = filters.gaussian_kernel_1d(2)
    edge = len(line) // 2 - len(round_one) // 2
    line = line[edge : len(line) - edge]
    np.testing.assert_allclose(round_one, np.outer(line, line), atol=1e-3)
    for kernel in (round_one, kernels.plateau_kernel(2, 1, 30, 1.5), kernels.sinc_kernel(0.5, 15)):
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)
    long = kernels.generalised_kernel(3, 1, 30, 1)
    reach = len(long) // 2
    y, x = np.mgrid[reach : -reach - 1 : -1, -reach : reach + 1]
    covariance = (long * x * y).sum()
    assert covariance == pytest.approx((9 - 1) * np.sin(np.pi / 3) / 2, rel=0.03)  # rises to the right
    assert (long * x * x).sum() == pytest.approx(9 * 0.75 + 0.25, rel=0.03)
    box = kernels.box_kernel_1d(4.0)
    np.testing.assert_allclose(box, [0.125, 0.25, 0.25, 0.25, 0.125])


def test_the_sinc_passes_below_its_cutoff_and_stops_above() -> None:
    response = np.abs(np.fft.fft2(kernels.sinc_kernel(0.5, 61), (256, 256)))[
        0
    ]  # 128 is the Nyquist frequency
    assert abs(response[:52] - 1).max() < 0.12 and response[78:128].max() < 0.12
    step = np.zeros((32, 32, 1), np.uint8) + 60
    step[:, 16:] = 180
    rippled = run(blur.Ringing(0.4, 15), step)
    assert rippled.min() < 56 and rippled.max() > 184  # over- and undershoot; a blur has neither
    assert run(blur.GaussianBlur(2), step).min() >= 60


def test_blurs_keep_the_mean_and_lose_energy_with_their_amount() -> None:
    u8 = photo()
    for weak, strong in (
        (blur.BoxBlur(2.0), blur.BoxBlur(9.0)),
        (blur.AnisotropicBlur(1, 0.5, 20), blur.AnisotropicBlur(5, 2, 20)),
        (blur.PlateauBlur(0.7, 0.7, 0, 1.5), blur.PlateauBlur(3, 3, 0, 1.5)),
        (blur.MotionBlur(5.0, 30.0), blur.MotionBlur(60.0, 30.0)),
        (resolution.Pixelate(2), resolution.Pixelate(16)),
    ):
        low, high = run(weak, u8), run(strong, u8)
        assert u8.std() > low.std() > high.std() and abs(high.mean() - u8.mean()) < 3


def test_area_weights_parts_of_pixels_and_a_mosaic_is_its_means() -> None:
    line = np.array([[0, 30, 240]], np.uint8)[..., None]
    halves = filters.resize(line, 1, 2, "area")[0, :, 0]
    np.testing.assert_array_equal(halves, [10, 170])  # (0 + 30 / 2) / 1.5, (30 / 2 + 240) / 1.5
    u8 = photo(10, 13)
    tiled = run(resolution.Pixelate(4), u8)
    np.testing.assert_allclose(tiled[9, 12], u8[8:, 12:].mean(axis=(0, 1)), atol=0.51)
    np.testing.assert_allclose(tiled[3, 3], u8[:4, :4].mean(axis=(0, 1)), atol=0.51)


@pytest.mark.parametrize("size", [(60, 84), (59, 83), (61, 82)])
@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0, 2.7, 3.0, 5.4])
def test_a_mipmap_is_to_the_eye_the_area_mean(size: tuple[int, int], factor: float) -> None:
    height, width = round(size[0] / factor), round(size[1] / factor)
    for pixels in (photo(*size), ranges.to_x01(photo(*size))):
        unit = 1 if pixels.dtype == np.uint8 else 255
        mip, mean, point = (
            filters.resize(pixels, height, width, way) * float(unit) for way in ("mipmap", "area", "nearest")
        )
        apart, planted = np.abs(mip - mean).mean(), np.abs(point - mean).mean()
        assert apart <= max(1.0, 0.5 * planted) and abs(mip.mean() - mean.mean()) < 1
        assert factor == 1 or planted > apart
    flat = np.full((*size, 3), 37, np.uint8)
    assert (filters.resize(flat, height, width, "mipmap") == 37).all()


# --- noise --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_noise_has_its_moments(dtype: type) -> None:
    flat = np.full((200, 200, 3), 100, np.uint8)
    flat = flat if dtype is np.uint8 else ranges.to_x01(flat)
    unit = 1 if dtype is np.uint8 else 255

    def field(step: Degradation) -> np.ndarray:
        return run(step, flat).astype(np.float64) * unit - 100

    for step, sigma in (
        (noise.GaussianNoise(10, 0), 10.0), (noise.SpeckleNoise(0.1, 0), 10.0),
        (noise.PoissonNoise(50), 100 / np.sqrt(50 * 100 / 255)), (noise.RowNoise(10, 1, 0, 0), 10.0),
    ):  # fmt: skip
        made = field(step)
        loose = 0.12 if isinstance(step, noise.RowNoise) else 0.03
        assert abs(made.mean()) < 6 * loose * 1.5 and made.std() == pytest.approx(sigma, rel=loose)
    rows = field(noise.RowNoise(10, 2, 0, 1))
    assert np.ptp(rows, axis=(1, 2)).max() < 1e-3 and np.abs(rows[0::2] - rows[1::2]).max() < 1e-3
    hit = np.abs(field(noise.SaltPepper(0.1, 1))).max(axis=2) > 50
    assert hit.mean() == pytest.approx(0.1, abs=0.01)


def test_tables_of_normal_and_poisson_are_exact() -> None:
    z = grain.normal_table().astype(np.float64)
    assert abs(z.mean()) < 1e-6 and (z**2).mean() == pytest.approx(1, abs=1e-5)
    assert (z**4).mean() == pytest.approx(3, rel=0.01)  # a uniform distribution has 1.8
    for peak in (1.0, 50.0, 1000.0):
        table = grain.poisson_table(peak).astype(np.float64)
        levels = np.arange(256) / 255
        np.testing.assert_allclose(table.mean(axis=1), levels, atol=2e-3)
        # two draws averaged: half the variance of one
        np.testing.assert_allclose(table.var(axis=1)[20:] / 2, levels[20:] / peak, rtol=0.12)


# --- colour and compression ---------------------------------------------------------------------------------


def to_l(pixels: np.ndarray) -> np.ndarray:
    x01 = ranges.to_x01(pixels) if pixels.dtype == np.uint8 else pixels
    return lab.lab_from_rgb(x01.astype(np.float64))[..., 0]


def test_colour_operations_do_what_their_names_say() -> None:
    u8 = photo()
    grey = run(colour.Gray(), u8)
    np.testing.assert_array_equal(grey[..., 0], luma(u8))
    assert np.ptp(grey, axis=2).max() == 0
    for pixels in (u8, ranges.to_x01(u8)):
        both = [to_l(run(colour.Gray(by), pixels)) - to_l(pixels) for by in ("lightness", "luma")]
        assert np.abs(both[0]).max() < (0.5 if pixels.dtype == np.uint8 else 1e-3) < 4 < np.abs(both[1]).max()
    for shade in (np.arange(256, dtype=np.uint8), np.linspace(0, 1, 99, dtype=np.float32)):
        grey = np.repeat(shade[:, None, None], 3, axis=2)
        np.testing.assert_allclose(
            run(colour.Gray("lightness"), grey), grey, atol=0 if len(shade) > 99 else 1e-6
        )
    with pytest.raises(ValueError, match="by=value: accepted is one of luma, lightness"):
        colour.Gray("value")
    sepia = run(colour.Sepia(1.0), u8).mean(axis=(0, 1))
    assert sepia[0] > sepia[1] > sepia[2]
    red = run(colour.ColourCast(1.0, 0.0), np.full((4, 4, 3), 100, np.uint8))[0, 0].astype(int)
    assert red[0] > 110 and red[1] == red[2] < 100
    light = tone.linear_from_srgb(ranges.to_x01(run(colour.Exposure(-1.0), u8)))
    np.testing.assert_allclose(light, tone.linear_from_srgb(ranges.to_x01(u8)) / 2, atol=3e-3)
    assert run(colour.Gamma(2.0), u8).mean() < u8.mean() < run(colour.Gamma(0.5), u8).mean()
    flat = run(colour.LowContrast(0.5), u8)
    assert flat.std() == pytest.approx(u8.std() / 2, rel=0.12) and abs(flat.mean() - u8.mean()) < 3
    faded = run(colour.Fading(0.7), u8)
    assert faded.min() > u8.min() + 30 and faded.std() < u8.std()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_printed_tone_keeps_its_mean(channels: int) -> None:
    for level in (0, 40, 128, 220, 255):
        flat = np.full((120, 120, channels), level, np.uint8)
        printed = run(colour.Halftone(5.3, 10.0), flat)
        assert abs(printed.mean() - level) < 6
        assert level in (0, 255) or printed.std() > 20


def test_few_levels_are_few_and_dither_keeps_the_mean() -> None:
    u8 = photo()
    assert len(np.unique(run(compress.Quantise(5, 0), u8))) <= 5
    ramp = np.full((64, 64, 1), 100, np.uint8)
    assert abs(run(compress.Quantise(2, 1), ramp).mean() - 100) < 4
    assert run(compress.Quantise(2, 0), ramp).mean() == 0  # without dither the tone is lost


# --- the alignment canary -----------------------------------------------------------------------------------

BLOCK, SIDE = 8, 96
UNSURE = 0.02  # of correlation


def canary(number: int) -> np.ndarray:
    """Blocks light or dark by the picture's number and their place: no two pictures or shifts look alike."""
    rng = draws.generator("canary", number)
    bits = rng.random((SIDE // BLOCK, SIDE // BLOCK)) < 0.5
    tint = rng.uniform(-15, 15, 3)
    pixels = np.kron(np.where(bits, 185.0, 70.0), np.ones((BLOCK, BLOCK)))[..., None] + tint
    return pixels.astype(np.uint8)


def displaced(source: np.ndarray, target: np.ndarray) -> tuple[int, int]:
    """The shift in pixels, up to 3, at which the two are most alike; none where that is too little more: a
    smear of 20 pixels looks much the same a pixel further along."""
    size = 3
    a = source.astype(np.float64).mean(axis=2)
    b = target.astype(np.float64).mean(axis=2)[size:-size, size:-size]
    shifts = [(y, x) for y in range(-size, size + 1) for x in range(-size, size + 1)]

    def likeness(shift: tuple[int, int]) -> float:
        top, left = size + shift[0], size + shift[1]
        part = a[top : top + b.shape[0], left : left + b.shape[1]]
        return float(np.corrcoef(part.ravel(), b.ravel())[0, 1])

    best = max(shifts, key=likeness)
    return best if likeness(best) > likeness((0, 0)) + UNSURE else (0, 0)


def misplaced(
    recipe: Recipe, numbers: range, shift: Callable[[np.ndarray], np.ndarray] | None = None
) -> float:
    """The share of pictures whose source does not lie on its own target, or looks more like another's; whose
    it is, is read where nothing hides it, as a hole of one colour says nothing."""
    wrong = 0
    for number in numbers:
        target, other = canary(number), canary(number + 1)
        source, params = degrade(recipe, target, seed=0, key=f"{number}.png")
        seen = mask_of(recipe.steps, SIDE, SIDE, params) == 0 if masks(recipe.steps) else np.True_
        source = shift(source) if shift else source
        if recipe.scale > 1:
            target, other = (filters.resize(p, *source.shape[:2], "area") for p in (target, other))
        own, foreign = (
            np.corrcoef(*(p.mean(axis=2)[seen].ravel() for p in (source, whose)))[0, 1]
            for whose in (target, other)
        )
        wrong += displaced(source, target) != (0, 0) or own < foreign + 0.2
    return wrong / len(numbers)


def shipped(name: str) -> Recipe:
    text = (
        (RECIPES / f"{name}.yaml")
        .read_text()
        .replace('"${recipe.scale}"', "2")
        .replace("${oc.select:scale,2}", "2")
    )
    return parse_recipe(yaml.safe_load(text))


EVERY_RECIPE = sorted(path.stem for path in RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("name", EVERY_RECIPE)
def test_source_and_target_lie_on_each_other(name: str) -> None:
    assert misplaced(shipped(name), range(12)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_RECIPE)
def test_source_and_target_lie_on_each_other_ten_thousand_times(name: str) -> None:
    assert misplaced(shipped(name), range(10_000)) == 0


def test_the_canary_finds_a_shift_of_one_pixel_and_a_foreign_picture() -> None:
    recipe = shipped("blur")
    assert misplaced(recipe, range(6), lambda source: np.roll(source, 1, axis=0)) == 1
    assert misplaced(recipe, range(6), lambda _: canary(77)) == 1
    smears = shipped("motion")  # along a smear nothing can be told
    assert misplaced(smears, range(12), lambda source: np.roll(source, 1, axis=0)) > 0.25
    holes = shipped("cutout")
    assert misplaced(holes, range(6), lambda source: np.roll(source, 1, axis=0)) == 1
    assert misplaced(holes, range(6), lambda _: canary(77)) == 1


def test_a_hole_over_most_of_a_picture_hides_nobody() -> None:
    """Rims so wide that their one colour outweighed what was left in the likeness of the whole."""
    assert [misplaced(shipped("cutout"), range(n, n + 1)) for n in (55, 797, 842, 947)] == [0, 0, 0, 0]
