"""Where numbers and pictures go. The only module that imports TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from gantrans.errors import StorageError
from gantrans.imaging.write import write, write_text_atomic
from gantrans.training.run_folder import RunFolder

# metric names of the steps -> the TensorBoard charts they are drawn in
_GROUPS = {"G_": "loss_generator", "D_": "loss_discriminator"}


class Sinks:
    """metrics.jsonl (what a resumed run repeats bit for bit), TensorBoard (that and the timings),
    samples/."""

    def __init__(self, run: RunFolder, *, first_step: int) -> None:
        self.run = run
        again = run.metrics.exists()
        self._have = _truncate(run.metrics, first_step)
        try:
            self._lines: TextIO = run.metrics.open("a", encoding="utf-8")
            self._board = SummaryWriter(run.tensorboard, purge_step=first_step + 1 if again else None)
        except OSError as error:
            raise _full(run.path, error) from error

    def metrics(self, step: int, split: str, values: dict[str, float]) -> None:
        """Numbers that depend on the run's state alone; `split` is "train" or "val"."""
        if (step, split) in self._have:
            return
        try:
            self._lines.write(json.dumps({"step": step, "split": split, **values}) + "\n")
            self._lines.flush()
            for name, value in values.items():
                self._board.add_scalar(_chart(name, split), value, step)
        except OSError as error:
            raise _full(self.run.path, error) from error

    def speed(self, step: int, values: dict[str, float]) -> None:
        """Timings and memory: TensorBoard only, as they differ from sitting to sitting."""
        try:
            for name, value in values.items():
                self._board.add_scalar(f"speed/{name}", value, step)
            self._board.flush()
        except OSError as error:
            raise _full(self.run.path, error) from error

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """An image (H, W, 3) uint8 for TensorBoard."""
        try:
            self._board.add_image(name, pixels, step, dataformats="HWC")
        except OSError as error:
            raise _full(self.run.path, error) from error

    def sample(self, step: int, pixels: np.ndarray, name: str = "") -> Path:
        """The probe strip of `step` as samples/step-NNNNNN.png; others with their name behind the number."""
        path = self.run.samples / f"step-{step:06d}{'-' + name if name else ''}.png"
        write(path, pixels)
        return path

    def text(self, name: str, text: str) -> None:
        """Preformatted text for TensorBoard, as the resolved config."""
        try:
            self._board.add_text(name, "\n".join("    " + line for line in text.splitlines()), 0)
        except OSError as error:
            raise _full(self.run.path, error) from error

    def close(self) -> None:
        try:
            self._lines.close()
            self._board.close()
        except OSError as error:
            raise _full(self.run.path, error) from error


def _chart(name: str, split: str) -> str:
    if split == "val":
        return f"health/{name.removeprefix('health_')}" if name.startswith("health_") else f"val/{name}"
    group = next((group for prefix, group in _GROUPS.items() if name.startswith(prefix)), "train")
    return f"{group}/{name}"


def _truncate(path: Path, step: int) -> set[tuple[int, str]]:
    """Drop the lines of steps that a killed run logged after its last checkpoint; they will be made again.

    A run that starts over at step 0 measures step 0 again too. Returns the (step, split) that are kept.
    """
    if not path.exists():
        return set()
    kept, have = [], set()
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found = json.loads(line)
            if 0 < step >= int(found["step"]):
                kept.append(line)
                have.add((int(found["step"]), str(found["split"])))
        except (ValueError, KeyError, TypeError):
            break  # a line cut short by a crash; all before it are whole
    write_text_atomic(path, "".join(line + "\n" for line in kept))
    return have


def _full(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written: {error.strerror or error}; free space, then resume")
