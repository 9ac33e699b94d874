"""A captured step is the eager step: the same weights, averages, optimizers and metrics, bit for bit."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from gantrans.core.device import Core, open_core
from gantrans.core.graph import CudaGraphs, GraphRunner
from gantrans.data.stream import RawBatch
from gantrans.errors import ConfigError, DivergedError
from gantrans.methods.adversary import Restraint
from gantrans.methods.base import Method, translators
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.unet import UNet
from gantrans.training.ema import ema_copy
from gantrans.training.guard import NanGuard
from gantrans.training.state import State
from gantrans.training.step import build_optimizers
from gantrans.training.stepper import Stepper
from tests import test_methods
from tests.conftest import TINY, Cli, some
from tests.tape import TapeBackend
from tests.test_methods import EVERYTHING, METHODS, SIDE, networks_of
from tests.test_training import assert_same, newest

STAGES = ["generator"] * 5 + ["discriminator"] * 5 + ["both"] * 6
LAZY = Restraint(r1=1.0, r1_every=3)
CASES: dict[str, tuple[Callable[[], Method], list[str]]] = {
    "pix2pix": (Pix2Pix, ["both"] * 8),
    "pix2pix, lazy R1": (lambda: Pix2Pix(restraint=LAZY), ["both"] * 10),
    "pix2pix, stages": (lambda: Pix2Pix(restraint=LAZY), STAGES),
    "cyclegan, pool": (lambda: CycleGAN(pool=3), ["both"] * 8),
    **{f"{n}, everything": (lambda n=n: METHODS[n](restraint=EVERYTHING), ["both"] * 3) for n in METHODS},
}  # fmt: skip


PLAIN = [case for case in CASES if "everything" not in case]


def raw_batch(step: int, size: int = SIDE) -> RawBatch:
    rng = torch.Generator().manual_seed(step)
    images = (torch.randint(256, (2, 3, size, size), generator=rng, dtype=torch.uint8) for _ in range(3))
    source, target, unpaired = images
    return RawBatch(source, target, (f"a{step}", f"b{step}"), unpaired)


def state_of(method: Method, core: Core, networks: dict[str, nn.Module] | None = None) -> State:
    networks = networks or networks_of(method)
    networks = {role: core.place(network) for role, network in networks.items()}
    averages = {role: ema_copy(networks[role]) for role in translators(method.roles).values()}
    optimizers = build_optimizers(networks, method, lr=2e-4, betas=(0.5, 0.999))
    return State(networks, optimizers, averages, torch.amp.GradScaler(enabled=False))  # type: ignore[attr-defined]


def stepper_of(
    state: State, method: Method, graphs: GraphRunner | None, core: Core, **more: object
) -> Stepper:
    return Stepper(state, method, core, NanGuard(), seed=3, ema=0.9, graphs=graphs, **more)  # type: ignore[arg-type]


def unet_like(in_channels: int, out_channels: int, width: int, blocks: int) -> UNet:
    del blocks
    return UNet(in_channels, out_channels, width, depth=4, norm="instance")


def rate_of(step: int) -> float:
    return min(1.0, 0.4 + step / 10) * (1 - step / 40)


def run(method: Method, whos: list[str], graphs: GraphRunner | None, core: Core) -> tuple[dict, list[dict]]:
    state = state_of(method, core)
    step, logged = stepper_of(state, method, graphs, core), []
    for number, who in enumerate(whos):
        step(core.move(raw_batch(number)), rate=rate_of(number), who=who)
        if number % 3 == 2:
            logged.append(state.meter.flush())
            step.guard.check()
    return state.state_dict(), logged


@pytest.mark.parametrize("case", [*PLAIN, *some((case for case in CASES if case not in PLAIN), every=2)])
def test_a_captured_step_is_the_eager_step(case: str) -> None:
    make, whos = CASES[case]
    core, backend = open_core("cpu"), TapeBackend()
    method = make()
    eager = run(method, whos, None, core)
    captured = run(method, whos, GraphRunner(backend, warmup=1), core)
    assert backend.captured >= 1
    assert_same(eager[0], captured[0])
    assert eager[1] == captured[1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("case", CASES)
def test_a_captured_step_is_the_eager_step_on_cuda(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With U-Nets: CUDA has no deterministic gradient of the mirrored borders that a ResNet has."""
    monkeypatch.setattr(test_methods, "ResNetGenerator", unet_like)
    make, whos = CASES[case]
    core = open_core("cuda", "fp32", deterministic=True)
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        method = make()
        eager = run(method, whos, None, core)
        captured = run(method, whos, GraphRunner(CudaGraphs(core.device)), core)
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same(eager[0], captured[0])
    assert eager[1] == captured[1]


