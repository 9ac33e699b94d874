"""What TensorBoard is given: each step once whatever happened to the run, in small files, under names that
answer questions; and the verb that opens it."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from torch import Tensor, nn

from gantrans.build.places import conf_dir
from gantrans.cli import board as verb
from gantrans.cli.board_runs import find, link
from gantrans.cli.keys import whole
from gantrans.core.device import open_core
from gantrans.core.graph import GraphRunner
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Phase
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.unet import UNet
from gantrans.training import judges, sinks
from gantrans.training.board import ALL, LAYOUT, TALL, encoded, keeps_pictures, layout
from gantrans.training.hparams import hyperparameters
from gantrans.training.judges import logits
from gantrans.training.norms import gradient_norms
from gantrans.training.state import State
from gantrans.training.summary import model_summary
from gantrans.training.watch import Watch, histogram_of
from tests import test_no_sync as no_sync
from tests.conftest import TINY, Cli, draw_picture
from tests.tape import TapeBackend
from tests.test_graph import raw_batch, state_of, stepper_of
from tests.test_methods import METHODS
from tests.test_training import assert_same, in_a_child, newest, wait_for

MORE = ["train.total=8step", "train.keep_last=9", "data.val_fraction=0.5", "val.images=2", "log.width=200",
        "log.worst=1"]  # fmt: skip


def start(photos: Path, run: Path, *more: str) -> list[str]:
    return ["train", *TINY, *MORE, f"data.root={photos}", f"run.dir={run}", *more]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The photos, and a run on them that was never disturbed."""
    from gantrans.cli.main import main

    folder = tmp_path_factory.mktemp("board")
    photos, run = folder / "photos", folder / "run"
    photos.mkdir()
    for i in range(5):
        Image.fromarray(draw_picture(i, 40 + i, 44 + 3 * i)).save(photos / f"photo-{i}.png")
    assert main(start(photos, run)) == 0
    return photos, run


