"""The three things that fall due while training: log, validate, save; and what is left behind at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gantrans.bundles.bundle import bundle_folder, save_bundle
from gantrans.data.fingerprint import fingerprint_of
from gantrans.inference.predictor import Predictor
from gantrans.methods.base import translators
from gantrans.training import checkpoint
from gantrans.training.clock import Clock
from gantrans.training.guard import NanGuard
from gantrans.training.job import Job
from gantrans.training.looking import Gallery
from gantrans.training.sinks import Sinks
from gantrans.training.watch import Watch


class Reporting:
    """Carries results of the run to its folder. Each method acts on the state as it is at this step.

    All processes of a run call the same methods at the same steps; rank 0 alone has `sinks` and writes.
    """

    def __init__(self, job: Job, sinks: Sinks | None, clock: Clock, guard: NanGuard) -> None:
        self.job, self.sinks, self.clock, self.guard = job, sinks, clock, guard
        self.ranks = job.core.ranks
        self.speed: dict[str, float] = {}
        self.validated: dict[str, float] = {}
        self.sample: Path | None = None
        self.gallery = Gallery(job)
        self._validated_at = self._saved_at = -1
        self._fingerprint: dict[str, object] | None = None

    def log(self) -> None:
        """Losses since the last log, learning rate, speed and memory. Raises DivergedError on NaN."""
        self.guard.check()
        state = self.job.state
        means = state.meter.flush(self.ranks)
        if self.sinks is None:
            return
        lr = {f"lr_{name}": o.param_groups[0]["lr"] for name, o in state.optimizers.items()}
        self.sinks.metrics(state.step, "train", {**means, **lr})
        self.speed = self.clock.lap(self.job.batch_size)
        memory = {"peak_memory_mib": self.job.core.peak_memory_mib()}
        self.sinks.speed(state.step, {**self.speed, **memory})
        self.status("running")

    def validate(self, *, last: bool = False) -> None:
        """Measure and draw with the averaged weights; keep them as the bundle if they are the best so far,
        or the newest where nothing chooses. `last`: of the run."""
        self.guard.check()
        job, state = self.job, self.job.state
        if self.sinks is not None:
            self._look(self.sinks, last=last)
        self.validated = self.ranks.share(self.validated)
        self._validated_at = state.step
        metric = job.best or "step"
        value = self.validated.get(metric, float(state.step))
        if metric in job.validation.lower:
            value = -value  # what is lower is better
        if state.best.get("metric") != metric or value > state.best["value"]:
            state.best = {"metric": metric, "value": value, "step": state.step}
            if self.ranks.first:
                self._bundle()
            if state.step:
                self.save()
        self.clock.restart_lap()

    def _look(self, sinks: Sinks, *, last: bool) -> None:
        job, state = self.job, self.job.state
        predictors = {
            way: Predictor(state.averages[role], job.cards[way], job.core)
            for way, role in translators(job.method.roles).items()
        }
        watch = Watch(job.view.worst, job.best, job.validation.lower)
        self.validated = job.validation.measure(predictors, watch)
        strips = job.validation.strips(predictors)
        if sinks.metrics(state.step, "val", self.validated):
            self.gallery.show(sinks, strips, watch, last=last)
        sinks.flush()
        for split, strip in strips.items():
            if split == "val":
                self.sample = sinks.sample(state.step, strip)
            elif split != "train":
                sinks.sample(state.step, strip, split)

    def save(self) -> None:
        """Write a checkpoint of this step (once) and remove those no longer kept."""
        self.guard.check()
        job, state = self.job, self.job.state
        if self._saved_at == state.step:
            return
        self.guard.check_weights(state.step, state.networks)
        metrics = self.validated if self._validated_at == state.step else {}
        others = self.ranks.collect(state.own() if self.ranks.rank else None)[1:]
        if self.ranks.first:
            checkpoint.save(job.run.checkpoints, state.state_dict(others), state.step, metrics)
            best = state.best.get("step")
            checkpoint.tidy(job.run.checkpoints, keep_last=job.keep_last, best_step=best, newest=state.step)
        self._saved_at = state.step
        self.clock.restart_lap()

    def finish(self) -> None:
        """Leave a complete folder: the last losses, a validation and a checkpoint of the last step."""
        if self.job.state.meter.sums:
            self.log()
        if self._validated_at != self.job.state.step:
            self.validate(last=True)
        if self.sinks is not None:
            self.sinks.finished()
        self.save()

    def status(self, state: str, **facts: object) -> None:
        """Write status.json with what is known at this step."""
        if not self.ranks.first:
            return
        now = self.job.state
        self.job.run.status(
            state,
            step=now.step,
            total_steps=now.total,
            seconds=round(now.seconds, 1),
            images_per_second=round(self.speed.get("images_per_second", 0.0), 2),
            data_wait_share=round(self.speed.get("data_wait_share", 0.0), 3),
            peak_memory_mib=round(self.job.core.peak_memory_mib(), 1),
            validation=self.validated,
            best=now.best,
            **facts,
        )

    def _trained_on(self) -> dict[str, object]:
        """The fingerprint of the training files, as they were at the first bundle of this sitting."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint_of(self.job.train)
        return self._fingerprint

    def _bundle(self) -> None:
        job = self.job
        if not job.describable:
            return
        for way, role in translators(job.method.roles).items():
            provenance = {**job.cards[way].provenance, **public(job.state.origin), "step": job.state.step}
            card = replace(
                job.cards[way],
                metrics=self.validated,
                provenance=provenance,
                training_data=self._trained_on(),
            )
            save_bundle(bundle_folder(job.run.bundle, way), job.state.averages[role], card)


def public(origin: dict[str, Any]) -> dict[str, Any]:
    """The origin of the weights as a bundle tells it: the name of the file or folder, not where it lay."""
    told = {}
    for key, facts in origin.items():
        if isinstance(facts, dict) and "path" in facts:
            facts = {"file": Path(str(facts["path"])).name, **{k: v for k, v in facts.items() if k != "path"}}
        told[key] = facts
    return told
