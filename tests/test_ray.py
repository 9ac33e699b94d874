"""launcher=ray: the bytes, errors and exit codes of a local run, whatever dies. Ray only where slow."""

from __future__ import annotations

import ast
import os
import pickle
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from gantrans.cli import pairs_ray, pairs_task
from gantrans.core import ray_cluster
from gantrans.degrade.recipe import parse_recipe
from gantrans.errors import BusyError, ConfigError, DataError, Interrupted, StorageError
from gantrans.pairs.generate import PairsJob, make_pairs
from gantrans.pairs.journal import WORK, try_lock
from tests.conftest import Cli, draw_picture

PACKAGE = Path(__file__).parent.parent / "gantrans"
RECIPE = "name: tested\nsteps: [{gaussian_noise: {}}, {jpeg: {}}]\n"
SLOW = """
import time
class Slow:
    scale = 1
    def sample(self, rng): return {"chance": float(rng.random())}
    def forward(self, x01, params): time.sleep(0.15); return x01 * x01.dtype.type(params["chance"])
"""


class RayError(Exception):
    """As ray.exceptions.RayError."""


class FakeRay:
    """The part of Ray that is used. Tasks run here, one at a time, when they are waited for.

    fates[number]: what that shard's task answers, so many times before it is run; RayErrors are raised.
    """

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self) -> None:
        self.cpus, self.cluster = (2, 2), "auto"
        self.fates: dict[int, tuple[Any, int]] = {}
        self.options: dict[str, Any] = {}
        self.inits: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.tasks: list[Callable[[], Any]] = []
        self.cancelled: list[int] = []
        self.on_wait: Callable[[], None] = lambda: None
        self.shutdowns = 0

    def is_initialized(self) -> bool:
        return False

    def init(self, **given: Any) -> None:
        self.inits.append(given)
        if given["address"] not in (self.cluster, "local"):
            raise ConnectionError("nobody answers\nand more lines")

    def shutdown(self) -> None:
        self.shutdowns += 1

    def nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [dead, *({"Alive": True, "Resources": {"CPU": float(n)}} for n in self.cpus)]

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        self.options = options
        return lambda function: SimpleNamespace(options=lambda **given: self._named(function, **given))

    def _named(self, function: Any, name: str) -> Any:
        return SimpleNamespace(remote=lambda packed, here: self._begin(function, name, packed, here))

    def _begin(self, function: Any, name: str, packed: bytes, here: str) -> int:
        self.names.append(name)
        number, attempt = int(name.split()[1].split("/")[0]), self.names.count(name)
        quick = pickle.dumps(replace(pickle.loads(packed), workers=0))

        def act() -> Any:
            answer, times = self.fates.get(number, (None, 0))
            return answer if attempt <= times else function(quick, here)

        self.tasks.append(act)
        return len(self.tasks) - 1

    def wait(self, references: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        assert timeout > 0, "a signal is never noticed"
        self.on_wait()
        return references[:num_returns], references[num_returns:]

    def get(self, reference: int) -> Any:
        answer = pickle.loads(pickle.dumps(self.tasks[reference]()))
        if isinstance(answer, RayError):
            raise answer
        return answer

    def cancel(self, reference: int, force: bool = False) -> None:
        self.cancelled.append(reference)


@pytest.fixture(autouse=True)
def no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    made = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", made)  # type: ignore[arg-type]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return made


@pytest.fixture
def keys(photos: Path, tmp_path: Path) -> Iterator[list[str]]:
    (tmp_path / "tested.yaml").write_text(RECIPE)
    (photos / "notes.txt").write_text("not an image")
    yield [f"source={photos}", f"recipe={tmp_path / 'tested.yaml'}"]


def tree(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def local(cli: Cli, keys: list[str], tmp_path: Path) -> dict[str, bytes]:
    assert cli("pairs", *keys, f"out={tmp_path / 'local'}", "workers=0").code == 0
    return tree(tmp_path / "local")


# --- one task a shard, and the same bytes -------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["shards=1", "variants=2"], ["ray.tasks=2"]])
def test_a_task_for_each_shard_makes_the_tree_of_a_local_run(
    cli: Cli, keys: list[str], more: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    wanted = local(cli, [*keys, *(key for key in more if "ray" not in key)], tmp_path)
    answer = cli("pairs", *keys, *more, f"out={tmp_path / 'out'}", "launcher=ray")
    assert answer.code == 0, answer.err
    assert tree(tmp_path / "out") == wanted
    count = 2 if "ray.tasks=2" in more else 6  # never more than files
    assert fake.names == [f"shard {number}/{count}" for number in range(1, count + 1)]
    assert fake.options["num_cpus"] == 1 and fake.options["max_retries"] == pairs_ray.RETRIES >= 3
    assert fake.options["retry_exceptions"] is False and fake.options["scheduling_strategy"] == "SPREAD"
    assert "found 6 files: 5 used" in answer.out and "1 rejected" in answer.out
    assert fake.shutdowns == 1


def test_a_task_that_says_it_is_done_and_is_not_would_be_seen(
    cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    nothing = pairs_ray.PairsSummary(0, 0, 0, 0, 0, 0, {"train": 0, "val": 0, "test": 0}, 0.0)
    fake.fates = {2: (nothing, 1)}  # planted
    cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray")
    assert tree(tmp_path / "out") != local(cli, keys, tmp_path)


def test_four_tasks_for_each_that_can_run_at_once(fake: FakeRay, capsys: pytest.CaptureFixture[str]) -> None:
    fake.cpus = (8, 5)
    assert [pairs_ray._tasks(fake, cpus, None) for cpus in (1, 2, 5, 8)] == [52, 24, 8, 4]
    assert pairs_ray._tasks(fake, 1, 3) == 3 and capsys.readouterr().err == ""
    assert pairs_ray._tasks(fake, 9, None) == 1
    assert "no node has so many CPUs now, the largest 8" in capsys.readouterr().err


# --- what goes wrong ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fake")
def test_mistakes_are_answered_as_in_a_local_run(cli: Cli, keys: list[str], tmp_path: Path) -> None:
    bad, empty, out = tmp_path / "bad", tmp_path / "empty", tmp_path / "out"
    bad.mkdir(), empty.mkdir()
    (bad / "torn.jpg").write_bytes(b"no image")
    assert cli("pairs", *keys, f"out={out}", "workers=0").code == 0
    cases = (
        ([*keys, f"out={out}", "seed=9"], 2),  # told by a task
        ([keys[1], f"source={bad}", f"out={tmp_path / 'b'}"], 3),  # told by the last task
        ([keys[1], f"source={empty}", f"out={tmp_path / 'c'}"], 3),
        ([*keys, f"out={tmp_path / 'd'}", "quality=0"], 2),
        ([*keys, f"out={tmp_path / 'e'}", "size=-1"], 2),
    )
    for case, code in cases:
        answers = [cli("pairs", *case, *more) for more in (["workers=0"], ["launcher=ray"])]
        assert answers[0] == answers[1] and answers[0].code == code
        assert answers[0].err.count("\n") == 1, "one line, no traceback"


@pytest.mark.parametrize(
    "error", [StorageError("full"), DataError("gone"), ConfigError("other"), OSError(28, "No space", "x")]
)
def test_the_first_failure_that_is_everybodys_ends_all(
    error: Exception, cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    fake.fates = {2: (error, 1)}
    answer = cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray")
    assert answer.code == getattr(error, "exit_code", 5) and "Traceback" not in answer.err
    assert fake.cancelled == [2, 3, 4, 5]


def test_errors_survive_the_way_out_of_a_task(monkeypatch: pytest.MonkeyPatch, photos: Path) -> None:
    recipe = parse_recipe({"name": "r", "steps": [{"jpeg": {}}]})
    job = PairsJob(photos, photos.parent / "out", recipe, "", 0, 0, None, "1/2", {"train": 1})
    for error in (BusyError("b"), Interrupted("i", 15), OSError(28, "full", "x"), MemoryError("m")):

        def fails(_: PairsJob, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(pairs_task, "wait_and_make", fails)
        back = pickle.loads(pickle.dumps(pairs_task.work(pickle.dumps(job), ".")))
        assert type(back) is type(error) and str(back) == str(error)
        assert getattr(back, "exit_code", 0) == getattr(error, "exit_code", 0)

    class OfATest(Exception):  # cannot be pickled; it is a bug, so that its traceback is wanted
        pass

    def bug(_: PairsJob) -> None:
        raise OfATest("planted")

    monkeypatch.setattr(pairs_task, "wait_and_make", bug)
    back = pickle.loads(pickle.dumps(pairs_task.work(pickle.dumps(job), ".")))
    assert type(back) is RuntimeError and "OfATest: planted" in str(back) and "in bug" in str(back)


def test_a_node_without_the_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.py").write_text("class Step: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here  # type: ignore[import-not-found]

    packed = pickle.dumps(only_here.Step())
    monkeypatch.delitem(sys.modules, "only_here")
    (tmp_path / "only_here.py").unlink()
    answer = pairs_task.work(packed, str(tmp_path))
    assert isinstance(answer, ConfigError)
    assert "only_here" in str(answer) and "on every node" in str(answer)


# --- what dies ----------------------------------------------------------------------------------------------


def test_a_shard_that_ray_gives_up_leaves_the_others_to_finish(
    cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    fake.fates = {2: (RayError("\n\nThe node died.\nmore"), 1)}
    answer = cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray")
    assert answer.code == 1 and answer.err.count("\n") == 1
    assert "shard lost: shard 2/6 was begun up to 21 times: The node died.; what it made" in answer.err
    assert fake.cancelled == [] and len(fake.names) == 6
    fake.fates.clear()
    assert "made 1 now, kept 4" in cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray").out
    assert tree(tmp_path / "out") == local(cli, keys, tmp_path)


def test_a_worker_that_was_told_to_stop_is_replaced(
    cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its node is drained: make_pairs answers SIGTERM with Interrupted, which nobody asked for."""
    stopped = Interrupted("stopped by SIGTERM", signal.SIGTERM)
    fake.fates = {3: (stopped, 3)}
    assert cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray").code == 0
    assert fake.names.count("shard 3/6") == 4 and len(fake.names) == 9
    assert tree(tmp_path / "out") == local(cli, keys, tmp_path)
    monkeypatch.setattr(pairs_ray, "RETRIES", 2)  # planted: too few
    fake.names.clear()
    answer = cli("pairs", *keys, f"out={tmp_path / 'out2'}", "launcher=ray")
    assert answer.code == 1 and "shard 3/6 was begun up to 3 times: stopped by SIGTERM" in answer.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_what_is_at_work_and_nothing_is_lost(
    number: int, code: int, cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    fake.on_wait = lambda: os.kill(os.getpid(), number) if len(fake.cancelled) == 0 else None
    before = signal.getsignal(number)
    answer = cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray")
    assert answer.code == code and "1 of 6 shards are done" in answer.err
    assert fake.cancelled == [1, 2, 3, 4, 5] and fake.shutdowns == 1
    assert signal.getsignal(number) is before
    fake.on_wait = lambda: None
    assert "kept 1 made before" in cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray").out
    assert tree(tmp_path / "out") == local(cli, keys, tmp_path)


class Holder(threading.Thread):
    """A worker of a node that was given up, still at shard 1/2; its journal grows, or not."""

    def __init__(self, out: Path, *, grows: bool) -> None:
        super().__init__()
        self.path, self.grows = out / WORK / "1-of-2.jsonl", grows
        self.stream = try_lock(self.path)
        self.done = threading.Event()
        self.start()

    def run(self) -> None:
        assert self.stream is not None
        with self.stream:
            for _ in range(12):
                if self.done.wait(0.1):
                    break
                if self.grows:
                    self.stream.write(b"\n")
                    self.stream.flush()


@pytest.mark.parametrize(("grows", "patience_s", "made"), [(True, 0.5, 2), (False, 30, 2), (False, 0.3, 0)])
def test_a_shard_that_another_holds_is_waited_for_while_it_gets_on(
    photos: Path, tmp_path: Path, grows: bool, patience_s: float, made: int
) -> None:
    recipe = parse_recipe({"name": "r", "steps": [{"jpeg": {}}]})
    job = PairsJob(photos, tmp_path / "out", recipe, "", 0, 0, None, "1/2", {"train": 1})
    with pytest.raises(BusyError):  # what would be the end without patience
        holder = Holder(job.out, grows=grows)
        make_pairs(job)
    try:
        if made:
            assert pairs_task.wait_and_make(job, patience_s).made == made
            assert not holder.is_alive()
        else:
            with pytest.raises(BusyError, match="1-of-2"):
                pairs_task.wait_and_make(job, patience_s)
            assert holder.is_alive()
    finally:
        holder.done.set()
        holder.join()


# --- keys, and the extra ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["launcher=slurm"], "launcher=slurm: accepted are local and ray"),
        (["ray.tasks=4"], "ray.tasks=4: counts with launcher=ray only"),
        (["ray.address=h:1"], "ray.address=h:1: counts with launcher=ray only"),
        (["launcher=ray", "ray.tasks=0"], "ray.tasks=0: accepted is a whole number from 1"),
        (["launcher=ray", "shard=1/2"], "shard=1/2: launcher=ray makes shards itself"),
        (["launcher=ray", "workers=0"], "workers=0: "),
        (["launcher=ray", "ray.address=h:1"], "ray.address=h:1: no cluster at h:1: "),
    ],
)
def test_keys_that_do_not_fit_are_refused(
    more: list[str], words: str, cli: Cli, keys: list[str], fake: FakeRay, tmp_path: Path
) -> None:
    answer = cli("pairs", *keys, f"out={tmp_path / 'out'}", *more)
    assert answer.code == 2 and words in answer.err and answer.err.count("\n") == 1
    assert fake.names == [] and not (tmp_path / "out").exists()


def test_without_ray_it_says_how_to_get_it(
    cli: Cli, keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    answer = cli("pairs", *keys, f"out={tmp_path / 'out'}", "launcher=ray")
    assert answer.code == 2 and 'pip install "gantrans[ray]"' in answer.err and answer.err.count("\n") == 1
    assert cli("pairs", *keys, f"out={tmp_path / 'out'}", "workers=0").code == 0


def test_an_address_where_nobody_listens_is_answered_before_ray_waits(
    fake: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        fake.cluster = address
        with ray_cluster.connected(fake, address):
            pass
    began = time.monotonic()
    for given in (address, f"ray://{address}"):
        with pytest.raises(ConfigError, match=rf"no cluster at {given}: .*refused; give the HOST:PORT"):
            ray_cluster.connected(fake, given).__enter__()
    assert time.monotonic() - began < 5 and len(fake.inits) == 1, "Ray itself was never asked"
    monkeypatch.setattr(ray_cluster, "_PROBE_S", 0.01)
    with pytest.raises(ConfigError, match=r"no cluster at 192\.0\.2\.1:1"):  # TEST-NET: answers nothing
        ray_cluster.connected(fake, "192.0.2.1:1").__enter__()


def test_a_cluster_is_found_before_one_is_started(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_probe", lambda _: None)

    def addresses(given: str | None) -> list[str]:
        fake.inits.clear()
        with suppress(ConfigError), ray_cluster.connected(fake, given):
            pass
        return [init["address"] for init in fake.inits]

    assert addresses(None) == ["auto"]
    fake.cluster = "h:1"
    assert addresses(None) == ["auto", "local"] and addresses("h:1") == ["h:1"]
    assert addresses("h:2") == ["h:2"]  # one that was asked for and is not there is no reason to take another
    monkeypatch.setenv("RAY_ADDRESS", "h:3")
    assert addresses(None) == ["h:3"]


def test_what_ray_prints_is_a_note_of_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with redirect_stdout(ray_cluster._Notes()):
        print("(raylet) Task shard 2/4 failed. " + "x" * 999 + "\n    its log\n    its log")
        print()
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and len(told.err) < 250
    assert told.err.startswith("note      ray: Task shard 2/4 failed. ")


def ray_imports(source: str, place: str) -> list[int]:
    """The lines that import Ray, but for those within a function of core/ray_cluster.py."""
    parsed = ast.parse(source)
    inside = {id(n) for f in ast.walk(parsed) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    found = []
    for node in ast.walk(parsed):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        allowed = id(node) in inside and place == "core/ray_cluster.py"
        if any(name.split(".")[0] == "ray" for name in names) and not allowed:
            found.append(node.lineno)  # type: ignore[attr-defined]
    return sorted(found)


def test_ray_is_imported_in_one_place_and_late() -> None:
    for path in PACKAGE.rglob("*.py"):
        text, place = path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix()
        assert re.search(r"\bray\b", text) is None or ray_imports(text, place) == [], place
    planted = "import os\ndef f():\n    import ray\nfrom ray.util import x\n"
    assert ray_imports(planted, "core/ray_cluster.py") == [4]
    assert ray_imports(planted, "cli/pairs_ray.py") == [3, 4]


# --- Ray itself ---------------------------------------------------------------------------------------------


def processes_of(parent: int) -> dict[int, str]:
    """The command line of each child of a process, by its id."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((place / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ").strip()
    return found


def at_work(out: Path, raylet: int) -> list[int]:
    """The workers of a node that are at a shard, and have made something of it."""
    found = []
    for pid, line in processes_of(raylet).items():
        if title := re.match(r"ray::shard (\d+)/(\d+)", line):
            number, count = int(title[1]), int(title[2])
            with suppress(FileNotFoundError):
                if (out / WORK / f"{number % count}-of-{count}.jsonl").stat().st_size:
                    found.append(pid)
    return found


def two_nodes() -> tuple[Any, int]:
    """A cluster on this machine, and the process of its second node. A busy machine may need more tries."""
    from ray.cluster_utils import Cluster  # type: ignore[import-not-found]

    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    for again in (True, True, False):
        cluster = Cluster()
        try:
            cluster.add_node(**node, include_dashboard=False)
            second = cluster.add_node(**node)
            cluster.wait_for_nodes()
            return cluster, second.all_processes["raylet"][0].process.pid
        except Exception:  # of no kind of its own: a node was not up within Ray's 30 s
            cluster.shutdown()
            if not again:
                raise
    raise AssertionError


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="kills what /proc names")
@pytest.mark.parametrize("victim", ["node", "raylet", "worker", "nobody", "command"])
def test_on_two_nodes_of_which_one_is_killed(
    victim: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost node's shard is run again elsewhere, keeps what was made, and the bytes are a local run's."""
    pytest.importorskip("ray")
    (tmp_path / "planted_slow.py").write_text(SLOW)
    (tmp_path / "slow.yaml").write_text("name: slow\nsteps: [{planted_slow.Slow: {}}]\n")
    for number in range(40):
        (tmp_path / "many").mkdir(exist_ok=True)
        Image.fromarray(draw_picture(number)).save(tmp_path / f"many/{number:02d}.png")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    keys = [f"source={tmp_path / 'many'}", f"recipe={tmp_path / 'slow.yaml'}", "plugins=[planted_slow]"]
    wanted = local(cli, keys, tmp_path)
    out = tmp_path / "out"
    cluster, raylet = two_nodes()
    try:
        killer = Killer(victim, out, raylet)
        killer.start()
        call = ["pairs", *keys, f"out={out}", "launcher=ray", f"ray.address={cluster.address}", "ray.tasks=4"]
        answer = cli(*call)
        killer.join()
        assert killer.killed or victim == "nobody"
        if victim == "command":
            assert answer.code == 130 and "stopped by SIGINT" in answer.err
            answer = cli(*call)
        assert answer.code == 0, answer.err
        assert tree(out) == wanted
        assert "found 40 files: 40 used" in answer.out
        kept = int(answer.out.split("kept ")[1].split()[0])
        assert kept > 0 or victim in ("nobody", "raylet"), answer.out
        assert "Traceback" not in answer.err and "(raylet)" not in answer.out
        other = cli(*call, "seed=9")  # a task says that OUT is another job's
        assert other.code == 2 and "seed is 0, asked for is 9" in other.err and "Traceback" not in other.err
    finally:
        cluster.shutdown()


class Killer(threading.Thread):
    """Ends its victim as soon as the second node has made something."""

    def __init__(self, victim: str, out: Path, raylet: int) -> None:
        super().__init__(daemon=True)
        self.victim, self.out, self.raylet, self.killed = victim, out, raylet, False

    def run(self) -> None:
        until = time.monotonic() + 240
        while not (workers := at_work(self.out, self.raylet)):
            if time.monotonic() > until or self.victim == "nobody":
                return
            time.sleep(0.01)
        if self.victim == "command":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            node = [self.raylet, *processes_of(self.raylet)]
            for pid in {"node": node, "raylet": [self.raylet], "worker": workers}[self.victim]:
                os.kill(pid, signal.SIGKILL)
        self.killed = True
