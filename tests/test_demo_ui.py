"""The demo page: what stands behind it, and that it talks to nobody but this machine."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.bundles.bundle import Card, bundle_folder, load_bundle, save_bundle
from gantrans.cli import demo_ui
from gantrans.core.device import open_core
from gantrans.errors import CheckpointError, ConfigError, DataError
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.inference import demo as demo_module
from gantrans.inference.demo import Demo
from gantrans.inference.predictor import Predictor
from gantrans.nets.unet import UNet
from tests.browser import Browser
from tests.conftest import Cli, draw_picture

HAS_GRADIO = importlib.util.find_spec("gradio") is not None


def save(folder: Path, *ways: str, mask: str = "none") -> Path:
    """A bundle of tiny networks as drawn."""
    for seed, way in enumerate(ways or ("to_target",)):
        torch.manual_seed(seed)
        network = UNet(in_channels=4 if mask == "input" else 3, width=2, depth=2, norm="none")
        card = Card({"name": "UNet", "arguments": network.arguments}, task="toy", mask=mask, outside="copy")
        save_bundle(bundle_folder(folder, way), network, card)
    return folder


def demo_of(folder: Path, tmp_path: Path, longest: int = 256) -> Demo:
    return Demo(folder, open_core("cpu"), tmp_path / "out", longest=longest)


def test_a_card_never_says_where_results_go(tmp_path: Path) -> None:
    folder = save(tmp_path / "bundle")
    about = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**about, "task": "/../../../../victim"}))
    photo = tmp_path / "photo.png"
    Image.fromarray(draw_picture(0, 24, 24)).save(photo)
    shown = demo_of(folder, tmp_path).translate(photo)
    assert (tmp_path / "out").resolve() in shown.file.resolve().parents
    assert not list(tmp_path.parent.glob("victim*")) and not list(tmp_path.glob("victim*"))


def test_the_result_is_that_of_translate_in_full_size_and_depth(tmp_path: Path) -> None:
    folder, source = save(tmp_path / "bundle"), tmp_path / "deep.png"
    deep = draw_picture(0, 40, 52).astype(np.uint16) * np.uint16(257) + np.uint16(3)
    write(source, deep, deep[..., 0])
    shown = demo_of(folder, tmp_path).translate(source)
    found = read(shown.file)
    assert found.depth == 16 and np.array_equal(found.alpha, deep[..., 0])
    assert np.array_equal(found.pixels, Predictor(*load_bundle(folder), open_core("cpu"))(deep))
    assert shown.before.shape == shown.after.shape == (40, 52, 3)
    assert "52x40 -> 52x40, 16 bits" in shown.about


def test_each_way_has_its_network_and_results_never_meet(tmp_path: Path) -> None:
    demo = demo_of(save(tmp_path / "bundle", "to_target", "to_source"), tmp_path)
    assert demo.ways == ("to_target", "to_source")
    source = tmp_path / "a.png"
    write(source, draw_picture(1))
    there, back = (demo.translate(source, way) for way in demo.ways)
    assert there.file != back.file
    assert not np.array_equal(read(there.file).pixels, read(back.file).pixels)


def test_what_was_painted_is_mended_and_nothing_else(tmp_path: Path) -> None:
    demo = demo_of(save(tmp_path / "bundle", mask="input"), tmp_path)
    source, pixels = tmp_path / "a.png", draw_picture(2, 40, 44)
    write(source, pixels)
    painted = np.zeros((20, 22), np.uint8)  # on a preview of half the size
    painted[5:10, 6:12] = 255
    made = read(demo.translate(source, mask=painted).file).pixels
    changed = (made != pixels).any(axis=2)
    assert changed[10:20, 12:24].any()
    changed[8:22, 10:26] = False
    assert not changed.any()
    file = tmp_path / "mask.png"
    write(file, np.kron(painted, np.ones((2, 2), np.uint8))[..., None])
    assert (read(demo.translate(source, mask=file).file).pixels != pixels).any()
    for nothing in (None, painted * 0):
        with pytest.raises(ConfigError, match="paint over"):
            demo.translate(source, mask=nothing)


def test_previews_are_small_and_enlarged_sources_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "PREVIEW", 36)
    source = tmp_path / "a.png"
    write(source, draw_picture(3, 20, 24))
    demo = demo_of(save(tmp_path / "bundle"), tmp_path)
    predictor = demo.predictors["to_target"]
    predictor.card = replace(predictor.card, scale=2)  # enlarged first
    shown = demo.translate(source)
    assert read(shown.file).pixels.shape == (40, 48, 3)
    assert shown.before.shape == shown.after.shape == (30, 36, 3)
    assert demo.preview(source).shape == (20, 24, 3)


def test_what_cannot_be_is_said(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, source = save(tmp_path / "bundle"), tmp_path / "a.png"
    write(source, draw_picture(4, 20, 300))
    with pytest.raises(DataError, match="300x20; this page takes up to 256"):
        demo_of(folder, tmp_path).translate(source)
    source.write_bytes(b"no picture")
    with pytest.raises(DataError):
        demo_of(folder, tmp_path).translate(source)
    with pytest.raises(CheckpointError, match="no such folder"):
        demo_of(tmp_path / "none", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    answer = cli("demo-ui", f"model={folder}")
    assert answer.code == 2 and "pip install 'gantrans[ui]'" in answer.err
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    with socket.socket() as taken:
        taken.bind((demo_ui.HOST, 0))
        taken.listen()
        answer = cli("demo-ui", f"model={folder}", f"port={taken.getsockname()[1]}")
    assert answer.code == 2 and "taken on 127.0.0.1" in answer.err
    assert cli("demo-ui", f"model={folder}", "longest=3").code == 2
    assert demo_ui._port(None) in demo_ui.PORTS


@pytest.mark.slow
@pytest.mark.skipif(not HAS_GRADIO, reason="needs gradio")
def test_the_page_answers_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gantrans.cli import demo_page as page

    demo = demo_of(save(tmp_path / "bundle", mask="input"), tmp_path)
    source = tmp_path / "<b>.png"
    write(source, draw_picture(5))
    layer = np.zeros((40, 44, 4), np.uint8)
    layer[4:9, 4:9, 3] = 180
    pictures, file, said = page.answer(demo, str(source), "to_target", None, None, {"layers": [layer]})
    assert (
        pictures is not None
        and Path(file.value["path"] if isinstance(file.value, dict) else file.value).exists()
    )
    assert "44x40" in said and "wrong" not in said
    for painted, words in ((None, "paint over"), ({"layers": [layer * 0]}, "paint over")):
        found = page.answer(demo, str(source), "to_target", None, None, painted)
        assert found[0] is None and words in found[2] and "wrong" in found[2]
    source.write_bytes(b"no picture")
    said = page.answer(demo, str(source), "to_target", None, None, {"layers": [layer]})[2]
    assert "&lt;b&gt;.png" in said and str(tmp_path) not in said
    assert "Choose a photo" in page.answer(demo, None, "to_target", None, None, None)[2]
    demo.predictors.clear()
    assert "mistake" in page.answer(demo, str(source), "to_target", None, None, {"layers": [layer]})[2]
    assert "KeyError" in capsys.readouterr().err


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The page of a tiny bundle, served by the verb."""
    port = demo_ui._port(None)
    keys = [f"model={save(tmp_path / 'bundle')}", f"port={port}", "open=false", "device=cpu"]
    command = [sys.executable, "-m", "gantrans", "demo-ui", *keys]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    try:
        assert server.stdout is not None and "http" in server.stdout.readline()
        yield f"http://{demo_ui.HOST}:{port}/"
    finally:
        server.terminate()
        assert server.wait(60) == 143