def events(run: Path) -> EventAccumulator:
    keep_all = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0}
    found = EventAccumulator(str(run / "tensorboard"), size_guidance=keep_all)
    return found.Reload()


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Every chart but the timings, as TensorBoard reads it."""
    found = events(run)
    names = [tag for tag in found.Tags()["scalars"] if not tag.startswith("speed/")]
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in names}


def cut_back(run: Path, step: int) -> None:
    """As a run is that was killed long after the checkpoint of `step`."""
    for path in (run / "checkpoints").iterdir():
        if int(re.sub(r"\D", "", path.stem)) > step:
            path.unlink()
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "running"}))


def test_a_resumed_run_goes_on_with_its_curves(trained: tuple[Path, Path], tmp_path: Path, cli: Cli) -> None:
    """Killed after steps that no checkpoint holds, then resumed: each step once, as if nothing had been."""
    run = tmp_path / "run"
    shutil.copytree(trained[1], run)
    cut_back(run, 4)
    assert cli("resume", run).code == 0
    assert len(list((run / "tensorboard").iterdir())) == 2
    whole = curves(trained[1])
    assert curves(run) == whole
    assert [step for step, _ in whole["val/psnr"]] == [0, 3, 6, 8]
    assert [step for step, _ in whole["gradients/generator"]] == [2, 4, 6, 8]
    assert all(a[0] < b[0] for points in whole.values() for a, b in pairwise(points))


def test_without_the_purge_steps_would_come_twice(
    trained: tuple[Path, Path], tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, honest = tmp_path / "run", sinks.SummaryWriter
    shutil.copytree(trained[1], run)
    cut_back(run, 4)
    monkeypatch.setattr(sinks, "SummaryWriter", lambda folder, **_: honest(folder))
    assert cli("resume", run).code == 0
    assert curves(run) != curves(trained[1])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_run_loses_no_point_before_its_checkpoint(
    trained: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    run = tmp_path / "run"
    pid = in_a_child(start(trained[0], run))
    wait_for(run / "checkpoints" / "step-000004.json", pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert cli("resume", run).code == 0
    assert curves(run) == curves(trained[1])


@pytest.mark.slow
def test_a_run_that_starts_over_has_its_first_step_once(
    trained: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained[1], run)
    cut_back(run, -1)
    assert cli("resume", run).code == 0
    assert curves(run) == curves(trained[1])


def test_pictures_are_few_and_small(trained: tuple[Path, Path], tmp_path: Path, cli: Cli) -> None:
    def pictures(run: Path) -> dict[str, list[Image.Image]]:
        found = events(run)
        return {
            name: [Image.open(io.BytesIO(e.encoded_image_string)) for e in found.Images(name)]
            for name in found.Tags()["images"]
        }

    small = pictures(trained[1])
    assert small.keys() == {"probe/val", "probe/train", "worst/psnr"}
    assert {len(each) for each in small.values()} == {4}
    assert {(p.width, p.format) for each in small.values() for p in each} == {(200, "JPEG")}
    run = tmp_path / "run"
    assert cli(*start(trained[0], run, "log.width=8192", "log.worst=0", "train.total=1step")).code == 0
    large = pictures(run)
    assert large.keys() == {"probe/val", "probe/train"}
    assert large["probe/val"][0].width > 200
    assert cli(*start(trained[0], tmp_path / "x", "log.width=9")).code == 2
    assert (newest_metrics := (run / "metrics.jsonl").read_text())
    assert newest_metrics.splitlines()[0] == (trained[1] / "metrics.jsonl").read_text().splitlines()[0]


def test_a_picture_of_any_size_stays_in_bounds() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 40, 3), dtype=np.uint8)
    for pixels in (noise, noise.transpose(1, 0, 2), noise[:1, :1], noise[:1]):
        jpeg, height, width = encoded(pixels, 64)
        assert width <= 64
        assert height <= TALL * 64
        assert Image.open(io.BytesIO(jpeg)).size == (width, height)


def test_the_longer_a_run_the_fewer_of_its_pictures_are_kept() -> None:
    kept = [keeps_pictures(n) for n in range(6400)]
    assert all(kept[:ALL])
    assert [sum(kept[: ALL << n]) - ALL for n in range(8)] == [25 * n for n in range(8)]


def test_every_chart_of_the_layout_is_one_that_runs_draw(trained: tuple[Path, Path]) -> None:
    """Those of this run are filled; the patterns of other tasks name metrics that the code has."""
    drawn = [*curves(trained[1]), "speed/images_per_second", "speed/data_wait_share"]
    pages = layout(drawn)
    every, filled = ({t for page in each.values() for t in page} for each in (LAYOUT, pages))
    assert every - filled == {"accuracy, and that of the commonest class", "round trip, mean error"}
    assert layout(["val/psnr"]) == {}
    known = [*drawn, "val/pixel_accuracy", "val/majority_accuracy", "val/cycle_l1"]
    assert {page: list(d) for page, d in layout(known).items()} == {p: list(d) for p, d in LAYOUT.items()}
    assert "custom_scalars__config__" in events(trained[1]).Tags()["tensors"]


def test_what_was_told_stands_beside_the_curves(trained: tuple[Path, Path]) -> None:
    """In the run's own events, so that a run is one line of the HParams tab and not two."""
    found = events(trained[1])
    assert [p for p in (trained[1] / "tensorboard").iterdir() if p.is_dir()] == []
    content = found.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    told = metadata.parse_session_start_info_plugin_data(content).hparams
    assert told["train.lr"].number_value == 1e-3
    assert told["generator"].string_value in ("UNet", "unet_128")
    assert told["generator.width"].number_value == 2  # given by hand, and no main key
    assert not [key for key in told if key.startswith(("val.", "log.", "run", "core.threads"))]
    content = found.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
    keys = metadata.parse_experiment_plugin_data(content).hparam_infos
    assert {info.name for info in keys if info.differs} == {
        "init.kind", "augment.crop", "train.batch_size", "train.total", "data.val_fraction",
    }  # the last five given by hand, but for where a run lies  # fmt: skip
    columns = [info.name.tag for info in metadata.parse_experiment_plugin_data(content).metric_infos]
    assert "val/psnr" in columns
    assert set(columns) <= set(found.Tags()["scalars"])
    assert metadata.SESSION_END_INFO_TAG in found.summary_metadata


