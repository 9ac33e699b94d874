"""A run, its folder and its continuation: bit-exact resume, signals, divergence, one process a folder."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from gantrans.cli.main import main
from gantrans.core.adam import FusedAdam
from gantrans.errors import CheckpointError
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.training import checkpoint, clock
from gantrans.training.clock import Clock
from gantrans.training.run_folder import open_run
from gantrans.training.validate import PairValidation, Predictors
from gantrans.training.watch import Watch
from tests.conftest import TINY, Cli, Finished, save_photos


def start(photos: Path, run: Path, *more: str) -> list[str]:
    return ["train", *TINY, f"data.root={photos}", f"run.dir={run}", *more]


def newest(run: Path) -> dict:
    return checkpoint.load_newest(run / "checkpoints")[1]


def assert_same(a: object, b: object, where: str = "") -> None:
    """Equal bit for bit, through dicts and lists."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            if key != "seconds":  # wall-clock time is the one thing that cannot repeat
                assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where  # type: ignore[arg-type]
        for i, (x, y) in enumerate(zip(a, b, strict=True)):  # type: ignore[call-overload]
            assert_same(x, y, f"{where}/{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where  # type: ignore[arg-type]
    else:
        assert a == b, where


def test_the_comparison_finds_one_changed_bit() -> None:
    value = torch.tensor([1.0, 2.0])
    with pytest.raises(AssertionError, match="/x/0"):
        assert_same({"x": [value]}, {"x": [torch.nextafter(value, value + 1)]})


def test_a_run_leaves_what_the_contract_says(finished: Finished) -> None:
    run = finished.run
    names = {p.name for p in run.iterdir()} - {".lock"}
    assert names == {
        "config.yaml", "overrides.txt", "env.json", "metrics.jsonl", "tensorboard", "samples",
        "checkpoints", "bundle", "status.json",
    }  # fmt: skip
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["step"]) == ("finished", 6)
    assert status["images_per_second"] > 0
    assert status["peak_memory_mib"] > 0
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(m["step"], m["split"]) for m in lines] == [
        (0, "val"), (2, "train"), (3, "val"), (4, "train"), (6, "train"), (6, "val")
    ]  # fmt: skip
    assert {"G_L1", "G_GAN", "D_real", "D_fake", "lr_generator"} <= lines[1].keys()
    assert {"psnr", "ssim", "psnr_input", "ssim_input"} <= lines[0].keys()
    assert {p.name for p in (run / "samples").iterdir()} == {f"step-00000{i}.png" for i in (0, 3, 6)}
    assert list((run / "tensorboard").iterdir())
    for said in (str(run / "samples" / "step-000006.png"), " board ", "PSNR"):
        assert said in finished.out


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_resume_is_bit_exact(finished: Finished, tmp_path: Path, cli: Cli, stop: int) -> None:
    whole, parts = finished.run, tmp_path / "parts"
    assert cli(*start(finished.photos, parts, f"train.stop_at={stop}step")).code == 0
    assert json.loads((parts / "status.json").read_text())["state"] == "preempted"
    behind = cli("resume", parts, f"train.stop_at={stop}step")
    assert behind.code == 2
    assert f"at step {stop} already" in behind.err
    answer = cli("resume", parts, "train.stop_at=null", "data.workers=1")
    assert answer.code == 0, answer.err
    assert f"step {stop}" in answer.out
    assert_same(newest(whole), newest(parts))
    assert (whole / "metrics.jsonl").read_bytes() == (parts / "metrics.jsonl").read_bytes()
    strips = [(run / "samples" / "step-000006.png").read_bytes() for run in (whole, parts)]
    assert strips[0] == strips[1]
    assert "already" in cli("resume", parts).out
    assert (whole / "metrics.jsonl").read_bytes() == (parts / "metrics.jsonl").read_bytes()


def in_a_child(args: list[str], *, own_group: bool = False) -> int:
    """Start `gantrans args` in a forked process; returns its pid."""
    pid = os.fork()
    if pid == 0:
        if own_group:
            os.setpgid(0, 0)
        with Path(os.devnull).open("w") as nowhere:
            sys.stdout = sys.stderr = nowhere
            os._exit(main(args))
    return pid


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_signal_to_the_whole_group_saves_too(photos: Path, tmp_path: Path) -> None:
    """As timeout, systemd and schedulers send it: the loader processes get it as well."""
    run = tmp_path / "run"
    pid = in_a_child(start(photos, run, "train.total=400step", "data.workers=1"), own_group=True)
    wait_for(run / "checkpoints" / "step-000002.json", pid)
    os.killpg(pid, signal.SIGTERM)
    _, ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended) == 143
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "preempted"
    assert newest(run)["step"] == status["step"]


def wait_for(path: Path, pid: int) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "the run ended early"
        time.sleep(0.005)


