"""The sample pictures: drawn by address alone, kept as drawn, and rich enough to be worth restoring."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.conftest import some

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import draw_sample  # noqa: E402

FILES = sorted(draw_sample.FOLDER.glob("*.png"))
BYTES = 2_500_000  # of the whole folder: it is part of the repository and of the wheel


def faults_of(picture: Image.Image) -> list[str]:
    """What makes a picture unfit as a clean target."""
    faults = []
    if picture.mode != "RGB":
        faults.append(f"mode {picture.mode}")
    if min(picture.size) < 160:
        faults.append(f"size {picture.size}")
    grey = np.asarray(picture.convert("L"), np.float32)
    dark, bright = np.percentile(grey, (1, 99))
    if bright - dark < 128:
        faults.append(f"tonal range {bright - dark:.0f} levels")
    inner = grey[1:-1, 1:-1]
    laplacian = 4 * inner - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    if np.abs(laplacian).mean() < 8:
        faults.append(f"fine detail {np.abs(laplacian).mean():.1f} levels")
    return faults


def distance(first: Image.Image, second: Image.Image) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(np.asarray(first, np.float32) - np.asarray(second, np.float32)).mean())


@pytest.mark.parametrize("family", some(draw_sample.FAMILIES, 4))
def test_a_picture_is_a_function_of_its_address(family: str) -> None:
    first = draw_sample.draw(draw_sample.SEED, family, 1)
    again = draw_sample.draw(draw_sample.SEED, family, 1)
    other = draw_sample.draw(draw_sample.SEED + 1, family, 1)
    assert first.tobytes() == again.tobytes()
    assert distance(first, other) > 2
    # Font rasterisers differ a little between versions of Pillow: a level is allowed, not another picture.
    with Image.open(draw_sample.FOLDER / f"{family}-01.png") as kept:
        assert distance(first, kept) <= 1 < distance(other, kept)


def test_the_folder_holds_what_the_script_names() -> None:
    assert [f.stem for f in FILES] == sorted(f"{f}-{n:02d}" for f, n in draw_sample.names(48))
    assert sum(f.stat().st_size for f in FILES) <= BYTES


def test_fewer_pictures_are_the_first_of_more() -> None:
    assert [*draw_sample.names(17)] == [*draw_sample.names(48)][:17]


def test_every_picture_is_a_fit_target() -> None:
    faults = {file.name: faults_of(Image.open(file)) for file in FILES}
    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.parametrize("stem", ["landscape-01", "map-04", "books-02"])
def test_an_unfit_picture_is_caught(stem: str) -> None:
    picture = Image.open(draw_sample.FOLDER / f"{stem}.png")
    flat = picture.point([96 + level // 4 for level in range(256)] * 3)
    assert any("fine detail" in fault for fault in faults_of(picture.filter(ImageFilter.GaussianBlur(2))))
    assert any("tonal range" in fault for fault in faults_of(flat))
    assert any("size" in fault for fault in faults_of(picture.crop((0, 0, 159, 160))))
    assert any("mode" in fault for fault in faults_of(picture.convert("L")))


def test_no_two_pictures_are_alike() -> None:
    small = [Image.open(file).resize((32, 32), Image.Resampling.BOX) for file in FILES]
    pairs = [(a, b) for a in range(len(small)) for b in range(a)]
    assert min(distance(small[a], small[b]) for a, b in pairs) > 5
    assert distance(small[0], small[0].copy()) == 0


def test_the_script_writes_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["draw_sample.py", "--out", str(tmp_path / "new"), "--count", "2"])
    draw_sample.main()
    assert sorted(f.name for f in (tmp_path / "new").iterdir()) == ["landscape-01.png", "street-01.png"]
    assert "drawing" not in capsys.readouterr().err  # no progress bar where nobody looks
    monkeypatch.setattr("sys.argv", ["draw_sample.py", "--count", "0"])
    with pytest.raises(SystemExit, match="2"):
        draw_sample.main()
    assert "--count is 0" in capsys.readouterr().err
