"""Reads a .pth file from anywhere: its tensors by name, and never any code.

`weights_only=True` without a fallback; compressed archives, views that claim more than they hold and values
that are not finite are refused with the reason.
"""

from __future__ import annotations

import io
import re
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
STALE = ("running_mean", "running_var", "num_batches_tracked")
_UNPACKED = 1.05  # a checkpoint is stored, not deflated; one that unpacks to more is none of PyTorch's


def read_weights(path: Path) -> Weights:
    """The tensors of a .pth file by key, without prefixes that wrappers left, and without stale statistics.

    Raises CheckpointError with the reason.
    """
    found = _load(path)
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not found:
        raise CheckpointError(f"{path}: holds {_named(found)}; needed is a state dict: names and tensors")
    bad = next((key for key, value in found.items() if not isinstance(value, Tensor)), None)
    if bad is not None:
        raise CheckpointError(
            f"{path}: {bad} is {_named(found[bad])}; a state dict holds tensors only. Whole trainers are not "
            "read; save the generator's state_dict()"
        )
    weights = {_plain(str(key)): value for key, value in found.items()}
    for key, value in weights.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: {key} claims a shape {tuple(value.shape)} larger than its data")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinite values")
    return _without_stale(weights)


def _load(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _UNPACKED * len(data):
            raise CheckpointError(
                f"{path}: unpacks to {size:,} bytes from {len(data):,}; checkpoints are not compressed"
            )
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever an unpickler can raise on a file from anywhere
        raise CheckpointError(f"{path}: {_reason(error, data)}") from error


def _reason(error: Exception, data: bytes) -> str:
    text = " ".join(str(error).split())
    refused = re.search(r"(?:GLOBAL|class|function) '?([\w.]+)'? (?:was not|is not|by default)", text)
    if refused or "Unsupported global" in text or ("weights_only" in text.lower() and "GLOBAL" in text):
        name = f" ({refused[1]})" if refused else ""
        return (
            f"holds a pickled object{name}, not plain tensors; loading it could run code, so it is refused. "
            "Ask its author for the network's state_dict()"
        )
    if "TorchScript" in text or "torchscript" in text.lower():
        return "is a TorchScript program, not a state dict; it could run code, so it is refused"
    said = text[:120] or type(error).__name__
    return f"not a readable checkpoint ({len(data):,} bytes; {said}); copy it again"


def _plain(key: str) -> str:
    """The key without what DataParallel and torch.compile put in front, at any depth."""
    for prefix in PREFIXES:
        key = re.sub(rf"(^|\.){re.escape(prefix)}", r"\1", key)
    return key


def _without_stale(weights: Weights) -> Weights:
    """Old files keep running statistics of instance norms, which have no weight and never used them."""
    return {
        key: value
        for key, value in weights.items()
        if key.rpartition(".")[2] not in STALE or f"{key.rpartition('.')[0]}.weight" in weights
    }


def _named(found: Any) -> str:
    return f"a {type(found).__name__}" if found or not isinstance(found, Mapping) else "nothing"
