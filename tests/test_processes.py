"""Several processes: the same run as one, whatever happens to them; told once, saved whole, started again."""

from __future__ import annotations

import json
import multiprocessing.process
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gantrans.build.config import compose_verb
from gantrans.build.fleet import build_fleet, check_devices
from gantrans.cli.main import main
from gantrans.cli.workers import ToldError
from gantrans.core import collectives
from gantrans.core.collectives import LostPeerError
from gantrans.core.device import open_core
from gantrans.core.failures import packed, unpacked
from gantrans.core.launch import Fleet, WorkerBugError, launch
from gantrans.core.meeting import meet
from gantrans.core.ranks import ALONE, Ranks, joined
from gantrans.core.seed import seed_torch
from gantrans.data.stream import StepSampler
from gantrans.errors import ConfigError, DataError, DivergedError, GantransError, Interrupted
from gantrans.imaging.read import UnreadableImage
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.norm import BatchNorm, synchronise_norm
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.training import checkpoint
from gantrans.training.guard import NanGuard
from gantrans.training.signals import StopRequest
from gantrans.training.state import State
from gantrans.training.step import build_optimizers, train_step
from gantrans.types import Batch
from tests.conftest import TINY, Cli, draw_picture
from tests.test_training import assert_same, newest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torch's elastic launcher needs POSIX")
BATCH, STEPS = 4, 3


