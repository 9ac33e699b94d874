"""Reads a .pth file from anywhere: its tensors by name, and never any code.

`weights_only=True` without a fallback; archives that unpack to more than they are, views that claim more than
they hold, tensors that no generator has and values that are not finite are refused with the reason.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gantrans.errors import CheckpointError

Weights = dict[str, Tensor]
PREFIXES = ("module.", "_orig_mod.")
WRAPPERS = ("state_dict", "model_state_dict", "netG", "params")
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_COUNTER = "num_batches_tracked"
STALE = ("running_mean", "running_var", _COUNTER)
_UNPACKED = 1.05  # a checkpoint is stored, not deflated; one that unpacks to more is none of PyTorch's


def read_weights(path: Path) -> Weights:
    """The tensors of a .pth file by key, without prefixes that wrappers left, and as today's norms have them.

    Raises CheckpointError with the reason.
    """
    found = load_plain(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or len(found) == 0:
        raise CheckpointError(
            f"{path}: its content is {_named(found)}; needed is a state dict: names and tensors"
        )
    bad = next((key for key, value in found.items() if not isinstance(value, Tensor)), None)
    if bad is not None:
        raise CheckpointError(
            f"{path}: {shown(bad)} is {_named(found[bad])}; a state dict holds tensors only. Whole trainers "
            "are not read; save the generator's state_dict()"
        )
    weights: Weights = {}
    for key, value in found.items():
        name = _plain(str(key))
        reason = "is there twice, with and without a prefix" if name in weights else _unsound(name, value)
        if reason:
            raise CheckpointError(f"{path}: {shown(name)} {reason}")
        weights[name] = value
    return _as_today(weights)


def _unsound(name: str, value: Tensor) -> str | None:
    """Why a tensor is refused."""
    if not re.fullmatch(r"[\w.]{1,200}", name, re.ASCII):
        return "is not the name of a network's weight"
    counts = name.endswith(_COUNTER) and value.dtype == torch.int64
    if not is_dense(value) or (value.dtype not in _DTYPES and not counts):
        kind = "without data" if value.is_meta else f"{value.dtype}, {value.layout}"
        return f"is a tensor {kind}; accepted are dense ones of 16, 32 or 64-bit floating point"
    if claims_more(value):
        return f"claims a shape {tuple(value.shape)} larger than its data"
    if not torch.isfinite(value.float()).all():  # float32, as it will be used: 1e300 is no number there
        return "holds NaN or infinite values"
    return None


def is_dense(value: Tensor) -> bool:
    """Whether a tensor has its numbers in one block of memory, which it has."""
    return value.layout is torch.strided and not value.is_nested and not value.is_meta


def claims_more(value: Tensor) -> bool:
    """Whether a dense tensor repeats its memory, so that a copy would be larger than the file was."""
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def load_plain(path: Path, data: bytes | None = None) -> Any:
    """What a file of torch.save holds, tensors and plain values, on the CPU; `data`: its bytes, where they
    are read already. Raises CheckpointError for code, for archives that unpack to more, for anything else."""
    try:
        if not path.is_file() and path.exists() and not path.is_dir():  # as a pipe, which would never end
            raise CheckpointError(f"{path}: cannot be read: is no file")
        data = path.read_bytes() if data is None else data
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        size = _unpacked(data)
        if size <= _UNPACKED * len(data):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what PyTorch advises to programmers comes before its error
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever an unpickler can raise on a file from anywhere
        raise CheckpointError(f"{path}: {_reason(error, data)}") from error
    raise CheckpointError(
        f"{path}: unpacks to {size:,} bytes from {len(data):,}; checkpoints are not compressed"
    )


def _unpacked(data: bytes) -> int:
    """The bytes in an archive, or in a file of before PyTorch 1.6, which is none."""
    if not data.startswith(b"PK\x03\x04"):  # by which PyTorch goes, too
        return len(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _reason(error: Exception, data: bytes) -> str:
    if not data:
        return "is empty; copy it again"
    if data.lstrip()[:1] == b"<":
        return "is a web page, not a checkpoint; download it again"
    text = re.sub(r"[^ -~]", "?", " ".join(str(error).split()))
    refused = re.search(r"(?:GLOBAL|class|function) '?([\w.]+)'? (?:was not|is not|by default|whose)", text)
    if refused or "Unsupported global" in text or ("weights_only" in text.lower() and "GLOBAL" in text):
        name = f" ({refused[1]})" if refused else ""
        return (
            f"holds a pickled object{name}, not plain tensors; loading it could run code, so it is refused. "
            "Ask its author for the network's state_dict()"
        )
    if "TorchScript" in text or "torchscript" in text.lower():
        return "is a TorchScript program, not a state dict; it could run code, so it is refused"
    said = text.rpartition("WeightsUnpickler error:")[2].partition("Check the documentation")[0].strip()
    said = f"{type(error).__name__} {said[:80]}".strip()
    return f"not a readable checkpoint ({len(data):,} bytes; {said}); copy it again"


def _plain(key: str) -> str:
    """The key without what DataParallel and torch.compile put in front, at any depth."""
    return re.sub(rf"(^|\.)(?:{'|'.join(map(re.escape, PREFIXES))})+", r"\1", key)


def _as_today(weights: Weights) -> Weights:
    """Old files keep running statistics of instance norms, which have no weight and never used them, and
    before PyTorch 0.4.1 lack the count of batches of batch norms, which is not used for translating."""
    kept = {
        key: value
        for key, value in weights.items()
        if key.rpartition(".")[2] not in STALE or f"{key.rpartition('.')[0]}.weight" in weights
    }
    norms = [key.removesuffix("running_var") for key in kept if key.endswith(".running_var")]
    return {f"{norm}{_COUNTER}": torch.tensor(0) for norm in norms} | kept


def _named(found: Any) -> str:
    return "empty" if isinstance(found, Mapping) and len(found) == 0 else f"of type {type(found).__name__}"


def shown(key: Any) -> str:
    """A name from the file, fit for a terminal."""
    return ascii(str(key))[1:-1][:80]
