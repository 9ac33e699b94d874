"""Caching, resizing and stacking: what is kept is exactly what is read, and never more than allowed."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.build.config import compose_verb
from gantrans.build.data import build_data
from gantrans.build.run_data import build_cache
from gantrans.data import pixels as pixels_module
from gantrans.data.augment import Augment
from gantrans.data.cache import Cache, plan
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item, items_of
from gantrans.data.memory import free_bytes
from gantrans.data.pixels import Look, View, into_planes, opaque, resized
from gantrans.data.preflight import read_headers
from gantrans.data.readers import ReadHalves, read_files
from gantrans.data.stream import RawBatch, batches
from gantrans.data.unpaired import UnpairedDataset
from tests.conftest import TINY, draw_picture, some

MIB = 2**20


def fill(folder: Path, count: int = 4, size: tuple[int, int] = (40, 44), first: int = 0) -> Path:
    folder.mkdir(parents=True)
    for i in range(first, first + count):
        Image.fromarray(draw_picture(i, *size)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> PairDataset:
    items = items_of(fill(tmp_path / "pairs", 5, (30, 80)))
    return with_cache(PairDataset(items, ReadHalves("left"), Augment(crop=24, resize=32), seed=1), MIB)


def with_cache(data: PairDataset, limit: int) -> PairDataset:
    views = [view for item in data.items for view in data.views(item)]
    return replace(data, cache=plan(views, read_headers(data.items), limit))


def differences(a: list[RawBatch], b: list[RawBatch]) -> int:
    images = [(getattr(x, n), getattr(y, n)) for x, y in zip(a, b, strict=True) for n in ("source", "target")]
    return sum(not torch.equal(x, y) for x, y in images)


RUNS = {
    "paired": ["data.root=ROOT/both", "augment.resize=36", "augment.quarter_turns=true"],
    "swapped": [
        "data.root=ROOT/both",
        "data.swap=true",
        "data.target_mode=grey",
        "augment.jitter_source=0.3",
    ],
    "torch": ["data.root=ROOT/both", "augment.resize=50", "data.resampler=torch"],
    "halves": ["data.root=ROOT/a", "data.layout=side_by_side", "augment.resize=40"],
    "clean": ["data.root=ROOT/a", "augment.rotate_deg=9", "augment.jitter_target=0.2", "augment.resize=45"],
    "lowres": ["data.root=ROOT/a", "recipe=lowres"],
    "unpaired": ["experiment=cut", "data.root=ROOT/a", "data.targets=ROOT/b", "data.source_mode=grey"],
    "hybrid": ["experiment=hybrid", "data.root=ROOT/a", "data.unpaired=ROOT/b", "augment.warp=0.1"],
}
LEARNS = {"unpaired": "unpaired", "hybrid": "hybrid"}


@pytest.mark.parametrize("name", some(RUNS, every=2))
def test_the_cache_changes_no_byte(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "a"), fill(tmp_path / "b", first=20)
    fill(tmp_path / "both" / "A"), fill(tmp_path / "both" / "B")
    tiny = [k for k in TINY if "unpaired" not in name or not k.startswith(("experiment", "generator"))]
    keys = [*tiny, "augment.crop=20", *(key.replace("ROOT", str(tmp_path)) for key in RUNS[name])]
    learns = LEARNS.get(name, "pairs")
    none, held = (
        build_data(compose_verb("train", [*keys, f"data.cache_mib={mib}"]), learns) for mib in (0, 4)
    )
    wanted = list(islice(batches(none.train, batch_size=3, first_step=0, workers=0), 5))
    for workers in (2, 0):  # the second finds what the processes of the first left
        got = list(islice(batches(held.train, batch_size=3, first_step=0, workers=workers), 5))
        assert differences(wanted, got) == 0
        if learns == "hybrid":
            assert all(torch.equal(x.unpaired, y.unpaired) for x, y in zip(wanted, got, strict=True))
        assert cache_of(held.train).filled > 0, "processes share it"
    assert len(cache_of(none.train)) == 0
    if isinstance(none.train, PairDataset) and isinstance(held.train, PairDataset):
        for a, b in zip(none.train.whole(0), held.train.whole(0), strict=True):
            assert np.array_equal(a, b)
            assert a.flags.c_contiguous and b.flags.c_contiguous, (
                "sums of floats depend on the order of memory"
            )


def cache_of(data: object) -> Cache:
    if isinstance(data, UnpairedDataset):
        return data.source.cache
    return data.cache if isinstance(data, PairDataset) else data.unpaired.cache  # type: ignore[attr-defined]


def test_a_wrong_pixel_in_the_cache_would_be_seen(pairs: PairDataset) -> None:
    def got(data: PairDataset) -> list[RawBatch]:
        return list(islice(batches(data, batch_size=5, first_step=0, workers=0), 4))

    plain = got(replace(pairs, cache=Cache()))
    assert differences(plain, got(pairs)) == 0
    pairs.cache._memory[:] ^= 1
    assert differences(plain, got(pairs)) > 0


def test_a_half_filled_place_is_not_taken_for_a_picture(pairs: PairDataset) -> None:
    plain = [pairs.whole(i) for i in range(5)]
    other = with_cache(pairs, MIB)
    for index in range(5):
        other.whole(index)
    other.cache._memory[::50] ^= 1  # no process has looked yet; the marks are those of other pixels
    for index in range(5):
        for a, b in zip(plain[index], other.whole(index), strict=True):
            assert np.array_equal(a, b)


def test_the_bound_holds_and_what_is_beyond_it_is_read(pairs: PairDataset) -> None:
    one = pairs.cache.nbytes // len(pairs.cache)
    for limit, places in ((0, 0), (one - 1, 0), (3 * one, 3), (10 * one, 10), (99 * one, 10)):
        small = with_cache(pairs, limit)
        assert (len(small.cache), small.cache.nbytes <= limit) == (places, True)
        for index in range(5):
            for a, b in zip(small.whole(index), pairs.whole(index), strict=True):
                assert np.array_equal(a, b)
        assert small.cache.filled == places


def test_each_file_is_decoded_once(pairs: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[Path] = Counter()
    monkeypatch.setattr(pixels_module, "opaque", lambda path: read.update([path]) or opaque(path))
    for _ in range(3):
        for index in range(5):
            pairs.whole(index)
    assert set(read.values()) == {1}
    replace(pairs, cache=Cache()).whole(0)
    assert read[pairs.items[0].source] == 2, "both halves from one decoding; without a cache, each time"


def test_a_changed_file_stays_as_it_was_first_read_or_is_read_anew(pairs: PairDataset) -> None:
    before = pairs.whole(0)[0]
    Image.fromarray(draw_picture(99, 30, 80)).save(pairs.items[0].source)
    assert np.array_equal(pairs.whole(0)[0], before)
    Image.fromarray(draw_picture(99, 30, 100)).save(pairs.items[1].source)  # not the size that was planned
    assert pairs.whole(1)[0].shape == (32, 53, 3)
    assert pairs.cache.filled == 2


def test_deep_images_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 65536, (30, 30), dtype=np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(draw_picture(0, 30, 30)).save(tmp_path / "plain.png")
    item = Item("x", tmp_path / "deep.png", tmp_path / "plain.png")
    pairs = with_cache(PairDataset([item], read_files, Augment(crop=20), seed=0, source_mode="grey"), MIB)
    assert len(pairs.cache) == 1
    assert [p.dtype for p in pairs.whole(0)] == [np.uint16, np.uint8]
    batch = next(batches(pairs, batch_size=1, first_step=0, workers=0))
    assert (batch.source.dtype, batch.target.dtype) == (torch.float32, torch.uint8)


def test_kept_pictures_cannot_be_written_to_and_do_not_travel(pairs: PairDataset) -> None:
    for _ in range(2):
        picture = pairs.pair(0, 0)[0]
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 0
    sent = pickle.loads(pickle.dumps(pairs))
    assert len(sent.cache) == 0
    assert np.array_equal(sent.whole(0)[0], pairs.whole(0)[0])


def test_without_shared_memory_the_run_goes_on(pairs: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError("cannot allocate memory")

    monkeypatch.setattr("mmap.mmap", refuse)
    poor = with_cache(pairs, MIB)
    assert (len(poor.cache), poor.cache.nbytes, poor.cache.filled) == (0, 0, 0)
    assert np.array_equal(poor.whole(0)[0], pairs.whole(0)[0])


@pytest.mark.parametrize(
    ("asked", "free", "kept"),
    [
        (None, 400, 100),
        (None, 10**6, 4096),
        (64, 10**6, 64),
        (5000, 10**6, 5000),
        (900, 400, 300),
        (0, 99, 0),
    ],
)
def test_the_default_never_endangers_memory(
    monkeypatch: pytest.MonkeyPatch, asked: int | None, free: int, kept: int
) -> None:
    limits = []
    monkeypatch.setattr("gantrans.build.run_data.free_bytes", lambda: free * MIB)
    monkeypatch.setattr("gantrans.build.run_data.plan", lambda *given: limits.append(given[2]))
    mib = "null" if asked is None else asked
    config = compose_verb("train", [*TINY, "data.root=x", f"data.cache_mib={mib}"])
    build_cache(config, [], {})
    config.core.processes = 2
    build_cache(config, [], {}, taken=5)
    assert limits == [kept * MIB, kept * MIB // 2 - 5], "processes of a run share what there is"


def test_free_memory_is_the_least_that_anyone_says(tmp_path: Path) -> None:
    info, group = tmp_path / "meminfo", tmp_path / "cgroup"
    group.mkdir()
    info.write_text("MemTotal:  9000 kB\nMemAvailable:  8000 kB\n")
    assert free_bytes(info, group) == 8000 * 1024
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    assert free_bytes(info, group) == 8000 * 1024
    (group / "memory.max").write_text("5000\n")
    assert free_bytes(info, group) == 4000
    (group / "memory.stat").write_text("active_file 7\ninactive_file 600\n")
    assert free_bytes(info, group) == 4600
    assert free_bytes(tmp_path / "none", tmp_path / "none") > 0


# --- resizing and stacking


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(30, 33), (16, 18), (64, 70), (9, 10), (286, 315)])
def test_resamplers_differ_by_little(size: tuple[int, int], channels: int) -> None:
    pixels = draw_picture(1, 40, 44)[..., :channels]
    pillow, other = (resized(pixels, *size, who).astype(int) for who in ("pillow", "torch"))
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    theirs = np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC)).reshape(pillow.shape)
    assert np.array_equal(pillow, theirs), "whole files at full size: what other suites get"
    assert pillow.shape == other.shape == (*size, channels)
    assert np.abs(pillow - other).max() <= 2
    assert (np.abs(pillow - other) > 1).mean() < 1e-3
    deep = resized(pixels.astype(np.uint16) * 257, *size) / 257
    assert np.abs(pillow - deep).mean() < 0.4


def test_a_nearest_resize_would_be_far_off() -> None:
    """The bounds above can fail."""
    pixels = draw_picture(1, 40, 44)
    rough = np.asarray(Image.fromarray(pixels).resize((33, 30), Image.Resampling.NEAREST)).astype(int)
    off = np.abs(resized(pixels, 30, 33).astype(int) - rough)
    assert off.max() > 2
    assert off.mean() > 0.4


def test_training_cuts_from_what_validation_sees(pairs: PairDataset) -> None:
    for who in ("pillow", "torch"):
        data = replace(pairs, resampler=who, cache=Cache(), augment=Augment(crop=32, resize=32, flip=False))
        whole, cut = data.whole(0)[0], data.pair(0, 0)[0]
        assert any(np.array_equal(whole[:, x : x + 32], cut) for x in range(whole.shape[1] - 31))


@pytest.mark.parametrize("width", [16, 21, 256])
@pytest.mark.parametrize("planar", [True, False])
def test_stacking_keeps_every_pixel_in_place(width: int, planar: bool) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (19, width + 5, 3), dtype=np.uint8)
    if planar:
        image = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    cut = image[2:, 3 : 3 + width]
    for seen in (cut, cut[:, ::-1], cut[::-1], np.rot90(cut), np.rot90(cut[:, ::-1], 3)):
        out = np.empty((3, *seen.shape[:2]), np.uint8)
        into_planes(seen, out)
        assert np.array_equal(out, seen.transpose(2, 0, 1))


def test_views_are_told_apart_and_their_shapes_foretold(tmp_path: Path) -> None:
    Image.fromarray(draw_picture(0, 30, 90)).save(tmp_path / "x.png")
    path = tmp_path / "x.png"
    header = read_headers([Item("x", path, path)])[path]
    looks = [None, *(Look(mode, size) for mode in ("rgb", "grey") for size in (None, 20, 47))]
    views = [View(path, look, half) for look in looks for half in ("", "left", "right")]
    assert len(set(views)) == 21
    for view in views:
        assert view.of(opaque(path)).shape == view.shape(header)
