"""Pairs in tars: the same pairs, the same bytes whoever packs them, and nothing lost when that is killed."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gantrans.build.config import compose_verb
from gantrans.build.data import build_data
from gantrans.cli.main import main
from gantrans.data import shards_read
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import find_items
from gantrans.degrade.recipe import parse_recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import stored
from gantrans.imaging.read import UnreadableImage, probe, read
from gantrans.imaging.write import write
from gantrans.pairs import shards_key, shards_write
from gantrans.pairs.generate import PairsJob, make_pairs
from tests.conftest import draw_picture

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
WEBDATASET = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")  # its rule for key and kind


@pytest.fixture(autouse=True)
def small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(shards_write, "_MIB", 24 * 1024)  # so that a dozen pictures make several tars


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    names = ["a.png", "a.b.png", "50%.png", "x/ü.png", "x/y/" + "n" * 110 + ".png", "x.y/z.png"]
    for number, name in enumerate([*names, *(f"p{i:02d}.png" for i in range(12))]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name, draw_picture(number))
    return root


def make(source: Path, out: Path, **changes: Any) -> dict[str, bytes]:
    steps = [{"gaussian_blur": {"sigma_px": [0.5, 1.5]}}]
    job = {"workers": 0, "size": None, "shard": None, "splits": SHARES, **changes}
    make_pairs(PairsJob(source, out, parse_recipe({"name": "t", "steps": steps}), "name: t\n", 7, **job))
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def pairs(out: Path) -> dict[tuple[str, str], list[np.ndarray]]:
    """What training reads, by split and key."""
    index = find_items(out, "auto", val_fraction=0.1, seed=0)
    return {
        (split, item.key): [read(path).pixels for path in (item.source, item.target)]
        for split, items in index.splits.items()
        for item in items
    }


def same(found: dict[Any, list[np.ndarray]], wanted: dict[Any, list[np.ndarray]]) -> bool:
    return list(found) == list(wanted) and all(
        np.array_equal(a, b) for key in wanted for a, b in zip(found[key], wanted[key], strict=True)
    )


def test_training_sees_the_same_pairs(source: Path, tmp_path: Path) -> None:
    loose, packed = make(source, tmp_path / "loose"), make(source, tmp_path / "packed", shards=1)
    assert packed["manifest.jsonl"] == loose["manifest.jsonl"]
    assert not [name for name in packed if name.endswith(".png") and "/" in name]
    assert sum(name.endswith(".tar") for name in packed) >= 4
    assert find_items(tmp_path / "packed", "auto", val_fraction=0.1, seed=0).layout == "shards"
    assert same(pairs(tmp_path / "packed"), pairs(tmp_path / "loose"))
    item = find_items(tmp_path / "packed", "auto", val_fraction=0.1, seed=0).splits["train"][0]
    header = probe(item.target)
    assert (header.height, header.width) == read(item.target).pixels.shape[:2]


def test_others_can_read_the_tars(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(source, out, shards=1)
    wanted = {json.loads(line)["key"] for line in (out / "manifest.jsonl").read_text().splitlines()}
    found = set()
    for split, tar in shards_read.tars(out):
        with tarfile.open(tar) as archive:
            members = archive.getmembers()
            assert {(m.mtime, m.uid, m.gid, m.mode, m.uname) for m in members} == {(0, 0, 0, 0o644, "")}
            parts = [m.groups() if (m := WEBDATASET.match(i.name)) else ("", "") for i in members]
            assert all(n == 3 for n in Counter(key for key, _ in parts).values())
            for info, (_, kind) in zip(members, parts, strict=True):
                data = archive.extractfile(info).read()  # type: ignore[union-attr]
                if kind == "json":
                    found.add(json.loads(data)["key"])
                    assert json.loads(data)["split"] == split
                else:
                    assert kind in ("source.png", "target.png") and read(Path("x.png"), data).pixels.size
    assert found == wanted


def test_without_an_index_the_tar_is_read_through(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = make(source, out, shards=1)
    for _, tar in shards_read.tars(out):
        assert shards_read.scanned(tar) == shards_read.index_of(tar)
        tar.with_suffix(".idx").unlink()
        assert shards_read.scanned(tar) == shards_read.index_of(tar)
    assert make(source, out, shards=1) == before  # and it is written again


def test_whoever_packs_makes_the_same_bytes(source: Path, tmp_path: Path) -> None:
    wanted = make(source, tmp_path / "one", shards=1)
    assert make(source, tmp_path / "two", shards=1, workers=2) == wanted
    halves = [make(source, tmp_path / "halves", shards=1, shard=f"{i}/2") for i in (2, 1)]
    assert not [name for name in halves[0] if name.endswith(".tar")] and halves[1] == wanted
    make(source, tmp_path / "late")
    assert make(source, tmp_path / "late", shards=1) == wanted
    assert make(source, tmp_path / "late") == wanted  # goes on with tars, and keeps what is in them


def test_one_file_more_changes_one_tar(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before, pairs_before = make(source, out, shards=1), pairs(out)
    write(source / "p05x.png", draw_picture(99))
    after, pairs_after = make(source, out, shards=1), pairs(out)
    changed = {n for n in after if n.endswith(".tar") and before.get(n) != after[n]}
    assert len(changed) == 1 and {n for n in before if n.endswith(".tar")} <= set(after)
    assert len(pairs_after) == len(pairs_before) + 1
    assert same({k: v for k, v in pairs_after.items() if k in pairs_before}, pairs_before)
    (source / "p05x.png").write_bytes(b"no longer an image")
    make(source, out, shards=1)
    assert same(pairs(out), pairs_before)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die right before the `number`th change of a folder from now on."""
    left = [number]

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:  # what is dead does not tidy up either
                raise Killed
            return change(*args, **kwargs)

        return call

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, counted(getattr(Path, name)))