LONG = ("train.total=24step", "train.save_every=1step", "val.every=8step")


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The photos, and a run on them that nothing disturbed."""
    folder = tmp_path_factory.mktemp("long")
    photos, whole = save_photos(folder / "photos"), folder / "whole"
    assert main(start(photos, whole, *LONG)) == 0
    return photos, whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves(long: tuple[Path, Path], tmp_path: Path, cli: Cli, number: int) -> None:
    (photos, whole), run = long, tmp_path / "run"
    pid = in_a_child(start(photos, run, *LONG))
    wait_for(run / "checkpoints" / "step-000002.json", pid)
    os.kill(pid, number)
    _, ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended) == 128 + number
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "preempted"
    assert newest(run)["step"] == status["step"]
    assert cli("resume", run).code == 0
    assert_same(newest(whole), newest(run))
    assert (whole / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kills", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_kills_leave_a_valid_checkpoint_and_lose_nothing(
    long: tuple[Path, Path], tmp_path: Path, kills: int
) -> None:
    (photos, whole), run = long, tmp_path / "run"
    moments, steps = random.Random(0), []
    pid = in_a_child(start(photos, run, *LONG))
    for _ in range(kills):
        wait_for(run / "checkpoints" / "step-000001.json" if not steps else run / "config.yaml", pid)
        time.sleep(moments.uniform(0, 0.25))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        steps.append(newest(run)["step"])
        pid = in_a_child(["resume", str(run)])
    os.waitpid(pid, 0)
    assert steps == sorted(steps)
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert_same(newest(whole), newest(run))
    assert (whole / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    assert not list(run.rglob(".gantrans-*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_runs_loader_does_not_hold_its_folder(tmp_path: Path) -> None:
    """A loader process notices late that its parent is gone; meanwhile the run can be resumed."""
    (tmp_path / "config.yaml").touch()
    folder = open_run(tmp_path)
    alive, gone = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:  # the orphan
        os.write(alive[1], b"x")
        os.close(gone[1])
        os.read(gone[0], 1)
        os._exit(0)
    os.read(alive[0], 1)
    assert folder._lock is not None
    os.close(folder._lock)  # as the kernel does for a killed process
    folder._lock = None
    open_run(tmp_path).close()
    for end in (*alive, *gone):
        os.close(end)
    os.waitpid(pid, 0)


def test_a_damaged_newest_checkpoint_is_passed_over(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    run = finished.copy(tmp_path / "run")
    path = run / "checkpoints" / "step-000006.pt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert newest(run)["step"] < 6
    assert cli("resume", run).code == 0
    assert newest(run)["step"] == 6
    for pt in (run / "checkpoints").glob("*.pt"):
        pt.write_bytes(b"no")
    with pytest.raises(CheckpointError, match=r"damaged: step-000006\.pt"):
        checkpoint.load_newest(run / "checkpoints")
    assert cli("resume", run).code == 4


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.touch, (canary,)

    checkpoint.save(tmp_path, {"step": Hostile()}, 1, {})
    with pytest.raises(CheckpointError, match=r"step-000001\.pt"):
        checkpoint.load_newest(tmp_path)
    assert not canary.exists()


def test_retention_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step in range(1, 7):
        checkpoint.save(tmp_path, {"step": step}, step, {})
    (tmp_path / "step-000099.pt").write_bytes(b"a save that was killed before its marker")
    checkpoint.tidy(tmp_path, keep_last=2, best_step=3, newest=6)
    assert [s.step for s in checkpoint.listed(tmp_path)] == [3, 5, 6]
    assert len(list(tmp_path.iterdir())) == 6


def test_nan_names_the_images_and_keeps_the_last_good_checkpoint(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, seen = Pix2Pix.loss, []

    def poisoned(self, phase, networks, batch, shared):
        loss, metrics = honest(self, phase, networks, batch, shared)
        if phase.name == "generator":
            seen.append(batch.keys)
        return (loss * float("nan") if len(seen) == 4 else loss), metrics

    monkeypatch.setattr(Pix2Pix, "loss", poisoned)
    run = tmp_path / "run"
    answer = cli(*start(photos, run))
    assert answer.code == 7
    assert "step 4" in answer.err
    assert all(key in answer.err for key in seen[3])
    assert json.loads((run / "status.json").read_text())["state"] == "diverged"
    saved = newest(run)
    assert saved["step"] < 4
    assert all(torch.isfinite(v).all() for v in saved["networks"]["generator"].values())


def test_a_folder_holds_one_run_and_one_process(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    run = finished.copy(tmp_path / "run")
    again = cli(*start(finished.photos, run))
    assert again.code == 6
    assert f"gantrans resume {run}" in again.err
    holder = open_run(run)
    assert cli("resume", run).code == 6
    holder.close()
    assert cli("resume", run).code == 0


def test_resume_refuses_what_alters_the_state_and_follows_the_rest(
    finished: Finished, tmp_path: Path, cli: Cli
) -> None:
    run = finished.copy(tmp_path / "run")
    for change in ("generator.width=3", "discriminator.layers=2", "train.betas=[0.9,0.999]"):
        answer = cli("resume", run, change)
        assert answer.code == 2
        assert change in answer.err
    assert "did you mean total?" in cli("resume", run, "train.totl=3").err
    assert cli("resume", run, "train.total=7step").code == 0
    assert newest(run)["step"] == 7


def test_a_time_budget_ends_on_time(photos: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    before = time.monotonic()
    assert cli(*start(photos, run, "train.total=1.5s", "val.every=10000step")).code == 0
    assert 1.5 < time.monotonic() - before < 9
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "finished"
    assert status["step"] == status["total_steps"] > 3


def test_a_longer_time_budget_goes_on_and_a_slow_start_does_not_shorten_it(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock by which a step takes 0.05 s and a validation 0.8, however busy the machine is."""
    measure, tick, now = PairValidation.measure, Clock.tick, [0.0]

    def slow(self: PairValidation, predictors: Predictors, watch: Watch | None = None) -> dict[str, float]:
        now[0] += 0.8
        return measure(self, predictors, watch)

    def ticking(self: Clock) -> None:
        now[0] += 0.05
        tick(self)

    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(PairValidation, "measure", slow)
    monkeypatch.setattr(Clock, "tick", ticking)
    run = tmp_path / "run"
    assert cli(*start(photos, run, "train.total=1.5s", "val.every=10000step")).code == 0
    steps = newest(run)["step"]
    assert 12 <= steps <= 15, "0.7 s are left; at the speed of the start it would be 2"
    assert "already" in cli("resume", run).out
    assert cli("resume", run, "train.total=2s").code == 0
    assert steps + 8 <= newest(run)["step"] <= steps + 12


