"""Pictures that look alike are in one split, whoever plans it, in whatever order, however often killed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantrans.data import near
from gantrans.data.near import near_pairs, ones
from gantrans.data.splits import split_of
from gantrans.degrade.recipe import parse_recipe
from gantrans.errors import ConfigError
from gantrans.imaging import phash
from gantrans.pairs import generate as pairs
from gantrans.pairs import journal as pairs_journal
from gantrans.pairs import prints as pairs_prints
from gantrans.pairs import run as pairs_run
from gantrans.pairs import worker as pairs_worker
from gantrans.pairs.generate import PairsJob, make_pairs
from gantrans.pairs.group import Groups, group
from gantrans.pairs.journal import WORK
from gantrans.pairs.making import Making
from gantrans.pairs.prints import Prints
from tests.test_pairs import by_key, lines, tree, wait_for

SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}
BITS = 8
FAMILIES = 4


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "sync", lambda: None)


def photo(seed: int) -> Image.Image:
    """Smooth, with features that tell it from others; 200 x 144."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((200, 144), Image.Resampling.BICUBIC)


def again(image: Image.Image) -> dict[str, Image.Image | bytes]:
    """What a picture becomes on its way through the world."""
    width, height = image.size
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=35)
    return {
        "a.png": image,
        "shared/b.jpg": stream.getvalue(),
        "thumbs/c.png": image.resize((width // 2, height // 2)),
        "x.png": image.crop((2, 1, width - 1, height - 1)),
        "z.jpg": image.point(lambda v: v * 1.08 + 6),
    }


def family(key: str) -> str:
    return key.split("_")[0]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four families of five, four single pictures, and what cannot be used."""
    root = tmp_path / "photos"
    for number in range(FAMILIES):
        for name, image in again(photo(number)).items():
            put(root / f"f{number}_{name}", image)
    for number in range(4):
        put(root / f"s{number}_.png", photo(100 + number))
    put(root / "g0_white.png", Image.new("RGB", (50, 50), "white"))
    put(root / "h0_grey.png", Image.new("RGB", (50, 50), "grey"))
    (root / "broken.jpg").write_bytes((root / "f0_z.jpg").read_bytes()[:700])
    (root / "notes.txt").write_text("no image")
    return root


def put(path: Path, image: Image.Image | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, bytes):
        path.write_bytes(image)
    else:
        image.save(path, quality=92)


def job(source: Path, out: Path, **changes: Any) -> PairsJob:
    recipe = parse_recipe({"name": "t", "steps": [{"gaussian_blur": {"sigma_px": [0.5, 1.5]}}]})
    made = PairsJob(source, out, recipe, "name: t\n", 7, 0, None, None, SHARES, near_bits=BITS)
    return replace(made, **changes)


def straddling(out: Path) -> set[str]:
    """Families in more than one split."""
    splits: dict[str, set[str]] = {}
    for key, entry in by_key(out).items():
        splits.setdefault(family(key), set()).add(entry["split"])
    return {name for name, found in splits.items() if len(found) > 1}


def prints_of(source: Path) -> Prints:
    keys = sorted(
        p.relative_to(source).as_posix() for p in source.rglob("*.*") if p.suffix in (".png", ".jpg")
    )
    prints = Prints(keys)
    for at, key in enumerate(keys):
        bits = phash.fingerprint(source / key, (source / key).read_bytes())
        prints.put(at, f"{at:x}", None if bits is None else f"{bits:x}")
    return prints


# --- which are alike ----------------------------------------------------------------------------------------


def test_what_was_saved_again_is_alike_and_others_are_not(source: Path) -> None:
    groups = group(prints_of(source), BITS, lambda _: (), lambda key: key)
    assert set(groups.places) == {k for k in prints_of(source).images if k.startswith("f")}
    for key, place in groups.places.items():
        named = f"{family(key)}_a.png"
        assert place.split == named, "the first name sends all of them"
        assert place.group == (None if key == named else named)
    assert (groups.count, groups.largest) == (FAMILIES, 5)


def test_no_family_is_in_two_splits_whatever_the_seed(source: Path) -> None:
    prints, torn = prints_of(source), 0
    for seed in range(60):
        sends = lambda key, seed=seed: split_of(key, SHARES, seed)  # noqa: E731
        places = group(prints, BITS, lambda _: (), sends).places
        for number in range(FAMILIES):
            members = [key for key in prints.images if family(key) == f"f{number}"]
            assert len({places[key].split for key in members}) == 1
            torn += len({sends(key) for key in members}) > 1
    assert torn > 100, "by name alone, most families are torn: the guard can fail"


def test_pairs_of_a_family_are_in_one_split(source: Path, tmp_path: Path) -> None:
    for seed in range(3):
        made = make_pairs(job(source, tmp_path / f"{seed}", seed=seed))
        assert straddling(tmp_path / f"{seed}") == set()
        assert (made.groups, made.largest, made.found, made.rejected) == (FAMILIES, 5, 28, 2)
        for key, entry in by_key(tmp_path / f"{seed}").items():
            alone = not key.startswith("f") or key.endswith("_a.png")
            assert entry.get("group") == (None if alone else f"{family(key)}_a.png")
            assert (entry["fingerprint"] is None) == key.startswith(("g0", "h0"))
    without = make_pairs(job(source, tmp_path / "without", near_bits=None))
    assert len(straddling(tmp_path / "without")) == FAMILIES and without.groups == 0
    assert not [e for e in lines(tmp_path / "without/manifest.jsonl") if "fingerprint" in e or "group" in e]


def test_the_same_bytes_are_of_one_group_even_without_features() -> None:
    prints = Prints(["a", "b", "c", "d"])
    for at, digest in enumerate(("1", "2", "1", None)):
        prints.put(at, digest, None)
    places = group(prints, BITS, lambda _: (), lambda key: key).places
    assert {key: (p.split, p.group) for key, p in places.items()} == {"a": ("a", None), "c": ("a", "a")}


def test_a_jpeg_decoded_small_has_nearly_the_print_of_the_whole(source: Path) -> None:
    for key in sorted(source.glob("*.jpg")):
        if key.name != "broken.jpg":
            small = phash.fingerprint(key, key.read_bytes())
            with Image.open(key) as image:
                assert small is not None and (small ^ phash.phash(np.asarray(image))).bit_count() <= 4


def test_a_turned_photo_is_looked_at_upright(tmp_path: Path) -> None:
    image, exif = photo(3), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "plain.jpg")
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.jpg")
    plain, turned, lying = (
        phash.fingerprint(tmp_path / f"{name}.jpg", (tmp_path / f"{name}.jpg").read_bytes()) or 0
        for name in ("plain", "turned", "lying")
    )
    assert (plain ^ turned).bit_count() <= 4 < BITS < (plain ^ lying).bit_count()


# --- finding them among many --------------------------------------------------------------------------------


def clustered(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**63, count // 4, dtype=np.uint64) * np.uint64(2)
    flips = np.zeros((count // 4, 4), np.uint64)
    for at in range(1, 4):
        for _ in range(int(rng.integers(1, 5))):
            flips[:, at] ^= np.uint64(1) << rng.integers(0, 64, count // 4).astype(np.uint64)
    return np.unique(base[:, None] ^ flips)


@pytest.mark.parametrize("bits", [1, 3, BITS, near.MAX_BITS])
def test_near_ones_are_all_found(bits: int) -> None:
    prints = clustered(1200, bits)
    distance = ones((prints[:, None] ^ prints[None, :]).ravel()).reshape(len(prints), -1)
    wanted = {(i, j) for i, j in np.argwhere(distance <= bits).tolist() if i < j}
    shuffled = np.random.default_rng(1).permutation(len(prints))
    found = near_pairs(prints[shuffled], bits)
    pairs_found = {
        tuple(sorted((int(shuffled[i]), int(shuffled[j]))))
        for i, j in zip(found.first, found.second, strict=True)
    }
    assert pairs_found == wanted and len(found.first) == len(wanted) > 0
    assert (found.first < found.second).all()


def test_equal_parts_alone_would_lose_some(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = near._masks
    monkeypatch.setattr(
        near, "_masks", lambda bits, count: masks(bits, count)[: len(masks(bits, count)) // 2]
    )
    prints = clustered(1200, BITS)
    distance = ones((prints[:, None] ^ prints[None, :]).ravel())
    assert len(near_pairs(prints, BITS).first) < ((distance <= BITS).sum() - len(prints)) / 2


@pytest.mark.parametrize("count", [20_000, pytest.param(60_000, marks=pytest.mark.slow)])
def test_the_work_grows_with_the_number_not_its_square(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prints, bound = clustered(count, 0), 250 * count
    assert near_pairs(prints, BITS).compared < bound < count**2 / 50
    monkeypatch.setattr(near, "_MOST", 1)  # one equal part is too little to go by
    assert near_pairs(prints, BITS).compared > bound


def test_a_crowd_costs_no_square_and_its_equals_are_found() -> None:
    rng = np.random.default_rng(0)
    crowd = np.unique(rng.integers(0, 2**24, 20_000, dtype=np.uint64))  # 40 bits in common
    assert near_pairs(crowd, 4).compared <= len(near._masks(4, len(crowd))) * near.CROWD * len(crowd)
    prints = Prints([f"{i:05d}" for i in range(2 * len(crowd))])
    for at in range(len(prints.images)):
        prints.put(at, f"{at:x}", f"{int(crowd[at % len(crowd)]):x}")
    places = group(prints, 0, lambda _: (), lambda key: key).places
    assert all(places[f"{i:05d}"].split == places[f"{i + len(crowd):05d}"].split for i in range(len(crowd)))


# --- pairs that exist stay ----------------------------------------------------------------------------------


def planned(rows: dict[str, int], there: dict[str, dict[str, Any]]) -> Groups:
    """Fingerprints by key, and the lines of those that have pairs."""
    prints = Prints(sorted(rows))
    for at, key in enumerate(sorted(rows)):
        prints.put(at, f"{at:x}", f"{rows[key]:x}")
    whole = {
        key: ({"original_sha256": prints.digest_of(sorted(rows).index(key)) + "ff", **entry},)
        for key, entry in there.items()
    }
    return group(prints, BITS, lambda key: whole.get(key, ()), lambda key: f"split of {key}")


def test_who_joins_goes_where_the_others_are() -> None:
    found = planned({"0": 1, "a": 0, "b": 3}, {"a": {"split": "val"}, "b": {"split": "val", "group": "a"}})
    assert {key: (p.split, p.group) for key, p in found.places.items()} == {
        "0": ("val", "a"), "a": ("val", None), "b": ("val", "a"),
    }  # fmt: skip


def test_half_a_group_made_before_a_kill_changes_nothing() -> None:
    rows = {name: (1 << 6 * i) - 1 for i, name in enumerate("abcdefg")}  # a chain, each like the next alone
    whole = planned(rows, {}).places
    assert {p.split for p in whole.values()} == {"split of a"}
    for done in (["a"], ["d"], ["c", "f"], list("bcdefg"), list("abcdefg")):
        there = {k: {"split": whole[k].split} | ({"group": "a"} if k != "a" else {}) for k in done}
        assert planned(rows, there).places == whole


def test_who_is_like_pairs_of_two_splits_goes_to_neither() -> None:
    rows = {"a": 0, "b": 0xFFFF, "c": 0xFF, "d": 0x1 << 40}
    found = planned(rows, {"a": {"split": "train"}, "b": {"split": "val"}}).places
    assert found["c"].torn == ("a", "b") and not found["d"].torn
    assert (found["a"].split, found["b"].split, found["d"].split) == ("train", "val", "train")


# --- the same tree, whoever makes it ------------------------------------------------------------------------


@pytest.fixture
def reference(source: Path, tmp_path: Path) -> dict[str, bytes]:
    make_pairs(job(source, tmp_path / "reference"))
    return tree(tmp_path / "reference")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers(source: Path, tmp_path: Path, reference: Any, workers: int) -> None:
    make_pairs(job(source, tmp_path / "out", workers=workers))
    assert tree(tmp_path / "out") == reference and not (tmp_path / "out" / WORK).exists()


@pytest.mark.parametrize("shards", [["1/3", "3/3", "2/3"], ["4/4", "2/4", "3/4", "1/4"]])
def test_any_shards_and_each_image_is_looked_at_once(
    source: Path, tmp_path: Path, reference: Any, shards: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = counted(monkeypatch)
    for shard in shards:
        make_pairs(job(source, tmp_path / "out", shard=shard))
        assert len(looked) == len(set(looked)) == 27
    assert tree(tmp_path / "out") == reference
    for shard in shards:  # where no folder is shared, each finds out for itself, and the same
        own = tmp_path / shard.replace("/", "-")
        make_pairs(job(source, own, shard=shard))
        for name, data in tree(own).items():
            assert not name.endswith(".png") or name == "contact.png" or data == reference[name]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    looked: list[str] = []
    whole = phash.fingerprint

    def count(path: Path, data: bytes) -> int | None:
        looked.append(str(path))
        return whole(path, data)

    monkeypatch.setattr(phash, "fingerprint", count)
    return looked


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("place", ["look", "make"])
def test_killed_anywhere_and_begun_again(
    source: Path, tmp_path: Path, reference: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = counted(monkeypatch)
    for at in range(1, 27, 5):
        out, left = tmp_path / f"out{at}", [at]

        def dying(whole: Callable[..., None], left: list[int]) -> Callable[..., None]:
            def call(*args: Any, **keys: Any) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                whole(*args, **keys)

            return call

        with pytest.MonkeyPatch.context() as patch:
            if place == "look":
                patch.setattr(pairs_prints, "_note", dying(pairs_prints._note, left))
            else:
                patch.setattr(pairs_journal.Journal, "append", dying(pairs_journal.Journal.append, left))
            with pytest.raises(Killed):
                make_pairs(job(source, out))
        with next((out / WORK).glob("*.prints")).open("ab") as stream:
            stream.write(b'["f0_a.png", 12')  # cut short
        del looked[:]
        make_pairs(job(source, out))
        assert tree(out) == reference and len(looked) == (27 - at if place == "look" else 0)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_grouping import job, make_pairs
if __name__ == "__main__":
    make_pairs(job(Path(sys.argv[1]), Path(sys.argv[2]), workers=2))
"""


@pytest.mark.slow
def test_a_killed_command_goes_on(source: Path, tmp_path: Path, reference: Any) -> None:
    script, out = tmp_path / "run.py", tmp_path / "out"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[1])))
    process = subprocess.Popen([sys.executable, str(script), str(source), str(out)])
    noted = out / WORK / "0-of-1.prints"
    wait_for(lambda: noted.exists() and noted.read_bytes().count(b"\n") >= 3)
    process.kill()
    process.wait()
    make_pairs(job(source, out, workers=2))
    assert tree(out) == reference


