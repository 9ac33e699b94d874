"""What the core decides: number format, compiling, recomputing, parts of a batch, copies to the device."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantrans.build.config import compose_verb
from gantrans.core import compiling, device, prefetch
from gantrans.core.device import open_core, set_tf32
from gantrans.core.recompute import recompute_blocks
from gantrans.core.threads import let_idle_threads_sleep
from gantrans.data.stream import RawBatch
from gantrans.errors import ConfigError
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.degradation import LearnedDegradation
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.resnet import ResNetGenerator
from gantrans.nets.unet import UNet
from gantrans.training.ema import ema_copy
from gantrans.training.guard import NanGuard
from gantrans.training.step import train_step
from gantrans.types import Batch
from tests.conftest import TINY, Cli
from tests.test_graph import raw_batch, state_of
from tests.test_methods import networks_of
from tests.test_training import assert_same, newest

# --- the number format


@pytest.mark.parametrize(
    ("kind", "asked", "deterministic", "chosen"),
    [
        ("cpu", "auto", False, "fp32"),
        ("cuda", "auto", False, "tf32"),
        ("cuda", "auto", True, "fp32"),
        ("cuda", "tf32", True, "fp32"),
        ("cuda", "fp32", False, "fp32"),
        ("cuda", "bf16", True, "bf16"),
    ],
)
def test_which_number_format_is_chosen(kind: str, asked: str, deterministic: bool, chosen: str) -> None:
    assert device._precision(kind, asked, deterministic=deterministic) == chosen


def test_tf32_is_refused_on_the_cpu_by_name() -> None:
    with pytest.raises(ConfigError, match=r"core\.precision=tf32: .* use core\.precision=auto"):
        open_core("cpu", "tf32")


@pytest.fixture
def arithmetic() -> Iterator[None]:
    """Puts the process's settings back."""
    before = torch.get_float32_matmul_precision(), torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
    yield
    set_tf32(False)
    torch.backends.cuda.matmul.fp32_precision = torch.backends.cudnn.conv.fp32_precision = "none"  # type: ignore[attr-defined]
    torch.set_float32_matmul_precision(before[0])
    torch.backends.mkldnn.matmul.fp32_precision = before[1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.usefixtures("arithmetic")
def test_old_and_new_names_of_tf32_agree(on: bool) -> None:
    """torch.compile asks by the old names, which raise where only the new ones were told."""
    set_tf32(on)
    assert torch.backends.cuda.matmul.fp32_precision == ("tf32" if on else "ieee")
    assert torch.backends.cudnn.conv.fp32_precision == ("tf32" if on else "ieee")  # type: ignore[attr-defined]
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is on
    assert torch.get_float32_matmul_precision() == ("high" if on else "highest")


def test_a_network_in_place_stays_where_it_is() -> None:
    """Validation places the averages again and again; a captured step goes on writing to where they were."""
    for layout in (torch.contiguous_format, torch.channels_last):
        core = device.Core(torch.device("cpu"), "fp32", channels_last=layout is torch.channels_last)
        network = nn.Sequential(nn.Conv2d(4, 1, 1), nn.Conv2d(1, 3, 4), nn.BatchNorm2d(3))
        core.place(network)
        at = [t.data_ptr() for t in network.state_dict().values()]
        core.place(network)
        assert at == [t.data_ptr() for t in network.state_dict().values()]
        assert all(p.is_contiguous(memory_format=layout) for p in network.parameters() if p.dim() == 4)


# --- parts of a batch


def step_in_parts(
    method: Method, parts: int, who: str = "both"
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The gradients that a step leaves, and what it reports. (Weights after Adam tell less: it makes full
    steps of the rounding that is left of a gradient of zero, as biases before a norm have.)"""
    networks = {role: network.double() for role, network in networks_of(method).items()}
    state = state_of(method, open_core("cpu"), networks)
    rng = torch.Generator().manual_seed(1)
    source, target = (torch.rand(4, 3, 16, 16, generator=rng, dtype=torch.float64) * 2 - 1 for _ in range(2))
    train_step(
        state, Batch(source, target), method, open_core("cpu"), NanGuard(),
        seed=0, rate=1.0, ema=0.9, who=who, accumulate=parts,
    )  # fmt: skip
    named = {f"{role}.{name}": p for role, n in networks.items() for name, p in n.named_parameters()}
    return {name: p.grad for name, p in named.items() if p.grad is not None}, state.meter.flush()


R1 = Restraint(r1=1.0, r1_every=1)
IN_PARTS = {
    "pix2pix": (lambda: Pix2Pix(restraint=R1), "both"),
    "pix2pix, features": (lambda: Pix2Pix(lambda_features=10.0), "both"),
    "cyclegan": (lambda: CycleGAN(pool=0, restraint=R1), "both"),
    "degradation": (lambda: LearnedDegradation(noise=0.0), "both"),
    "discriminators alone": (lambda: CycleGAN(pool=0), "discriminator"),
    "generators alone": (lambda: CycleGAN(pool=0), "generator"),
}


@pytest.mark.parametrize("case", IN_PARTS)
def test_a_batch_in_parts_is_the_batch(case: str) -> None:
    make, who = IN_PARTS[case]
    whole, metrics = step_in_parts(make(), 1, who)
    assert any(gradient.abs().max() > 1e-4 for gradient in whole.values())
    for parts in (2, 4):
        found, same = step_in_parts(make(), parts, who)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-10)
        for name, value in metrics.items():  # accuracies are counted in float32
            assert same[name] == pytest.approx(value, abs=1e-7 if "accuracy" in name else 1e-10)


def test_fakes_made_after_the_generators_update_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """CycleGAN's discriminators judge what the generators made before they learned."""
    from gantrans.training.forwards import Forwards

    whole, _ = step_in_parts(CycleGAN(pool=0), 1)
    honest = Forwards.of

    def late(self: Forwards, number: int, phase: Any) -> dict[str, Tensor]:
        self._kept.clear()
        return honest(self, number, phase)

    monkeypatch.setattr(Forwards, "of", late)
    found, _ = step_in_parts(CycleGAN(pool=0), 2)
    name = "target_discriminator.head.weight"
    assert (whole[name] - found[name]).abs().max() > 1e-8


def test_parts_keep_one_graph_at_a_time_and_move_batch_norms_averages_once_a_part() -> None:
    method, sizes = Pix2Pix(), {}
    for parts in (1, 4):
        networks: dict[str, nn.Module] = {
            "generator": UNet(3, 3, width=3, depth=4, norm="batch", dropout=False),
            "discriminator": PatchGAN(6, 3, layers=1, norm="instance"),
        }
        state = state_of(method, open_core("cpu"), networks)
        batch = Batch(*(torch.rand(4, 3, 16, 16) for _ in range(2)))
        saved = Saved()
        with torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
            train_step(
                state,
                batch,
                method,
                open_core("cpu"),
                NanGuard(),
                seed=0,
                rate=1.0,
                ema=0.9,
                accumulate=parts,
            )
        sizes[parts] = saved.most
        counter = networks["generator"].down[0].norm.num_batches_tracked  # type: ignore[index, union-attr]
        assert int(counter) == parts
    assert sizes[4] < 0.4 * sizes[1]


class Saved:
    """Counts the bytes that autograd holds on to: now and at most."""

    def __init__(self) -> None:
        self.held = self.most = self.total = 0

    def pack(self, x: Tensor) -> Any:
        size = x.numel() * x.element_size() if x.dim() == 4 and len(x) in (1, 2, 4) else 0  # no weights
        self.held += size
        self.total += size
        self.most = max(self.most, self.held)
        return _Held(x, size, self)

    def unpack(self, held: Any) -> Tensor:
        return held.x


class _Held:
    def __init__(self, x: Tensor, size: int, saved: Saved) -> None:
        self.x, self.size, self.saved = x, size, saved

    def __del__(self) -> None:
        self.saved.held -= self.size


@pytest.mark.parametrize(
    ("parts", "said"), [(3, "accepted are 1, 2, 4"), (0, "must divide"), (8, "must divide")]
)
def test_parts_must_divide_the_batch(photos: Path, tmp_path: Path, cli: Cli, parts: int, said: str) -> None:
    keys = [*TINY, f"data.root={photos}", f"run.dir={tmp_path / 'run'}", "train.batch_size=4"]
    answer = cli("train", *keys, f"train.accumulate={parts}")
    assert answer.code == 2
    assert f"train.accumulate={parts}: must divide train.batch_size=4" in answer.err and said in answer.err


def test_a_run_in_parts_is_another_run_with_batch_norm_and_resumes(
    photos: Path, tmp_path: Path, cli: Cli
) -> None:
    """The key acts: the tiny run has batch norm, which sees the smaller parts."""
    plain, parts = tmp_path / "plain", tmp_path / "parts"
    keys = ["train", *TINY, f"data.root={photos}"]
    assert cli(*keys, f"run.dir={plain}").code == 0
    assert cli(*keys, f"run.dir={parts}", "train.accumulate=2", "train.stop_at=3step").code == 0
    assert cli("resume", parts, "train.stop_at=null").code == 0
    assert (plain / "metrics.jsonl").read_bytes() != (parts / "metrics.jsonl").read_bytes()
    assert newest(parts)["step"] == 6


# --- computing blocks again

GENERATORS = {
    "unet, batch norm and dropout": lambda: UNet(3, 3, width=2, depth=7),
    "unet, instance norm": lambda: UNet(3, 3, width=2, depth=4, norm="instance"),
    "resnet, batch norm and dropout": lambda: ResNetGenerator(width=2, blocks=3, norm="batch", dropout=True),
    "resnet, antialiased": lambda: ResNetGenerator(width=2, blocks=2, antialias=True),
}


def gradients(network: nn.Module) -> tuple[list[Tensor], dict[str, Tensor], Saved]:
    torch.manual_seed(2)
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    saved = Saved()
    with torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
        loss = network(x).square().sum()
    torch.manual_seed(99)  # as a discriminator's dropout would move it in between
    loss.backward()
    return [p.grad for p in network.parameters() if p.grad is not None], network.state_dict(), saved


@pytest.mark.parametrize("name", GENERATORS)
def test_recomputing_changes_no_bit_and_holds_less(name: str) -> None:
    torch.manual_seed(0)
    plain = GENERATORS[name]().double()
    again = copy.deepcopy(plain)
    keys = list(plain.state_dict())
    assert recompute_blocks(again) > 1
    assert list(again.state_dict()) == keys
    expected, state, all_held = gradients(plain)
    found, same, less_held = gradients(again)
    assert_same(expected, found)
    assert_same(dict(state), dict(same))  # batch norm's averages among them
    assert less_held.total < 0.9 * all_held.total


def test_averages_moved_twice_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr("gantrans.core.recompute.still_averages", lambda _: nullcontext())
    with pytest.raises(AssertionError):
        test_recomputing_changes_no_bit_and_holds_less("unet, batch norm and dropout")


def test_a_copy_recomputes_its_own_blocks() -> None:
    torch.manual_seed(0)
    network = ResNetGenerator(width=2, blocks=2)
    recompute_blocks(network)
    average = ema_copy(network)
    with torch.no_grad():
        before = average(torch.ones(1, 3, 16, 16))
        for p in network.parameters():
            p.zero_()
        assert torch.equal(average(torch.ones(1, 3, 16, 16)), before)
    average.train().requires_grad_(True)
    average(torch.ones(1, 3, 16, 16)).sum().backward()
    assert all(p.grad is None for p in network.parameters())


def test_what_cannot_be_recomputed_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no blocks to recompute"):
        recompute_blocks(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="spectral norm moves at each forward"):
        recompute_blocks(PatchGAN(3, 2, norm="none", spectral=True))


def test_recomputing_in_a_run_changes_no_bit(photos: Path, tmp_path: Path, cli: Cli) -> None:
    keys = ["train", *TINY, f"data.root={photos}"]
    runs = [tmp_path / name for name in ("plain", "again")]
    for run, more in zip(runs, ([], ["core.recompute=true"]), strict=True):
        answer = cli(*keys, f"run.dir={run}", *more)
        assert answer.code == 0, answer.err
    assert_same(*(newest(run) for run in runs))
    answer = cli(*keys, f"run.dir={tmp_path / 'both'}", "core.recompute=true", "core.compile=default")
    assert answer.code == 2 and "use one of the two" in answer.err


def test_recomputing_is_asked_for_in_a_run(photos: Path, tmp_path: Path, cli: Cli, monkeypatch: Any) -> None:
    """The key acts."""
    asked: list[str] = []
    monkeypatch.setattr("gantrans.build.pace.recompute_blocks", lambda n: asked.append(type(n).__name__))
    more = ["core.recompute=true", "train.total=1step"]
    assert cli("train", *TINY, f"data.root={photos}", f"run.dir={tmp_path / 'run'}", *more).code == 0
    assert asked == ["UNet"]


# --- compiling


@pytest.mark.slow
def test_compiling_is_in_place_and_copies_are_plain(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []
    honest = nn.Module.compile

    def noted(self: nn.Module, *, mode: str | None) -> None:
        asked.append((type(self).__name__, mode))
        honest(self, backend=lambda graph, _: graph.forward)  # as it traces, without a compiler

    monkeypatch.setattr(nn.Module, "compile", noted)
    keys = ["train", *TINY, f"data.root={photos}", "train.total=2step"]
    plain, run = tmp_path / "plain", tmp_path / "run"
    assert cli(*keys, f"run.dir={plain}").code == 0
    answer = cli(*keys, f"run.dir={run}", "core.compile=max")
    assert answer.code == 0, answer.err
    assert asked == [("UNet", "max-autotune-no-cudagraphs"), ("PatchGAN", "max-autotune-no-cudagraphs")]
    for section in ("networks", "averages", "optimizers"):
        saved, compiled = newest(plain)[section], newest(run)[section]
        assert [list(s) for s in saved.values()] == [list(s) for s in compiled.values()]
    assert cli("translate", f"model={run}", f"source={photos}", f"out={tmp_path / 'out'}").code == 0
    asked.clear()
    assert cli(*keys, f"run.dir={tmp_path / 'r1'}", "core.compile=default", "adversary.r1=1").code == 0
    assert asked == [("UNet", "default")]  # a penalty differentiates the discriminator twice


@pytest.mark.slow
def test_a_compiled_run_learns_the_same(photos: Path, tmp_path: Path, cli: Cli) -> None:
    for name, more in (("plain", []), ("compiled", ["core.compile=default"])):
        keys = [
            "train",
            *TINY,
            f"data.root={photos}",
            f"run.dir={tmp_path / name}",
            "train.total=2step",
            *more,
        ]
        assert cli(*keys).code == 0
    weights = [newest(tmp_path / name)["networks"]["generator"] for name in ("plain", "compiled")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=0, atol=1e-3)


def test_where_nothing_can_compile_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Linear(1, 1)
    monkeypatch.setattr(compiling.shutil, "which", lambda _: None)
    with pytest.raises(
        ConfigError, match=r"core\.compile=max: .* needs a C\+\+ compiler.* core\.compile=off"
    ):
        compiling.compile_networks([network], "max", "cpu")
    monkeypatch.setattr(compiling, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="pip install triton"):
        compiling.compile_networks([network], "default", "cuda")
    assert network._compiled_call_impl is None


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("core.compile=fast", "core.compile=fast: accepted are default, max, off"),
        ("core.graph=maybe", "core.graph=maybe: accepted are auto, false, true"),
        ("core.graph=true", "core.graph=true: the CPU has no CUDA graphs"),
        ("core.precision=tf32", "core.precision=tf32: TF32 is a format"),
    ],
)
def test_what_the_core_cannot_do_is_said(photos: Path, tmp_path: Path, cli: Cli, key: str, said: str) -> None:
    answer = cli("train", *TINY, f"data.root={photos}", f"run.dir={tmp_path / 'run'}", key)
    assert answer.code == 2, answer
    assert said in answer.err


@pytest.mark.parametrize("word", ["off", "'off'", "false"])
def test_off_is_a_word_however_yaml_reads_it(word: str, photos: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    keys = [*TINY, f"data.root={photos}", f"run.dir={run}", "train.total=1step"]
    assert cli("train", *keys, f"core.compile={word}", "core.graph=false").code == 0
    assert cli("resume", run, f"core.compile={word}", "train.total=2step").code == 0


def test_why_a_step_is_not_captured() -> None:
    from gantrans.build.pace import _obstacle

    class Own(Pix2Pix):
        pass

    Own.__module__ = "mine"
    base = compose_verb("train", [*TINY, "data.root=x", "generator.dropout=true"])
    core = SimpleNamespace(device=torch.device("cuda"), precision="bf16", ranks=SimpleNamespace(world=1))
    method, networks = Pix2Pix(), {"generator": UNet(width=2, depth=7), "discriminator": PatchGAN()}

    def why(key: str = "seed=0", method: Any = method, **other: Any) -> str:
        config = compose_verb("train", [*TINY, "data.root=x", key])
        return _obstacle(config, SimpleNamespace(**{**vars(core), **other}), method, networks)  # type: ignore[arg-type]

    assert base and why() == ""
    assert "no CUDA graphs" in why(device=torch.device("cpu"))
    assert "fp16" in why(precision="fp16")
    assert "several processes" in why(ranks=SimpleNamespace(world=2))
    assert "augment.crop=null" in why("augment.crop=null")
    assert "Own is a class of your own" in why(method=Own())
    assert why("core.graph=true", method=Own()) == ""
    assert "dropout" in why("core.recompute=true")


def test_training_starts_without_the_compiler() -> None:
    """torch._dynamo and sympy take seconds to import, and ours is not what imports them: neither our modules
    nor the table of the networks. (PyTorch's own optimizers do, when the first of them is made.)"""
    code = (
        "import sys; import gantrans.build.training, gantrans.training.loop, gantrans.build.pace;"
        "from gantrans.nets.patchgan import PatchGAN; from gantrans.nets.unet import UNet;"
        "from gantrans.training.summary import model_summary;"
        "text = model_summary({'generator': UNet(width=2, depth=2), 'discriminator': PatchGAN(6, width=2)});"
        "assert '3 x 32 x 32' in text, text;"
        "sys.exit(bool({'torch._dynamo', 'sympy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- copies to the device


def test_on_the_cpu_batches_pass_as_they_are() -> None:
    batches = [raw_batch(0), raw_batch(1)]
    ahead = prefetch.Prefetch(iter(batches), open_core("cpu"))
    assert [next(ahead) is batch for batch in batches] == [True, True]
    assert ahead.waited >= 0
    with pytest.raises(StopIteration):
        next(ahead)


def test_on_cuda_copies_run_beside_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of calls, on streams that only write down what they are asked."""
    said: list[str] = []

    class Stream:
        def __init__(self, name: object) -> None:
            self.name = "main" if name == "main" else "side"

        def wait_stream(self, other: Stream) -> None:
            said.append(f"{self.name} waits for {other.name}")

    class Event:
        def __init__(self) -> None:
            self.number = sum(word.startswith("mark") for word in said)

        def record(self, stream: Stream) -> None:
            said.append(f"mark {self.number} on {stream.name}")

        def synchronize(self) -> None:
            said.append(f"host waits for mark {self.number}")

    class Within:
        def __init__(self, stream: Stream) -> None: ...
        def __enter__(self) -> None:
            said.append("side {")

        def __exit__(self, *_: object) -> None: said.append("}")  # fmt: skip

    main = Stream("main")
    fake = SimpleNamespace(Stream=Stream, Event=Event, current_stream=lambda _: main, stream=Within)
    monkeypatch.setattr(prefetch, "cuda", fake)
    monkeypatch.setattr(
        Tensor, "record_stream", lambda _, s: said.append(f"kept for {s.name}"), raising=False
    )
    core = SimpleNamespace(device=torch.device("cuda"), move=lambda raw: said.append("copy") or raw)
    source = iter([RawBatch(b.source, b.target, b.keys) for b in (raw_batch(i) for i in range(4))])
    ahead = prefetch.Prefetch(source, core)  # type: ignore[arg-type]
    for _ in range(4):
        next(ahead)
    one = ["side {", "copy", "}", "main waits for side", "kept for main", "kept for main"]
    assert said[:7] == ["mark 0 on main", *one]
    assert said[-8:] == ["mark 3 on main", "host waits for mark 1", *one]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_prefetched_batches_are_those_of_the_stream_on_cuda() -> None:
    core, batches = open_core("cuda"), [raw_batch(i) for i in range(20)]
    for given, found in zip(
        batches, prefetch.Prefetch(iter(b.pin_memory() for b in batches), core), strict=True
    ):
        assert found.source.device.type == "cuda"
        assert torch.equal(found.source.cpu(), given.source) and torch.equal(found.target.cpu(), given.target)


def test_only_waiting_for_data_counts_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """data_wait_share: the copy, and holding back for the device, are not the loader's fault."""
    now = [0.0]
    monkeypatch.setattr(prefetch.time, "perf_counter", lambda: now[0])

    def slow() -> Iterator[RawBatch]:
        for i in range(2):
            now[0] += 0.5
            yield raw_batch(i)

    ahead = prefetch.Prefetch(slow(), open_core("cpu"))
    monkeypatch.setattr(ahead, "_stream", object())
    monkeypatch.setattr(ahead, "_moved", lambda raw, _: now.__setitem__(0, now[0] + 9) or raw)
    next(ahead)
    assert ahead.waited == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_threads_sleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: dict[str, str]
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        os.environ.pop(name)
    os.environ.update(given)
    let_idle_threads_sleep()
    found = {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    assert found == {"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": None} | expected
