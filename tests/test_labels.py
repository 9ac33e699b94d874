"""Label maps: classes survive files, turning and one-hot coding; what names no class is refused by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrans.imaging import labels
from gantrans.imaging.read import UnreadableImage

MAP = np.arange(35, dtype=np.uint8).reshape(5, 7, 1)


def test_a_label_map_that_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    labels.write_labels(tmp_path / "a.png", MAP, labels.palette(35))
    np.testing.assert_array_equal(labels.read_labels(tmp_path / "a.png"), MAP)
    with Image.open(tmp_path / "a.png") as image:
        seen = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(seen, labels.coloured(MAP, labels.palette(35)))


@pytest.mark.parametrize("form", ["grey", "palette", "deep"])
def test_classes_are_the_values_whatever_the_colours(tmp_path: Path, form: str) -> None:
    image = Image.fromarray(MAP[..., 0])
    if form == "palette":
        image.putpalette(list(range(255, -1, -1)) * 3)
    if form == "deep":
        image = Image.fromarray(MAP[..., 0].astype(np.uint16))
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(labels.read_labels(tmp_path / "a.png"), MAP)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((4, 4, 3), np.uint8), "mode RGB; a label map has one channel"),
        (np.full((4, 4), 300, np.uint16), "classes from 300 to 300; accepted are 0 to 255"),
    ],
)
def test_what_names_no_class_is_refused(tmp_path: Path, pixels: np.ndarray, words: str) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(UnreadableImage, match=words):
        labels.read_labels(tmp_path / "a.png")


def test_one_hot_and_back_and_classes_that_stand_for_none() -> None:
    planes = labels.one_hot(MAP, 30)
    assert planes.shape == (5, 7, 30) and planes.dtype == np.uint8
    known = MAP[..., 0] < 30
    np.testing.assert_array_equal(planes.argmax(2)[known], MAP[..., 0][known])
    np.testing.assert_array_equal(planes.sum(2, dtype=np.int64), np.where(known, 255, 0))


def test_colours_are_distinct() -> None:
    for classes in (1, 2, 12, 35):
        found = labels.palette(classes)
        assert len(set(found)) == len(found) == classes
    near = [np.abs(np.subtract(a, b)).sum() for a, b in pairwise(found)]
    assert min(near) > 100
