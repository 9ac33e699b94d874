"""Where pictures meet the network: taken in order; what is made of them is written by a thread."""

from __future__ import annotations

import errno
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from gantrans.errors import DataError, StorageError
from gantrans.inference.files import Given, Policy, write_made, write_mask
from gantrans.inference.predicted_mask import predicted_mask
from gantrans.inference.predictor import Predictor
from gantrans.inference.record import Record

# Storage errors that concern one name alone; a full disk ends the work.
_OF_ONE = {errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY}
_BATCH_PX = 2**21  # pixels that go through a GPU at once; a CPU gains nothing by more than one picture
BATCH = 16


@dataclass
class TranslateSummary:
    """What became of the files: found = written + kept + failed. `failed` and `notes` name their files."""

    found: int = 0
    written: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Job(NamedTuple):
    """A file that is to be made; mask: where to say what was changed in it, if at all."""

    number: int
    source: Path
    target: Path
    mask: Path | None = None


class Desk:
    """`take` what comes, `finish`, and `close` in any case. Raises StorageError where nothing can be written
    any more."""

    def __init__(
        self, predictor: Predictor, policy: Policy, record: Record, summary: TranslateSummary, bar: tqdm
    ) -> None:
        self.predictor, self.policy, self.record = predictor, policy, record
        self.summary, self.bar = summary, bar
        self._group: list[tuple[Job, Given]] = []
        self._writer = ThreadPoolExecutor(1, "write")
        self._writing: deque[tuple[Job, Future[None]]] = deque()
        self._failures: list[tuple[int, str]] = []

    def take(self, job: Job, coming: Future[Given]) -> None:
        """Predict what is read, or keep it until its group of one size is complete."""
        try:
            given = coming.result()
        except DataError as error:
            self._fail(job, str(error))
            return
        self.summary.notes += given.notes
        if self._group and not _alike(self._group[0][1], given):
            self._predict()
        self._group.append((job, given))
        if len(self._group) >= self._size(given):
            self._predict()

    def finish(self) -> None:
        """Predict and write what is left, and put failures in the order of their files."""
        self._predict()
        self._settle(0)
        self.summary.failed = [reason for _, reason in sorted(self._failures)]

    def close(self) -> None:
        self._writer.shutdown(cancel_futures=True)

    def _size(self, given: Given) -> int:
        if on_cpu(self.predictor):
            return 1
        height, width = given.pixels.shape[:2]
        return min(BATCH, max(1, _BATCH_PX // (height * width)))

    def _predict(self) -> None:
        group, self._group = self._group, []
        try:
            made = self._made([given for _, given in group]) if group else []
        except (ValueError, DataError) as error:
            for job, given in group:
                if len(group) == 1:
                    self._fail(job, f"{job.source}: {error}")
                else:  # whose fault it is shows alone
                    self._group = [(job, given)]
                    self._predict()
            return
        for (job, given), output in zip(group, made, strict=True):
            self._write(job, given, output)

    def _made(self, group: list[Given]) -> list[np.ndarray]:
        if len(group) == 1:
            return [self.predictor(group[0].pixels, group[0].mask)]
        masks = None if group[0].mask is None else [given.mask for given in group if given.mask is not None]
        return self.predictor.batch([given.pixels for given in group], masks)

    def _write(self, job: Job, given: Given, made: np.ndarray) -> None:
        try:
            told = None if job.mask is None else predicted_mask(self.predictor, given.pixels)
        except DataError as error:
            self._fail(job, f"{job.source}: {error}")
            return
        self._settle(0 if on_cpu(self.predictor) else BATCH)
        card, policy = self.predictor.card, self.policy

        def writing() -> None:
            if job.mask is not None and told is not None:
                write_mask(job.mask, told)
            write_made(job.target, given, made, card, policy)

        self._writing.append((job, self._writer.submit(writing)))

    def _settle(self, left: int) -> None:
        """Wait until no more than `left` files are being written, and account for the others."""
        while len(self._writing) > left:
            job, future = self._writing.popleft()
            try:
                future.result()
            except ValueError as error:  # what the output's format cannot hold
                self._fail(job, str(error))
                continue
            except StorageError as error:
                if getattr(error.__cause__, "errno", None) not in _OF_ONE:
                    raise
                self._fail(job, f"{job.source}: {error}")
                continue
            self.record.wrote(job.source, job.target)
            self.summary.written += 1
            self.bar.update()

    def _fail(self, job: Job, reason: str) -> None:
        self._failures.append((job.number, reason))
        self.record.failed(job.source, reason)
        self.bar.update()


def on_cpu(predictor: Predictor) -> bool:
    return predictor.core.device.type == "cpu"


def _alike(one: Given, other: Given) -> bool:
    same = one.pixels.shape == other.pixels.shape and one.pixels.dtype == other.pixels.dtype
    return same and (one.mask is None) == (other.mask is None)