# --- files that come and change -----------------------------------------------------------------------------


def test_a_file_more_changes_its_own_pair_alone(source: Path, tmp_path: Path) -> None:
    for seed in range(12):
        out = tmp_path / f"o{seed}"
        (source / "0_first.png").unlink(missing_ok=True)
        make_pairs(job(source, out, seed=seed, making=Making(variants=2)))
        before, lines_before = tree(out), (out / "manifest.jsonl").read_text().splitlines()
        put(source / "0_first.png", photo(1).resize((120, 88)))
        assert make_pairs(job(source, out, seed=seed, making=Making(variants=2))).made == 1
        after, new = tree(out), [e for e in lines(out / "manifest.jsonl") if e["key"] == "0_first.png"]
        assert after.keys() - before.keys() == {e[role] for e in new for role in ("source", "target")}
        assert {n for n in before if after[n] != before[n]} <= {"manifest.jsonl", "contact.png"}
        assert set(lines_before) <= set((out / "manifest.jsonl").read_text().splitlines())
        others = {e["split"] for key, e in by_key(out).items() if family(key) == "f1"}
        assert {e["split"] for e in new} == others and {e["group"] for e in new} == {"f1_a.png"}
        if split_of("0_first.png", SHARES, seed) not in others:
            return
    raise AssertionError("no seed would have sent the new file elsewhere")


