"""A checkpoint of unpaired data can be chosen by how far its outputs are from real pictures, as a set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn

from gantrans.build.validation import unpaired_distances
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.readers import ReadFiles
from gantrans.data.unpaired import ImageSet
from gantrans.errors import ConfigError
from gantrans.metrics.distribution import Collected, frechet
from gantrans.training.distances import Distances
from gantrans.training.validate import PairValidation
from gantrans.training.validate_unpaired import UnpairedValidation

LEVELS = {"source": 40, "target": 180}


class Mean(nn.Module):
    """The mean colour, and how many pictures were looked at."""

    seen = 0

    def forward(self, x01: Tensor) -> Tensor:
        self.seen += len(x01)
        return x01.mean((2, 3))


def images(folder: Path, kind: str, count: int) -> ImageSet:
    items = []
    for i in range(count):
        path = folder / f"{kind}-{i}.png"
        Image.new("RGB", (8, 8), (LEVELS[kind] + i, LEVELS[kind] - 2 * i, LEVELS[kind])).save(path)
        items.append(Item(path.stem, path, path))
    return ImageSet(kind, items, Augment(crop=None), 0)


def validation(folder: Path, encoder: nn.Module, most: int = 9) -> UnpairedValidation:
    sets = {"to_target": images(folder, "source", 4), "to_source": images(folder, "target", 5)}
    distances = Distances(Collected({"mean": encoder}, {"toy": ("mean", frechet)}), torch.device("cpu"))
    return UnpairedValidation(sets, sets, most, 1, distances)


def brighter(by: int) -> Any:
    return lambda pixels: (pixels.astype(int) + by).clip(0, 255).astype(np.uint8)


def test_outputs_are_held_against_real_pictures_of_their_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = Mean()
    looked = validation(tmp_path, encoder)
    assert (looked.metrics, looked.lower) == (("toy",), ("toy",))
    copied = looked.measure({"to_target": brighter(0), "to_source": brighter(0)})
    assert copied["toy"] == pytest.approx(copied["toy_input"], rel=1e-5)
    assert copied["toy_to_source"] == pytest.approx(copied["toy_input"], rel=1e-5)
    assert copied["toy_input"] == pytest.approx(3 * (140 / 255) ** 2, rel=0.03)
    assert encoder.seen == 9 + 9
    moved = looked.measure({"to_target": brighter(140), "to_source": brighter(-70)})
    assert encoder.seen == 9 + 9 + 9, "real pictures are looked at once, outputs each time"
    assert moved["toy"] < 1e-3
    assert 0.2 < moved["toy_to_source"] / copied["toy_to_source"] < 0.3, "half the way: a quarter"
    assert moved["toy_input"] == copied["toy_input"]
    assert capsys.readouterr().err.count("toy: of 4 images, so noisy") == 1
    some = validation(tmp_path, encoder, most=3)
    some.measure({"to_target": brighter(0)})
    assert encoder.seen == 27 + 3 + 3 + 3


def test_without_distances_nothing_chooses(tmp_path: Path) -> None:
    sets = {"to_target": images(tmp_path, "source", 2), "to_source": images(tmp_path, "target", 2)}
    looked = UnpairedValidation(sets, sets, 9, 1)
    assert (looked.metrics, looked.lower) == ((), ())
    assert all(name.startswith("health") for name in looked.measure({"to_target": brighter(9)}))


def test_outputs_of_pairs_are_held_against_their_targets_as_a_set(tmp_path: Path) -> None:
    encoder, files = Mean(), [images(tmp_path, kind, 4).items for kind in ("source", "target")]
    items = [Item(s.key, s.source, t.target) for s, t in zip(*files, strict=True)]
    pairs = PairDataset(items, ReadFiles(), Augment(crop=None), 0)
    distances = Distances(Collected({"mean": encoder}, {"toy": ("mean", frechet)}), torch.device("cpu"))
    looked = PairValidation(pairs, pairs, 3, 1, lower=("toy",), distances=distances)
    assert looked.metrics == ("psnr", "ssim", "toy")
    copied = looked.measure({"to_target": brighter(0)})
    assert encoder.seen == 3 * 3
    assert copied["toy"] == pytest.approx(copied["toy_input"], rel=1e-5)
    moved = looked.measure({"to_target": brighter(140)})
    assert encoder.seen == 3 * 3 + 3
    assert moved["toy"] < 1e-3 < moved["toy_input"] == copied["toy_input"]


@pytest.mark.parametrize(
    ("metrics", "count", "said"),
    [
        (["psnr"], 4, "val.metrics: psnr compares pairs, and this data has none; accepted are squeeze_dist"),
        (["fidd"], 4, "val.metrics: fidd is no metric; accepted are squeeze_distance, fid, kid"),
        (["squeeze_distance"], 1, "distances of sets need 2 or more validation images of each kind, found 1"),
        (["squeeze_distance"], 4, "squeeze_distance: weights are missing: squeezenet1_1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    tmp_path: Path, metrics: list[str], count: int, said: str
) -> None:
    config = {"val": {"metrics": metrics, "weights": str(tmp_path), "images": 9}, "core": {"device": "cpu"}}
    sets = {"to_target": images(tmp_path, "source", 4), "to_source": images(tmp_path, "target", count)}
    with pytest.raises(ConfigError, match=re.escape(said)):
        unpaired_distances(OmegaConf.create(config), sets)
