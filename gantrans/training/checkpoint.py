"""Checkpoints that survive anything: written beside, forced to disk, renamed, then vouched for by a marker.

`step-000500.pt` counts only if `step-000500.json` (written last) gives its sha256. The newest valid one is
found by looking, without a pointer that could be stale.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gantrans.bundles.pth import load_plain
from gantrans.errors import CheckpointError
from gantrans.imaging.write import write_atomic, write_text_atomic
from gantrans.training.checkpoint_check import unsound

_NAME = re.compile(r"step-(\d+)\.json")
_MOST_MARKER = 2**20  # bytes


@dataclass(frozen=True)
class Saved:
    """A checkpoint with its marker: `metrics` are those of the validation at that step, if there was one."""

    path: Path
    step: int
    sha256: str
    metrics: dict[str, float]


def save(folder: Path, state: dict[str, Any], step: int, metrics: dict[str, float]) -> Saved:
    """Write the state of `step`, then its marker. Raises StorageError on a full or read-only disk."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    path = folder / f"step-{step:06d}.pt"
    digest = hashlib.sha256(data).hexdigest()
    write_atomic(path, data)
    marker = {"step": step, "sha256": digest, "bytes": len(data), "metrics": metrics}
    write_text_atomic(path.with_suffix(".json"), json.dumps(marker) + "\n")
    return Saved(path, step, digest, metrics)


def listed(folder: Path) -> list[Saved]:
    """Every checkpoint that has a readable marker, oldest first; their contents are not verified here."""
    found = []
    for marker in folder.glob("step-*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            if not _NAME.fullmatch(marker.name) or marker.stat().st_size > _MOST_MARKER:
                continue
            about = json.loads(marker.read_text(encoding="utf-8"))
            path = marker.with_suffix(".pt")
            if path.is_file():
                found.append(Saved(path, int(about["step"]), str(about["sha256"]), dict(about["metrics"])))
    return sorted(found, key=lambda saved: saved.step)


def load_newest(folder: Path) -> tuple[Saved, dict[str, Any], list[str]]:
    """The newest checkpoint whose contents match its marker, and the names of newer ones that are damaged.

    Raises CheckpointError if there is none.
    """
    refused = []
    for saved in reversed(listed(folder)):
        data = saved.path.read_bytes()
        if hashlib.sha256(data).hexdigest() != saved.sha256:
            refused.append(saved.path.name)
            continue
        return saved, _state(saved, data), refused
    detail = f"; damaged: {', '.join(refused)}" if refused else ""
    raise CheckpointError(f"{folder}: no valid checkpoint to resume from{detail}")


def _state(saved: Saved, data: bytes) -> dict[str, Any]:
    """The state in a checkpoint. Raises CheckpointError where it is none of ours, or could run code."""
    if not data.startswith(b"PK\x03\x04"):
        raise CheckpointError(f"{saved.path}: not a checkpoint of gantrans: no archive of torch.save")
    state = load_plain(saved.path, data)
    reason = unsound(state, saved.step)
    if reason:
        raise CheckpointError(f"{saved.path}: not a checkpoint of gantrans: {reason}")
    return state


def tidy(folder: Path, *, keep_last: int, best_step: int | None, newest: int) -> None:
    """Remove checkpoints beyond the newest `keep_last` and the best one, and what a killed save left
    behind."""
    everything = listed(folder)
    saved = [
        s for s in everything if s.step <= newest
    ]  # later ones were damaged, or the run did not start there
    kept = {s.step for s in saved[-keep_last:]} | ({best_step} if best_step is not None else set())
    for old in everything:
        if old.step not in kept:
            old.path.with_suffix(".json").unlink(
                missing_ok=True
            )  # the marker first: no marker, no checkpoint
            old.path.unlink(missing_ok=True)
    vouched = {s.path for s in listed(folder)}
    for path in folder.glob("step-*.pt"):
        if path not in vouched:
            path.unlink(missing_ok=True)
