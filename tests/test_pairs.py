"""pairs: the same job gives the same bytes, whoever does it, in whatever order, however often killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing.forkserver import _forkserver  # type: ignore[attr-defined]
from multiprocessing.resource_tracker import _resource_tracker  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantrans.data.splits import SPLITS, normalised, split_of
from gantrans.degrade.recipe import parse_recipe
from gantrans.errors import BusyError, ConfigError, DataError, Interrupted, StorageError
from gantrans.imaging import ranges, sheet
from gantrans.imaging.read import read
from gantrans.imaging.write import TEMPORARY, write
from gantrans.pairs import contact as pairs_contact
from gantrans.pairs import generate as pairs
from gantrans.pairs import image as pairs_image
from gantrans.pairs import merge as pairs_merge
from gantrans.pairs import plan as pairs_plan
from gantrans.pairs import process as pairs_process
from gantrans.pairs import run as pairs_run
from gantrans.pairs.augment import OfflineAugment, cut
from gantrans.pairs.generate import PairsJob, make_pairs
from gantrans.pairs.journal import WORK, Journal, locked, results_in, try_lock
from gantrans.pairs.making import Making
from gantrans.pairs.worker import Result
from tests.conftest import Cli

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}
STEPS = [{"gaussian_blur": {"sigma_px": [0.5, 1.5]}}, {"gaussian_noise": {}}, {"jpeg": {}}]
# Degradations that misbehave where the first pixel is pure blue; in a module, so that workers find them.
MODULE = """
import os, signal, time
class Step:
    scale = 1
    def sample(self, rng): return {"chance": float(rng.random())}
    def forward(self, x01, params):
        if tuple(x01[0, 0]) == (0.0, 0.0, 1.0) and not os.environ.get("TAME"): self.act()
        return x01 * x01.dtype.type(params["chance"])
    def act(self): pass
class Slow(Step):
    def forward(self, x01, params): time.sleep(0.04); return super().forward(x01, params)
class Dies(Step):
    def act(self): time.sleep(0.3); os._exit(9)
class Interrupts(Step):
    def act(self): os.kill(os.getpid(), signal.SIGINT)
class Terminates(Step):
    def act(self): os.kill(os.getpid(), signal.SIGTERM)
class Crashes(Step):
    def act(self): os.kill(os.getpid(), signal.SIGSEGV)
class Killed(Step):
    def act(self): os.kill(os.getpid(), signal.SIGKILL)
class Hangs(Step):
    def act(self): time.sleep(999)
class Fails(Step):
    def act(self): raise RuntimeError("planted")
"""


def picture(
    seed: int, height: int = 24, width: int = 32, channels: int = 3, dtype: type = np.uint8
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 8 + 1, width // 8 + 1, channels))
    return ranges.from_x01(np.kron(coarse, np.ones((8, 8, 1)))[:height, :width], dtype)


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here pulls the plug; waiting for the disk would be most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Seventeen images in nested folders, two that cannot be used, and one that is no image."""
    root = tmp_path / "photos"
    for number in range(15):
        folder = root / ("", "holiday", "holiday/sea")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"p{number:02d}.{('png', 'jpg')[number % 2]}", picture(number))
    write(root / "deep.png", picture(20, dtype=np.uint16))
    write(root / "grey.png", picture(21, channels=1))
    (root / "broken.jpg").write_bytes((root / "holiday/p01.jpg").read_bytes()[:200])
    (root / "empty.png").touch()
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").touch()
    return root


@pytest.fixture
def extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, type]:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "planted.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "planted", raising=False)
    import planted  # type: ignore[import-not-found]

    return {f"planted.{name}": value for name, value in vars(planted).items() if isinstance(value, type)}


def job(
    source: Path, out: Path, *, steps: list[Any] | None = None, extra: Any = None, **changes: Any
) -> PairsJob:
    recipe = parse_recipe({"name": "test", "steps": steps or STEPS}, extra)
    made = PairsJob(source, out, recipe, "name: test\n", 7, 0, None, None, SHARES)
    return replace(made, **changes)


