"""A generator of the papers on one picture, against PyTorch's eager mode and ONNX Runtime.

    python -m benchmarks.inference
    python -m benchmarks.inference --size 512 --threads 2

eager is PyTorch as it comes: its kernels, the C library's default heap. ours is what `gantrans translate`
runs on several files. ONNX Runtime (left out where it is not installed: extra "bench") runs the same network,
exported by PyTorch. Contenders take turns in processes of their own; medians; ratios are to eager. The
largest difference to eager is of outputs in [-1, 1].
"""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.common import answer_turns, median, print_table, steady, take_turns, write_json
from gantrans.core.threads import let_idle_threads_sleep

NETWORKS = ("unet_256", "resnet_9")
CONTENDERS = ("eager", "onnxruntime", "ours", "ours bf16")


def main() -> None:
    """Measure, and print a table in Markdown for each network."""
    parser = common.options(__doc__, rounds=9)
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    options = parser.parse_args()
    if options.child:
        network, name = options.child
        _child(network, name, options.size, options.threads)
        return
    with_onnx = all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnxscript"))
    names = [name for name in CONTENDERS if with_onnx or name != "onnxruntime"]
    found = {}
    for network in NETWORKS:
        child = ["-m", "benchmarks.inference", "--size", str(options.size), "--threads", str(options.threads)]
        commands = {name: [*child, "--child", network, name] for name in names}
        turns = take_turns(commands, options.rounds, options.threads)
        seconds = {name: median(answers, "seconds") for name, answers in turns.items()}
        apart = {name: answers[0]["apart"] for name, answers in turns.items()}
        found[network] = {"seconds": seconds, "apart": apart}
        print(f"{network}, {options.size} pixels, {options.threads} threads, {options.rounds} turns\n")
        print_table(("contender", "ms", "ratio", "largest difference"), [
            (name, f"{1000 * s:.0f}", f"{seconds['eager'] / s:.2f}", f"{apart[name]:.0e}")
            for name, s in seconds.items()
        ])  # fmt: skip
    write_json(options.json, found)


def _child(network: str, name: str, size: int, threads: int) -> None:
    if name.startswith("ours"):
        let_idle_threads_sleep()  # as `gantrans` does, before torch is imported
    import torch

    from gantrans.core.heap import keep_large_blocks
    from gantrans.kernels.conv import for_inference, set_fast
    from gantrans.nets.resnet import ResNetGenerator
    from gantrans.nets.unet import UNet

    torch.manual_seed(0)
    x = torch.rand(1, 3, size, size) * 2 - 1
    generator = (UNet() if network == "unet_256" else ResNetGenerator()).eval()
    set_fast(generator, False)
    with torch.inference_mode():
        truth = generator(x)
    if name == "onnxruntime":
        run = _onnx(generator, x, threads)
    else:
        if name != "eager":
            set_fast(generator, True)
            for_inference(generator)
            keep_large_blocks()
        run = _torch(generator, x, bf16=name.endswith("bf16"))
    apart = float((run() - truth).abs().max())

    answer_turns(lambda: {"seconds": steady(run), "apart": apart})


def _torch(generator: Any, x: Any, *, bf16: bool) -> Callable[[], Any]:
    import torch

    def run() -> Any:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            return generator(x).float()

    return run


def _onnx(generator: Any, x: Any, threads: int) -> Callable[[], Any]:
    import onnxruntime  # pyright: ignore[reportMissingImports]
    import torch

    from gantrans.nets.norm import InstanceNorm

    generator = copy.deepcopy(generator)
    for parent in list(generator.modules()):  # as operators of ONNX's own, which its runtime is best at
        for name, child in parent.named_children():
            if isinstance(child, InstanceNorm):
                silent = torch.nn.InstanceNorm2d(1)
                silent.forward = torch.nn.functional.instance_norm  # type: ignore[method-assign]
                setattr(parent, name, silent)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "generator.onnx"
        torch.onnx.export(generator, (x,), str(path), dynamo=True)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: torch.from_numpy(session.run(None, {name: x.numpy()})[0])


if __name__ == "__main__":
    main()
