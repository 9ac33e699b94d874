"""gantrans check says what train would do, touches nothing, and its list of unusable files mends a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrans.check.layout import lookalikes
from gantrans.check.scan import Facts, look_at
from gantrans.check.twins import find_twins
from tests.conftest import TINY, Cli, draw_picture, some


def save(path: Path, seed: int, height: int = 40, width: int = 44) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_picture(seed, height, width)).save(path)
    return path


def damage(path: Path) -> None:
    """Cut the pixels short; the header stays sound."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def clean(root: Path) -> None:
    for i in range(5):
        save(root / f"{i}.png", i)


def paired(root: Path) -> None:
    for i in range(5):
        save(root / "source" / f"{i}.png", i)
        shutil.copy(root / "source" / f"{i}.png", save(root / "target" / f"{i}.png", i))


def unpaired(root: Path) -> None:
    for i in range(4):
        save(root / "trainA" / f"a{i}.png", i)
        save(root / "trainB" / f"b{i}.png", 9 + i)


def lone(root: Path) -> None:
    paired(root)
    save(root / "source" / "lone.png", 7)


def clash(root: Path) -> None:
    paired(root)
    save(root / "source" / "0.bmp", 7)


def unequal(root: Path) -> None:
    paired(root)
    save(root / "source" / "1.png", 1, 44, 44)


def small(root: Path) -> None:
    clean(root)
    save(root / "tiny.png", 8, 20, 20)


def no_header(root: Path) -> None:
    clean(root)
    (root / "text.png").write_text("not an image")


def cut_short(root: Path) -> None:
    clean(root)
    damage(save(root / "cut.png", 8))


def in_test_only(root: Path) -> None:
    for i in range(4):
        save(root / "train" / f"{i}.png", i)
    damage(save(root / "test" / "9.png", 9))


def empty(root: Path) -> None:
    root.mkdir(exist_ok=True)


def absent(root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)


FOLDERS: dict[Callable[[Path], None], bool] = {  # refused; whether a list of unusable files mends it
    lone: True, clash: True, unequal: True, small: True, no_header: True, cut_short: True,
    empty: False, absent: False,
}  # fmt: skip
UNPAIRED = ["experiment=cyclegan", "augment.resize=null", "generator=resnet_6blocks", "generator.width=2",
            "discriminator.width=2", "augment.crop=32"]  # fmt: skip


def run_keys(root: Path) -> list[str]:
    """Long enough that every image is read."""
    return [*(k for k in TINY if not k.startswith(("train.total", "val.every"))), "train.total=3ep",
            "val.every=99step", "val.images=9", f"data.root={root}"]  # fmt: skip


