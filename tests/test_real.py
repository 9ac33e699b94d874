"""Checks on real images, which are not part of the repository: they run with `-m real` where the variable
GANTRANS_REAL_DATA names a folder that holds photos/, odd/, facades/ and horse2zebra/."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrans.data.layouts import find_items
from gantrans.data.layouts_unpaired import find_unpaired
from gantrans.imaging.listing import list_images
from gantrans.imaging.read import read
from tests.conftest import Cli

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("GANTRANS_REAL_DATA")
    if not folder:
        pytest.skip("GANTRANS_REAL_DATA names no folder")
    return Path(folder)


def test_every_real_image_is_read(real: Path) -> None:
    for name in list_images(real / "odd"):
        picture = read(real / "odd" / name)
        assert picture.pixels.std() > 1, name
        with Image.open(real / "odd" / name) as image:
            assert (picture.alpha is not None) == (image.mode == "RGBA"), name


@pytest.mark.parametrize("recipe", ["crappify", "blur", "jpeg", "noise", "motion", "defocus"])
def test_recipes_harm_photographs_visibly_but_not_beyond_recognition(
    real: Path, tmp_path: Path, cli: Cli, recipe: str
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for name in list_images(real / "photos")[:6]:
        (few / name).symlink_to((real / "photos" / name).resolve())
    assert cli("pairs", f"source={few}", f"out={tmp_path / 'out'}", f"recipe={recipe}", "workers=1").code == 0
    for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines():
        pair = json.loads(line)
        files = [tmp_path / "out" / pair[role] for role in ("source", "target")]
        source, target = (read(file).pixels.astype(float) for file in files)
        psnr = 10 * np.log10(255**2 / ((source - target) ** 2).mean())
        assert 12 < psnr < 38, pair["key"]


def test_facades_are_found_side_by_side(real: Path) -> None:
    index = find_items(real / "facades", "side_by_side", val_fraction=0.1, seed=0)
    assert (len(index.splits["train"]), len(index.splits["val"])) == (400, 100)


def test_horses_and_zebras_are_found_as_they_are(real: Path) -> None:
    index = find_unpaired(real / "horse2zebra", None, val_fraction=0.1, seed=0)
    found = [sum(map(len, splits.values())) for splits in (index.source, index.target)]
    assert found == [250, 200]


def test_half_a_minute_of_cyclegan_is_no_copy_and_tells_its_ways_apart(
    real: Path, tmp_path: Path, cli: Cli
) -> None:
    keys = ["experiment=cyclegan", "generator=resnet_light", "generator.width=8", "generator.blocks=2",
            "discriminator.width=16", "augment.resize=72", "augment.crop=64", "train.total=30s",
            "val.images=4", "val.probes=1", "data.workers=0"]  # fmt: skip
    run = tmp_path / "run"
    answer = cli("train", *keys, f"data.root={real / 'horse2zebra'}", f"run.dir={run}")
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    checks = [line for line in lines if line["split"] == "val"]
    assert checks[-1]["cycle_l1"] < checks[0]["cycle_l1"]
    assert checks[-1]["health_change"] > 0.02
    assert "copy" not in cli("doctor", run).out


def test_a_minute_of_training_restores_photographs(real: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    keys = ["experiment=restore", "recipe=blur", "train.total=60s", "val.images=8", "data.workers=0"]
    answer = cli("train", *keys, f"data.root={real / 'photos'}", f"run.dir={run}")
    assert answer.code == 0, answer.err
    status = json.loads((run / "status.json").read_text())
    assert status["validation"]["psnr_gain"] > 0.5
    assert status["validation"]["ssim_gain"] > 0
