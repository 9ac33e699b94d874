"""The training loop. It knows time, order and failure, and nothing of GANs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from tqdm import tqdm

from gantrans.data.stream import RawBatch, batches
from gantrans.errors import DataError, DivergedError, GantransError, Interrupted, StorageError
from gantrans.training.clock import Clock
from gantrans.training.guard import NanGuard
from gantrans.training.job import Job
from gantrans.training.reporting import Reporting
from gantrans.training.schedule import factor
from gantrans.training.signals import StopRequest
from gantrans.training.sinks import Sinks
from gantrans.training.stages import who_trains
from gantrans.training.step import train_step


def train(job: Job) -> Reporting:
    """Run `job` from the step its state is at to the end; returns what was reported last.

    Raises DivergedError, DataError, StorageError or Interrupted after leaving the folder in order.
    """
    state, guard = job.state, NanGuard()
    clock = Clock(state, job.total, images=len(job.train), batch_size=job.batch_size, flat=job.schedule.flat)
    sinks = Sinks(job.run, first_step=state.step)
    report = Reporting(job, sinks, clock, guard)
    report.status("running")
    stop = StopRequest()
    try:
        with stop, _bar(job) as bar, _stream(job) as stream:
            if state.step == 0:
                sinks.text("config", job.config_text)
                report.validate()
            clock.start()
            while not clock.finished:
                raw = _next(stream, clock)
                train_step(
                    state, job.core.prepare(raw), job.method, job.core, guard,
                    seed=job.seed, rate=_rate(job), ema=job.schedule.ema,
                    who=who_trains(job.stages, state.step, state.total),
                )  # fmt: skip
                clock.tick()
                _work_through_duties(job, report)
                _show(bar, job, report)
                if stop.number is not None:
                    raise _leave(report, stop.number)
                if state.step == job.stop_at:
                    report.save()
                    report.status("preempted", reason="train.stop_at")
                    return report
            report.finish()
            report.status("finished")
    except BaseException as error:
        if stop.number is not None and "DataLoader worker" in str(error):  # the signal reached the worker too
            error = Interrupted("stopped while starting; the last checkpoint is whole", stop.number)
        _record_failure(report, error)
        raise error
    finally:
        with contextlib.suppress(StorageError):
            sinks.close()
    return report


def _work_through_duties(job: Job, report: Reporting) -> None:
    step, every = job.state.step, job.every
    if step % every.log == 0:
        report.log()
    if step % every.validate == 0:
        report.validate()
    if step % every.save == 0:
        report.save()


def _rate(job: Job) -> float:
    s = job.schedule
    return factor(s.kind, job.state.step, job.state.total or 10**9, flat=s.flat, warmup=s.warmup)


def _leave(report: Reporting, number: int) -> Interrupted:
    report.save()
    step, path = report.job.state.step, report.job.run.path
    return Interrupted(f"saved at step {step}; go on with `gantrans resume {path}`", number)


def _record_failure(report: Reporting, error: BaseException) -> None:
    """Leave a true status.json; on bad data keep what was learned. A failing disk must not hide the error."""
    with contextlib.suppress(GantransError):
        if isinstance(error, DataError):
            report.save()
    state = "failed"
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        state = "preempted"
    elif isinstance(error, DivergedError):
        state = "diverged"
    with contextlib.suppress(GantransError, OSError):
        report.status(state, reason=f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def _stream(job: Job) -> Iterator[Iterator[RawBatch]]:
    stream = batches(
        job.train,
        batch_size=job.batch_size,
        first_step=job.state.step,
        workers=job.workers,
        pin=job.core.device.type == "cuda",
    )
    with contextlib.closing(stream):  # type: ignore[type-var]
        yield stream


def _next(stream: Iterator[RawBatch], clock: Clock) -> RawBatch:
    before = time.perf_counter()
    batch = next(stream)
    clock.wait(time.perf_counter() - before)
    return batch


def _bar(job: Job) -> tqdm:
    return tqdm(total=job.state.total, initial=job.state.step, desc="training", unit="step", disable=None)


def _show(bar: tqdm, job: Job, report: Reporting) -> None:
    if bar.total != job.state.total:
        bar.total = job.state.total
    bar.update(job.state.step - bar.n)
    if "psnr" in report.validated and not bar.disable:
        bar.set_postfix_str(
            f"val PSNR {report.validated['psnr']:.2f} dB ({report.validated['psnr_gain']:+.2f})",
            refresh=False,
        )