def hashes(root: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("make", some([clean, paired, in_test_only, *FOLDERS]), ids=lambda f: f.__name__)
def test_check_and_train_agree_and_a_list_mends(
    tmp_path: Path, cli: Cli, make: Callable[[Path], None]
) -> None:
    root, listed = tmp_path / "data", tmp_path / "left out.txt"
    make(root)
    before, keys = hashes(root), run_keys(root)
    checked = cli("check", *keys, f"fix={listed}")
    trained = cli("train", *keys, f"run.dir={tmp_path / 'run'}")
    assert checked.code == trained.code == (3 if make in FOLDERS else 0), (checked, trained)
    assert hashes(root) == before, "check never touches the inputs"
    assert listed.exists() == FOLDERS.get(make, False)
    if not listed.exists():
        return
    assert f"with data.quarantine={listed} training would start" in checked.out
    mended = [*keys, f"data.quarantine={listed}"]
    assert cli("check", *mended).code == 0
    again = cli("train", *mended, f"run.dir={tmp_path / 'again'}")
    assert again.code == 0, again.err


def test_two_kinds_without_pairs(tmp_path: Path, cli: Cli) -> None:
    unpaired(tmp_path / "data")
    assert cli("check", *UNPAIRED, f"data.root={tmp_path / 'data'}").code == 0
    a, b = tmp_path / "data" / "trainA", tmp_path / "data" / "trainB"
    small_networks = [k for k in UNPAIRED if "experiment" not in k]
    answer = cli("check", *small_networks, f"data.root={a}", f"data.targets={b}")
    assert answer.code == 0, answer
    assert "experiment cyclegan reads it" in answer.out
    assert cli("check", *small_networks, f"data.root={a}", f"data.targets={a}").code == 3


def test_everything_odd_is_named(tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "data"
    clean(root)
    picture = draw_picture(20, 40, 44)
    Image.fromarray(picture).convert("CMYK").save(root / "ink.jpg", quality=95)
    Image.fromarray(np.dstack([picture, picture[..., 0]])).save(root / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw_picture(21, 40, 44)).save(root / "turned.jpg", exif=exif)
    (root / "twin.png").write_bytes((root / "0.png").read_bytes())
    found = tmp_path / "found.json"
    answer = cli("check", *run_keys(root), f"json={found}")
    assert answer.code == 0, answer
    for said in ("1 CMYK", "1 alpha", "1 turned by EXIF", "1 groups of the same bytes", "turned.jpg"):
        assert said in answer.out, said
    told = json.loads(found.read_text())
    assert told["would_start"]
    assert len(told["files"]) == 9
    assert told["files"][str(root / "turned.jpg")]["size"] == [40, 44]


def test_links_to_nothing_and_pipes_are_named(tmp_path: Path, cli: Cli) -> None:
    clean(tmp_path / "data")
    (tmp_path / "data" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "data" / "pipe.png")
    answer = cli("check", *run_keys(tmp_path / "data"))
    assert answer.code == 3
    for said in ("gone.png is a link to nothing", "pipe.png is not a regular file"):
        assert said in answer.out, answer.out


def test_label_maps_are_told_from_pictures(tmp_path: Path) -> None:
    labels = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3), np.ones((20, 20), np.uint8))
    Image.fromarray(labels).save(tmp_path / "grey.png")
    palette = Image.fromarray(labels, "L").convert("P")
    palette.putpalette([v for i in range(256) for v in (i, 255 - i, i)])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(draw_picture(3)[..., 0]).save(tmp_path / "picture.png")
    assert look_at(tmp_path / "grey.png").ids == look_at(tmp_path / "palette.png").ids == (0, 1, 2, 3, 4, 5)
    assert look_at(tmp_path / "picture.png").ids is None


def test_twins_are_found_by_bytes_and_by_look() -> None:
    def facts(digest: str, bits: int | None) -> Facts:
        return Facts(1, digest, print_=bits)

    a, b, c, d, e = (Path(name) for name in "abcde")
    found = {a: facts("x", 0), b: facts("x", 0), c: facts("y", 0b111 << 30), d: facts("z", 2**64 - 1),
             e: facts("w", None)}  # fmt: skip
    splits = {a: "train", b: "train", c: "val", d: "val", e: "val"}
    twins = find_twins(found, splits, near_bits=3)
    assert [(t.files, t.exact, t.across) for t in twins] == [((a, c), False, True), ((a, b), True, False)]
    assert [t.exact for t in find_twins(found, splits, near_bits=2)] == [True], "3 bits are more than 2"


@pytest.mark.parametrize("shards", [None, 1])
def test_a_pairs_own_files_are_no_twins(tmp_path: Path, cli: Cli, shards: int | None) -> None:
    """Both sides, variants and tiles look alike by intent; the same photo twice does not."""
    for i in range(3):
        save(tmp_path / "photos" / f"{i}.png", i, 64, 64)
    Image.open(tmp_path / "photos" / "0.png").save(tmp_path / "photos" / "again.bmp")
    keys = [f"source={tmp_path / 'photos'}", f"out={tmp_path / 'out'}", "workers=0", "variants=3",
            "splits={train: 1}", f"shards={shards or 'null'}"]  # fmt: skip
    made = cli("pairs", *keys)
    assert made.code == 0, made.err
    found = tmp_path / "found.json"
    answer = cli("check", *run_keys(tmp_path / "out"), f"json={found}")
    assert answer.code == 0, answer.err
    groups = json.loads(found.read_text())["twins"]
    assert groups, "the photo that is there twice"
    assert all({Path(f.partition("@")[0]).name.split(".")[0].split("-")[0] for f in g["files"]} ==
               {"0", "again"} for g in groups), groups  # fmt: skip