def packed_and_killed(loose: Path, source: Path, out: Path, number: int) -> bool:
    """Whether nothing was lost; raises IndexError once packing is done before it is killed."""
    wanted = pairs(loose)
    make(source, out)
    used: dict[str, tuple[Any, ...]] = {}
    for line in (out / "manifest.jsonl").read_text().splitlines():
        used[json.loads(line)["key"]] = (json.loads(line),)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, number)
        try:
            shards_write.pack(out, used, 1)
        except Killed:
            pass
        else:
            raise IndexError
    try:
        return same(pairs(out), wanted)
    except DataError:
        return False


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_point_nothing_is_lost(source: Path, tmp_path: Path, every: int) -> None:
    for path in sorted(source.glob("p*.png"))[3:]:
        path.unlink()
    make(source, tmp_path / "loose")
    wanted = make(source, tmp_path / "wanted", shards=1)
    for number in range(1, 1000, every):
        out = tmp_path / f"out{number}"
        try:
            assert packed_and_killed(tmp_path / "loose", source, out, number), f"killed at change {number}"
        except IndexError:
            break
        assert make(source, out, shards=1) == wanted
    assert number > 30


def test_a_packer_that_removes_first_is_caught(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shards_write._write

    def removes_first(stream: Any, tar: Path, job: Any, group: Any) -> Any:
        index = whole(stream, tar, job, group)
        for entry in map(job.entry, group):
            for role in ("source", "target"):
                (job.out / entry[role]).unlink()
        return index

    monkeypatch.setattr(shards_write, "_write", removes_first)
    make(source, tmp_path / "loose")
    assert not all(packed_and_killed(tmp_path / "loose", source, tmp_path / f"out{n}", n) for n in (3, 8, 12))


def test_a_damaged_tar_is_named_and_mended(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = make(source, out, shards=1)
    tar = out / "train-000001.tar"
    member = next(iter(shards_read.index_of(tar).values()))["target"]
    path = stored.place(tar, member.name, member.offset, member.size)
    data = bytearray(tar.read_bytes())
    data[member.offset - 512 : member.offset] = bytes(512)
    tar.write_bytes(data)
    with pytest.raises(UnreadableImage, match=r"train-000001\.tar is damaged"):
        read(path)
    assert make(source, out, shards=1) == before  # made anew from its original
    tar.write_bytes(before[tar.name][:5000])
    with pytest.raises(DataError, match=r"train-000001\.tar: is damaged .*delete it"):
        pairs(out)
    tar.unlink()
    assert make(source, out, shards=1) == before


def test_tars_of_others_are_read(tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    (root / "first").mkdir(parents=True)
    stream = io.BytesIO()
    write(tmp_path / "p.png", draw_picture(3))
    data = (tmp_path / "p.png").read_bytes()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("0001.input.png", "0001.target.png", "0001.txt", "0002.input.png"):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (root / "first" / "training-0.tar").write_bytes(stream.getvalue())
    found = find_items(root, "auto", val_fraction=0.1, seed=0)
    assert [item.key for item in found.splits["train"]] == ["first/0001"]
    np.testing.assert_array_equal(read(found.splits["train"][0].source).pixels, draw_picture(3))


@pytest.mark.parametrize("key", ["a", "a.b", "50%", "x.y/a.b%2E", "%", "."])
def test_keys_come_back_from_their_names(key: str) -> None:
    match = WEBDATASET.match(f"{shards_read.quoted(key)}.source.png")
    assert match and match[2] == "source.png"
    assert shards_read.parsed(match[0]) == (key, "source")


def test_when_pairs_are_packed(tmp_path: Path) -> None:
    assert shards_key.limit_mib("auto", 99_999, tmp_path) is None
    assert shards_key.limit_mib("auto", 100_000, tmp_path) == 512
    assert shards_key.limit_mib(None, 10**6, tmp_path) is None
    assert shards_key.limit_mib(3, 1, tmp_path) == 3
    for bad in (0, -1, True, "many"):
        with pytest.raises(ConfigError, match=r"shards=.*accepted are MiB a tar"):
            shards_key.limit_mib(bad, 1, tmp_path)


def test_train_reads_the_pairs_that_are_stored(source: Path, tmp_path: Path) -> None:
    """Not clean images degraded anew: the same arrays from tars and from loose files, masks included."""
    seen = []
    for name, shards in (("loose", None), ("packed", 1)):
        out = tmp_path / name
        job = ["pairs", f"source={source}", f"out={out}", "recipe=marks", "workers=0", "seed=3"]
        assert main([*job, f"shards={shards or 'null'}"]) == 0
        config = compose_verb(
            "train", ["experiment=unmark", f"data.root={out}", "augment.crop=16", "data.mask=input"]
        )
        data = build_data(config, "pairs")
        assert isinstance(data.train, PairDataset)
        seen.append([data.train.pair(0, i) for i in range(len(data.train))])
        assert data.provenance["recipe"] is None
    assert len(seen[0]) == len(seen[1]) > 1
    for loose, packed in zip(*seen, strict=True):
        assert loose[0].shape[2] == 4
        for a, b in zip(loose, packed, strict=True):
            np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(source[..., :3], target) for source, target in seen[1])


@pytest.mark.parametrize("key", ["shards=0", "shards=abc", "shards=true", "timeout_s=0", "timeout_s=-1"])
def test_a_wrong_key_is_refused_before_the_work(source: Path, tmp_path: Path, key: str) -> None:
    out = tmp_path / "out"
    assert main(["pairs", f"source={source}", f"out={out}", "workers=0", key]) == 2
    assert not list(out.rglob("*.png"))