def test_words_histograms_and_speed_are_there(trained: tuple[Path, Path]) -> None:
    found = events(trained[1])
    tensors, histograms = found.Tags()["tensors"], found.Tags()["histograms"]
    for name in ("config", "environment", "networks", "given on the command line"):
        assert f"{name}/text_summary" in tensors
    assert set(histograms) == {
        *(f"values_{c}/{side}" for c in ("red", "green", "blue") for side in ("output", "target")),
        "logits_discriminator/real", "logits_discriminator/fake",
    }  # fmt: skip
    for name in histograms:
        assert [e.step for e in found.Histograms(name)] == [0, 3, 6, 8]
    speed = {tag for tag in found.Tags()["scalars"] if tag.startswith("speed/")}
    assert speed == {f"speed/{n}" for n in ("images_per_second", "data_wait_share", "seconds_per_step",
                                            "peak_memory_mib")}  # fmt: skip


def test_keys_given_later_win_and_places_are_none() -> None:
    network = {"_target_": "gantrans.nets.unet.UNet"}
    config = {"train": {"lr": 0.1, "schedule": "cosine"}, "generator": network, "seed": 3,
              "augment": {"flip": False}}  # fmt: skip
    given = "method=cut\ntrain.lr=0.5\nrun.dir=/x\nval.every=3step\n# resumed at step 3\naugment.flip=false\n"
    assert hyperparameters(config, given) == {
        "train.lr": 0.1, "train.schedule": "cosine", "generator": "UNet", "seed": 3, "method": "cut",
        "augment.flip": "false",
    }  # fmt: skip


def test_only_what_can_make_runs_differ_is_a_hyperparameter() -> None:
    """Of every key of train as it may be given by hand, and of Hydra's: machines and folders stay out."""
    keys = [key.name for key in whole("train", conf_dir()).keys if not key.section]
    given = "".join(f"{key}=7\n" for key in [*keys, "hydra.sweep.dir", "hydra/launcher", "+run.dir"])
    found = hyperparameters({}, given)
    left = {"run.dir", "data.root", "data.workers", "core.device", "core.threads", "core.processes",
            "core.nodes", "core.rendezvous", "core.compile", "log.every", "val.every", "val.weights",
            "bundle.licence", "plugins", "train.save_every", "train.stop_at", "hydra.sweep.dir",
            "hydra/launcher"}  # fmt: skip
    assert found.keys() & left == set()
    assert {"val.norm_statistics", "core.precision", "core.sync_norm"} <= found.keys()
    assert {key for key in keys if key.startswith(("augment.", "adversary.", "init."))} <= found.keys()
    assert len(found) > 40


def test_gradient_norms_are_those_of_the_gradients() -> None:
    networks = {"generator": nn.Linear(3, 2), "discriminator": nn.Linear(2, 1), "other": nn.Linear(2, 1)}
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, enabled=True)  # type: ignore[attr-defined]
    for enabled in (False, True):
        state = State(networks, {}, {}, scaler if enabled else torch.amp.GradScaler(enabled=False))  # type: ignore[attr-defined]
        loss = networks["discriminator"](networks["generator"](torch.ones(1, 3))).sum()
        for network in networks.values():
            network.zero_grad(set_to_none=True)
        state.scaler.scale(loss).backward()
        found = gradient_norms(state, Phase("both", trains=tuple(networks)))
        assert found.keys() == {"grad_generator", "grad_discriminator"}
        for role in ("generator", "discriminator"):
            flat = torch.cat([p.grad.flatten() for p in networks[role].parameters() if p.grad is not None])
            torch.testing.assert_close(found[f"grad_{role}"], flat.norm() / (8 if enabled else 1))
    lazy = gradient_norms(state, Phase("r1", trains=("discriminator",), shares="both"))
    assert lazy.keys() == {"grad_discriminator_r1"}