@pytest.mark.slow
@pytest.mark.skipif(not HAS_GRADIO or shutil.which("chromium") is None, reason="needs gradio and chromium")
def test_a_browser_shows_the_page_and_asks_nobody_else(served: str, tmp_path: Path) -> None:
    with urllib.request.urlopen(served, timeout=60) as answer:
        policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    source = tmp_path / "photo.png"
    write(source, draw_picture(6))
    said = "document.querySelector('.said')?.textContent"
    browser = Browser(tmp_path / "browser")
    try:
        browser.open(served)
        browser.wait("document.querySelector('input[type=file]') !== null")
        assert "up to 4096 pixels" in browser.value("document.body.textContent")
        browser.choose_file(source)  # is translated at once
        assert browser.wait(said) == "44x40 -> 44x40, 8 bits, PNG"
        sides = "[...document.querySelectorAll('img')].map(i => i.naturalWidth + 'x' + i.naturalHeight)"
        browser.wait(f"{sides}.filter(s => s === '44x40').length === 2")
        source.write_bytes(b"no picture")
        browser.wait("(document.querySelector('[aria-label=\"Clear\"]')?.click(), "
                     "document.querySelector('input[type=file]')) !== null")  # fmt: skip
        browser.choose_file(source)
        browser.wait(f"{said}.includes('photo.png: ')")
    finally:
        browser.close()
    outside = {url for url in browser.asked if not url.startswith((served, "data:", "blob:", "about:"))}
    assert browser.asked and outside == set()
