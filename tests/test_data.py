"""Layouts are read as they are, pairs agree in place, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrans import draws
from gantrans.build.config import compose_verb
from gantrans.build.data_pairs import pair_data
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item, find_items
from gantrans.data.preflight import check_headers, read_headers
from gantrans.data.readers import ReadHalves, read_files
from gantrans.errors import ConfigError, DataError
from gantrans.training.validate import PairValidation
from tests.conftest import TINY, Cli, draw_picture


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def find(root: Path, layout: str = "auto") -> dict[str, list[str]]:
    index = find_items(root, layout, val_fraction=0.25, seed=0)
    return {split: [item.key for item in items] for split, items in index.splits.items()}


@pytest.mark.parametrize(
    ("source", "target", "split"),
    [
        ("source", "target", ""),
        ("A", "B", ""),
        ("input", "target", ""),
        ("train/source", "train/target", "train"),
        ("train/A", "train/B", "train"),
        ("A/train", "B/train", "train"),
        ("trainA", "trainB", "train"),
        ("training/input", "training/target", "train"),
    ],
)
def test_paired_layouts_are_recognised(tmp_path: Path, source: str, target: str, split: str) -> None:
    for i in range(8):
        save(tmp_path / source / "deep" / f"{i}.png", draw_picture(i))
        save(tmp_path / target / "deep" / f"{i}.jpg", draw_picture(i))
    index = find_items(tmp_path, "auto", val_fraction=0.25, seed=0)
    assert index.layout == "paired"
    assert {len(v) for v in index.splits.values()} <= set(range(1, 8)), split
    items = [item for items in index.splits.values() for item in items]
    assert sorted(item.key for item in items) == [f"deep/{i}" for i in range(8)]
    assert all(i.source.is_relative_to(tmp_path / source) for i in items)
    assert all(i.target.is_relative_to(tmp_path / target) for i in items)


def test_named_splits_are_kept(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        for i in range(count):
            for role in ("A", "B"):
                save(tmp_path / f"{split}{role}" / f"{split}{i}.png", draw_picture(i))
    assert find(tmp_path) == {
        "train": ["train0", "train1", "train2"], "val": ["valid0", "valid1"], "test": ["test0"]
    }  # fmt: skip


def test_a_table_names_the_files(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / "x" / name, draw_picture(0))
    (tmp_path / "t.csv").write_text("source,target\nx/a.png,x/b.png\nx/b.png,x/a.png\n")
    rows = [json.dumps({"source": f"x/{a}.png", "target": f"x/{b}.png"}) for a, b in ("ab", "ba")]
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    for table in ("t.csv", "t.jsonl"):
        assert len([k for keys in find(tmp_path / table).values() for k in keys]) == 2
    (tmp_path / "bad.csv").write_text("source,target\nx/a.png,x/none.png\n")
    with pytest.raises(DataError, match=r"row 1 names .*none\.png"):
        find(tmp_path / "bad.csv")
    (tmp_path / "bad.jsonl").write_text('{"in": "x/a.png"}\n')
    with pytest.raises(DataError, match=r"row 1 must name two files.*found in"):
        find(tmp_path / "bad.jsonl")


def test_adding_an_image_moves_no_other_between_splits(tmp_path: Path) -> None:
    for i in range(40):
        save(tmp_path / f"{i}.png", draw_picture(0, 8, 8))
    before = find(tmp_path, "clean")
    save(tmp_path / "new.png", draw_picture(0, 8, 8))
    after = find(tmp_path, "clean")
    for split in ("train", "val"):
        assert [k for k in after[split] if k != "new.png"] == before[split]
    assert 0 < len(before["val"]) < 20


def test_one_image_trains_and_validates_on_itself(tmp_path: Path) -> None:
    save(tmp_path / "only.png", draw_picture(0))
    assert find(tmp_path) == {"train": ["only.png"], "val": ["only.png"]}


@pytest.mark.parametrize("kept", [1, 2])
def test_few_images_still_leave_one_for_validation(tmp_path: Path, kept: int) -> None:
    for i in range(kept + 1):
        save(tmp_path / f"{i}.png", draw_picture(0, 8, 8))
    found = find(tmp_path)
    assert len(found["val"]) >= 1
    assert not set(found["val"]) & set(found["train"])


def test_what_does_not_match_is_named(tmp_path: Path) -> None:
    for role, names in (("A", "abc"), ("B", "bcd")):
        for name in names:
            save(tmp_path / role / f"{name}.png", draw_picture(0))
    with pytest.raises(DataError, match=r"2 without a partner.*A/a\.png.*B/d\.png"):
        find(tmp_path)
    save(tmp_path / "A" / "b.jpg", draw_picture(0))
    with pytest.raises(DataError, match=r"b\.jpg and b\.png share the stem"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        ("nothing", "no such file or folder"),
        ("folder", "no images found"),
        ("file", r"\.csv / \.jsonl"),
    ],
)
def test_no_data_is_said_plainly(tmp_path: Path, prepare: str, message: str) -> None:
    if prepare == "folder":
        (tmp_path / "root").mkdir()
    elif prepare == "file":
        (tmp_path / "root").write_bytes(b"x")
    with pytest.raises(DataError, match=message):
        find(tmp_path / "root")


def test_side_by_side_halves(tmp_path: Path) -> None:
    left, right = draw_picture(1, 30, 40), draw_picture(2, 30, 40)
    save(tmp_path / "x.png", np.hstack([left, right]))
    item = Item("x", tmp_path / "x.png", tmp_path / "x.png")
    for side, expected in (("left", (left, right)), ("right", (right, left))):
        pairs = PairDataset([item], ReadHalves(side), Augment(), seed=0)
        for got, wanted in zip(pairs.whole(0), expected, strict=True):
            assert np.array_equal(got, wanted)


def check(items: list[Item], *, crop: int | None, resize: int | None, halves: bool) -> int:
    return check_headers(items, read_headers(items), crop=crop, resize=resize, halves=halves)


def test_headers_are_checked_before_a_run(tmp_path: Path) -> None:
    save(tmp_path / "s.png", draw_picture(0, 30, 40))
    save(tmp_path / "t.png", draw_picture(0, 31, 40))
    save(tmp_path / "small.png", draw_picture(0, 15, 20))
    s, t, small = (tmp_path / f"{n}.png" for n in ("s", "t", "small"))
    assert check([Item("a", s, s)], crop=None, resize=None, halves=False) == 1
    with pytest.raises(DataError, match=r"s\.png is 40x30 but .*t\.png is 40x31"):
        check([Item("a", s, t)], crop=None, resize=None, halves=False)
    assert check([Item("a", small, s)], crop=None, resize=None, halves=False) == 2  # lowres pairs
    with pytest.raises(DataError, match="same scale"):
        check([Item("a", small, s), Item("b", s, s)], crop=None, resize=None, halves=False)
    save(tmp_path / "odd.png", draw_picture(0, 30, 41))
    odd = tmp_path / "odd.png"
    with pytest.raises(DataError, match=r"odd\.png is 41 pixels wide"):
        check([Item("a", odd, odd)], crop=None, resize=None, halves=True)
    with pytest.raises(DataError, match=r"1 of 2 .*crop of 20.*small\.png.*augment\.crop=15"):
        check([Item("a", s, s), Item("b", small, small)], crop=20, resize=None, halves=False)
    check([Item("b", small, small)], crop=20, resize=20, halves=False)
    t.write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 2 images cannot be read, first: .*t\.png.*empty"):
        check([Item("a", s, t)], crop=None, resize=None, halves=False)


COORDINATES = [
    Augment(crop=24),
    Augment(crop=24, quarter_turns=True),
    Augment(crop=24, rotate_deg=30, scale=(0.7, 1.4)),
    Augment(crop=24, warp=0.1),
    Augment(crop=24, resize=50, jitter_source=0.0),
]


@pytest.mark.parametrize("augment", COORDINATES)
def test_source_and_target_agree_in_place(tmp_path: Path, augment: Augment) -> None:
    """Coordinates are written into the pixels; whatever moves the source must move the target alike."""
    y, x = np.mgrid[0:60, 0:64]
    pixels = np.stack([x * 4 % 256, y * 4 % 256, (x + y) * 2 % 256], axis=2).astype(np.uint8)
    save(tmp_path / "c.png", pixels)
    item = Item("c", tmp_path / "c.png", tmp_path / "c.png")
    pairs = PairDataset([item], read_files, augment, seed=0)
    seen = set()
    for epoch in range(40):
        source, target = pairs.pair(epoch, 0)
        assert source.shape == target.shape == (24, 24, 3)
        assert np.array_equal(source, target)
        seen.add(source.tobytes())
    assert len(seen) > 30


def test_the_canary_sees_a_shift_of_one_pixel() -> None:
    pixels = draw_picture(3, 60, 64)
    geometry = Augment(crop=24).draw(draws.generator("x"), 60, 64)
    shifted = np.roll(pixels, 1, axis=1)
    assert not np.array_equal(geometry.apply(pixels), geometry.apply(shifted))


def test_jitter_touches_one_side_only(tmp_path: Path) -> None:
    save(tmp_path / "c.png", draw_picture(3))
    item = Item("c", tmp_path / "c.png", tmp_path / "c.png")
    plain = PairDataset([item], read_files, Augment(crop=24), seed=0)
    source_only = PairDataset([item], read_files, Augment(crop=24, jitter_source=0.3), seed=0)
    target_only = PairDataset([item], read_files, Augment(crop=24, jitter_target=0.3), seed=0)
    for epoch in range(5):
        s, t = plain.pair(epoch, 0)
        js, same_t = source_only.pair(epoch, 0)
        same_s, jt = target_only.pair(epoch, 0)
        assert np.array_equal(t, same_t)
        assert np.array_equal(s, same_s)
        assert not np.array_equal(s, js)
        assert not np.array_equal(t, jt)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_geometry_keeps_type_and_range(dtype: type, channels: int) -> None:
    top = np.iinfo(dtype).max
    pixels = np.full((40, 50, channels), top, dtype)
    geometry = Augment(crop=32, rotate_deg=45, scale=(0.5, 2), warp=0.2).draw(draws.generator("g"), 40, 50)
    out = geometry.apply(pixels)
    assert out.dtype == dtype
    assert out.shape == (32, 32, channels)
    assert out.min() == top  # mirrored at the edges: no black corners, and no overshoot wraps round


def test_identity_mesh_reproduces_the_crop() -> None:
    pixels = draw_picture(5, 48, 48)
    geometry = Augment(crop=32, flip=False, rotate_deg=1e-9).draw(draws.generator("i"), 48, 48)
    left, top, width, height = geometry.box
    expected = pixels[top : top + height, left : left + width].astype(int)
    assert np.abs(geometry.apply(pixels).astype(int) - expected).max() <= 1


def test_jitter_draws_the_same_with_and_without_a_mesh() -> None:
    after = []
    for angle in (0.0, 1e-9):
        rng = draws.generator("j")
        Augment(crop=32, rotate_deg=angle).draw(rng, 48, 48)
        after.append(rng.random())
    assert after[0] == after[1]


@pytest.mark.parametrize(
    "wrong", [{"crop": 0}, {"scale": (2.0, 1.0)}, {"warp": 0.9}, {"rotate_deg": -1}, {"jitter_source": 1.5}]
)
def test_augmentation_out_of_range_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=f"augment.{next(iter(wrong))}"):
        Augment(**wrong)


def test_on_the_fly_equals_the_files_that_pairs_writes(photos: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "pairs"
    assert cli("pairs", f"source={photos}", f"out={out}", "recipe=crappify", "seed=3", "workers=1").code == 0
    config = compose_verb("train", [*TINY, f"data.root={photos}", "recipe=crappify", "seed=3"])
    data = pair_data(config)
    assert isinstance(data.validation, PairValidation)
    compared = 0
    for pairs in (data.validation.train, data.validation.val):
        for index, item in enumerate(pairs.items):
            made = next(out.glob(f"*/source/{Path(item.key).stem}.png"))
            assert np.array_equal(pairs.whole(index, draw=0)[0], np.asarray(Image.open(made)))
            compared += 1
    assert compared == 5


def test_transparent_pixels_are_laid_over_white(tmp_path: Path) -> None:
    pixels = np.dstack([draw_picture(1), np.zeros((40, 44), np.uint8)])
    save(tmp_path / "x.png", pixels)
    item = Item("x", tmp_path / "x.png", tmp_path / "x.png")
    assert PairDataset([item], read_files, Augment(), seed=0).whole(0)[0].min() == 255


def test_lowres_sources_are_enlarged_to_the_target(photos: Path) -> None:
    config = compose_verb("train", [*TINY, f"data.root={photos}", "recipe=lowres"])
    sample = pair_data(config).train.sample(0)
    assert sample.source.shape == sample.target.shape == (32, 32, 3)


def test_swap_exchanges_halves_and_is_refused_for_clean_images(tmp_path: Path, photos: Path) -> None:
    for i in range(3):
        save(tmp_path / "ab" / f"{i}.png", np.hstack([draw_picture(i), draw_picture(i + 9)]))
    options = [*TINY, f"data.root={tmp_path / 'ab'}", "data.layout=side_by_side"]
    plain = pair_data(compose_verb("train", options)).train
    swapped = pair_data(compose_verb("train", [*options, "data.swap=true"])).train
    assert np.array_equal(plain.whole(0)[0], swapped.whole(0)[1])
    assert not np.array_equal(plain.whole(0)[0], swapped.whole(0)[0])
    with pytest.raises(ConfigError, match=r"data.swap"):
        pair_data(compose_verb("train", [*TINY, f"data.root={photos}", "data.swap=true"]))


def test_a_test_folder_without_train_is_never_trained_on(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "test/d"):
        save(tmp_path / f"{name}.png", draw_picture(0))
    found = find(tmp_path)
    assert sorted(found["train"] + found["val"]) == ["a.png", "b.png", "c.png"]
    assert found["test"] == ["d.png"]


def test_swap_and_modes(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / "A" / f"{i}.png", draw_picture(i))
        save(tmp_path / "B" / f"{i}.png", 255 - draw_picture(i))
    options = [*TINY, f"data.root={tmp_path}", "data.source_mode=grey"]
    plain = pair_data(compose_verb("train", options)).train
    swapped = pair_data(compose_verb("train", [*options, "data.swap=true"])).train
    assert plain.whole(0)[0].shape[2] == 1
    assert np.array_equal(swapped.whole(0)[1], np.asarray(Image.open(plain.items[0].source)))