@pytest.mark.parametrize("name", ["pix2pix", pytest.param("cyclegan", marks=pytest.mark.slow)])
def test_measuring_waits_for_nothing_and_moves_no_weight(name: str) -> None:
    """Eagerly and captured to the same bits, and the weights are those of a run that measures nothing."""
    no_sync.steps(name, measured=True)
    core, method = open_core("cpu"), METHODS[name](restraint=Restraint(r1=1.0, r1_every=2))

    def run(graphs: GraphRunner | None, every: int) -> tuple[dict, dict]:
        state = state_of(method, core)
        step = stepper_of(state, method, graphs, core)
        for number in range(4):
            step(core.move(raw_batch(number)), rate=1.0, measured=(number + 1) % every == 0)
        return state.state_dict(), state.meter.flush()

    plain, eager = run(None, 9), run(None, 2)
    captured = run(GraphRunner(TapeBackend(), warmup=1), 2)
    assert_same(eager[0], captured[0])
    assert eager[1] == captured[1]
    norms = {key for key in eager[1] if key.startswith("grad_")}
    trained = {f"grad_{role}" for phase in method.phases for role in phase.trains}
    assert trained <= norms
    assert {k: v for k, v in eager[1].items() if k not in norms} == plain[1]
    assert_same({**eager[0], "meter": 0}, {**plain[0], "meter": 0})


def test_only_logged_steps_are_measured(trained: tuple[Path, Path]) -> None:
    lines = [json.loads(line) for line in (trained[1] / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert ("grad_generator" in line) == (line["split"] == "train")
        assert line.get("grad_generator", 1.0) > 0
    assert "psnr_train" in lines[0]


class Stub:
    """What `logits` needs of a job."""

    def __init__(self) -> None:
        from gantrans.methods.pix2pix import Pix2Pix

        torch.manual_seed(0)
        self.method, self.core = Pix2Pix(), open_core("cpu")
        judge = PatchGAN(6, width=2, layers=1, norm="batch", spectral=True)
        networks: dict[str, nn.Module] = {"generator": UNet(3, 3, 2, depth=4), "discriminator": judge}
        averages: dict[str, nn.Module] = {"generator": UNet(3, 3, 2, depth=4)}
        scaler = torch.amp.GradScaler(enabled=False)  # type: ignore[attr-defined]
        self.state = State({r: n.train() for r, n in networks.items()}, {}, averages, scaler)


def test_looking_at_logits_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Stub()
    before = {k: v.clone() for k, v in job.state.networks["discriminator"].state_dict().items()}
    found = logits(job, raw_batch(0))  # type: ignore[arg-type]
    assert found.keys() == {"discriminator/real", "discriminator/fake"}
    assert not np.array_equal(found["discriminator/real"], found["discriminator/fake"])
    assert_same(before, job.state.networks["discriminator"].state_dict())
    assert all(module.training for module in job.state.networks["discriminator"].modules())
    monkeypatch.setattr(judges, "_looking_on", lambda network: __import__("contextlib").nullcontext(network))
    logits(job, raw_batch(0))  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        assert_same(before, job.state.networks["discriminator"].state_dict())


@pytest.mark.parametrize(("metric", "lower", "first"), [("psnr", (), "c"), ("lpips", ("lpips",), "a")])
def test_the_worst_come_first(metric: str, lower: tuple[str, ...], first: str) -> None:
    watch, drawn = Watch(2, metric, lower), []
    watch.titles = ["picture"]

    def row(key: str) -> list[np.ndarray]:
        drawn.append(key)
        return [np.zeros((8, 8, 3), np.uint8)]

    for key, value in (("b", 20.0), ("a", 30.0), ("c", 10.0), ("d", 25.0)):
        watch.image(key, {metric: value}, lambda key=key: row(key))
    assert watch.chosen == metric
    assert watch._worst[0][1].endswith(f"  {first}")
    assert [name.split()[-1] for _, name, _ in watch._worst] == {"c": ["c", "b"], "a": ["a", "d"]}[first]
    assert "d" not in drawn or first == "a"
    assert (strip := watch.worst()) is not None
    assert strip.shape[2] == 3
    assert Watch(0, metric).worst() is None


def test_histograms_count_what_they_are_given() -> None:
    watch = Watch(0)
    levels = np.zeros((4, 4, 3), np.uint8)
    levels[..., 1], levels[..., 2] = 128, 255
    watch.pixels("output", levels)
    watch.pixels("output", levels.astype(np.uint16) * 257)
    for name, level in (("red", 0), ("green", 128), ("blue", 255)):
        found = watch.histograms[f"values_{name}/output"]
        assert found.counts.sum() == found.counts[level // 4] == 32
        assert (found.low, found.high) == pytest.approx((level, level), abs=1e-3)
    some = histogram_of(np.array([-1.0, np.nan, np.inf, 3.0]))
    assert (some.counts.sum(), some.low, some.high) == (2, -1, 3)


def test_the_table_of_networks_adds_up() -> None:
    generator, judge = UNet(3, 3, 4, depth=5), PatchGAN(6, width=4)
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    text = model_summary({"generator": generator, "discriminator": judge, "pool": nn.Identity()}, sides=(64,))
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, judge)]
    for role, size in zip(("generator", "discriminator"), sizes, strict=True):
        rows = text.split(f"{role} (")[1].split(f"{role}: ")[0].splitlines()[2:]
        assert sum(int(row.split()[-1].replace(",", "")) for row in rows) == size
        assert not [row for row in rows if " - " in row], "a shape is missing"
    assert f"all networks: {sum(sizes):,} parameters" in text
    assert "3 x 64 x 64" in text
    assert_same(before, generator.state_dict())


class Counted(nn.Module):
    """One that takes pictures of 64 pixels a side or more, or none, and counts them."""

    def __init__(self, least: int = 64) -> None:
        super().__init__()
        self.conv, self.least = nn.Conv2d(1, 2, 3, padding=1), least
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] < self.least:
            raise ValueError("too small")
        self.seen += 1
        return self.conv(x)


