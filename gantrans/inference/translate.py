"""Translates files: the next is read and the last is written beside the network, in order, and a bad file
costs only itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from gantrans.errors import ConfigError, DataError
from gantrans.inference.desk import BATCH, Desk, Job, TranslateSummary, on_cpu
from gantrans.inference.files import Given, Policy, read_given
from gantrans.inference.plan import Planned
from gantrans.inference.predicted_mask import predicts_mask
from gantrans.inference.predictor import Predictor
from gantrans.inference.record import Record


def translate(
    predictor: Predictor,
    planned: Planned,
    *,
    record: Record,
    overwrite: bool = False,
    policy: Policy | None = None,
    masks: dict[Path, Path] | None = None,
    masks_out: Path | None = None,
) -> TranslateSummary:
    """Translate every (input, output) of `plan`. A bad file costs only itself, as does one without its mask
    (input -> mask) where `masks` are given; outputs that `record` trusts are kept unless `overwrite`.
    masks_out: where a model that predicts what it changes says so.

    Raises StorageError where nothing can be written any more, ConfigError where `masks_out` cannot be had.
    """
    policy = policy or Policy()
    record.masks = masks or {}
    told = _told_masks(predictor, planned, record, masks_out)
    jobs = [
        Job(i, *both, told.get(both[1]))
        for i, both in enumerate(planned)
        if overwrite or not record.may_stay(*both)
    ]
    summary = TranslateSummary(len(planned), kept=len(planned) - len(jobs))

    def reading(job: Job) -> Given:
        if masks is not None and job.source not in masks:
            raise DataError(f"{job.source}: no mask of that name and stem in masks=")
        return read_given(job.source, predictor.card, policy, masks[job.source] if masks else None)

    with tqdm(
        total=len(planned), desc="translating", initial=summary.kept, disable=None, unit="image"
    ) as bar:
        desk = Desk(predictor, policy, record, summary, bar)
        try:
            for job, coming in _ahead(jobs, reading, 1 if on_cpu(predictor) else BATCH):
                desk.take(job, coming)
            desk.finish()
        finally:
            desk.close()
    return summary


def _ahead(
    jobs: list[Job], reading: Callable[[Job], Given], depth: int
) -> Iterator[tuple[Job, Future[Given]]]:
    """Each job with what is read for it, in order, `depth` of them ahead in a thread."""
    reader = ThreadPoolExecutor(1, "read")
    coming: deque[tuple[Job, Future[Given]]] = deque()
    try:
        for job in jobs:
            coming.append((job, reader.submit(reading, job)))
            if len(coming) > depth:
                yield coming.popleft()
        while coming:
            yield coming.popleft()
    finally:
        reader.shutdown(cancel_futures=True)


def _told_masks(
    predictor: Predictor, planned: Planned, record: Record, masks_out: Path | None
) -> dict[Path, Path]:
    """Output -> where its mask goes: the same name, as .png. Raises ConfigError."""
    if masks_out is None:
        return {}
    if not predicts_mask(predictor):
        raise ConfigError(
            f"masks_out={masks_out}: this model does not predict what it changes, as those of "
            "experiment=unmark with generator=remover do; leave it out"
        )
    _check_apart(masks_out, planned, record.out)
    found = {
        target: (masks_out / target.relative_to(record.out)).with_suffix(".png") for _, target in planned
    }
    if len(set(found.values())) < len(found):
        raise ConfigError(
            f"masks_out={masks_out}: some images differ in their suffix only; rename them first"
        )
    taken = {os.path.realpath(path) for both in planned for path in both}
    clash = next((path for path in found.values() if os.path.realpath(path) in taken), None)
    if clash:
        raise ConfigError(f"masks_out={masks_out}: {clash} is an input or a result; give another folder")
    return found


def _check_apart(masks_out: Path, planned: Planned, out: Path) -> None:
    """Raises ConfigError where masks would lie among the inputs or the results."""
    at = Path(os.path.realpath(masks_out))
    for source, target in planned:
        root = source
        for _ in target.relative_to(out).parts:
            root = root.parent
        for kept, what in ((root, "the source"), (out, "out=")):
            folder = Path(os.path.realpath(kept))
            if at == folder or folder in at.parents:
                raise ConfigError(f"masks_out={masks_out}: lies in {what}; give a folder beside it")