def tree(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_key(out: Path) -> dict[str, dict[str, Any]]:
    return {entry["key"]: entry for entry in lines(out / "manifest.jsonl")}


# --- splits -------------------------------------------------------------------------------------------------


def test_splits_follow_the_name_alone_and_the_shares() -> None:
    keys = [f"{i}.png" for i in range(3000)]
    split = {key: split_of(key, SHARES, 1) for key in keys}
    for name in SPLITS:
        assert abs(sum(s == name for s in split.values()) / 3000 - SHARES[name]) < 0.03
    assert split == {key: split_of(key, {"val": 2, "test": 2, "train": 6}, 1) for key in reversed(keys)}
    assert split != {key: split_of(key, SHARES, 2) for key in keys}
    more_test = {key: split_of(key, {"train": 0.5, "val": 0.2, "test": 0.3}, 1) for key in keys}
    assert all(more_test[key] == "test" for key in keys if split[key] == "test")
    assert {split_of(key, {"train": 1}, 0) for key in keys} == {"train"}
    assert {split_of(key, {"val": 1, "test": 1}, 0) for key in keys} == {"val", "test"}


@pytest.mark.parametrize(
    "ratios", [{}, {"train": 0}, {"train": -1, "val": 2}, {"dev": 1}, {"train": float("nan")}]
)
def test_bad_shares_are_refused(ratios: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="accepted are shares"):
        normalised(ratios)


# --- what is written ----------------------------------------------------------------------------------------


def test_pairs_never_import_torch() -> None:
    code = "import sys; from gantrans.pairs import generate; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_folder_accounts_for_every_file(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = make_pairs(job(source, out))
    manifest, rejected = lines(out / "manifest.jsonl"), lines(out / "rejected.jsonl")
    assert (summary.found, summary.used, summary.rejected, summary.made, summary.kept) == (20, 17, 3, 17, 0)
    assert sum(summary.per_split.values()) == 17 and all(summary.per_split.values())
    assert [e["key"] for e in manifest] == sorted(e["key"] for e in manifest)
    reasons = {e["key"]: e["reason"] for e in rejected}
    assert set(reasons) == {"broken.jpg", "empty.png", "notes.txt"}
    assert (
        "truncated" in reasons["broken.jpg"]
        and "empty" in reasons["empty.png"]
        and ".txt" in reasons["notes.txt"]
    )
    expected = {"manifest.jsonl", "rejected.jsonl", "recipe.yaml", "contact.png", "pairs.json"}
    recipe = job(source, out).recipe
    for entry in manifest:
        stem = str(Path(entry["key"]).with_suffix(""))
        assert entry["split"] == split_of(entry["key"], SHARES, 7)
        for role in ("source", "target"):
            assert entry[role] == f"{entry['split']}/{role}/{stem}.png"
            data = (out / entry[role]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == entry[f"{role}_sha256"]
            pixels = read(out / entry[role]).pixels
            assert [pixels.shape[1], pixels.shape[0]] == entry[f"{role}_size"]
            expected.add(entry[role])
        original = read(source / entry["key"]).pixels
        target = read(out / entry["target"]).pixels
        np.testing.assert_array_equal(target, original)
        pixels_or_x01 = target if target.dtype == np.uint8 else ranges.to_x01(target)
        again = recipe.apply(pixels_or_x01, entry["params"])
        again = again if again.dtype == target.dtype else ranges.from_x01(again, target.dtype)
        np.testing.assert_array_equal(read(out / entry["source"]).pixels, again)
        assert (entry["seed"], entry["recipe_hash"]) == (7, recipe.hash)
    assert set(tree(out)) == expected and not list(out.glob(".*"))
    assert (out / "recipe.yaml").read_text() == "name: test\n"
    assert read(out / by_key(out)["deep.png"]["source"]).depth == 16
    assert read(out / "contact.png").pixels.shape[1] > 100


def test_size_crops_the_middle_and_rejects_what_is_smaller(tmp_path: Path) -> None:
    source, out = tmp_path / "s", tmp_path / "o"
    source.mkdir()
    wide = np.zeros((16, 64, 3), np.uint8)
    wide[:, 24:40] = 200
    write(source / "wide.png", wide)
    write(source / "large.png", np.full((48, 80, 3), 77, np.uint8))
    write(source / "small.png", np.full((15, 99, 3), 77, np.uint8))
    summary = make_pairs(job(source, out, size=16))
    assert (summary.used, summary.rejected) == (2, 1)
    entries = by_key(out)
    np.testing.assert_array_equal(read(out / entries["wide.png"]["target"]).pixels, np.full((16, 16, 3), 200))
    np.testing.assert_array_equal(read(out / entries["large.png"]["target"]).pixels, np.full((16, 16, 3), 77))
    assert "99x15 is smaller than size=16" in lines(out / "rejected.jsonl")[0]["reason"]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_no_file_is_named(source: Path, tmp_path: Path, workers: int) -> None:
    (source / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (source / "self.jpg").symlink_to(source / "self.jpg")
    (source / "gone").symlink_to(tmp_path / "nowhere")
    (source / "sound.png").symlink_to(source / "deep.png")
    os.mkfifo(source / "pipe.png")
    summary = make_pairs(job(source, tmp_path / "out", workers=workers, near_bits=0))
    reasons = {entry["key"]: entry["reason"] for entry in lines(tmp_path / "out" / "rejected.jsonl")}
    assert (summary.found, summary.used) == (25, 18)
    assert reasons["gone.jpg"] == reasons["self.jpg"] == "is a link to nothing"
    assert reasons["pipe.png"] == "is not a regular file" and "no suffix" in reasons["gone"]


def test_transparency_becomes_white(tmp_path: Path) -> None:
    source, out = tmp_path / "s", tmp_path / "o"
    source.mkdir()
    alpha = np.array([[0, 255], [51, 255]], np.uint8)
    write(source / "a.png", np.zeros((2, 2, 3), np.uint8), alpha)
    make_pairs(job(source, out))
    target = read(out / by_key(out)["a.png"]["target"])
    assert target.alpha is None
    np.testing.assert_array_equal(target.pixels[..., 0], [[255, 0], [204, 0]])


def test_a_recipe_that_scales_crops_targets_to_fit(tmp_path: Path) -> None:
    source, out = tmp_path / "s", tmp_path / "o"
    source.mkdir()
    write(source / "a.png", picture(0, 25, 31))
    write(source / "tiny.png", picture(0, 2, 9))
    steps = [{"downscale": {"factor": 3}}]
    make_pairs(job(source, out, steps=steps))
    entry = by_key(out)["a.png"]
    assert entry["target_size"] == [30, 24] and entry["source_size"] == [10, 8]
    assert "scale" in lines(out / "rejected.jsonl")[0]["reason"]
    with pytest.raises(ConfigError, match=r"size=16: accepted is .* multiple of the recipe's scale 3"):
        make_pairs(job(source, tmp_path / "o2", steps=steps, size=16))


# --- the same bytes, whoever does it ------------------------------------------------------------------------


@pytest.fixture
def reference(source: Path, tmp_path: Path) -> dict[str, bytes]:
    make_pairs(job(source, tmp_path / "reference"))
    return tree(tmp_path / "reference")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers(
    source: Path, tmp_path: Path, reference: dict[str, bytes], workers: int
) -> None:
    summary = make_pairs(job(source, tmp_path / "out", workers=workers))
    assert summary.made == 17 and tree(tmp_path / "out") == reference


@pytest.mark.parametrize("shards", [["1/3", "3/3", "2/3"], ["2/4", "4/4", "3/4", "1/4"]])
def test_any_order_of_shards(
    source: Path, tmp_path: Path, reference: dict[str, bytes], shards: list[str]
) -> None:
    found = [make_pairs(job(source, tmp_path / "out", shard=shard)) for shard in shards]
    assert tree(tmp_path / "out") == reference
    assert sum(s.found for s in found) == 20 and sum(s.used for s in found) == 17
    whole = make_pairs(job(source, tmp_path / "out"))
    assert (whole.made, whole.kept) == (0, 17) and tree(tmp_path / "out") == reference


def test_shards_at_once_into_one_folder(source: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    errors: list[BaseException] = []

    def run(shard: str) -> None:
        try:
            make_pairs(job(source, tmp_path / "out", shard=shard))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(f"{i}/5",)) for i in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and tree(tmp_path / "out") == reference


def test_shards_into_folders_of_their_own(source: Path, tmp_path: Path, reference: dict[str, bytes]) -> None:
    parts: dict[str, bytes] = {}
    keys = []
    for shard in ("1/2", "2/2"):
        out = tmp_path / shard.replace("/", "-")
        make_pairs(job(source, out, shard=shard))
        parts |= {name: data for name, data in tree(out).items() if name.endswith(".png") and "/" in name}
        keys += by_key(out)
    assert parts == {name: data for name, data in reference.items() if name.endswith(".png") and "/" in name}
    assert len(keys) == len(set(keys)) == 17


SCRIPT = """
import sys
from pathlib import Path
import planted
from gantrans.pairs.generate import PairsJob, make_pairs
from gantrans.degrade.recipe import parse_recipe
if __name__ == "__main__":
    recipe = parse_recipe({"name": "test", "steps": [{"planted.Slow": {}}]}, {"planted.Slow": planted.Slow})
    shares = {"train": 0.6, "val": 0.2, "test": 0.2}
    source, out, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    make_pairs(PairsJob(source, out, recipe, "name: test\\n", 7, workers, None, None, shares))
"""


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_begun_again(source: Path, tmp_path: Path, extra: Any, workers: int) -> None:
    slow = {"steps": [{"planted.Slow": {}}], "extra": extra}
    make_pairs(job(source, tmp_path / "reference", **slow))
    out = tmp_path / "out"
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join([str(tmp_path / "modules"), str(Path(__file__).parent.parent)])
    process = subprocess.Popen(
        [sys.executable, str(script), str(source), str(out), str(workers)],
        env={**os.environ, "PYTHONPATH": path},
    )
    journal = out / WORK / "0-of-1.jsonl"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 4)
    children = _descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(_is_running(child) for child in children))  # no worker outlives its parent
    assert not (out / "manifest.jsonl").exists()
    with journal.open("ab") as stream:  # as if killed in the middle of a line and of a file
        stream.write(b'{"kind": "made", "entry": {"key": "p0')
    (out / f"{TEMPORARY}planted.tmp").write_bytes(b"half")
    summary = make_pairs(job(source, out, **slow))
    assert summary.kept >= 2 and summary.made <= 15
    assert tree(out) == tree(tmp_path / "reference")


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*children, *(below for child in children for below in _descendants(child))]


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("name, number", [("Interrupts", signal.SIGINT), ("Terminates", signal.SIGTERM)])
def test_a_signal_stops_cleanly(
    source: Path, tmp_path: Path, extra: Any, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    blue = picture(1)
    blue[0, 0] = (0, 0, 255)
    write(source / "holiday/p04.png", blue)
    planted = {"steps": [{f"planted.{name}": {}}], "extra": extra}
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match=r"of 19 images are done .* run the same command again") as caught:
        make_pairs(job(source, tmp_path / "out", **planted))
    assert caught.value.exit_code == 128 + number
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    monkeypatch.setenv("TAME", "1")
    summary = make_pairs(job(source, tmp_path / "out", **planted))
    assert summary.kept > 3 and summary.made + summary.kept == 17
    make_pairs(job(source, tmp_path / "reference", **planted))
    assert tree(tmp_path / "out") == tree(tmp_path / "reference")


