"""One image into one pair: what a worker process does, and nothing that others need to know of."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numpy as np

from gantrans.data.pixels import resized
from gantrans.degrade.recipe import Recipe, crop_to_multiple, degrade
from gantrans.errors import DataError, GantransError
from gantrans.imaging import colour
from gantrans.imaging.read import UnreadableImage, read
from gantrans.imaging.write import encode, write_atomic

ROLES = ("source", "target")
MAX_BYTES = 2**31  # more than the largest image that is read, uncompressed, takes

Entry = dict[str, Any]  # one line of the manifest, or of the list of rejected files


@dataclass(frozen=True)
class Setup:
    """What all tasks of a job share."""

    source: Path
    out: Path
    recipe: Recipe
    seed: int
    size: int | None


@dataclass(frozen=True)
class Task:
    """One original; `used` or `rejected` is what an earlier run said of it."""

    key: str
    name: str
    split: str
    used: Entry | None
    rejected: Entry | None


@dataclass(frozen=True)
class Result:
    """`kind` is "made", "kept" (an earlier run's pair, still sound) or "rejected"."""

    kind: str
    entry: Entry


def work(setup: Setup, task: Task) -> Result:
    """Make the pair, unless it is there. Only this image's trouble is rejected; a failing disk raises."""
    result = _work(setup, task)
    if result.kind == "rejected" and task.used:  # its original has changed for the worse: no pair without one
        for role in ROLES:
            (setup.out / task.used[role]).unlink(missing_ok=True)
    return result


def _work(setup: Setup, task: Task) -> Result:
    try:
        data = _bytes(setup.source / task.key)
    except DataError as error:
        return _rejected(task.key, str(error), None)
    digest = _sha256(data)
    if task.rejected and task.rejected["original_sha256"] == digest:
        return Result("rejected", task.rejected)
    if task.used and task.used["original_sha256"] == digest and _is_sound(setup.out, task.used):
        return Result("kept", task.used)
    try:
        return Result("made", _make(setup, task, data, digest))
    except UnreadableImage as error:
        return _rejected(task.key, error.reason, digest)
    except DataError as error:
        return _rejected(task.key, str(error), digest)
    except GantransError:
        raise
    except Exception as error:
        error.add_note(f"gantrans pairs: while making the pair of {task.key}")
        raise


def _rejected(key: str, reason: str, digest: str | None) -> Result:
    return Result("rejected", {"key": key, "reason": reason, "original_sha256": digest})


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"is larger than {MAX_BYTES // 2**30} GiB, more than an image that is read")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"could not be read: {error.strerror or error}") from error


def _make(setup: Setup, task: Task, data: bytes, digest: str) -> Entry:
    picture = read(setup.source / task.key, data)
    clean = colour.over_white(picture.pixels, picture.alpha)  # a pair has no alpha
    target = crop_to_multiple(_fitted(clean, setup.size), setup.recipe.scale)
    if not target.size:
        raise DataError(f"{clean.shape[1]}x{clean.shape[0]} is smaller than the recipe's scale")
    source, params = degrade(setup.recipe, target, seed=setup.seed, key=task.key)
    entry: Entry = {"key": task.key, "split": task.split}
    hashes = {}
    for role, pixels in zip(ROLES, (source, target), strict=True):
        entry[role] = f"{task.split}/{role}/{task.name}"
        hashes[f"{role}_size"] = [pixels.shape[1], pixels.shape[0]]
        hashes[f"{role}_sha256"] = _write(setup.out / entry[role], pixels)
    return entry | hashes | {
        "original_sha256": digest,
        "seed": setup.seed,
        "recipe": setup.recipe.name,
        "recipe_hash": setup.recipe.hash,
        "params": params,
    }  # fmt: skip


def _write(path: Path, pixels: np.ndarray) -> str:
    data = encode(path, pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)
    return _sha256(data)


def _fitted(pixels: np.ndarray, size: int | None) -> np.ndarray:
    """The middle `size` x `size` once the shorter side is scaled down to it. DataError if it is smaller."""
    if size is None:
        return pixels
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    if shorter < size:
        raise DataError(f"{width}x{height} is smaller than size={size}, and images are never enlarged")
    if shorter > size:
        height, width = (max(size, round(side * size / shorter)) for side in (height, width))
        pixels = resized(pixels, height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[top : top + size, left : left + size]


def _is_sound(out: Path, entry: Entry) -> bool:
    """Whether both files of a pair are as they were written."""
    try:
        return all(_sha256((out / entry[r]).read_bytes()) == entry[f"{r}_sha256"] for r in ROLES)
    except OSError:
        return False


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_setup: Setup | None = None  # of this worker process; sent once, not with every task


def prepare(setup: Setup) -> None:
    """Run once in each worker process."""
    global _setup
    _setup = setup
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()


def work_here(task: Task) -> Result:
    """`work` with the setup that `prepare` was given."""
    assert _setup is not None
    return work(_setup, task)


def _die_with_parent() -> None:
    """A parent that is killed (-9) cannot tell its workers, which would wait for tasks for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
