"""A run folder belongs to one process at a time: made exclusively, locked while in use, its status always
true."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from gantrans.errors import BusyError, CheckpointError, StorageError
from gantrans.imaging.write import TEMPORARY, storage_error, write_text_atomic

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; the exclusive mkdir still guards new runs
    fcntl = None


_HELD: set[int] = set()  # handles of locks; a child must not hold on to its parent's


def _let_go() -> None:
    """In a forked child: a loader process that outlives a killed run must not keep its folder locked."""
    for handle in _HELD:
        with contextlib.suppress(OSError):
            os.close(handle)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class RunFolder:
    """The files of one run. Open it with `create_run` or `open_run`; close it to give up the lock.

    lock: False where another process of the same run holds it.
    """

    def __init__(self, path: Path, *, lock: bool = True) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.tensorboard = path / "tensorboard"
        self.bundle = path / "bundle"
        self.metrics = path / "metrics.jsonl"
        self.config = path / "config.yaml"
        self._lock = _lock(path) if lock else None

    def make_folders(self) -> None:
        for folder in (self.checkpoints, self.samples, self.tensorboard):
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                raise storage_error(folder, error) from error

    def write(self, name: str, text: str) -> None:
        """Write a small text file of the run, whole or not at all."""
        write_text_atomic(self.path / name, text)

    def status(self, state: str, **facts: Any) -> None:
        """Replace status.json. `state`: running, finished, preempted, diverged or failed."""
        about = {"state": state, **facts, "updated": datetime.now().isoformat(timespec="seconds")}
        self.write("status.json", json.dumps(about, indent=2) + "\n")

    def read_status(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def sign(self, name: str) -> None:
        """Leave `name` in the lock file, by which its owner knows the folder again."""
        (self.path / ".lock").write_text(name, encoding="utf-8")

    def sweep(self) -> None:
        """Remove what a process left that was killed while writing; only for who may write."""
        for left in self.path.rglob(TEMPORARY + "*"):
            left.unlink(missing_ok=True)

    def discard_if_unused(self) -> None:
        """Remove the folder again if nothing was written to it, so that the same command can be given
        anew."""
        if all(_ours(entry) for entry in self.path.iterdir()):
            shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        if self._lock is not None:
            _HELD.discard(self._lock)
            os.close(self._lock)
            self._lock = None


def create_run(path: Path | None, name: str) -> RunFolder:
    """A new run folder: `path`, or runs/NAME-DATE-TIME with a number if two start in one second.

    Raises BusyError if `path` already holds a run or files, StorageError if it cannot be made.
    """
    stem = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    numbered = [stem, *(stem.with_name(f"{stem.name}-{n}") for n in range(2, 1000))]
    for candidate in [path] if path else numbered:
        try:
            candidate.parent.mkdir(parents=True, exist_ok=True)
            candidate.mkdir()
        except FileExistsError:
            if path is None and candidate.exists():
                continue
            _refuse_used(candidate)
        except OSError as error:
            raise StorageError(
                f"run.dir={candidate} cannot be made: {error.strerror}; choose another"
            ) from error
        return RunFolder(candidate)
    raise BusyError(f"{stem}: a thousand runs started in this second; give run.dir=DIR")


def signed(path: Path) -> str:
    """Who signed the run folder last; "" where nobody did."""
    try:
        return (path / ".lock").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def open_run(path: Path, *, lock: bool = True) -> RunFolder:
    """An existing run folder; without the lock only to look at.

    Raises CheckpointError if it is none, BusyError if another process is in it.
    """
    if not (path / "config.yaml").is_file():
        raise CheckpointError(
            f"{path}: not a run folder (no config.yaml); give the folder that train printed"
        )
    folder = RunFolder(path, lock=lock)
    if lock:
        folder.sweep()
    return folder


def _refuse_used(path: Path) -> None:
    """An empty folder may be used; anything else is somebody's."""
    if not path.is_dir():
        raise BusyError(f"run.dir={path} is a file; choose another")
    if (path / "config.yaml").exists():
        raise BusyError(
            f"run.dir={path} already holds a run; go on with `gantrans resume {path}` "
            "or choose another folder"
        )
    if any(not _ours(entry) for entry in path.iterdir()):
        raise BusyError(f"run.dir={path} is not empty and not a run of gantrans; choose another folder")


def _ours(entry: Path) -> bool:
    """What a start that was cut short leaves behind: nothing that anyone could miss."""
    if entry.is_dir():
        return entry.name in ("checkpoints", "samples", "tensorboard") and not any(entry.iterdir())
    return entry.name in (".lock", "overrides.txt", "env.json") or entry.name.startswith(TEMPORARY)


def _lock(path: Path) -> int | None:
    if fcntl is None:
        return None
    try:
        handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written to: {error.strerror}; choose another run.dir"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BusyError(
            f"{path}: another process is using this run folder; wait for it or stop it"
        ) from error
    _HELD.add(handle)
    return handle