def test_the_table_is_of_the_smallest_picture_that_a_network_takes_and_changes_none() -> None:
    network = Counted().train()
    text = model_summary({"generator": network})
    assert "2 x 64 x 64" in text
    assert "trained; output of a picture of 64 x 64" in text
    assert network.training
    assert not network.seen
    assert not network.conv._forward_hooks
    never = model_summary({"generator": Counted(10**6)})
    assert "20 of them trained; shapes are unknown where its forward failed (ValueError)" in never


@pytest.mark.slow
def test_a_profile_is_a_trace_that_opens_and_changes_nothing(
    trained: tuple[Path, Path], tmp_path: Path, cli: Cli
) -> None:
    run = tmp_path / "run"
    keys = ["train.total=10step", "val.every=99step"]
    assert cli(*start(trained[0], run, *keys, "train.profile=true")).code == 0
    assert cli(*start(trained[0], tmp_path / "plain", *keys)).code == 0
    (path,) = (run / "profile").glob("*.json.gz")
    found = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    named = [event["name"] for event in found if event.get("ph") == "X"]
    assert {name for name in named if name.startswith("ProfilerStep#")} == {
        f"ProfilerStep#{n}" for n in (7, 8, 9)
    }
    assert any("conv" in name for name in named)
    assert all({"ts", "dur", "pid", "tid"} <= event.keys() for event in found if event.get("ph") == "X")
    assert "conv" in path.with_suffix("").with_suffix(".txt").read_text()
    assert not (tmp_path / "plain" / "profile").exists()
    assert_same(newest(run), newest(tmp_path / "plain"))


def make_run(path: Path) -> Path:
    (path / "tensorboard").mkdir(parents=True)
    (path / "config.yaml").touch()
    (path / "tensorboard" / "events.out.tfevents.1.x").touch()
    return path