def test_a_run_stopped_at_its_last_step_is_finished_by_resume(photos: Path, tmp_path: Path, cli: Cli) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert cli(*start(photos, whole, "train.total=7step")).code == 0
    assert cli(*start(photos, run, "train.total=7step", "train.stop_at=7step")).code == 0
    assert json.loads((run / "status.json").read_text())["state"] == "preempted"
    for _ in range(2):
        assert cli("resume", run, "train.stop_at=null").code == 0
        assert json.loads((run / "status.json").read_text())["state"] == "finished"
        assert (whole / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    assert (run / "samples" / "step-000007.png").exists()


def test_another_metric_chooses_anew(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    run = finished.copy(tmp_path / "run")
    assert newest(run)["best"]["metric"] == "psnr"
    assert cli("resume", run, "val.best=ssim", "train.total=7step").code == 0
    best = newest(run)["best"]
    assert best["metric"] == "ssim"
    assert best["value"] < 1.01


def test_an_unfinished_start_does_not_block_the_folder(photos: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / ".lock").touch()
    assert cli(*start(photos, run, "train.total=1step")).code == 0
    foreign = tmp_path / "foreign"
    (foreign / "checkpoints").mkdir(parents=True)
    (foreign / "checkpoints" / "mine.pt").touch()
    answer = cli(*start(photos, foreign))
    assert answer.code == 6
    assert (foreign / "checkpoints" / "mine.pt").exists()


def test_sources_of_half_the_size_train_resume_and_translate(photos: Path, tmp_path: Path, cli: Cli) -> None:
    pairs, out = tmp_path / "pairs", tmp_path / "out"
    assert cli("pairs", f"source={photos}", f"out={pairs}", "recipe=lowres", "workers=1").code == 0
    for name, root in (("fly", photos), ("files", pairs)):
        run = tmp_path / name
        keys = ["recipe=lowres", "train.total=2step", "val.every=2step", "train.stop_at=1step"]
        answer = cli(*start(root, run, *keys))
        assert answer.code == 0, answer.err
        assert cli("resume", run, "train.stop_at=null").code == 0
        assert cli("translate", f"model={run}", f"source={photos}", f"out={out / name}").code == 0
        for path in photos.iterdir():
            was, now = (Image.open(p).size for p in (path, out / name / path.name))
            assert now == (was[0] * 2, was[1] * 2)


def test_weights_that_are_not_finite_are_never_saved(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, calls = FusedAdam.step, []

    def spoil(self, *args, **kwargs):
        honest(self, *args, **kwargs)
        calls.append(1)
        if len(calls) == 7:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(float("inf"))

    monkeypatch.setattr(FusedAdam, "step", spoil)
    run = tmp_path / "run"
    answer = cli(*start(photos, run, "val.every=100step"))
    assert answer.code == 7, answer.err
    assert newest(run)["step"] == 2


def test_a_full_disk_ends_with_5_and_keeps_what_was_saved(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 25:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr("gantrans.imaging.write.os.fsync", full)
    run = tmp_path / "run"
    answer = cli(*start(photos, run, "train.total=16step"))
    assert answer.code == 5, answer.err
    assert "space" in answer.err
    monkeypatch.undo()
    assert newest(run)["step"] > 0
    assert not list(run.rglob(".gantrans-*"))
    assert cli("resume", run).code == 0