def test_a_bug_in_a_degradation_names_the_image(source: Path, tmp_path: Path, extra: Any) -> None:
    blue = picture(1)
    blue[0, 0] = (0, 0, 255)
    write(source / "p06.png", blue)
    with pytest.raises(ConfigError, match=r"failed on p06\.png: RuntimeError: planted"):
        make_pairs(job(source, tmp_path / "out", steps=[{"planted.Fails": {}}], extra=extra, workers=2))


# --- going on -----------------------------------------------------------------------------------------------


def test_a_finished_folder_is_left_alone(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    summary = make_pairs(job(source, out))
    assert (summary.made, summary.kept, summary.rejected, summary.found) == (0, 17, 3, 20)
    files = {p: t for p, t in before.items() if p.is_file()}
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == files


def test_only_what_is_new_changed_or_damaged_is_made(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def again() -> tuple[int, set[str]]:
        before = tree(out)
        summary = make_pairs(job(source, out))
        assert summary.found == summary.used + summary.rejected
        after = tree(out)
        return summary.made, {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}

    make_pairs(job(source, out))
    first = tree(out)
    entry = by_key(out)["p00.png"]
    (out / entry["source"]).unlink()
    assert again()[0] == 1 and tree(out) == first
    (out / entry["target"]).write_bytes(b"damaged")
    assert again()[0] == 1 and tree(out) == first

    write(source / "new.png", picture(50))
    made, changed = again()
    new = by_key(out)["new.png"]
    assert made == 1 and changed <= {new["source"], new["target"], "manifest.jsonl", "contact.png"}

    write(source / "p00.png", picture(51))
    made, changed = again()
    assert made == 1 and {entry["source"], entry["target"]} <= changed

    (source / "p00.png").write_bytes(b"GIF89a no more")
    made, changed = again()
    assert made == 0 and "p00.png" not in by_key(out) and not (out / entry["source"]).exists()
    assert "p00.png" in {e["key"] for e in lines(out / "rejected.jsonl")}

    write(source / "p00.png", picture(0))
    write(source / "empty.png", picture(52))
    (source / "notes.txt").unlink()
    assert again()[0] == 2
    make_pairs(job(source, tmp_path / "fresh"))
    assert tree(out) == tree(tmp_path / "fresh")  # history leaves no trace


def test_originals_that_are_gone_are_named_and_nothing_is_deleted(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    before = tree(out)
    (source / "p00.png").unlink()
    with pytest.raises(DataError, match=r"1 originals of existing pairs are gone: p00\.png; put them back"):
        make_pairs(job(source, out))
    assert {n: d for n, d in tree(out).items() if not n.startswith(WORK)} == before


@pytest.mark.parametrize("changes, words", [
    ({"seed": 8}, "seed is 7, asked for is 8"),
    ({"size": 16}, "size is None, asked for is 16"),
    ({"splits": {"train": 1}}, "splits is"),
    ({"steps": [{"jpeg": {"quality": 5}}]}, "recipe_hash is"),
])  # fmt: skip
def test_pairs_of_another_job_are_never_mixed(
    source: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    before = tree(out)
    with pytest.raises(ConfigError, match=rf"another job: .*{words}.*another out="):
        make_pairs(job(source, out, **changes))
    assert {n: d for n, d in tree(out).items() if not n.startswith(WORK)} == before
    make_pairs(job(source, out, splits={"train": 6, "val": 2, "test": 2}))  # the same shares, said otherwise
    assert tree(out) == before


def test_stems_that_are_shared_lose_no_image(tmp_path: Path) -> None:
    source, out = tmp_path / "s", tmp_path / "o"
    (source / "d.png").mkdir(parents=True)
    names = ("a.jpg", "a.png", "a.png.png", "d.jpg", "d.png/x.png", "E.png", "e.jpg")
    for number, name in enumerate(names):
        write(source / name, picture(number))
    make_pairs(job(source, out, splits={"train": 1}))
    written = {key: entry["target"].removeprefix("train/target/") for key, entry in by_key(out).items()}
    assert written == {
        "E.png": "E.png", "a.jpg": "a.png", "a.png": "a.png.png", "a.png.png": "a.png.png.png",
        "d.jpg": "d.jpg.png", "d.png/x.png": "d.png/x.png", "e.jpg": "e.jpg.png",
    }  # fmt: skip
    before = tree(out)
    write(source / "a.bmp", picture(9))  # sorts first, yet changes no name that is given
    make_pairs(job(source, out, splits={"train": 1}))
    assert by_key(out)["a.bmp"]["target"].endswith("/a.bmp.png")
    assert {n for n, d in before.items() if tree(out).get(n) != d} == {"manifest.jsonl", "contact.png"}


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes, words", [
    ({"shard": "4/3"}, "shard=4/3: accepted is I/N"), ({"shard": "1-3"}, "accepted is I/N"),
    ({"shard": "0/0"}, "accepted is I/N"), ({"shard": "0/3"}, "shard=0/3: accepted is I/N"),
    ({"workers": -1}, "workers=-1: accepted"),
    ({"size": 0}, "size=0: accepted"), ({"splits": {"dev": 1}}, "splits="),
])  # fmt: skip
def test_bad_keys_are_refused_before_anything_is_written(
    source: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        make_pairs(job(source, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["[1]", "3", '"a"', "null", "{"])
def test_a_damaged_identity_is_named(source: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "pairs.json").write_text(text)
    with pytest.raises(ConfigError, match=r"pairs\.json: is damaged \(.*\); give another out="):
        make_pairs(job(source, tmp_path / "out"))


def test_keys_are_answered_with_what_is_accepted(source: Path, tmp_path: Path, cli: Cli) -> None:
    keys = [f"source={source}", f"out={tmp_path / 'out'}", "workers=0"]
    for verb, more in (("pairs", keys), ("check", [f"data.root={source}"])):
        answer = cli(verb, *more, "near_bits=abc")
        assert answer.code == 2 and "near_bits=abc: accepted are whole numbers" in answer.err
        answer = cli(verb, *more, "near_bits=13")
        assert answer.code == 2 and "accepted is a whole number from 0 to 12" in answer.err
    told = cli("pairs", *keys, "splits.train=8", "splits.val=1", "splits.test=1")
    assert "splits    sum to 10, not 1, and were taken as weights: train 80.0%, val 10.0%" in told.out
    assert "splits " not in cli("pairs", *keys).out, "shares that sum to 1 need no word"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no file")
def test_a_folder_that_takes_no_file_is_not_said_to_be_missing(source: Path, cli: Cli) -> None:
    answer = cli("pairs", f"source={source}", "preview=true", "out=/proc/pv.png")
    assert answer.code == 5 and "out=/proc/pv.png: no file can be made in that folder" in answer.err


def test_folders_that_are_not_ours_are_refused(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.doc").touch()
    with pytest.raises(ConfigError, match=r"not empty \(thesis.doc\)"):
        make_pairs(job(source, other))
    assert tree(other) == {"thesis.doc": b""}
    for out in (source, source / "pairs", tmp_path):
        with pytest.raises(ConfigError, match=r"within source|around it"):
            make_pairs(job(source, out))
    with pytest.raises(ConfigError, match="is a file"):
        make_pairs(job(source, other / "thesis.doc"))


def test_sources_without_a_usable_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        make_pairs(job(tmp_path / "no", tmp_path / "out"))
    source = tmp_path / "s"
    source.mkdir()
    (source / "a.txt").touch()
    with pytest.raises(DataError, match="1 files, no image among them"):
        make_pairs(job(source, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    (source / "b.png").touch()
    for shard in (None, "1/2", "2/2"):
        with pytest.raises(DataError, match=r"none of 2 files can be used, first: a\.txt"):
            make_pairs(job(source, tmp_path / "out", shard=shard))
    write(source / "b.png", picture(0))
    assert make_pairs(job(source, tmp_path / "out")).used == 1


def test_a_full_disk_keeps_what_is_finished(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = pairs_image.write_atomic, [9]

    def filling(path: Path, data: bytes, *, durable: bool) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StorageError(f"{path}: the disk is full")
        real(path, data, durable=durable)

    out = tmp_path / "out"
    monkeypatch.setattr(pairs_image, "write_atomic", filling)
    with pytest.raises(StorageError, match="disk is full"):
        make_pairs(job(source, out))
    left[0] = 10**6
    summary = make_pairs(job(source, out))
    assert summary.kept == 4 and summary.used == 17
    make_pairs(job(source, tmp_path / "reference"))
    assert tree(out) == tree(tmp_path / "reference")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failing_folder_is_a_storage_error_from_any_process(
    source: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out, shard="1/17"))
    (out / "val").mkdir(exist_ok=True)
    for name in ("train", "val", "test"):
        if not (out / name / "source").exists():
            (out / name).mkdir(exist_ok=True)
            (out / name / "source").write_text("in the way")
    with pytest.raises(StorageError):
        make_pairs(job(source, out, workers=workers))


def test_a_share_that_is_being_made_is_busy(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out, shard="1/2"))
    held = try_lock(out / WORK / "1-of-2.jsonl")
    assert held is not None
    with held, pytest.raises(BusyError, match="another gantrans pairs is at work on this share"):
        make_pairs(job(source, out, shard="1/2"))
    assert make_pairs(job(source, out)).used == 17


def test_a_live_shards_journal_survives_the_merge_of_another(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out, shard="1/2"))
    held = try_lock(out / WORK / "0-of-2.jsonl")
    assert held is not None
    with held:
        (out / f"{TEMPORARY}live.tmp").touch()
        make_pairs(job(source, out))
        assert (out / WORK / "0-of-2.jsonl").exists() and (out / f"{TEMPORARY}live.tmp").exists()
    make_pairs(job(source, out))
    make_pairs(job(source, tmp_path / "reference"))
    assert tree(out) == tree(tmp_path / "reference")


def test_a_journal_outlives_a_line_cut_short(tmp_path: Path) -> None:
    first, second, third = (Result("made", {"key": key, "n": 0.1}) for key in "abc")
    with Journal.open(tmp_path, "0-of-1", lambda: None) as journal:
        journal.append(first)
        journal.append(Result("kept", {"key": "k"}))
    with journal.path.open("ab") as stream:
        stream.write(b'{"kind": "made", "entry": {"key": "x"')
    with Journal.open(tmp_path, "0-of-1", lambda: None) as journal:
        journal.append(second)
        journal.append(third)
        assert list(results_in(journal.path)) == [first, second, third]


def test_locks_exclude_even_while_their_file_is_removed(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def enter() -> None:
        for _ in range(30):
            with locked(tmp_path):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1
                (tmp_path / WORK / "lock").unlink()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_damaged_manifest_is_named(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    whole = (out / "manifest.jsonl").read_bytes()
    (out / "manifest.jsonl").write_bytes(b'{"key": "x"\n' + whole)
    with pytest.raises(DataError, match=r"manifest\.jsonl: line 1 is damaged"):
        make_pairs(job(source, out))
    (out / "manifest.jsonl").unlink()
    assert make_pairs(job(source, out)).made == 17
    assert (out / "manifest.jsonl").read_bytes() == whole


def named(out: Path) -> set[str]:
    return {entry[role] for entry in lines(out / "manifest.jsonl") for role in ("source", "target")}


def loose(out: Path) -> set[str]:
    return {name for name in tree(out) if name.split("/")[0] in SPLITS}


@pytest.mark.parametrize("shards", [None, 1])
def test_what_no_line_names_is_moved_away_and_kept(source: Path, tmp_path: Path, shards: int | None) -> None:
    """Originals gone, one spoilt, the manifest damaged and deleted, as the message says."""
    out = tmp_path / "out"
    make_pairs(job(source, out, shards=shards))
    before = tree(out)
    for name in ("p00.png", "deep.png"):
        (source / name).unlink()
    (source / "grey.png").write_text("spoilt")
    (out / "manifest.jsonl").unlink()
    if shards:
        (out / "shards.json").unlink()
    (out / "train").mkdir(exist_ok=True)
    (out / "train" / "notes.png").write_text("not of ours")
    summary = make_pairs(job(source, out))
    assert loose(out) - {"train/notes.png"} == named(out)
    aside = {name.split("/", 2)[2]: data for name, data in tree(out).items() if name.startswith("unnamed/1/")}
    assert summary.unnamed == len(aside) and all(before[name] == data for name, data in aside.items())
    lost = {name for name in before if Path(name).stem in ("p00", "deep")}  # the spoilt one's were rejected
    assert aside.keys() == (lost if not shards else {n for n in before if Path(n).suffix in (".tar", ".idx")})
    assert make_pairs(job(source, out)).unnamed == 0
    (out / "train" / "target" / "p00.png").write_text("again")
    assert make_pairs(job(source, out)).unnamed == 1
    assert (out / "unnamed" / "2" / "train" / "target" / "p00.png").exists()


def test_nothing_is_moved_while_a_share_is_left_or_at_work(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    strange = out / "train" / "source" / "strange.png"  # as a file in flight, which no line names yet
    make_pairs(job(source, out, shard="1/2"))
    strange.write_text("in flight")
    assert make_pairs(job(source, out, shard="1/2")).unnamed == 0, "2/2 was never begun"
    with Journal.open(out, "1-of-3", lambda: None):
        assert make_pairs(job(source, out)).unnamed == 0, "another is at work"
    assert strange.exists()
    assert make_pairs(job(source, out)).unnamed == 1 and not strange.exists()


def test_the_contact_sheet_shows_twelve_pairs_spread_over_the_keys(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_pairs(job(source, out))
    used = pairs_merge.known(out).used
    shown = read(out / "contact.png").pixels
    target = read(out / used[min(used)][0]["target"]).pixels
    large = sheet.to_u8_rgb(target).repeat(3, axis=0).repeat(3, axis=1)  # 32 px in cells of 96
    windows = np.lib.stride_tricks.sliding_window_view(shown, large.shape)[:, :, 0]
    corner = (windows[:, :, 0, 0] == large[0, 0]).all(axis=-1)
    assert any(np.array_equal(windows[y, x], large) for y, x in np.argwhere(corner))
    assert shown.shape[0] > 6 * 72 and shown.shape[1] > 4 * 96  # six rows of two pairs


def test_the_contact_sheet_tells_what_was_drawn(source: Path, tmp_path: Path) -> None:
    made = job(source, tmp_path / "out")
    make_pairs(made)
    entry = lines(tmp_path / "out" / "manifest.jsonl")[0]
    words = pairs_contact.drawn(made.recipe, entry)
    quality = entry["params"]["steps"][2]["jpeg"]["quality"]
    assert words.startswith("gaussian_blur sigma_px") and words.endswith(f"jpeg quality {quality}")
    told = pairs_contact.contact(tmp_path / "out", [entry], made.recipe)
    entry["params"]["steps"][2]["jpeg"]["quality"] = 7
    other = pairs_contact.contact(tmp_path / "out", [entry], made.recipe)
    assert told.shape == other.shape and (told != other).any(), "it is drawn, and cut to the cell"


def test_captions_of_any_script_can_be_told_apart() -> None:
    names = ["写真", "写眞", "cafe\u0301", "two\nlines", "\udcff", "\u202e", "写"]
    drawn = [sheet.grid([[np.zeros((96, 200, 3), np.uint8)]], [], [name], 200) for name in names]
    assert len({picture.tobytes() for picture in drawn}) == len(names)
    assert "".join(map(sheet._drawable, "a b-é.png\n中")) == "a b-\\xe9.png\\n\\u4e2d"


def test_a_share_is_every_nth_file() -> None:
    assert pairs_plan.Share(1, 3).of(list("abcdefg")) == ["b", "e"]


def _peak_of(source: Path, out: Path, count: int, patch: pytest.MonkeyPatch) -> int:
    """Bytes that a first and a second run over `count` files hold at most, where each line has 20 kB."""

    def told(_: Any, tasks: list[Any], *_rest: Any) -> Any:
        for task in tasks:
            entry = {"key": task.key, "split": "train", "target": f"train/target/{task.name}"}
            entry |= {"original_sha256": "0", "params": "x" * 20_000}
            yield Result("kept", *task.used) if task.used else Result("made", entry)

    patch.setattr(pairs_plan, "listing", lambda _: [f"{i:05d}.png" for i in range(count)])
    patch.setattr(pairs_run.pairs_pool, "results", told)
    patch.setattr(pairs_contact, "_pair", lambda *_: [])
    tracemalloc.start()
    for made in (count, 0):
        assert make_pairs(job(source, out)).made == made
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_what_is_held_of_a_file_is_small(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many, again = (
        _peak_of(source, tmp_path / f"{i}", n, monkeypatch) for i, n in enumerate((100, 400, 400))
    )
    many = min(many, again)  # Python's table of interned names grows now and then, by megabytes at once
    assert many - few < 300 * 2000, "each of 300 more files told 20 kB"
    keeping: list[Result] = []
    whole = pairs._Tally.count
    monkeypatch.setattr(pairs._Tally, "count", lambda self, r: (keeping.append(r), whole(self, r)))
    assert _peak_of(source, tmp_path / "keeping", 400, monkeypatch) - few > 300 * 20_000


# --- workers that die ---------------------------------------------------------------------------------------


def blue(seed: int) -> np.ndarray:
    pixels = picture(seed)
    pixels[0, 0] = (0, 0, 255)
    return pixels


@pytest.mark.parametrize("name, workers, words", [
    ("Crashes", 1, "was ended by signal 11 (SIGSEGV), twice"), ("Dies", 2, "ended with exit code 9, twice"),
    ("Killed", 3, "was ended by signal 9 (SIGKILL)"), ("Hangs", 2, "took longer than timeout_s=4 s"),
])  # fmt: skip
def test_what_kills_a_worker_costs_that_image_alone(
    source: Path, tmp_path: Path, extra: Any, name: str, workers: int, words: str
) -> None:
    culprits = {"p06.png", "holiday/p04.png"}
    reference = tmp_path / "reference"
    planted = {"steps": [{f"planted.{name}": {}}], "extra": extra}
    make_pairs(job(source, reference, **planted))
    for number, key in enumerate(sorted(culprits)):
        write(source / key, blue(number))
    out = tmp_path / "out"
    summary = make_pairs(job(source, out, workers=workers, timeout_s=4.0, **planted))
    assert summary.found == summary.used + summary.rejected and summary.used == summary.found - 5
    reasons = {entry["key"]: entry["reason"] for entry in lines(out / "rejected.jsonl")}
    assert {key for key, reason in reasons.items() if words in reason} == culprits
    assert by_key(out) == {k: e for k, e in by_key(reference).items() if k not in culprits}
    assert not list(out.rglob("p06*")) and not (out / WORK).exists()
    for number, key in enumerate(sorted(culprits)):
        write(source / key, picture(number))
    assert make_pairs(job(source, out, **planted)).made == 2, (
        "a death is no verdict: the next run tries again"
    )


def _kill_workers_while_pairs_are_made(source: Path, out: Path, kills: int, seed: int, **keys: Any) -> int:
    """Make pairs in this process and SIGKILL its workers at random moments; how many were hit."""
    rng, hit, done = np.random.default_rng(seed), 0, threading.Event()
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(make_pairs(job(source, out, **keys)))
        finally:
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.is_set() and hit < kills:
        time.sleep(float(rng.uniform(0.02, 0.3)))  # denser, and every image is hit twice
        workers = _forked_workers()
        if workers:
            with suppress(ProcessLookupError):
                os.kill(workers[int(rng.integers(len(workers)))], signal.SIGKILL)
                hit += 1
    thread.join()
    assert outcome and outcome[0].found == outcome[0].used + outcome[0].rejected
    return hit


@pytest.mark.slow
def test_a_killed_server_of_workers_is_begun_anew(
    source: Path, tmp_path: Path, extra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {"steps": [{"planted.Slow": {}}], "extra": extra}
    make_pairs(job(source, tmp_path / "reference", **planted))
    whole, begun = pairs_process.Worker, []

    def bereft(*args: Any) -> Any:
        """Two die with their server and its helper, as `kill -9` of all children has it; one while begun."""
        worker = whole(*args)
        begun.append(worker)
        if len(begun) < 3:
            helpers = (vars(_forkserver)["_forkserver_pid"], vars(_resource_tracker)["_pid"])
            for pid in (*helpers, worker.process.pid):
                os.kill(pid, signal.SIGKILL)  # type: ignore[arg-type]
        if len(begun) == 1:
            raise EOFError  # as reading the server's answer does
        return worker

    monkeypatch.setattr(pairs_process, "Worker", bereft)
    with pytest.warns(UserWarning, match="resource_tracker"):
        make_pairs(job(source, tmp_path / "out", workers=1, **planted))
    assert len(begun) == 3 and tree(tmp_path / "out") == tree(tmp_path / "reference")


def test_a_server_that_never_comes_up_is_an_error_with_advice(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: Any) -> Any:
        raise EOFError

    monkeypatch.setattr(pairs_process, "Worker", dead)
    monkeypatch.setattr(pairs_process, "_PAUSE_S", 0)
    with pytest.raises(DataError, match=r"no worker process can be begun \(EOFError\).*workers=0"):
        make_pairs(job(source, tmp_path / "out", workers=2))


def _forked_workers() -> list[int]:
    """Grandchildren: forked by the server that workers come from."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [pid for child in children for pid in _descendants(int(child)) if _is_running(pid)]


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_workers_killed_at_random_moments_change_no_byte(
    source: Path, tmp_path: Path, extra: Any, kills: int
) -> None:
    keys = {"steps": [{"planted.Slow": {}}], "extra": extra}
    make_pairs(job(source, tmp_path / "reference", **keys))
    expected, hit, run = tree(tmp_path / "reference"), 0, 0
    while hit < kills:
        out = tmp_path / f"out{run}"
        hit += _kill_workers_while_pairs_are_made(source, out, kills - hit, run, workers=2 + run % 3, **keys)
        make_pairs(job(source, out, **keys))  # an image that was hit twice gets its third chance here
        assert tree(out) == expected
        run += 1


# --- masks, variants, tiles, geometry, formats --------------------------------------------------------------


def test_masks_lie_beside_the_pairs_that_are_covered(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = [{"text_mark": {"size": 0.4, "opacity": 1.0}}]
    make_pairs(job(source, out, steps=steps))
    seen = 0
    for entry in by_key(out).values():
        data = (out / entry["mask"]).read_bytes()
        assert entry["mask"].startswith(f"{entry['split']}/mask/") and entry["mask"].endswith(".png")
        assert hashlib.sha256(data).hexdigest() == entry["mask_sha256"]
        mask = read(out / entry["mask"]).pixels
        assert mask.dtype == np.uint8 and mask.shape == (24, 32, 1) and entry["mask_size"] == [32, 24]
        pixels = [read(out / entry[role]).pixels for role in ("source", "target")]
        np.testing.assert_array_equal(*(p[mask[..., 0] == 0] for p in pixels))
        seen += int((mask > 0).any())
    assert seen > 10
    before, lost = tree(out), out / entry["mask"]
    lost.unlink()
    assert make_pairs(job(source, out, steps=steps)).made == 1 and tree(out) == before
    lost.write_bytes(b"damaged")
    assert make_pairs(job(source, out, steps=steps)).made == 1 and tree(out) == before


@pytest.mark.parametrize("workers", [0, 3])
def test_variants_and_tiles_multiply_and_stay_in_one_split(
    source: Path, tmp_path: Path, workers: int
) -> None:
    making = Making(variants=2, tile=16, overlap=4)
    out = tmp_path / "out"
    summary = make_pairs(job(source, out, making=making, workers=workers))
    manifest = lines(out / "manifest.jsonl")
    assert (summary.used, summary.pairs, len(manifest)) == (17, 17 * 2 * 6, 17 * 2 * 6)  # 32x24: 3 x 2 tiles
    assert len({entry["target"] for entry in manifest}) == len(manifest)
    for key in {entry["key"] for entry in manifest}:
        mine = [entry for entry in manifest if entry["key"] == key]
        assert len({entry["split"] for entry in mine}) == 1
        whole = read(source / key).pixels
        covered = np.zeros(whole.shape[:2], bool)
        for entry in mine:
            left, top, width, height = entry["tile"]
            covered[top : top + height, left : left + width] = True
            np.testing.assert_array_equal(
                read(out / entry["target"]).pixels, whole[top : top + height, left : left + width]
            )
        assert covered.all()
        drawn = [json.dumps(entry["params"]) for entry in mine]
        assert len(set(drawn)) == len(drawn), "no two pairs share their draws"
    before = tree(out)
    write(source / "new.png", picture(77))
    assert make_pairs(job(source, out, making=making)).made == 1
    after = tree(out)
    new = after.keys() - before.keys()
    assert len(new) == 24 and all("/new-r" in n for n in new)
    assert {n for n in before if after[n] != before[n]} <= {"manifest.jsonl", "contact.png"}


def test_names_of_variants_never_meet(tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.mkdir()
    for number, name in enumerate(("a.png", "a-v2.png", "a-v2.jpg", "b-r1c1.png", "b.png")):
        write(source / name, picture(number))
    for making in (Making(variants=3), Making(tile=16, variants=2)):
        out = tmp_path / str(making.tile)
        make_pairs(job(source, out, making=making, splits={"train": 1}))
        manifest = lines(out / "manifest.jsonl")
        names = {entry["target"].casefold() for entry in manifest}
        assert len(names) == len(manifest) == len(list(out.glob("train/target/*")))
        again = make_pairs(job(source, out, making=making, splits={"train": 1}))
        assert (again.made, again.kept) == (0, 5)


def test_geometry_keeps_pairs_aligned_and_leaves_no_black_corner(source: Path, tmp_path: Path) -> None:
    augment = OfflineAugment.of(
        {"flip_x": True, "flip_y": True, "rotate_deg": 45, "scale": [0.7, 1.4], "shear_deg": 20, "warp": 0.08}
    )
    bright = np.full((40, 60, 3), 200, np.uint8)
    for number in range(20):
        drawn = augment.draw(np.random.default_rng(number))
        np.testing.assert_array_equal(cut(bright, (0, 0, 60, 40), drawn), bright)
        moved = cut(np.full((40, 60, 1), 50000, np.uint16), (10, 5, 20, 30), drawn)
        assert moved.shape == (30, 20, 1) and moved.dtype == np.uint16 and np.ptp(moved) <= 1
        for height, width in ((1, 1), (1, 30), (30, 1)):  # where OpenCV's mirrored border never ends
            thin = np.full((height, width, 3), 90, np.uint8)
            assert np.ptp(cut(thin, (0, 0, width, height), drawn)) == 0
    making = Making(variants=4, augment=augment)
    make_pairs(job(source, tmp_path / "out", making=making, steps=[{"gaussian_blur": {"sigma_px": 0.3}}]))
    targets = set()
    for entry in lines(tmp_path / "out" / "manifest.jsonl"):
        a, b = (read(tmp_path / "out" / entry[role]).pixels.astype(float) for role in ("source", "target"))
        assert a.shape == b.shape and np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95
        targets.add(entry["target_sha256"])
    assert len(targets) == 17 * 4
    square = picture(5, 24, 24)
    still = {"flip_x": False, "flip_y": False, "magnification": 1.0, "shear_deg": 0.0, "warp": 0.0}
    turned = cut(square, (0, 0, 24, 24), {**still, "angle_deg": 90.0, "warp_seed": 0})
    assert any(np.abs(np.rot90(square, k).astype(int) - turned).max() <= 1 for k in (1, 3))
    mirrored = cut(square, (0, 0, 24, 24), {**still, "flip_x": True, "angle_deg": 0.0, "warp_seed": 0})
    np.testing.assert_array_equal(mirrored, square[:, ::-1])


@pytest.mark.parametrize("form", ["jpg", "webp"])
def test_other_formats(source: Path, tmp_path: Path, form: str) -> None:
    with Image.open(source / "holiday/p01.jpg") as image:
        exif = Image.Exif()
        exif[0x010F] = "somebody's camera"
        image.save(source / "tagged.jpg", exif=exif, comment=b"private")
    out = tmp_path / "out"
    steps = [{"gaussian_blur": {"sigma_px": 1.0}}, {"jpeg": {"quality": 40}}]
    make_pairs(job(source, out, steps=steps, making=Making(format=form)))
    make_pairs(job(source, tmp_path / "png", steps=steps))
    plain = by_key(tmp_path / "png")
    for key, entry in by_key(out).items():
        assert entry["source"].endswith(f".{form}") and entry["target"].endswith(f".{form}")
        assert hashlib.sha256((out / entry["source"]).read_bytes()).hexdigest() == entry["source_sha256"]
        if form == "jpg" and key != "deep.png":  # the recipe's own stream, encoded once: no pixel differs
            np.testing.assert_array_equal(
                read(out / entry["source"]).pixels, read(tmp_path / "png" / plain[key]["source"]).pixels
            )
        if form == "jpg" and key.endswith(".jpg"):
            target = (out / entry["target"]).read_bytes()
            np.testing.assert_array_equal(read(out / entry["target"]).pixels, read(source / key).pixels)
            assert b"camera" not in target and b"private" not in target
    assert make_pairs(job(source, out, steps=steps, making=Making(format=form))).kept == 18
    with pytest.raises(ConfigError, match="holds pairs of another job: making is"):
        make_pairs(job(source, out, steps=steps))


@pytest.mark.parametrize("keys, words", [
    ({"variants": 0}, "variants=0: accepted"), ({"tile": -1}, "tile=-1: accepted"),
    ({"overlap": 3}, "overlap=3: is of tiles"), ({"tile": 8, "overlap": 8}, "overlap=8: accepted"),
    ({"format": "gif"}, "format=gif: accepted are png, jpg, webp"), ({"quality": 0}, "quality=0"),
    ({"png_level": 10}, "png_level=10"), ({"augment": {"spin": 1}}, "augment.spin: no such key"),
    ({"augment": {"rotate_deg": 999}}, "augment.rotate_deg=999"),
    ({"augment": {"scale": [2, 1]}}, "augment.scale"), ({"augment": {"flip_x": 1}}, "augment.flip_x=1"),
])  # fmt: skip
def test_bad_ways_of_making_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Making.of(**keys)


# --- damaged files ------------------------------------------------------------------------------------------


def _mutants(folder: Path, count: int) -> set[str]:
    """`count` damaged images of six formats and, unharmed, one of each; the names of the sound ones."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    formats = ("jpg", "png", "webp", "tif", "gif", "bmp")
    whole = []
    for number, suffix in enumerate(formats):
        image = Image.fromarray(picture(number, 40, 48))
        image.save(folder / f"sound.{suffix}")
        whole.append((folder / f"sound.{suffix}").read_bytes())
    for number in range(count):
        data = bytearray(whole[number % 6])
        kind = number // 6 % 3
        if kind == 0:
            for place in rng.integers(len(data), size=int(rng.integers(1, 12))):
                data[int(place)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[int(rng.integers(len(data))) :]
        else:
            other = whole[int(rng.integers(6))]
            at = int(rng.integers(len(data)))
            data[at:] = other[int(rng.integers(len(other))) :]
        (folder / f"m{number:05d}.{formats[number % 6]}").write_bytes(data)
    return {f"sound.{suffix}" for suffix in formats}


@pytest.mark.parametrize("count", [240, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_images_are_used_or_named_and_never_touched(tmp_path: Path, count: int) -> None:
    sound = _mutants(tmp_path / "s", count)
    before = tree(tmp_path / "s")
    steps = [{"gaussian_blur": {"sigma_px": 0.5}}]
    summary = make_pairs(job(tmp_path / "s", tmp_path / "o", steps=steps, workers=1))
    rejected = lines(tmp_path / "o" / "rejected.jsonl")
    assert summary.found == count + 6 == summary.used + summary.rejected
    assert len(rejected) == summary.rejected > count / 4 and all(entry["reason"] for entry in rejected)
    assert sound <= by_key(tmp_path / "o").keys()
    assert not [entry for entry in rejected if "worker" in entry["reason"] or "timeout" in entry["reason"]]
    assert tree(tmp_path / "s") == before
