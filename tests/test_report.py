"""The report: one page that needs nothing but itself, tells what the files tell, and lets no file speak."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantrans.cli import report as verb
from gantrans.imaging import sheet
from gantrans.metrics import table
from gantrans.report import curves, facts, pictures, sections, tables
from gantrans.report.cells import cells
from gantrans.report.page import LIMIT_MB, MARK, in_script
from gantrans.report.run import number
from tests.conftest import Cli, draw_picture

EVIL = "</script></title><script>document.title='got in'</script><img src=x onerror=alert(1)>\"'`{{js}}&amp;"
VALUES = {
    "psnr": 25.123456789012345,
    "ssim": 0.9,
    "psnr_input": 20.5,
    "ssim_input": 0.95,
    "health_change": 0.1,
}
Tag = tuple[str, dict[str, str | None]]


def strip(seed: int, columns: int = 4) -> np.ndarray:
    rows = [
        [draw_picture(10 * seed + 3 * row + column, 40 + 20 * row, 60) for column in range(columns)]
        for row in (0, 1)
    ]
    titles = ["source", "output", "target", "error", "more"][:columns]
    return sheet.grid(rows, titles, ["val: a.png", "val: b.png"])


def make_run(run: Path, *, name: str = "G_L1", **changes: Any) -> Path:
    """A finished run of 4 steps, written by hand."""
    (run / "samples").mkdir(parents=True)
    (run / "bundle").mkdir()
    config = {
        "task": "restore",
        "train": {"lr": 0.0002, "total": "4step"},
        "core": {"device": "auto"},
    } | changes
    (run / "config.yaml").write_text(json.dumps(config))
    (run / "overrides.txt").write_text("experiment=restore\ntrain.total=4step\n")
    lines = [{"step": 0, "split": "val", **VALUES, "psnr": 21.0}]
    lines += [
        {"step": s, "split": "train", name: 1 / (s + 1), "D_real": 0.25, "D_fake": 0.3} for s in (1, 2, 3, 4)
    ]
    lines += [{"step": 2, "split": "val", **VALUES}, {"step": 4, "split": "val", **VALUES, "psnr": 24.0}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    status = {"state": "finished", "step": 4, "total_steps": 4, "seconds": 3725.0, "images_per_second": 7.5}
    (run / "status.json").write_text(json.dumps(status))
    (run / "env.json").write_text(json.dumps({"gantrans": "0.1.0", "cuda": None, "cpu_threads": 1}))
    for step in (0, 2, 4):
        Image.fromarray(strip(step)).save(run / "samples" / f"step-{step:06d}.png")
    header = json.dumps({"a": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}}).encode()
    (run / "bundle" / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(60))
    card = {"network": {"name": "UNet"}, "weights": {"file": "w.safetensors"}}
    (run / "bundle" / "bundle.json").write_text(json.dumps(card))
    return run


DEFAULTS = functools.cache(verb._defaults)  # a third of a second each


@pytest.fixture(autouse=True)
def _defaults_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "_defaults", DEFAULTS)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def page_of(cli: Cli, *args: str | Path) -> str:
    answer = cli("report", *args)
    assert answer.code == 0, answer.err
    return (Path(args[0]) / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Every tag with its attributes, the text, and what scripts and styles hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag if tag in self.code else ""

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in:
            self.code[self._in].append(data)
        else:
            self.text += data


def outside(page: str) -> list[str]:
    """Whatever would make a browser ask for something, or run what is not the page's own."""
    read = Reader(page)
    bad = [
        f"{t} {k}"
        for t, a in read.tags
        for k in a
        if k.startswith("on") or k in ("srcset", "style", "action")
    ]
    bad += [
        f"{t} {a['src']}"
        for t, a in read.tags
        if not (a.get("src") or "data:image/jpeg;base64,").startswith("data:")
    ]
    bad += [f"{t} {a['href']}" for t, a in read.tags if not (a.get("href") or "#").startswith("#")]
    bad += [t for t, _ in read.tags if t in ("link", "iframe", "object", "embed", "base", "form")]
    bad += re.findall(r"@import|url\(", "".join(read.code["style"]))
    bad += ["scripts"] if [t for t, _ in read.tags].count("script") != 2 else []
    bad += re.findall(
        r"https?://|fetch\(|XMLHttpRequest|import\(", "".join([*read.code["style"], *read.code["script"]])
    )
    policy = next(a["content"] or "" for t, a in read.tags if "http-equiv" in a)
    for code in (read.code["style"][0], read.code["script"][-1]):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        bad += [] if f"'sha256-{digest}'" in policy else ["policy"]
    return bad + ([] if policy.startswith("default-src 'none'; img-src data:") else ["policy is open"])


