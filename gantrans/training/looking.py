"""What a run shows of itself in TensorBoard beside its numbers: words at the start, pictures and histograms
at validations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gantrans.data.stream import RawBatch
from gantrans.training.board import keeps_pictures
from gantrans.training.hparams import hyperparameters
from gantrans.training.job import Job
from gantrans.training.judges import fixed_batch, judges, logits
from gantrans.training.sinks import Sinks
from gantrans.training.summary import model_summary
from gantrans.training.watch import Watch, histogram_of


def introduce(job: Job, sinks: Sinks) -> None:
    """Config, environment, command and networks as text, in each sitting, as all of them may change."""
    step = job.state.step
    overrides = _text(job, "overrides.txt")
    sinks.text(step, "config", job.config_text)
    sinks.text(step, "environment", _text(job, "env.json"))
    sinks.text(step, "given on the command line", overrides)
    sinks.text(step, "networks", model_summary(job.state.networks))
    sinks.told(hyperparameters(job.view.config, overrides))


def _text(job: Job, name: str) -> str:
    path = job.run.path / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


class Gallery:
    """Carries what validations found to see into `sinks`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._batch: RawBatch | None = None

    def show(self, sinks: Sinks, strips: Mapping[str, np.ndarray], watch: Watch, *, last: bool) -> None:
        """The strips, the worst images, and the histograms, at the steps that keep them; `last`: always."""
        job, step = self._job, self._job.state.step
        if not last and not keeps_pictures(step // job.every.validate):
            return
        for split, strip in strips.items():
            sinks.picture(step, f"probe/{split}", strip)
        if (worst := watch.worst()) is not None:
            sinks.picture(step, f"worst/{watch.chosen}", worst)
        found = dict(watch.histograms)
        if judges(job):
            self._batch = self._batch or fixed_batch(job)
            found |= {f"logits_{at}": histogram_of(v) for at, v in logits(job, self._batch).items()}
        for name, histogram in found.items():
            sinks.histogram(step, name, histogram)
