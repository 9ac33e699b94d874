"""A folder of everything goes through `translate`: what is sound comes back as it was, the rest is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from gantrans.bundles.bundle import Card, save_bundle
from gantrans.imaging.read import read
from gantrans.inference import translate as translating
from gantrans.inference.files import Policy, read_given
from gantrans.inference.record import NAME
from gantrans.nets import catalogue
from gantrans.nets.unet import UNet
from tests.conftest import Answer, Cli
from tests.mixed import make_mixed


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A generator that is the identity: residual, with its head at zero."""
    network = UNet(width=2, depth=2, norm="none", residual=True)
    save_bundle(tmp_path / "bundle", network, Card(catalogue.describe(network)))
    return tmp_path / "bundle"


def state(root: Path) -> dict[str, tuple[str, int]]:
    """Everything below `root`: content and time of change of files, where links lead."""
    found = {}
    for path in sorted(root.rglob("*")):
        link = str(path.readlink()) if path.is_symlink() else ""
        data = path.read_bytes() if path.is_file() and not link else b""
        found[str(path.relative_to(root))] = (
            link + hashlib.sha256(data).hexdigest(),
            path.lstat().st_mtime_ns,
        )
    return found


def told(text: str) -> str:
    return text.replace("\n", "\\n")


def check_account(answer: Answer, root: Path, out: Path, expected: dict[str, str | None]) -> None:
    """The counts add up, every failure has its line with its reason, and every other file is there, once."""
    bad = {name: reason for name, reason in expected.items() if reason}
    good = len(expected) - len(bad)
    assert answer.code == 3
    assert f"found {len(expected)} images: {good} translated, {len(bad)} failed" in answer.out
    lines = [line for line in answer.err.splitlines() if line.startswith("not translated: ")]
    assert len(lines) == len(bad)
    for name, reason in bad.items():
        mine = [line for line in lines if line.startswith(f"not translated: {told(str(root / name))}: ")]
        assert len(mine) == 1, name
        assert str(reason) in mine[0]
    assert f"{len(bad)} files were not translated" in answer.err
    written = [p for p in out.rglob("*") if p.is_file() and p.name != NAME]
    assert len(written) == good
    assert not list(out.rglob(".*")), "no half of a file stays"
    record = [json.loads(line) for line in (out / NAME).read_text().splitlines()]
    assert sorted(line["file"] for line in record if "file" in line) == sorted(
        p.relative_to(out).as_posix() for p in written
    )
    assert len([line for line in record if "failed" in line]) == len(bad)


def check_pictures(root: Path, out: Path, expected: dict[str, str | None]) -> None:
    card = Card({"name": "UNet", "arguments": {}})
    for name, reason in expected.items():
        if reason is None:
            candidates = [out / name, (out / name).with_suffix(".png"), out / f"{name}.png"]
            found = candidates[2] if name == "twin.gif" else next(p for p in candidates if p.is_file())
            was, now = read_given(root / name, card, Policy()), read(found)
            assert now.pixels.shape[:2] == was.pixels.shape[:2], name
            assert now.pixels.dtype == was.pixels.dtype, name
            assert (now.alpha is None) == (was.alpha is None), name
            if was.alpha is not None:
                np.testing.assert_array_equal(now.alpha, was.alpha)
            lossy = found.suffix.lower() in (".jpg", ".jpeg", ".webp")
            difference = np.abs(now.pixels.astype(int) - was.pixels).max()
            assert difference <= (60 if lossy else 0), (name, difference)


def through(tmp_path: Path, bundle: Path, cli: Cli, count: int) -> None:
    root, out = tmp_path / "mixed", tmp_path / "out"
    root.mkdir()
    expected = make_mixed(root, count)
    before = state(root)
    command = ("translate", f"model={bundle}", f"source={root}", f"out={out}", "device=cpu")
    check_account(cli(*command), root, out, expected)
    assert state(root) == before, "inputs stay as they are"
    check_pictures(root, out, expected)
    good = sum(reason is None for reason in expected.values())
    first = {path: value for path, value in state(out).items() if path != NAME}
    assert f"0 translated, {good} kept" in cli(*command).out
    assert {path: value for path, value in state(out).items() if path != NAME} == first


def test_sixty_mixed_files(tmp_path: Path, bundle: Path, cli: Cli) -> None:
    through(tmp_path, bundle, cli, 58)


@pytest.mark.slow
def test_five_hundred_mixed_files(tmp_path: Path, bundle: Path, cli: Cli) -> None:
    through(tmp_path, bundle, cli, 498)


@pytest.mark.parametrize("offender", ["_fail", "wrote"])
def test_an_account_that_forgets_is_noticed(
    tmp_path: Path, bundle: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, offender: str
) -> None:
    root, out = tmp_path / "mixed", tmp_path / "out"
    root.mkdir()
    expected = make_mixed(root, 0) | {"a.png": "text, not an image", "b.png": "text, not an image"}
    for name in ("a.png", "b.png"):
        (root / name).write_text("no")
    kept = monkeypatch.setattr
    forgetful = {"_fail": translating.Desk, "wrote": translating.Record}[offender]
    kept(forgetful, offender, lambda *_: None)
    with pytest.raises(AssertionError):
        check_account(
            cli("translate", f"model={bundle}", f"source={root}", f"out={out}"), root, out, expected
        )