def numbers(page: str) -> dict[str, Any]:
    return json.loads(Reader(page).code["script"][0])


def test_the_page_needs_nothing_but_itself(run: Path, cli: Cli) -> None:
    page = page_of(cli, run)
    assert outside(page) == []
    assert MARK in page[:2048]
    for planted in (
        "<img src=https://x.org/a.png>",
        "<p onclick=a>",
        "<script>1</script>",
        "<link href=a.css>",
    ):
        assert outside(page.replace("</main>", f"{planted}</main>")) != []
    assert "policy" in outside(page.replace('"use strict";', '"use strict";alert(1);'))


def test_numbers_are_those_of_the_run(run: Path, cli: Cli) -> None:
    page = page_of(cli, run)
    drawn = {(c["split"], c["name"], s): v for c in numbers(page)["curves"] for s, v in c["points"]}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    written = {
        (line["split"], name, line["step"]): v for line in lines for name, v in line.items()
        if name not in ("step", "split")
    }  # fmt: skip
    assert drawn == written
    text = Reader(page).text
    assert "25.123step 2" in text  # the best, higher is better
    assert "+4.623" in text  # over the input
    assert "-0.05" in text  # where the input was better
    assert "1 h 02 min" in text
    assert "parameters15" in text.replace("\n", "")
    titles = {c["title"] for c in numbers(page)["charts"]}
    assert {"PSNR [dB]", "D on real against D on fake (equal: balanced)", "loss_generator/G_L1"} <= titles


def test_what_is_better_is_what_the_metrics_say() -> None:
    said = {None: 0, True: 1, False: -1}
    known = {**table.PER_IMAGE, **table.OVER_SETS}
    assert {name: facts.better(name) for name in known} == {name: said[m.higher] for name, m in known.items()}


def test_a_single_run_is_compared_with_its_experiment(run: Path, cli: Cli) -> None:
    text = Reader(page_of(cli, run)).text
    assert "experiment=restore" in text
    assert "train.total" in text
    assert "data.root" not in text.split("Config against defaults")[-1].split("The command line")[0]


def test_several_runs_stand_side_by_side(run: Path, tmp_path: Path, cli: Cli) -> None:
    other = make_run(
        tmp_path / "deeper" / "run", train={"lr": 0.01, "total": "4step"}, method={"gan": "lsgan"}
    )
    page = page_of(cli, run, other)
    assert outside(page) == []
    names = numbers(page)["runs"]
    assert names[1] == "deeper/run" and names[0].endswith("/run") and len(set(names)) == 2
    rows = dict(re.findall(r"<tr><td><code>([^<]*)</code></td>(<td.*?)</tr>", page))
    assert rows["train.lr"] == "<td><code>0.0002</code></td><td><code>0.01</code></td>"
    assert rows["method.gan"] == '<td class="absent">not a key</td><td><code>lsgan</code></td>'
    assert "train.total" not in rows
    assert cli("report", run, run).code == 2
    assert cli("report", *[run] * 9).code == 2


