"""One training step against the reference implementation, both with the papers' networks and losses.

    python -m benchmarks.step --reference DIR     DIR: a checkout of junyanz/pytorch-CycleGAN-and-pix2pix
    python -m benchmarks.step --only cyclegan-256-1 --rounds 3 --threads 1

Contenders take turns, each in a process of its own: the reference's own `optimize_parameters`, and ours plain
(PyTorch's kernels only, the twin of every fast path), as it comes (fp32), and in bf16. Seconds a step are
medians over turns of the mean of a second's steps, the first not counted; ratios are to the first contender.
Memory is the peak above the highest that the process held before its first step. GFLOP are those of the
definition, counted on the plain twin; the share of the peak is theirs a second over what a 3x3 convolution of
256 channels reaches here, in turn with them; fewer operations show as more.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from benchmarks import common
from benchmarks.common import Answer, answer_turns, median, print_table, steady, take_turns, write_json
from gantrans.core.threads import let_idle_threads_sleep

CASES = ("pix2pix-256-1", "pix2pix-256-4", "pix2pix-128-1", "cyclegan-256-1")
OURS = {"plain": ("fp32", "plain"), "fp32": ("fp32", "auto"), "bf16": ("bf16", "auto")}
GOALS = {
    "pix2pix-256-1": {"fp32": 1.6, "bf16": 2.6},
    "pix2pix-256-4": {"fp32": 1.35},
    "pix2pix-128-1": {"fp32": 2.0, "bf16": 3.3},
    "cyclegan-256-1": {"fp32": 1.7, "bf16": 2.3},
}
Step = Callable[[], object]


def main() -> None:
    """Measure, and print a table in Markdown for each case."""
    parser = common.options(__doc__, rounds=9)
    parser.add_argument("--reference", help="checkout of the reference implementation; without: ours alone")
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES, help="METHOD-PIXELS-BATCH")
    parser.add_argument("--contenders", nargs="+", choices=OURS, default=list(OURS), help="which of ours")
    options = parser.parse_args()
    if options.child:
        case, name = options.child
        _child(case, name, options.reference)
        return
    found = {}
    for case in options.only:
        found[case] = _case(case, options)
        write_json(options.json, found)


def _case(case: str, options: argparse.Namespace) -> dict[str, Answer]:
    names = [*(["reference"] if options.reference else []), *options.contenders]
    where = ["--reference", options.reference] if options.reference else []
    commands = {name: ["-m", "benchmarks.step", "--child", case, name, *where] for name in [*names, "limits"]}
    turns = take_turns(commands, options.rounds, options.threads)
    limits = turns.pop("limits")
    flop = limits[0]["flop"]
    results: dict[str, Answer] = {}
    for name, answers in turns.items():
        seconds = median(answers, "seconds")
        first = results[names[0]]["seconds"] if results else seconds
        share = flop / seconds / median(limits, "bf16" if name == "bf16" else "fp32")
        memory = answers[-1]["memory_mib"]
        results[name] = {"seconds": seconds, "ratio": first / seconds, "memory_mib": memory, "share": share}
    print(f"{case}, {options.threads} threads, {options.rounds} turns, "
          f"{flop / 1e9:.1f} GFLOP a step\n")  # fmt: skip
    print_table(("contender", "s a step", "ratio", "goal", "MiB", "share of peak"), [
        (name, f"{r['seconds']:.3f}", f"{r['ratio']:.2f}", GOALS[case].get(name, ""),
         f"{r['memory_mib']:.0f}", f"{r['share']:.0%}")
        for name, r in results.items()
    ])  # fmt: skip
    return results


def _child(case: str, name: str, reference: str | None) -> None:
    if name != "reference":
        let_idle_threads_sleep()  # as `gantrans` does, before torch is imported
    import torch

    from gantrans.core.device import open_core

    method, size, batch = case.split("-")
    torch.manual_seed(0)
    pictures = [torch.rand(int(batch), 3, int(size), int(size)) * 2 - 1 for _ in range(2)]
    if name == "limits":
        flop = _count(_ours(method, int(size), pictures, *OURS["plain"]))
        answer_turns(lambda: {"fp32": _peak(torch.float32), "bf16": _peak(torch.bfloat16), "flop": flop})
        return
    core = open_core("cpu")
    if name == "reference":
        sys.path.insert(0, str(reference))
        step = _reference(method, int(size), pictures)
    else:
        step = _ours(method, int(size), pictures, *OURS[name])
    start = core.peak_memory_mib()

    def measure() -> Answer:
        seconds = steady(step)
        return {"seconds": seconds, "memory_mib": core.peak_memory_mib() - start}

    answer_turns(measure)


def _reference(method: str, size: int, pictures: list[Any]) -> Step:
    """The reference's own model class with its defaults, on the CPU."""
    plain = {"netG": f"unet_{min(256, size)}", "norm": "batch", "no_dropout": False, "gan_mode": "vanilla"}
    cycle = {"netG": "resnet_9blocks", "norm": "instance", "no_dropout": True, "gan_mode": "lsgan"}
    options = Namespace(
        gpu_ids=[], isTrain=True, checkpoints_dir="unused", name="unused", preprocess="none",
        direction="AtoB", input_nc=3, output_nc=3, ngf=64, ndf=64, netD="basic", n_layers_D=3,
        init_type="normal", init_gain=0.02, lr=2e-4, beta1=0.5, lambda_L1=100.0, lambda_A=10.0,
        lambda_B=10.0, lambda_identity=0.5, pool_size=50 if method == "cyclegan" else 0,
        **(cycle if method == "cyclegan" else plain),
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        if method == "pix2pix":
            from models.pix2pix_model import Pix2PixModel as Model  # pyright: ignore[reportMissingImports]
        else:
            from models.cycle_gan_model import CycleGANModel as Model  # pyright: ignore[reportMissingImports]
        model = Model(options)
    source, target = pictures
    model.set_input({"A": source, "B": target, "A_paths": [], "B_paths": []})
    return model.optimize_parameters


def _ours(method: str, size: int, pictures: list[Any], precision: str, kernels: str) -> Step:
    """What `gantrans train` does in a step; without the average of weights, which the reference has not."""
    from gantrans.build.config import compose_verb
    from gantrans.build.method import build_method, build_networks
    from gantrans.build.training import build_core
    from gantrans.training.guard import NanGuard
    from gantrans.training.state import State
    from gantrans.training.step import build_optimizers, train_step
    from gantrans.types import Batch

    paper = {"pix2pix": ["experiment=facades", f"generator=unet_{size}"], "cyclegan": ["experiment=cyclegan"]}
    keys = [f"augment.crop={size}", f"core.precision={precision}", f"core.kernels={kernels}"]
    config = compose_verb("train", [*paper[method], "data.root=unused", "core.device=cpu", *keys])
    core, learn = build_core(config), build_method(config)
    networks = build_networks(config, core, learn)
    optimizers = build_optimizers(networks, learn, lr=2e-4, betas=(0.5, 0.999))
    state, guard, batch = State(networks, optimizers, {}, _no_scaler()), NanGuard(), Batch(*pictures)
    return lambda: train_step(state, batch, learn, core, guard, seed=0, rate=1.0, ema=0.0)


def _no_scaler() -> Any:
    import torch

    return torch.amp.GradScaler("cpu", enabled=False)  # type: ignore[attr-defined]


def _count(step: Step) -> int:
    """Floating-point operations of convolutions and products in a step."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _peak(dtype: Any) -> float:
    """FLOP a second of a 3x3 convolution, 256 to 256 channels, 64 x 64 pixels."""
    import torch

    x, weight = torch.randn(1, 256, 64, 64, dtype=dtype), torch.randn(256, 256, 3, 3, dtype=dtype)
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        torch.conv2d(x, weight, padding=1)
        times.append(time.perf_counter() - begun)
    return 2 * 256 * 256 * 9 * 64 * 64 / min(times)


if __name__ == "__main__":
    main()