def test_a_file_that_becomes_like_another_moves_to_it(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    home = by_key(out)["f2_a.png"]["split"]
    moving = next(k for k, e in by_key(out).items() if k.startswith(("s", "g", "h")) and e["split"] != home)
    old = by_key(out)[moving]
    put(source / moving, photo(2).resize((180, 130)))
    assert make_pairs(job(source, out)).made == 1
    new = by_key(out)[moving]
    assert (new["split"], new["group"]) == (home, "f2_a.png")
    assert not (out / old["target"]).exists() and (out / new["target"]).exists()


def test_one_that_is_like_two_splits_is_named_not_torn(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    splits = {key: entry["split"] for key, entry in by_key(out).items()}
    one, other = next((a, b) for a in splits for b in splits if splits[a] < splits[b])
    text = (out / "manifest.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in text]
    middle = phash.fingerprint(source / "s0_.png", (source / "s0_.png").read_bytes()) or 0
    put(source / "t_.png", (source / "s0_.png").read_bytes())
    for entry in entries:  # as if the two had been a few bits on either side of the new one
        if entry["key"] in (one, other):
            entry["fingerprint"] = f"{middle ^ (0xFC if entry['key'] == one else 0xFC00):016x}"
    (out / "manifest.jsonl").write_text(
        "".join(json.dumps(e) + "\n" for e in entries if e["key"] != "s0_.png")
    )
    summary = make_pairs(job(source, out))
    assert summary.found == summary.used + summary.rejected and "t_.png" not in by_key(out)
    reasons = {e["key"]: e["reason"] for e in lines(out / "rejected.jsonl")}
    assert "looks like pairs of several splits" in reasons["t_.png"] and one in reasons["t_.png"]


def test_a_file_changed_after_it_was_looked_at_waits_for_the_next_run(source: Path, tmp_path: Path) -> None:
    whole = pairs.group

    def late(*args: Any) -> Groups:
        put(source / "s1_.png", photo(0))
        return whole(*args)

    out = tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "group", late)
        make_pairs(job(source, out, shard="1/2"))
        put(source / "s1_.png", photo(101))
        make_pairs(job(source, out, shard="2/2"))
    reasons = {e["key"]: e["reason"] for e in lines(out / "rejected.jsonl")}
    assert reasons["s1_.png"] == pairs_worker.CHANGED and "s1_.png" not in by_key(out)
    make_pairs(job(source, out))
    home = by_key(out)["f0_a.png"]["split"]
    assert by_key(out)["s1_.png"]["split"] == home and straddling(out) == set()


def test_one_that_cannot_be_looked_at_is_rejected_and_tried_again(
    source: Path, tmp_path: Path, reference: Any
) -> None:
    whole = pairs_run.run

    def dying(setup: Any, workers: int, timeout_s: Any, tasks: Iterable[Any], total: int, words: str) -> Any:
        for task in tasks:
            if words == "looked at" and task.key == "f3_x.png":
                yield pairs_worker.rejected(task.key, "its worker process died, twice")
            else:
                yield from whole(setup, workers, timeout_s, [task], total, words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_run, "run", dying)
        summary = make_pairs(job(source, tmp_path / "out"))
    assert summary.found == summary.used + summary.rejected == 28 and summary.rejected == 3
    assert "f3_x.png" not in by_key(tmp_path / "out")
    make_pairs(job(source, tmp_path / "out"))
    assert tree(tmp_path / "out") == reference


@pytest.mark.parametrize("bits", [-1, 13, 2.5, True])
def test_bad_bits_are_refused(source: Path, tmp_path: Path, bits: Any) -> None:
    with pytest.raises(ConfigError, match=r"near_bits=.*accepted is a whole number from 0 to 12"):
        make_pairs(job(source, tmp_path / "out", near_bits=bits))
    assert not (tmp_path / "out").exists()


def test_pairs_made_with_other_bits_are_not_mixed(source: Path, tmp_path: Path) -> None:
    make_pairs(job(source, tmp_path / "out"))
    with pytest.raises(ConfigError, match="near_bits is 8, asked for is 6"):
        make_pairs(job(source, tmp_path / "out", near_bits=6))