@pytest.mark.parametrize("kind", ["x`'\"<b>&", EVIL.replace("/", "\u2044")])
def test_no_file_speaks_html(tmp_path: Path, cli: Cli, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = make_run(tmp_path / kind, name=EVIL, task=EVIL, **{EVIL: {EVIL: EVIL}})
    (hostile / "overrides.txt").write_text(f"experiment=restore\n{EVIL}\n")
    (hostile / "status.json").write_text(
        json.dumps({"state": EVIL, "updated": EVIL + "\ud800", "step": 10**400})
    )
    (hostile / "env.json").write_text(json.dumps({"gantrans": EVIL, "cuda": EVIL}))
    (hostile / "bundle" / "bundle.json").write_text(json.dumps({"network": {"name": EVIL}}))
    shutil.copy(hostile / "samples" / "step-000004.png", hostile / "samples" / f"step-000004-{kind[:40]}.png")
    with (hostile / "metrics.jsonl").open("a") as stream:
        stream.write(json.dumps({"step": 5, "split": "val", EVIL: 1.0, "psnr": 10**400, "\u2028": 3}) + "\n")
    page = page_of(cli, hostile)
    assert outside(page) == []
    assert "got in" in Reader(page).text
    assert numbers(page)["curves"][-1]["name"] in (EVIL[:80], "\u2028")
    for module in (sections, tables):
        with monkeypatch.context() as planted:
            planted.setattr(module, "_e", lambda text: text)
            assert outside(page_of(cli, hostile)) != []
    assert "<" not in in_script([EVIL])


def test_the_page_stays_small(run: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    point = len("[9007199254740991,-0.00012345678901234567],")  # bytes
    assert pictures.BYTES * 4 / 3 + curves.POINTS * point < (LIMIT_MB - 3) * 1e6
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for path in (run / "samples").iterdir():
        Image.fromarray(noise).save(path)
    with (run / "metrics.jsonl").open("a") as stream:
        for step in range(5, 400):
            stream.write(json.dumps({"step": step, "split": "train", "G_L1": step}) + "\n")
    monkeypatch.setattr(pictures, "BYTES", 60_000)
    monkeypatch.setattr(curves, "POINTS", 500)
    page = page_of(cli, run)
    jpegs = [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", page)]
    assert len(jpegs) >= 3 and sum(map(len, jpegs)) <= 60_000 < 3 * len(pictures.jpeg(noise, 1280, 10**9))
    drawn = next(c["points"] for c in numbers(page)["curves"] if c["name"] == "G_L1")
    assert len(drawn) <= 60 and drawn[-1] == [399, 399]
    assert "thinned" in Reader(page).text


@pytest.mark.parametrize(
    "shapes", [[(40, 60)], [(60, 40), (40, 60)], [(33, 17), (50, 50), (9, 64)], [(300, 400)]]
)
@pytest.mark.parametrize("columns", [2, 3, 4, 5])
def test_a_strip_comes_apart_as_it_was_made(shapes: list[tuple[int, int]], columns: int) -> None:
    rows = [[draw_picture(7 * r + c, *shape) for c in range(columns)] for r, shape in enumerate(shapes)]
    names = [f"val: {'long name ' * 9}{i}.png" for i in range(len(rows))]
    found = cells(sheet.grid(rows, ["source", "output", "target", "error", "x"][:columns], names))
    assert len(found) == len(rows)
    for given, got in zip(rows, found, strict=True):
        for a, b in zip(given, got, strict=True):
            assert a.shape == b.shape and np.array_equal(a, b)


def test_enlarged_sources_and_white_borders_come_apart_too() -> None:
    rows = [[draw_picture(0, 40, 60), draw_picture(1, 80, 120), draw_picture(2, 80, 120)]]
    rows[0][1][-9:] = 255  # known for a part of the picture by its neighbour
    found = cells(sheet.grid(rows, ["source", "output", "target"], ["val: a"]))
    assert [cell.shape for cell in found[0]] == [(80, 120, 3)] * 3
    assert np.array_equal(found[0][1], rows[0][1])
    assert cells(np.full((80, 90, 3), 255, np.uint8)) == cells(draw_picture(0, 90, 90)) == []


def test_a_single_strip_has_no_slider(run: Path, cli: Cli) -> None:
    """One that cannot be moved looks broken; which step is shown stays to be read."""

    def sliders() -> int:
        page = page_of(cli, run)
        assert "step 4" in Reader(page).text
        return len([a for tag, a in Reader(page).tags if tag == "input" and a.get("aria-label") == "Step"])

    assert sliders() == 1
    for step in (0, 2):
        (run / "samples" / f"step-{step:06d}.png").unlink()
    assert sliders() == 0


def test_what_is_damaged_or_missing_is_said(run: Path, tmp_path: Path, cli: Cli) -> None:
    (run / "metrics.jsonl").open("a").write('{"step": 9, "spl\n[1]\n{"step": true, "split": "val"}\n')
    (run / "samples" / "step-000002.png").write_bytes(b"no picture")
    (run / "status.json").write_text("{")
    (run / "env.json").unlink()
    (run / "config.yaml").write_text("a: [")
    (run / "bundle" / "w.safetensors").write_bytes(b"\xff" * 40)
    text = Reader(page_of(cli, run)).text
    for said in (
        "metrics.jsonl: 3 damaged lines are left out (line 8, 9, 10)", "not shown: ", "bundle/ is damaged",
        "status.json is damaged", "env.json is missing", "config.yaml is damaged", "cannot be read, so that",
    ):  # fmt: skip
        assert said in text, said
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.yaml").write_text("{}")
    if hasattr(os, "mkfifo"):
        os.mkfifo(bare / "metrics.jsonl")  # never waited for
    text = Reader(page_of(cli, bare)).text
    assert "no metrics yet" in text and "samples/ holds no picture" in text and "No curves yet" in text


def test_what_is_no_run_is_refused_in_a_line(run: Path, tmp_path: Path, cli: Cli) -> None:
    for code, said, args in (
        (4, "not a run folder", [tmp_path]),
        (4, "no such folder", [run, tmp_path / "none"]),
        (2, "none was given", []),
        (2, "unknown key", [run, "outt=x"]),
        (2, "is a folder", [run, f"out={tmp_path}"]),
        (5, "does not exist", [run, f"out={tmp_path / 'no' / 'a.html'}"]),
        (2, "several runs at once", [run, "-m"]),
    ):
        answer = cli("report", *args)
        assert (answer.code, said in answer.err.lower()) == (code, True), answer.err
        assert len(answer.err.splitlines()) == 1
    assert not (run / "report.html").exists()
    assert "overwrite: false" in cli("report", "--cfg", "job").out


@pytest.mark.parametrize("name", ["overrides.txt", "status.json", "samples/step-000009.png"])
def test_links_that_lead_out_are_refused(run: Path, tmp_path: Path, cli: Cli, name: str) -> None:
    """A run may be a stranger's, and its page is made to be shown."""
    (tmp_path / "secret").write_text("SECRET")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(tmp_path / "secret")
    answer = cli("report", run)
    assert answer.code == 4 and name in answer.err and not (run / "report.html").exists()


def test_a_shape_that_no_float_holds_is_no_number() -> None:
    assert number(10**400) is None and number(-(10**400)) is None and number(3) == 3


def test_only_reports_are_replaced(run: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "mine.html"
    out.write_text("my notes")
    assert cli("report", run, f"out={out}").code == 2
    assert out.read_text() == "my notes"
    assert cli("report", run, f"out={out}", "overwrite=true").code == 0
    (run / "status.json").write_text('{"state": "failed"}')
    assert cli("report", run, f"out={out}").code == 0
    assert "failed" in Reader(out.read_text()).text


def test_it_starts_without_torch(run: Path) -> None:
    code = (
        "import sys; from gantrans.cli.main import main; code = main(['report', sys.argv[1]]);"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def dom(page: Path) -> str:
    """The page as a browser has it once its scripts have run."""
    chromium = shutil.which("chromium") or pytest.skip("needs chromium")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=3000",
             "--disable-background-networking", f"--user-data-dir={page.parent / 'browser'}"]  # fmt: skip
    command = [chromium, *flags, "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout


@pytest.mark.slow
def test_a_browser_draws_it_and_its_sliders_move(run: Path, tmp_path: Path, cli: Cli) -> None:
    page = page_of(cli, run)
    drive = """<script>
      const set = (input, value) => { input.value = value; input.dispatchEvent(new Event("input")); };
      set(document.querySelector("[data-strip] input"), 1);
      set(document.querySelector("[data-compare] input"), 20);
    </script></body>"""
    driven = tmp_path / "driven.html"
    driven.write_text(re.sub("<meta http-equiv[^>]*>", "", page).replace("</body>", drive))
    before, after = (Reader(dom(path)) for path in (run / "report.html", driven))
    assert ("html", {"lang": "en", "data-ready": "true"}) in before.tags
    assert sum(t == "path" for t, _ in before.tags) >= len(numbers(page)["curves"])

    def seen(read: Reader) -> tuple[list[str | None], list[str | None]]:
        steps = [a["data-step"] for _, a in read.tags if "data-step" in a and "hidden" not in a]
        return steps, [a.get("style") for _, a in read.tags if a.get("class") == "over"]

    assert seen(before)[0] == ["4"] and seen(after)[0] == ["2"]
    assert "50%" in str(seen(before)[1][0]) and "20%" in str(seen(after)[1][0])
    planted = tmp_path / "planted.html"
    planted.write_text(page.replace("</body>", "<script>document.title = 'got in'</script></body>"))
    assert "<title>run</title>" in dom(planted)
