"""Where numbers and pictures go. The only module that imports TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,  # pyright: ignore[reportAttributeAccessIssue]
)
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import custom_scalars, hparams

from gantrans.errors import StorageError
from gantrans.imaging.write import write, write_text_atomic
from gantrans.training import board
from gantrans.training.hparams import Plain, foremost, results
from gantrans.training.run_folder import RunFolder
from gantrans.training.watch import Histogram


class Sinks:
    """metrics.jsonl (what a resumed run repeats bit for bit), TensorBoard (that, the timings, pictures at
    most `width` pixels wide, histograms), samples/."""

    def __init__(self, run: RunFolder, *, first_step: int, width: int = 1024) -> None:
        self.run, self._width = run, width
        self._charts: dict[str, None] = {}  # names, in the order of their first value
        self._told: dict[str, Plain] | None = None
        self._end: Summary | None = None
        again = run.metrics.exists()
        kept = _truncate(run.metrics, first_step)
        self._have = {(line["step"], line["split"]) for line in kept}
        for line in kept:
            self._name(board.chart(name, line["split"]) for name in line if name not in ("step", "split"))
        # What came after the checkpoint is made again; a run that starts over makes step 0 again too.
        purge = (first_step + 1 if first_step else 0) if again else None
        try:
            self._lines: TextIO = run.metrics.open("a", encoding="utf-8")
            self._board = SummaryWriter(run.tensorboard, purge_step=purge)
        except OSError as error:
            raise _full(run.path, error) from error

    def _name(self, charts: Iterable[str]) -> None:
        self._charts |= dict.fromkeys(charts)

    def metrics(self, step: int, split: str, values: dict[str, float]) -> bool:
        """Numbers that depend on the run's state alone; `split` is "train" or "val". Returns False where an
        earlier sitting wrote them already."""
        if (step, split) in self._have:
            return False
        try:
            self._lines.write(json.dumps({"step": step, "split": split, **values}) + "\n")
            self._lines.flush()
            charts = {board.chart(name, split): value for name, value in values.items()}
            self._name(charts)
            for name, value in charts.items():
                self._board.add_scalar(name, value, step)
        except OSError as error:
            raise _full(self.run.path, error) from error
        return True

    def speed(self, step: int, values: dict[str, float]) -> None:
        """Timings and memory: TensorBoard only, as they differ from sitting to sitting."""
        try:
            self._name(f"speed/{name}" for name in values)
            for name, value in values.items():
                self._board.add_scalar(f"speed/{name}", value, step)
            if self._told is not None:  # the first log of this sitting: now every chart has a name
                self._arrange(self._told)
                self._told = None
            self._board.flush()
        except OSError as error:
            raise _full(self.run.path, error) from error

    def picture(self, step: int, name: str, pixels: np.ndarray) -> None:
        """An image (H, W, 3) uint8 for TensorBoard, as a JPEG of limited size."""
        jpeg, height, width = board.encoded(pixels, self._width)
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=jpeg)
        self._summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def histogram(self, step: int, name: str, found: Histogram) -> None:
        """Counts for TensorBoard; nothing where nothing was counted."""
        if not (number := int(found.counts.sum())):
            return
        try:
            self._board.add_histogram_raw(
                name, found.low, found.high, number, found.total, found.squares,
                list(found.edges[1:]), list(found.counts), step,
            )  # fmt: skip
        except OSError as error:
            raise _full(self.run.path, error) from error

    def told(self, keys: dict[str, Plain]) -> None:
        """The hyperparameters of the run; they are written beside the first losses of this sitting, when all
        results have their names, and with them the layout of the Custom Scalars tab."""
        self._told = keys

    def _arrange(self, keys: dict[str, Plain]) -> None:
        """Into the run's own events: SummaryWriter.add_hparams would make another run of them."""
        columns, start, self._end = hparams(keys, dict.fromkeys(results(list(self._charts)), 0.0))
        _shown_first(columns, foremost(keys))
        layout = {
            page: {title: ["Multiline", tags] for title, tags in drawn.items()}
            for page, drawn in board.layout(self._charts).items()
        }
        for summary in [columns, start, *([custom_scalars(layout)] if layout else [])]:
            self._summary(summary, 0)

    def finished(self) -> None:
        """The run is at its end, as the HParams tab shows it."""
        if self._end is not None:
            self._summary(self._end, 0)

    def _summary(self, summary: Summary, step: int) -> None:
        try:
            self._board._get_file_writer().add_summary(summary, step)
        except OSError as error:
            raise _full(self.run.path, error) from error

    def sample(self, step: int, pixels: np.ndarray, name: str = "") -> Path:
        """The probe strip of `step` as samples/step-NNNNNN.png; others with their name behind the number."""
        path = self.run.samples / f"step-{step:06d}{'-' + name if name else ''}.png"
        write(path, pixels)
        return path

    def text(self, step: int, name: str, text: str) -> None:
        """Preformatted text for TensorBoard, as the resolved config."""
        try:
            self._board.add_text(name, "\n".join("    " + line for line in text.splitlines()), step)
        except OSError as error:
            raise _full(self.run.path, error) from error

    def flush(self) -> None:
        """To the disk: what a checkpoint counts as done must be seen after a crash."""
        try:
            self._board.flush()
        except OSError as error:
            raise _full(self.run.path, error) from error

    def close(self) -> None:
        try:
            self._lines.close()
            self._board.close()
        except OSError as error:
            raise _full(self.run.path, error) from error


def _shown_first(columns: Summary, keys: list[str]) -> None:
    """The HParams tab opens with five columns: of those said to differ between runs, then by name."""
    plugin = columns.value[0].metadata.plugin_data
    data = HParamsPluginData.FromString(plugin.content)
    for info in data.experiment.hparam_infos:
        info.differs = info.name in keys
    plugin.content = data.SerializeToString()


def _truncate(path: Path, step: int) -> list[dict[str, Any]]:
    """Drop the lines of steps that a killed run logged after its last checkpoint; they will be made again.

    A run that starts over at step 0 measures step 0 again too. Returns those that are kept.
    """
    if not path.exists():
        return []
    kept: list[dict[str, Any]] = []
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found = json.loads(line)
            if 0 < step >= int(found["step"]) and found["split"]:
                lines.append(line)
                kept.append(found)
        except (ValueError, KeyError, TypeError):
            continue  # a line cut short by a crash, or damaged on the disk; all others are whole
    write_text_atomic(path, "".join(line + "\n" for line in lines))
    return kept


def _full(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written: {error.strerror or error}; free space, then resume")