def test_a_tables_own_pairs_are_no_twins_but_two_rows_of_one_picture_are(tmp_path: Path, cli: Cli) -> None:
    held_out = 0.01  # so that all rows but one are in one split

    def twins(rows: list[tuple[int, int]]) -> list[list[str]]:
        lines = ["source,target"]
        for n, (source, target) in enumerate(rows):
            for side, seed in (("bad", source), ("good", target)):
                lines.append(save(tmp_path / side / f"{side}{n}.png", seed).as_posix())
            lines[-2:] = [",".join(lines[-2:])]
        table, found = tmp_path / "t.csv", tmp_path / "f.json"
        table.write_text("\n".join(lines))
        answer = cli("check", *run_keys(table), f"json={found}", f"data.val_fraction={held_out}")
        assert answer.code == 0, answer.err
        return [
            sorted(Path(f).name for f in group["files"]) for group in json.loads(found.read_text())["twins"]
        ]

    assert twins([(n, n) for n in range(4)]) == []
    assert twins([(0, 0), (1, 1), (0, 2), (3, 3)]) == [["bad0.png", "bad2.png", "good0.png"]]


def test_whose_files_are_no_twins() -> None:
    def found(*names: str, splits: str = "") -> int:
        paths = [Path("d") / name for name in names]
        facts = {path: Facts(1, "x", print_=0) for path in paths}
        return len(find_twins(facts, dict(zip(paths, splits.split(), strict=False)), 3))

    assert found("train/source/a.png", "train/target/a.png") == 0
    assert found("trainA/a.png", "trainB/a.jpg") == found("A/train/a.png", "B/train/a.png") == 0
    sides = [f"train/{role}/a{end}.png" for role in ("source", "target") for end in ("", "-v2", "-r1c2-v3")]
    assert found(*sides) == 0
    assert found(*sides, "train/source/b.png", "train/target/b.png") == 1, "another original"
    assert found("train/source/a.png", "train/source/a.jpg", "train/target/a.png") == 1, "one place, twice"
    assert found("train/source/a.png", "train/source/a-v2.png") == 1, "no pairs"
    assert found(*sides[::3], splits="train val") == 1, "one original in two splits"
    assert found("train/source/a.png", "train/target/a.png", "val/source/a.png", "val/target/a.png") == 1


def test_a_file_without_a_partner_is_across_splits_too(tmp_path: Path, cli: Cli) -> None:
    for split, first in (("train", 0), ("val", 10)):
        for i in range(first, first + 3):
            save(tmp_path / "data" / split / "source" / f"{i}.png", i)
            save(tmp_path / "data" / split / "target" / f"{i}.png", i)
    save(tmp_path / "data" / "train" / "target" / "lone.png", 10)
    found = tmp_path / "found.json"
    answer = cli("check", *run_keys(tmp_path / "data"), f"json={found}")
    assert answer.code == 3
    assert "1 across splits" in answer.out
    (group,) = json.loads(found.read_text())["twins"]
    assert group["splits"] == ["train", "val"]


def test_any_few_differing_bits_are_found() -> None:
    """A search that compared only equal halves, say, would lose some of these."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        base = int.from_bytes(rng.bytes(8), "big")
        flipped = sum(1 << int(i) for i in rng.choice(64, 6, replace=False))
        pair = {Path("a"): Facts(1, "x", print_=base), Path("b"): Facts(1, "y", print_=base ^ flipped)}
        assert len(find_twins(pair, {}, 6)) == 1
        assert find_twins(pair, {}, 5) == []


def test_folders_that_look_like_pairs_are_named(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "images" / f"{i}.png", i)
        save(tmp_path / "labels" / f"{i}.png", i)
        save(tmp_path / "others" / f"o{i}.png", i)
    assert lookalikes(tmp_path, set()) == [(tmp_path / "images", tmp_path / "labels", 4)]
    assert lookalikes(tmp_path, {tmp_path / "images"}) == []


def test_a_name_never_breaks_the_page(tmp_path: Path, cli: Cli) -> None:
    clean(tmp_path / "data")
    (tmp_path / "data" / "two\nlines\x1b[2J.png").write_text("not an image")
    page = cli("check", *run_keys(tmp_path / "data")).out
    assert "two\\nlines\\x1b[2J.png is text" in page


def test_a_list_that_cannot_be_read_is_refused(photos: Path, tmp_path: Path, cli: Cli) -> None:
    answer = cli("check", *run_keys(photos), f"data.quarantine={tmp_path / 'none.txt'}")
    assert answer.code == 2
    assert "needed is a text file with one file a line" in answer.err