def test_runs_bear_the_names_of_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs/a", "runs/sweep/0", "other/a"):
        make_run(tmp_path / name)
    (tmp_path / "runs" / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    assert list(find([Path("runs")])) == ["a", "sweep/0"]
    assert list(find([Path("runs/a"), Path("runs/sweep")])) == ["a", "0"]
    alike = find([Path("runs/a"), Path("other/a"), Path("runs/a")])
    assert len(alike) == 2
    link(alike | find([Path("runs")]), tmp_path / "tree")
    assert (tmp_path / "tree" / "sweep" / "0").resolve() == tmp_path / "runs/sweep/0/tensorboard"


def test_what_cannot_be_shown_is_said(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    run = make_run(tmp_path / "run")
    with socket.socket() as taken:
        taken.bind((verb.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        refusals = {
            ("run", f"port={port}"): (2, "is taken"),
            ("run", "port=70000"): (2, "accepted are whole numbers from 1 to 65535"),
            ("run", "--logdir"): (2, "board takes run folders"),
            (): (4, "runs: no such folder; train one first"),
            ("nowhere",): (4, "no such folder"),
            ("empty",): (4, "neither a run folder"),
        }
        for given, (code, said) in refusals.items():
            answer = cli("board", *given)
            assert (answer.code, said in answer.err) == (code, True), answer
            assert len(answer.err.splitlines()) == 1
    next((run / "tensorboard").iterdir()).unlink()
    assert "no curves yet" in cli("board", "run").err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_board_ends_with_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    """With a listener in TensorBoard's place, which would take seconds to start."""
    run, told = make_run(tmp_path / "run"), tmp_path / "pid"
    listener = (
        "import os, socket, sys, time; s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1])));"
        "s.listen(); open(sys.argv[2], 'w').write(str(os.getpid())); time.sleep(60)"
    )
    monkeypatch.setattr(
        verb, "command", lambda _, port, *__: [sys.executable, "-c", listener, str(port), str(told)]
    )
    monkeypatch.setattr(verb, "PORT", 20_000 + os.getpid() % 20_000)  # not that of a test beside this one
    pid = in_a_child(["board", str(run), f"port={verb._free_port()}"])
    wait_for(told, pid)
    time.sleep(0.3)
    os.kill(pid, number)
    _, ended = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(ended) == code
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_a_board_that_cannot_start_says_why(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")
    monkeypatch.setattr(verb, "command", lambda *_: [sys.executable, "-c", "raise OSError('no such luck')"])
    answer = cli("board", run)
    assert answer.code == 5
    assert "TensorBoard ended (exit code 1): OSError: no such luck" in answer.err


@pytest.mark.slow
def test_tensorboard_itself_shows_the_run(trained: tuple[Path, Path]) -> None:
    import urllib.request

    port = verb._free_port()
    words = [sys.executable, "-m", "gantrans", "board", str(trained[1]), f"port={port}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        assert f"http://127.0.0.1:{port}/" in board.stdout.readline()

        def answer(path: str) -> dict:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{path}") as page:
                return json.load(page)

        deadline = time.monotonic() + 30
        while not answer("runs") and time.monotonic() < deadline:
            time.sleep(0.3)
        assert answer("runs") == ["run"]
        assert len(answer("plugin/custom_scalars/layout")["category"]) == 5
        board.send_signal(signal.SIGINT)
        assert board.wait(timeout=20) == 0


def test_a_run_inside_a_runs_folder_is_linked_beside_it(tmp_path: Path) -> None:
    """Below the link to the outer run the inner's would be written into that run."""
    for name in ("A", "A/sub"):
        (tmp_path / "runs" / name / "tensorboard").mkdir(parents=True)
        (tmp_path / "runs" / name / "config.yaml").touch()
        (tmp_path / "runs" / name / "tensorboard" / "events.out.tfevents.1").touch()
    link(find([tmp_path / "runs"]), tmp_path / "linked")
    assert sorted(p.name for p in (tmp_path / "linked").iterdir()) == ["A", "A__sub"]
    assert [p.name for p in (tmp_path / "runs/A/tensorboard").iterdir()] == ["events.out.tfevents.1"]


def test_a_damaged_line_of_metrics_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": n, "split": "train"}).encode() for n in (1, 2, 9)]
    path.write_bytes(b"\n".join([lines[0], b'{"step": 1, "spl\xff', lines[1], lines[2]]))
    assert [kept["step"] for kept in sinks._truncate(path, 2)] == [1, 2]
    assert path.read_bytes() == lines[0] + b"\n" + lines[1] + b"\n"