def test_each_variant_is_captured_once() -> None:
    backend = TapeBackend()
    run(
        Pix2Pix(restraint=LAZY),
        ["both"] * 12 + ["generator"] * 4,
        GraphRunner(backend, warmup=1),
        open_core("cpu"),
    )
    assert backend.captured == 3  # with R1, without, generator alone


@pytest.mark.parametrize("offence", ["a rate", "a decay", "an output"])
def test_a_number_kept_from_the_capture_is_caught(offence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host decides goes into the tape for good, as it would into a CUDA graph."""
    from gantrans.training import stepper

    if offence == "a rate":
        monkeypatch.setattr(stepper, "_groups", lambda *_: iter(()))
    elif offence == "a decay":
        honest = stepper.advance
        monkeypatch.setattr(
            stepper, "advance", lambda *a, **k: honest(*a, **{**k, "decay": 0.1 * (a[0].step + 1)})
        )
    else:
        monkeypatch.setattr(TapeBackend, "capture", lambda *_: lambda: None)
    method, core = Pix2Pix(), open_core("cpu")
    eager = run(method, ["both"] * 6, None, core)
    with pytest.raises(AssertionError):
        captured = run(method, ["both"] * 6, GraphRunner(TapeBackend(), warmup=1), core)
        assert_same(eager[0], captured[0])


def test_a_step_that_waits_cannot_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Pix2Pix.loss

    def waits(self: Pix2Pix, *given: object):
        loss, metrics = honest(self, *given)  # type: ignore[arg-type]
        return (loss if loss > 0 else -loss), metrics

    monkeypatch.setattr(Pix2Pix, "loss", waits)
    with pytest.raises(ConfigError, match=r"cannot be captured .* use core\.graph=false"):
        run(Pix2Pix(), ["both"] * 3, GraphRunner(TapeBackend(), warmup=1), open_core("cpu"))


def test_a_batch_that_does_not_fit_is_named() -> None:
    method, core = Pix2Pix(), open_core("cpu")
    good, bad = raw_batch(0), raw_batch(1, size=24)
    mixed = RawBatch(good.source, good.target.float() / 255, good.keys, good.unpaired)
    fewer = RawBatch(good.source, good.target, good.keys)
    for odd, said in (
        (bad, r"source is \(2, 3, 16, 16\) uint8 in the captured step, and \(2, 3, 24, 24\) uint8"),
        (mixed, r"target is \(2, 3, 16, 16\) uint8 .* \(2, 3, 16, 16\) float32"),
        (fewer, r"unpaired is \(2, 3, 16, 16\) uint8 .* and absent"),
    ):
        step = stepper_of(state_of(method, core), method, GraphRunner(TapeBackend(), strict=True), core)
        step(good, rate=1.0)
        with pytest.raises(ConfigError, match=said):
            step(odd, rate=1.0)


def test_without_strictness_a_batch_that_does_not_fit_is_stepped_eagerly() -> None:
    method, core, said = Pix2Pix(), open_core("cpu"), []
    batches = [raw_batch(i, size=24 if i == 4 else SIDE) for i in range(7)]
    found = []
    for graphs in (None, GraphRunner(TapeBackend(), warmup=1)):
        state = state_of(method, core)
        step = stepper_of(state, method, graphs, core, note=said.append)
        for raw in batches:
            step(raw, rate=1.0)
        found.append(state.state_dict())
    assert_same(*found)
    assert len(said) == 1 and "(2, 3, 24, 24)" in said[0]


def test_a_captured_loss_that_is_not_finite_names_its_step() -> None:
    method, core = Pix2Pix(), open_core("cpu")
    state = state_of(method, core)
    step = stepper_of(state, method, GraphRunner(TapeBackend(), warmup=1), core)
    for number in range(5):
        if number == 3:
            next(state.networks["generator"].parameters()).data.fill_(float("nan"))
        step(raw_batch(number), rate=1.0)
    with pytest.raises(DivergedError, match="at step 4, on the images a3, b3"):
        step.guard.check()


@pytest.mark.parametrize("first", ["eager", "captured"])
def test_a_checkpoint_does_not_tell_how_it_was_reached(first: str) -> None:
    """Six steps in one mode, or three in it and three in the other after loading, end in the same state."""
    method, core = CycleGAN(pool=3), open_core("cpu")

    def graphs(mode: str) -> GraphRunner | None:
        return GraphRunner(TapeBackend(), warmup=1) if mode == "captured" else None

    whole, _ = run(method, ["both"] * 6, graphs(first), core)
    state = state_of(method, core)
    step = stepper_of(state, method, graphs(first), core)
    for number in range(3):
        step(raw_batch(number), rate=rate_of(number))
    state.meter.flush()
    saved = copy.deepcopy(state.state_dict())
    groups = [group for saved_adam in saved["optimizers"].values() for group in saved_adam["param_groups"]]
    assert all(isinstance(group["lr"], float) and group["capturable"] is False for group in groups)
    other = state_of(method, core)
    other.load_state_dict(saved)
    step = stepper_of(other, method, graphs("eager" if first == "captured" else "captured"), core)
    for number in range(3, 6):
        step(raw_batch(number), rate=rate_of(number))
    other.meter.flush()
    assert_same(whole, other.state_dict())


def test_a_run_with_graphs_resumes_bit_for_bit(
    photos: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop with the CPU's twin of graphs, against the loop without."""
    plain, whole, parts = tmp_path / "plain", tmp_path / "whole", tmp_path / "parts"
    keys = [
        "train",
        *TINY,
        "train.total=7step",
        f"data.root={photos}",
        "adversary.r1=1",
        "adversary.r1_every=3",
    ]
    assert cli(*keys, f"run.dir={plain}").code == 0
    backends: list[TapeBackend] = []

    def graphs(_: object) -> TapeBackend:
        backends.append(TapeBackend())
        return backends[-1]

    monkeypatch.setattr("gantrans.training.loop.CudaGraphs", graphs)
    monkeypatch.setattr("gantrans.training.loop.GraphRunner", functools.partial(GraphRunner, warmup=1))
    monkeypatch.setattr("gantrans.build.pace._obstacle", lambda *_: "")
    assert cli(*keys, f"run.dir={whole}").code == 0
    assert cli(*keys, f"run.dir={parts}", "train.stop_at=5step").code == 0
    assert cli("resume", parts, "train.stop_at=null").code == 0
    assert backends and all(backend.captured for backend in backends[:2])
    for run_dir in (whole, parts):
        assert_same(newest(plain), newest(run_dir))
        assert (plain / "metrics.jsonl").read_bytes() == (run_dir / "metrics.jsonl").read_bytes()


def test_a_u_net_with_batch_norm_and_dropout_is_captured_too() -> None:
    method, core = Pix2Pix(), open_core("cpu")

    def networks() -> dict[str, nn.Module]:
        made = networks_of(method)
        made["generator"] = UNet(3, 3, width=2, depth=7)
        torch.manual_seed(1)
        for p in made["generator"].parameters():
            nn.init.normal_(p, 0, 0.1)
        return made

    found = []
    for graphs in (None, GraphRunner(TapeBackend(), warmup=1)):
        state = state_of(method, core, networks())
        step = stepper_of(state, method, graphs, core)
        for number in range(4):
            step(raw_batch(number), rate=1.0)
        found.append(state.state_dict())
    assert_same(*found)