def in_group(order: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    torch.set_num_threads(1)
    function, arguments = order
    with joined(cuda=False) as ranks:
        return function(ranks, *arguments)


def in_two(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `function(ranks, ...)` returns in each of two processes."""
    return launch(Fleet(2), in_group, (function, arguments))


# --- the same numbers as in one process


def learned(
    ranks: Ranks, kind: str, averaged: bool = True
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """What three steps in float64 report, and the weights after them."""
    method: Method
    if kind == "cyclegan":
        method, norm = CycleGAN(pool=0), "instance"
    else:
        method, norm = (
            Pix2Pix(lambda_features=1.0, restraint=Restraint(r1=1.0, r1_every=2)),
            kind.split("-")[0],
        )
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {}
    for role in method.roles:
        if role.kind == "generator":
            networks[role.name] = ResNetGenerator(width=2, blocks=1, norm=norm)
        else:
            networks[role.name] = PatchGAN(in_channels=3 * len(role.sees), width=2, layers=2, norm=norm)
    for network in networks.values():
        network.double()
        synchronise_norm(network, ranks.sum if kind == "batch-synchronised" else None)
    core = replace(open_core("cpu"), ranks=ranks if averaged else ALONE)
    optimizers = build_optimizers(networks, method, lr=2e-3, betas=(0.5, 0.999))
    state = State(networks, optimizers, {}, torch.amp.GradScaler("cpu", enabled=False))
    history, part = [], ranks.share_of(BATCH)
    for _ in range(STEPS):
        images = torch.rand(2, BATCH, 3, 16, 16, dtype=torch.float64, generator=draws(state.step)) * 2 - 1
        ours = images[:, part.start : part.stop]
        train_step(state, Batch(ours[0], ours[1]), method, core, NanGuard(ranks), seed=0, rate=1.0, ema=0.0)
        history.append(state.meter.flush(ranks))
    weights = {f"{r}.{n}": t for r, net in networks.items() for n, t in net.state_dict().items()}
    return history, weights


def draws(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(step)


def all_learned(ranks: Ranks) -> dict[str, Any]:
    kinds = ("instance", "cyclegan", "batch", "batch-synchronised")
    return {kind: learned(ranks, kind) for kind in kinds} | {"apart": learned(ranks, "instance", False)}


@pytest.fixture(scope="module")
def two() -> list[dict[str, Any]]:
    return in_two(all_learned)


def difference(a: tuple[list[dict[str, float]], dict[str, Tensor]], b: Any) -> float:
    """The largest between any two losses or weights."""
    assert [m.keys() for m in a[0]] == [m.keys() for m in b[0]]
    losses = [abs(m[name] - n[name]) for m, n in zip(a[0], b[0], strict=True) for name in m]
    weights = [float((a[1][name] - b[1][name]).abs().max()) for name in a[1]]
    return max(*losses, *weights)


@pytest.mark.parametrize("kind", ["instance", "cyclegan", "batch-synchronised"])
def test_two_processes_learn_what_one_does_at_the_same_batch(two: list[dict[str, Any]], kind: str) -> None:
    alone = learned(ALONE, kind)
    assert len(alone[0]) == STEPS
    for each in two:
        assert difference(alone, each[kind]) < 1e-8


def test_without_exchange_they_would_not(two: list[dict[str, Any]]) -> None:
    """The comparison could fail: gradients kept to oneself, and batch norm over half of the batch."""
    assert difference(learned(ALONE, "instance"), two[0]["apart"]) > 1e-4
    assert difference(learned(ALONE, "batch-synchronised"), learned(ALONE, "batch")) < 1e-12
    assert difference(learned(ALONE, "batch"), two[0]["batch"]) > 1e-4


def test_all_processes_hold_the_same_weights(two: list[dict[str, Any]]) -> None:
    for kind in ("instance", "cyclegan", "batch-synchronised"):
        assert_same(*(each[kind][1] for each in two))
    with pytest.raises(AssertionError):
        assert_same(*(each["apart"][1] for each in two))


def test_synchronised_norm_is_batch_norm_in_one_process() -> None:
    """Values, gradients and running averages, by an identity in the place of the sum."""
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64) * 2 + 1
    plain, ours = BatchNorm(4).double(), BatchNorm(4).double()
    synchronise_norm(ours, lambda total: total)
    results = []
    for layer in (plain, ours):
        given = x.clone().requires_grad_()
        made = layer(given)
        (made**3).sum().backward()
        assert given.grad is not None
        results.append([made.detach(), given.grad, *layer.state_dict().values()])
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match="0: a BatchNorm1d keeps to its own process"):
        synchronise_norm(nn.Sequential(nn.BatchNorm1d(3)), lambda total: total)


def test_synchronised_norm_is_asked_for_by_its_key() -> None:
    from gantrans.build.training import _synchronise

    for asked in ("true", "false"):
        config = compose_verb("train", ["data.root=x", f"core.sync_norm={asked}"])
        network = nn.Sequential(BatchNorm(2))
        _synchronise(config, replace(open_core("cpu"), ranks=Ranks(0, 2)), {"generator": network})
        assert (network[0].sum_over is not None) == (asked == "true")
        _synchronise(config, open_core("cpu"), {"generator": network})
        assert network[0].sum_over is None, "one process has nothing to add up"


# --- what ranks exchange


def exchanged(ranks: Ranks) -> dict[str, Any]:
    collectives.BUCKET = 5  # several messages
    mine = float(ranks.rank + 1)
    sizes = {3: torch.float32, 4: torch.float64, 2: torch.float32, 7: torch.float32}
    parameters = [nn.Parameter(torch.zeros(size, dtype=dtype)) for size, dtype in sizes.items()]
    both, wide, one, none = parameters
    both.grad, wide.grad = torch.full((3,), mine), torch.full((4,), mine, dtype=torch.float64)
    if ranks.rank == 1:
        one.grad = torch.full((2,), 5.0)
    ranks.average_gradients([*parameters, nn.Parameter(torch.zeros(1), requires_grad=False)])
    given = torch.full((3,), mine)
    ranks.copy_from_first([given])
    seed_torch("step", 0, 0, *ranks.address)
    guard = NanGuard(ranks)
    for step in range(2):
        bad = float("nan") if (step, ranks.rank) == (1, 1) else 1.0
        guard.judge([torch.tensor(bad)])
        guard.saw(step, (f"image-{ranks.rank}",))
    with pytest.raises(DivergedError) as diverged:
        guard.check()
    return {
        "gradients": [p.grad for p in (both, wide, one)],
        "none": none.grad,
        "copied": given,
        "drawn": torch.rand(1),
        "diverged": str(diverged.value),
        "most": ranks.most([ranks.rank, 7]),
        "shared": ranks.share(mine),
        "collected": ranks.collect(mine),
        "storeless": len(ranks.exchange(None)),
    }


def test_what_ranks_exchange() -> None:
    zero, one = in_two(exchanged)
    for found in (zero, one):
        assert [g.tolist() for g in found["gradients"]] == [[1.5] * 3, [1.5] * 4, [2.5] * 2]
        assert found["none"] is None, "a parameter that nobody used is left to the optimizer as unused"
        assert found["copied"].tolist() == [1.0] * 3
        assert found["most"] == [1, 7]
        assert found["shared"] == 1.0
        assert "at step 2, on the images image-1." in found["diverged"]
    assert (zero["collected"], one["collected"]) == ([1.0, 2.0], [])
    assert zero["drawn"] != one["drawn"], "dropout differs between processes"


def test_the_parts_of_a_batch_are_the_batch() -> None:
    parts = [Ranks(rank, 3).share_of(6) for rank in range(3)]
    samplers = [iter(StepSampler(6, 2, part)) for part in parts]
    for step in (2, 3):
        assert [i for sampler in samplers for i in next(sampler)] == list(range(step * 6, step * 6 + 6))


def test_a_meeting_passes_over_what_earlier_ones_left() -> None:
    from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]

    store, names = HashStore(), []

    def attempt() -> list[str]:
        found: list[str] = []
        late = threading.Thread(target=lambda: found.append(meet(store, 0, 2)))
        late.start()
        time.sleep(0.1)
        found.append(meet(store, 1, 2))
        late.join()
        return found

    for _ in range(3):
        first, second = attempt()
        assert first == second
        names.append(first)
    assert len(set(names)) == 3


def one_fails(ranks: Ranks, error: Exception) -> None:
    if ranks.rank == 1:
        raise error
    ranks.wait()


def failing(order: tuple[Exception]) -> str:
    try:
        with joined(cuda=False) as ranks:
            one_fails(ranks, order[0])
    except DataError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.slow
def test_a_failure_of_one_is_the_failure_of_all() -> None:
    assert launch(Fleet(2), failing, (DataError("a.png is damaged"),)) == ["DataError: a.png is damaged"] * 2
    with pytest.raises(WorkerBugError, match="in process 1") as caught:
        launch(Fleet(2), failing, (ZeroDivisionError("oh"),))
    assert "ZeroDivisionError: oh" in caught.value.trace
    assert "one_fails" in caught.value.trace


# --- whole runs

# Dropout, batch norm, a history of images and an adaptive augmenter: all that processes have for themselves.
KEYS = [
    *(key for key in TINY if not key.startswith(("experiment=", "generator", "train.total"))),
    "experiment=cyclegan", "method.pool=3", "generator=resnet_light", "generator.width=2",
    "generator.blocks=1", "generator.norm=batch", "generator.dropout=true", "adversary.augment=[colour]",
    "adversary.augment_p=null",
    "augment.resize=40", "train.total=7step", "train.save_every=1step", "log.every=3step",
    "train.keep_last=9", "core.processes=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    for kind, count in (("trainA", 5), ("trainB", 4)):
        (root / kind).mkdir()
        for i in range(count):
            Image.fromarray(draw_picture(i, 40, 44)).save(root / kind / f"{i}.png")
    return root


def command(images: Path, run: Path, *more: str) -> list[str]:
    return ["train", *KEYS, f"data.root={images}", f"run.dir={run}", *more]


@pytest.fixture(scope="module")
def undisturbed(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert main(command(images, run)) == 0
    return run


def workers() -> list[int]:
    """The processes of the run that goes on, by rank."""
    alive = [p for p in multiprocessing.process._children if p.pid is not None]  # type: ignore[attr-defined]
    return [p.pid for p in sorted(alive, key=lambda p: int(p.name.rpartition("-")[2]))]


def whenever(path: Path, act: Callable[[], None]) -> None:
    """Act as soon as `path` exists."""

    def watch() -> None:
        deadline = time.monotonic() + 120
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        act()

    threading.Thread(target=watch, daemon=True).start()


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def test_killed_processes_start_again_and_lose_nothing(
    images: Path, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed = []

    def kill(rank: int) -> Callable[[], None]:
        return lambda: killed.append(os.kill(workers()[rank], signal.SIGKILL))

    whenever(run / "checkpoints" / "step-000002.json", kill(1))
    whenever(run / "checkpoints" / "step-000005.json", kill(0))
    assert main(command(images, run, "core.restarts=2")) == 0
    assert len(killed) == 2
    assert status(run)["state"] == "finished"
    assert_same(newest(undisturbed), newest(run))
    assert (undisturbed / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    assert not list(run.rglob(".gantrans-*"))


def test_what_processes_have_for_themselves_is_saved(undisturbed: Path, tmp_path: Path, cli: Cli) -> None:
    """And without it the comparison fails, after a resume in two processes; one goes on all the same."""
    state = newest(undisturbed)
    (other,) = state["others"]
    ours = state["networks"]["target_pool"]["images"]
    assert not torch.equal(other["buffers"]["target_pool"]["images"], ours)
    assert "probability" in other["buffers"]["target_discriminator_augmenter"]
    run = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    for marker in (run / "checkpoints").glob("step-00000[567].json"):
        marker.unlink()
    saved, state, _ = checkpoint.load_newest(run / "checkpoints")
    assert saved.step == 4
    checkpoint.save(run / "checkpoints", {**state, "others": []}, 4, saved.metrics)
    assert cli("resume", run).code == 0
    with pytest.raises(AssertionError):
        assert_same(newest(undisturbed), newest(run))
    alone = cli("resume", run, "core.processes=1", "train.total=8step")
    assert alone.code == 0
    assert "saved by 2 process(es) and goes on in 1" in alone.err
    assert "others" not in newest(run)


@pytest.mark.slow
def test_a_signal_to_the_launcher_saves_and_resumes(
    images: Path, undisturbed: Path, tmp_path: Path, cli: Cli
) -> None:
    run = tmp_path / "run"
    whenever(run / "checkpoints" / "step-000001.json", lambda: os.kill(os.getpid(), signal.SIGTERM))
    answer = cli(*command(images, run))
    assert answer.code == 143, answer.err
    stopped = status(run)
    assert stopped["state"] == "preempted"
    assert f"saved at step {stopped['step']}" in answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
    assert newest(run)["step"] == stopped["step"] < 7
    assert cli("resume", run).code == 0
    assert_same(newest(undisturbed), newest(run))
    assert (undisturbed / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_a_signal_to_the_whole_group_waits_for_the_workers(images: Path, tmp_path: Path) -> None:
    """As schedulers send it: to the launcher, its server of workers and the workers at once."""
    run = tmp_path / "run"
    words = [str(word) for word in command(images, run, "train.total=4000step")]
    started = subprocess.Popen(
        [sys.executable, "-m", "gantrans", *words], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    whenever(run / "checkpoints" / "step-000001.json", lambda: os.killpg(started.pid, signal.SIGTERM))
    said = started.communicate(timeout=120)[1]
    assert started.returncode == 143
    assert f"saved at step {status(run)['step']}" in said
    assert len(said.splitlines()) == 1, said


@pytest.mark.slow
def test_a_signal_to_any_process_stops_all_at_one_step(images: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    whenever(run / "checkpoints" / "step-000001.json", lambda: os.kill(workers()[1], signal.SIGTERM))
    answer = cli(*command(images, run, "train.total=400step"))
    assert answer.code == 143, answer.err
    assert status(run)["state"] == "preempted"
    assert newest(run)["step"] == status(run)["step"]


@pytest.mark.slow
def test_what_ends_a_run_in_one_process_ends_it_in_two(images: Path, tmp_path: Path, cli: Cli) -> None:
    diverged, lost = tmp_path / "diverged", tmp_path / "lost"
    answer = cli(*command(images, diverged, "train.lr=1e30", "train.total=40step", "core.restarts=3"))
    assert answer.code == 7
    assert "became NaN or infinite" in answer.err
    assert len(answer.err.splitlines()) == 1, answer.err
    assert status(diverged)["state"] == "diverged"

    whenever(lost / "checkpoints" / "step-000001.json", lambda: os.kill(workers()[1], signal.SIGKILL))
    answer = cli(*command(images, lost, "train.total=400step"))
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "gantrans: process lost: process 1 was ended by SIGKILL; too little memory is the usual cause"
    ]
    assert status(lost)["state"] == "failed"


@pytest.mark.slow
def test_a_time_budget_is_that_of_the_first_process(images: Path, tmp_path: Path, cli: Cli) -> None:
    late = tmp_path / "late"
    answer = cli(*command(images, late, "train.total=1s", "val.every=1000step", "train.save_every=1000step"))
    assert answer.code == 0, answer.err
    assert status(late)["step"] == status(late)["total_steps"] > 1


def test_a_bad_image_ends_all_with_one_line(images: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "data").mkdir()
    for kind in ("trainA", "trainB"):
        (tmp_path / "data" / kind).symlink_to(images / kind)
    run, own = tmp_path / "run", tmp_path / "data" / "trainB"
    own.unlink()
    own.mkdir()
    whole = (images / "trainB" / "0.png").read_bytes()
    for i in range(3):
        (own / f"{i}.png").write_bytes(whole if i else whole[: len(whole) // 2])  # the header is sound
    answer = cli(*command(tmp_path / "data", run, "core.restarts=2", "data.cache_mib=0"))
    assert answer.code == 3, answer.err
    assert answer.err.count("0.png") >= 1
    assert len(answer.err.splitlines()) == 1, answer.err
    assert not (run / "status.json").exists() or status(run)["state"] == "failed"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("train.batch_size=3", "train.batch_size=3: is the batch of all processes together, and 2 of them"),
        ("core.processes=0", "core.processes=0: accepted: 1 or more"),
        ("core.processes=1 core.restarts=1", "only several processes are started again (core.processes=2"),
        ("core.nodes=2 train.batch_size=4", "core.rendezvous=null: core.nodes=2 needs HOST:PORT"),
        ("core.rendezvous=here:1", "set core.nodes=2 or more"),
        ("core.nodes=2 core.rendezvous=here train.batch_size=4", "core.rendezvous=here: core.nodes=2 needs"),
        ("core.restarts=-1", "core.restarts=-1: accepted: 0 or more"),
    ],
)
def test_a_mistake_in_the_keys_of_processes_is_named(
    images: Path, tmp_path: Path, cli: Cli, keys: str, said: str
) -> None:
    answer = cli(*command(images, tmp_path / "run", *keys.split()))
    assert answer.code == 2, answer.err
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_where_machines_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [*KEYS, "core.nodes=2", "core.rendezvous=first:29400", "core.run_id=tuesday", "core.restarts=3",
            "train.batch_size=8", "data.root=x"]  # fmt: skip
    fleet = build_fleet(compose_verb("train", keys), Path("run"))
    assert (fleet.world, fleet.rendezvous, fleet.run_id) == (4, "first:29400", "tuesday")
    assert fleet.restarts == 3
    with pytest.raises(ConfigError, match=r"run\.dir=null: with core\.nodes=2"):
        build_fleet(compose_verb("train", keys), None)
    with pytest.raises(ConfigError, match="1 CUDA device"):
        check_devices(2, 1)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="torchrun has started the processes already"):
        build_fleet(compose_verb("train", keys), Path("run"))
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    plain = compose_verb("train", [*KEYS, "core.processes=1", "data.root=x"])
    with pytest.raises(ConfigError, match=r"run\.dir=null: with torchrun --max-restarts"):
        build_fleet(plain, None)


def test_ctrl_c_comes_twice_and_counts_once() -> None:
    with StopRequest(settle=0.2) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.number == signal.SIGINT
        time.sleep(0.25)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)


def test_failures_travel_out_of_the_jobs_of_a_sweep() -> None:
    for error in (ToldError("diverged", "oh", 7), WorkerBugError(1, "Traceback"), LostPeerError("gone")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.title) == (type(error), str(error), error.title)
        assert copy.exit_code == error.exit_code


# --- other launchers; each process imports torch for itself


def shell(*command: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *command], env={**os.environ, "OMP_NUM_THREADS": "1", **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_torchrun_starts_the_same_run(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "gantrans"]
    first = shell(*torchrun, *command(images, run, "core.processes=1", "train.stop_at=4step"))
    out, err = first.communicate(timeout=300)
    assert first.returncode == 0, err
    assert out.count("stopped at step 4") == 1
    again = shell(*torchrun, "resume", str(run), "train.stop_at=null")
    assert again.wait(300) == 0
    assert_same(newest(undisturbed), newest(run))
    refused = shell(*torchrun, *command(images, run, "core.processes=1"))
    _, err = refused.communicate(timeout=300)
    assert err.count("run folder busy") == 1, err


@pytest.mark.slow
def test_two_launchers_meet(images: Path, undisturbed: Path, tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = tmp_path / "run"
    keys = ["core.processes=1", "core.nodes=2", f"core.rendezvous=127.0.0.1:{port}"]
    nodes = [shell("gantrans", *command(images, run, *keys)) for _ in range(2)]
    ended = [node.communicate(timeout=300) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], ended
    assert_same(newest(undisturbed), newest(run))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (UnreadableImage(Path("x.png"), "is cut short"), DataError, 3),
        (DivergedError("NaN"), DivergedError, 7),
        (Interrupted("saved", 15), Interrupted, 143),
        (LostPeerError("gone"), LostPeerError, 1),
        (ZeroDivisionError("a bug"), LostPeerError, 1),
    ],
)
def test_a_failure_arrives_as_what_it_was(error: BaseException, kind: type[GantransError], code: int) -> None:
    rank, again = unpacked(packed(1, error))
    assert (rank, type(again), again.exit_code) == (1, kind, code)
    assert str(error) in str(again)


def test_no_code_comes_out_of_the_store() -> None:
    """It is on the network: a pickle in it, or a class that is none of ours, stays text."""
    planted = pickle.dumps(Planted()).hex()
    pickle.loads(bytes.fromhex(planted))
    assert PLANTED == ["ran"]  # it would run
    for text in (planted, '[0, "SystemExit", "1"]', '[0, "Planted", ""]', "[]"):
        with pytest.raises(ValueError):
            unpacked(text)
    assert PLANTED == ["ran"]


PLANTED: list[str] = []


class Planted:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return _plant, ("ran",)


def _plant(word: str) -> None:
    PLANTED.append(word)
