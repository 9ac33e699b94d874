"""Signs of health in closed form; `gantrans doctor` tells planted failures on real pictures apart."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gantrans.build.places import sample_dir
from gantrans.imaging import colour, filters, ranges
from gantrans.metrics.health import FAINT, GRAIN, Health, pattern_share
from gantrans.training.doctor import examine
from gantrans.training.validate import PairValidation
from gantrans.training.validate_unpaired import UnpairedValidation
from tests.conftest import Cli

Change = Callable[[np.ndarray], np.ndarray]  # of a picture x01
FILES = sorted(sample_dir().glob("*.png"))
PHOTOS = [np.asarray(Image.open(path)) / np.float32(255) for path in FILES[::6]]
FABRICS = [np.asarray(Image.open(path)) / np.float32(255) for path in FILES if "fabric" in path.name]
PALETTE = np.random.default_rng(0).random((6, 3), np.float32)
WEAVE = np.random.default_rng(0).choice([-1, 1], (4, 4, 3)).astype(np.float32)


def u8(change: Change, pictures: list[np.ndarray]) -> list[np.ndarray]:
    return [ranges.from_x01(change(x), np.uint8) for x in pictures]


def with_pillow(change: Callable[[Image.Image], Image.Image]) -> Change:
    return lambda x: np.asarray(change(Image.fromarray(ranges.from_x01(x, np.uint8)))) / np.float32(255)


def jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=20)
    return Image.open(stream).convert("RGB")


def kept(x: np.ndarray) -> np.ndarray:
    return x


def shrunk(x: np.ndarray, factor: int) -> np.ndarray:
    return filters.resize(x, x.shape[0] // factor, x.shape[1] // factor, "box")


def mosaic(x: np.ndarray) -> np.ndarray:
    return filters.resize(shrunk(x, 4), *x.shape[:2], "nearest")


def labels(x: np.ndarray) -> np.ndarray:
    """Few flat colours that have nothing to do with those of the picture."""
    return PALETTE[(filters.gaussian_blur(colour.to_grey(x), 4)[..., 0] * 5.99).astype(int)]


def woven(x: np.ndarray, strength: float) -> np.ndarray:
    """With a pattern of 4 x 4 pixels over it."""
    rows, columns = x.shape[0] // 4 + 1, x.shape[1] // 4 + 1
    return x + strength * np.tile(WEAVE, (rows, columns, 1))[: x.shape[0], : x.shape[1]]


sharpened = with_pillow(lambda image: image.filter(ImageFilter.UnsharpMask(2, 100, 0)))
painted = with_pillow(lambda image: image.filter(ImageFilter.ModeFilter(7)))
outlined = with_pillow(lambda image: image.convert("L").filter(ImageFilter.FIND_EDGES).convert("RGB"))
compressed = with_pillow(jpeg)

SOUND: dict[str, tuple[Change, Change]] = {  # what a photo becomes as an input, and as its output
    "blurred": (kept, lambda x: filters.gaussian_blur(x, 0.7)),
    "sharpened": (kept, sharpened),
    "recoloured": (kept, lambda x: x * np.float32([1, 0.9, 0.8])),
    "grey": (kept, colour.to_grey),
    "pale": (kept, lambda x: 0.7 + 0.2 * (x - 0.7)),
    "painted in other hues": (kept, lambda x: painted(x)[..., [2, 0, 1]]),
    "night": (kept, lambda x: x**1.5 * np.float32([0.3, 0.35, 0.6])),
    "outlines on paper": (kept, lambda x: 1 - 2 * outlined(x)),
    "photo of labels": (labels, kept),
    "restored from JPEG": (compressed, lambda x: filters.gaussian_blur(x, 0.5)),
    "JPEG sharpened, blocks and all": (compressed, lambda x: sharpened(compressed(x))),
    "restored from a mosaic": (mosaic, lambda x: filters.gaussian_blur(x, 1)),
    "mosaic": (kept, mosaic),
    "enlarged": (lambda x: shrunk(x, 2), kept),
    "noise removed": (lambda x: x + np.random.default_rng(1).normal(0, 0.1, x.shape), kept),
}
PLANTED: dict[str, Change] = {
    "copy": kept,
    "collapse": lambda x: 0.95 * filters.resize(PHOTOS[0], *x.shape[:2], "bicubic") + 0.05 * x,
    "inversion": lambda x: 1 - x,
    "checkerboard": lambda x: woven(x / 0.7, 4 / 255),
}


class Pictures(list[Any]):
    """Stands in for an ImageSet or a PairDataset."""

    mask, source_mode, target_mode = "none", "rgb", "rgb"

    def shown(self, pixels: np.ndarray, side: str) -> np.ndarray:
        del side
        return pixels

    def whole(self, index: int) -> Any:
        return self[index]

    def masked(self, index: int) -> tuple[np.ndarray, np.ndarray, None]:
        return (*self.whole(index), None)  # type: ignore[return-value]


def translator(change: Change) -> Any:
    return lambda pixels: ranges.from_x01(change(ranges.to_x01(pixels)), pixels.dtype)


def signs(inputs: list[np.ndarray], outputs: list[np.ndarray]) -> dict[str, float]:
    health = Health()
    for given, made in zip(inputs, outputs, strict=True):
        health.add(given, made)
    return health.result()


def seen(values: dict[str, Any]) -> list[str]:
    """The signals that the doctor finds in one validation."""
    return [found.signal for found in examine(Path("run"), {}, [{"split": "val", "step": 9, **values}])]


# --- the signs


def test_signs_in_closed_form() -> None:
    given = [0.2 + 0.6 * x for x in PHOTOS]
    alike = {"health_change": 0.1, "health_diversity": 1, "health_luminance": 1, "health_checkerboard": 0}
    assert signs(given, [x + 0.1 for x in given]) == pytest.approx(alike, abs=1e-4)
    assert signs(given, [1 - x for x in given])["health_luminance"] == pytest.approx(-1)
    black = signs(given, [0 * x for x in given])
    assert black["health_luminance"] == black["health_diversity"] == 0
    assert signs(given[::-1], PHOTOS[::-1]) == pytest.approx(signs(given, PHOTOS), abs=1e-6)
    assert "health_diversity" not in signs(given[:1], given[:1]) | signs(given[:1] * 3, PHOTOS[:3])
    assert Health().result() == {}


def test_diversity_is_blind_to_contrast_but_for_what_is_faint() -> None:
    """Variances B at a place and T of all: sqrt of k^2 B / (k^2 T + f^2) over B / (T + f^2)."""
    given = [filters.resize(x, 32, 32, "box") for x in PHOTOS]
    total = np.stack(given).var((0, 1, 2)).mean()
    for k in (0.5, 0.1, 0.01):
        expected = k * np.sqrt((total + FAINT**2) / (k * k * total + FAINT**2))
        made = [0.3 + k * (x - 0.3) for x in given]
        assert signs(given, made)["health_diversity"] == pytest.approx(expected, rel=1e-3)
    leaks = [[(1 - k) * given[0] + k * x for x in given] for k in (0, 0.1, 0.3, 1)]
    values = [signs(given, made)["health_diversity"] for made in leaks]
    assert values[0] == 0 and values[-1] == 1 and all(a < b for a, b in pairwise(values))


@pytest.mark.parametrize(("channels", "level"), [(3, 0.02), (3, 0.002), (1, 0.02)])
def test_pattern_on_grey_in_closed_form(channels: int, level: float) -> None:
    """Columns of +-a less their mean over 5 are +-0.8 a; chance, 1 / 64 a block, is taken off."""
    x = np.full((64, 96, 3), 0.5, np.float32)
    x[..., :channels] += level * np.where(np.arange(96) % 2, -1, 1)[:, None]
    energy = (0.8 * level) ** 2 * channels / 3
    share, chance = energy / (energy + GRAIN**2), 1 / (64 * 6)
    assert pattern_share(x) == pytest.approx((share - chance) / (1 - chance), abs=1e-4)


def test_only_a_pattern_that_repeats_every_four_pixels_counts() -> None:
    for x in PHOTOS:
        shares = [pattern_share(woven(x, level / 255)) for level in (0, 2, 4, 8, 16)]
        assert shares[0] < 0.011 and all(a < b for a, b in pairwise(shares)) and shares[-1] > 0.1
    pattern = woven(np.zeros((128, 128, 3), np.float32), 0.02)
    share = pattern_share(0.5 + pattern)
    assert share > 0.6
    for same in (np.roll(pattern, (1, 2), (0, 1)), pattern[::-1], pattern.swapaxes(0, 1), -pattern):
        assert pattern_share(0.5 + same) == pytest.approx(share, abs=0.02)
    rng = np.random.default_rng(2)
    for n in (3, 5, 7):
        assert pattern_share(np.tile(rng.random((n, n, 3)), (128 // n, 128 // n, 1))) < 0.02
    assert pattern_share(rng.random((256, 256, 3))) < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (31, 31), (32, 33), (45, 70)])
@pytest.mark.parametrize(("modes", "factor"), [((1, 3), 1), ((3, 1), 2), ((1, 1), 1), ((3, 3), 2)])
def test_any_size_and_mode_gives_numbers_in_range(size: Any, modes: tuple[int, int], factor: int) -> None:
    rng = np.random.default_rng(4)
    large = (size[0] * factor, size[1] * factor)
    values = signs(*([rng.random((*s, c)) for _ in "abc"] for s, c in zip((size, large), modes, strict=True)))
    assert 0 <= values["health_change"] <= 1 and 0 <= values["health_diversity"] < 3
    assert abs(values["health_luminance"]) <= 1 + 1e-9 and abs(values["health_checkerboard"]) <= 1
    assert min(large) >= 32 or values["health_checkerboard"] == 0


# --- sound and spoilt


@pytest.mark.parametrize("name", SOUND)
def test_sound_translations_raise_nothing(name: str) -> None:
    for pictures in (PHOTOS, FABRICS):
        inputs, outputs = ([x / np.float32(255) for x in u8(side, pictures)] for side in SOUND[name])
        values = signs(inputs, outputs)
        assert seen(values) == [], values


@pytest.mark.parametrize("signal", PLANTED)
def test_planted_failures_raise_their_own_finding(signal: str) -> None:
    """From sources that are too dark: one way, on the way back, on images beside pairs, and with pairs."""
    dark = u8(lambda x: 0.7 * x, PHOTOS)
    sets: Any = {way: Pictures(dark) for way in ("to_target", "to_source")}
    pairs: Any = Pictures(zip(dark, u8(kept, PHOTOS), strict=True))
    spoilt, sound = translator(PLANTED[signal]), translator(lambda x: x / 0.7)
    validation = UnpairedValidation(train={}, val=sets, most=16, probes=1)
    one = validation.measure({"to_target": spoilt})
    back = validation.measure({"to_target": sound, "to_source": spoilt})
    paired = PairValidation(train=pairs, val=pairs, most=16, probes=1).measure({"to_target": spoilt})
    beside = {"psnr_gain": 3.0, **{f"{name}_unpaired": value for name, value in one.items()}}
    for values in (one, back, paired, beside):
        assert seen(values) == [signal], values


# --- the doctor
HEALTHY = {"health_change": 0.1, "health_diversity": 1.0, "health_luminance": 0.9, "health_checkerboard": 0.0}
VAL = {"split": "val", "step": 40, **HEALTHY}


def losses(*accuracies: float, **others: float) -> list[dict[str, Any]]:
    shares = [{"split": "train", "step": i, "D_accuracy": a} for i, a in enumerate(accuracies)]
    return [{**line, "G_GAN": 1.0, **others} for line in shares]


def visit(cli: Cli, run: Path, lines: list[Any], **status: Any) -> tuple[list[str], str]:
    """Writes a run folder, asks the doctor, and sees that no file has changed; the signals and the text."""
    run.mkdir(exist_ok=True)
    (run / "config.yaml").write_text("task: x\n")
    (run / "status.json").write_text(json.dumps(status))
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (run / "metrics.jsonl").write_bytes("\n".join(text).encode("latin-1"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    answer = cli("doctor", run)
    assert (answer.code, answer.err) == (0, "")
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}
    blocks = answer.out.split("\n\n")[1:]
    return [block.splitlines()[0] for block in blocks], " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("changed", "signals"),
    [
        ({}, []),
        ({"health_change": 0.001}, ["copy"]),
        ({"health_change": 0.001, "psnr_input": 36.0}, []),  # nothing to change
        ({"health_change": 0.001, "psnr_input": 30.0, "psnr_gain": 2.0}, []),  # little to change, and done
        ({"health_diversity": 0.15, "health_luminance": -0.8}, ["collapse"]),  # onto a dark picture
        ({"health_luminance": -0.8, "psnr_gain": -3.0}, ["inversion"]),
        ({"health_luminance": -0.8, "psnr_gain": 3.0}, []),  # targets are like that
        ({"health_checkerboard_unpaired": 0.2, "health_change_unpaired": 0.0}, ["copy", "checkerboard"]),
        ({"psnr_input": 20.0, "psnr_gain": -1.0}, ["no-gain"]),
    ],
)
def test_the_newest_validation_is_judged(cli: Cli, tmp_path: Path, changed: Any, signals: list[str]) -> None:
    spoilt = {**VAL, "step": 20, "health_diversity": 0.0}
    assert visit(cli, tmp_path, [{**spoilt, "step": 0}, spoilt, {**VAL, **changed}])[0] == signals


def test_a_discriminator_wins_at_the_end_where_it_is_asked(cli: Cli, tmp_path: Path) -> None:
    late, long_ago, few = (
        losses(*[0.5] * 12, *[0.99] * 4),
        losses(*[0.99] * 12, *[0.8] * 4),
        losses(*[0.99] * 3),
    )
    critic = losses(*[0.99] * 8, D_penalty=1.0)
    alone = [{k: v for k, v in line.items() if k != "G_GAN"} for line in losses(*[0.99] * 8)]
    for lines, signals in (
        (late, ["discriminator-wins"]), (long_ago, []), (few, []), (alone, []), (critic, []),
    ):  # fmt: skip
        assert visit(cli, tmp_path, [*lines, VAL])[0] == signals
    two = losses(*[0.7] * 8, D_accuracy_target=0.99, D_accuracy_source=0.6)
    signals, text = visit(cli, tmp_path, [*two, VAL])
    assert signals == ["discriminator-wins"] and "target discriminator tells 99%" in text


@pytest.mark.parametrize(
    ("status", "signals", "said"),
    [
        ({"state": "finished", "step": 40}, [], "state finished, step 40"),
        ({"state": "running", "updated": "2026-01-02T03:04:05"}, [], "as of 2026-01-02T03:04:05"),
        ({"state": "diverged", "reason": "DivergedError: NaN at step 7, on the images a, b"}, ["non-finite"],
         "non-finite NaN at step 7, on the images a, b"),
        ({"state": "failed", "reason": "DataError: a.png: not an image"}, ["failed"], "a.png: not an image"),
        ({"state": "preempted", "reason": "Interrupted: saved"}, ["interrupted"], "gantrans resume"),
        ({"state": "preempted", "reason": "train.stop_at"}, [], "none"),
        ({"state": "finished", "data_wait_share": 0.5}, ["data-wait"], "50% of the time"),
        ({"state": None, "step": [], "data_wait_share": "much", "reason": 3}, [], "none"),
    ],
)  # fmt: skip
def test_how_the_run_ended(cli: Cli, tmp_path: Path, status: Any, signals: list[str], said: str) -> None:
    found, text = visit(cli, tmp_path, [VAL], **status)
    assert found == signals and said in text


def test_damaged_files_are_read_as_far_as_they_go(cli: Cli, tmp_path: Path) -> None:
    copied = {**VAL, "health_change": 0.0}
    odd = [7, [], {"split": "val", "step": "x"}, {**losses(0.99)[0], "D_accuracy": None}, "\xff\x00", ""]
    half = json.dumps({**VAL, "step": 60})[:-9]
    assert visit(cli, tmp_path, [*odd, copied, *odd, half])[0] == ["copy"]
    wrong = {"health_change": None, "health_diversity": True, "psnr_gain": "x", "psnr_input": 10**400}
    assert visit(cli, tmp_path, [{**VAL, **wrong}])[0] == []
    assert visit(cli, tmp_path, [{**losses(0.5)[0], "G_L1": float("nan")}, VAL])[0] == ["non-finite"]
    assert visit(cli, tmp_path, [{**copied, "step": 0}, half])[0] == ["nothing-to-judge"]
    for name in ("status.json", "metrics.jsonl"):
        (tmp_path / name).unlink()
    answer = cli("doctor", tmp_path)
    assert answer.code == 0 and "state unknown" in " ".join(answer.out.split())
    assert "nothing-to-judge" in answer.out


def test_usage(cli: Cli, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        answer = cli("doctor", folder)
        assert answer.code == 4 and f"{folder}: not a run folder" in answer.err
    for args in ([], ["--fix"], [tmp_path, tmp_path]):
        assert cli("doctor", *args).code == 2
    assert cli("doctor", "--help").code == 0


def test_damaged_files_are_called_so(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "config.yaml").touch()
    (tmp_path / "metrics.jsonl").write_bytes(bytes(range(128, 256)))
    answer = cli("doctor", tmp_path)
    assert answer.code == 0
    assert "damaged, nothing in it can be read: metrics.jsonl" in answer.out
