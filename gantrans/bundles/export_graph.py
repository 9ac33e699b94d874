"""Graphs of a generator with dynamic batch, height and width: an ONNX file, or a program of torch.export.
Each is run on probe pictures and compared with the network before anything is written."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx.experimental import _config as fx_config
from tqdm import tqdm

from gantrans.bundles.card import Card
from gantrans.bundles.export_check import NONE, PROBES, Own, Run, about, compared
from gantrans.bundles.export_network import exportable, least_side
from gantrans.errors import CheckpointError, ConfigError
from gantrans.imaging.write import storage_error, write_atomic

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
MOST_BYTES = 2**31 - 2**20  # of one ONNX file, a message of protocol buffers
_TRACED = (2, 72, 80)  # what the graph is drawn from; neither 0 nor 1, which torch.export takes for constants


@dataclass(frozen=True)
class Checked:
    """What was written, and how far it is from PyTorch at worst."""

    bytes: int
    apart: float


def write_onnx(network: nn.Module, card: Card, path: Path, own: Own = NONE) -> Checked:
    """Write a generator as ONNX (opset of PyTorch's exporter), "image" x11 (batch, C, height, width) ->
    "result", compared on `own` pictures too. Raises ConfigError where packages are missing, CheckpointError
    where the graph differs from PyTorch or cannot be made, StorageError; then no file is written."""
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"out={path}: ONNX needs {', '.join(missing)}: pip install 'gantrans[onnx]', or write a .pt2"
        )
    with _progress(path, own) as step:
        program = _program(network, card, path)
        step()
        data = _onnx(program, about(card, own), path)
        step()
        apart = compared(network, card, _session(data), path, step, own)
    return _kept(path, data, apart)


def write_program(network: nn.Module, card: Card, path: Path, own: Own = NONE) -> Checked:
    """Write a generator as a program of torch.export (.pt2), which torch.export.load reads; its metadata are
    the extra file gantrans.json. Raises as `write_onnx`."""
    with _progress(path, own) as step:
        program = _program(network, card, path)
        step()
        stream = io.BytesIO()
        with _quiet():
            torch.export.save(program, stream, extra_files={"gantrans.json": json.dumps(about(card, own))})
            loaded = torch.export.load(io.BytesIO(stream.getvalue())).module()
        step()
        apart = compared(network, card, loaded, path, step, own)
    return _kept(path, stream.getvalue(), apart)


def _program(network: nn.Module, card: Card, path: Path) -> torch.export.ExportedProgram:
    module = _refusing(path, lambda: exportable(network, card))
    batch, height, width = _TRACED
    x = torch.zeros(batch, card.network["arguments"]["in_channels"], height, width)
    dim = torch.export.Dim
    least = least_side(card.network["name"])
    sides = [dim(name, min=least) if least > 1 else dim(name) for name in ("height", "width")]
    shapes = ({0: dim("batch"), 2: sides[0], 3: sides[1]},)

    def export() -> torch.export.ExportedProgram:
        # Sizes of 0 and 1 like all others: else each is a branch, and the program refuses it.
        sizes = fx_config.patch(backed_size_oblivious=True)  # pyright: ignore[reportAttributeAccessIssue]
        with _quiet(), torch.no_grad(), sizes:
            program = torch.export.export(
                module, (x,), dynamic_shapes=shapes, prefer_deferred_runtime_asserts_over_guards=True
            )
        _drop_asserts(program)
        return program

    return _refusing(path, export)


def _drop_asserts(program: torch.export.ExportedProgram) -> None:
    """Without the claims that tracing made about sizes it only happened to see, as that a batch is not 1; the
    probes judge instead."""
    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


def _onnx(program: torch.export.ExportedProgram, metadata: dict[str, str], path: Path) -> bytes:
    def convert() -> bytes:
        with _quiet():
            made: Any = torch.onnx.export(
                program, dynamo=True, input_names=["image"], output_names=["result"], verbose=False
            )
        model = made.model
        model.metadata_props.update(metadata)
        _name_sides(model)
        size = sum(value.const_value.nbytes for value in model.graph.initializers.values())
        if size > MOST_BYTES:
            raise CheckpointError(f"has {size:,} bytes of weights; one ONNX file holds {MOST_BYTES:,}")
        return made.model_proto.SerializeToString()

    return _refusing(path, convert)


def _name_sides(model: Any) -> None:
    """Call the free sides batch, height and width, wherever PyTorch numbered them."""
    image = model.graph.inputs[0]
    names = {str(image.shape[at]): name for at, name in ((0, "batch"), (2, "height"), (3, "width"))}
    numbered = re.compile("|".join(rf"\b{re.escape(old)}\b" for old in names))
    made = (value for node in model.graph for value in node.outputs)
    for value in {id(v): v for v in (*model.graph.inputs, *model.graph.outputs, *made)}.values():
        for at, side in enumerate(value.shape or ()):
            if not isinstance(side, int):
                value.shape[at] = numbered.sub(lambda found: names[found[0]], str(side))


def _session(data: bytes) -> Run:
    import onnxruntime  # pyright: ignore[reportMissingImports]

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"image": x.numpy()})[0])


def _kept(path: Path, data: bytes, apart: float) -> Checked:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(path.parent, error) from error
    write_atomic(path, data)
    return Checked(len(data), apart)


def _refusing(path: Path, make: Callable[[], Any]) -> Any:
    """What `make` makes; whatever the exporters raise becomes one line."""
    try:
        return make()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: cannot be exported: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path}: cannot be exported: {type(error).__name__}: {reason}") from error


@contextlib.contextmanager
def _progress(path: Path, own: Own) -> Iterator[Callable[[], None]]:
    with tqdm(
        total=2 + len(PROBES) + len(own.pictures), desc=path.name, unit="step", disable=None, leave=False
    ) as bar:

        def step() -> None:
            bar.update()

        yield step


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporters tell programmers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
