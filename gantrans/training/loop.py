"""The training loop. It knows time, order and failure, and nothing of GANs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tqdm import tqdm

from gantrans.core.graph import CudaGraphs, GraphRunner
from gantrans.core.prefetch import Prefetch
from gantrans.data.stream import RawBatch, batches
from gantrans.errors import DataError, DivergedError, GantransError, Interrupted, StorageError
from gantrans.training.clock import Clock
from gantrans.training.guard import NanGuard
from gantrans.training.job import Job
from gantrans.training.looking import introduce
from gantrans.training.profile import tracing
from gantrans.training.reporting import Reporting
from gantrans.training.schedule import factor
from gantrans.training.signals import StopRequest
from gantrans.training.sinks import Sinks
from gantrans.training.stages import who_trains
from gantrans.training.stepper import Stepper


def train(job: Job) -> Reporting:
    """Run `job` from the step its state is at to the end; returns what was reported last.

    Raises DivergedError, DataError, StorageError or Interrupted after leaving the folder in order. All
    processes of a run are in the same place here at the same step (docs/adr/0012-processes.md).
    """
    state, ranks = job.state, job.core.ranks
    guard = NanGuard(ranks)
    clock = Clock(state, job.total, images=len(job.train), batch_size=job.batch_size, flat=job.schedule.flat)
    sinks = Sinks(job.run, first_step=state.step, width=job.view.width) if ranks.first else None
    report = Reporting(job, sinks, clock, guard)
    report.status("running")
    stop = StopRequest(settle=0.0 if ranks.world == 1 else 2.0)
    step = _stepper(job, guard)
    networks = (*state.networks.values(), *state.averages.values())
    try:
        ranks.copy_from_first(p for network in networks for p in network.parameters())
        with stop, _bar(job) as bar, _stream(job) as stream, tracing(job) as tracer:
            if sinks is not None:
                introduce(job, sinks)
            if state.step == 0:
                report.validate()
            clock.start()
            while not clock.finished:
                raw = _next(stream, clock)
                who, frozen = who_trains(job.stages, state.step, state.total), state.step < job.freeze
                measured = (state.step + 1) % job.every.log == 0
                step(raw, rate=_rate(job), who=who, frozen=frozen, measured=measured)
                tracer.step()
                clock.tick()
                _work_through_duties(job, report)
                _show(bar, job, report)
                if number := _agree(job, stop):
                    raise _leave(report, number)
                if state.step == job.stop_at:
                    report.save()
                    report.status("preempted", reason="train.stop_at")
                    break
            else:
                report.finish()
                report.status("finished")
            ranks.wait()  # who leaves first would look as if it had failed
    except BaseException as error:
        if stop.number is not None and "DataLoader worker" in str(error):  # the signal reached the worker too
            error = Interrupted("stopped while starting; the last checkpoint is whole", stop.number)
        error = ranks.cause(error, *([0.0] if stop.number else []))  # being ended already
        _record_failure(report, error)
        raise error
    finally:
        with contextlib.suppress(StorageError):
            if sinks is not None:
                sinks.close()
    return report


def _agree(job: Job, stop: StopRequest) -> int:
    """The signal that any process was sent, or 0; and the plan, which follows rank 0's clock."""
    planned = job.state.total if job.core.ranks.first else None
    number, total = job.core.ranks.most([stop.number or 0, -1 if planned is None else planned])
    job.state.total = None if total < 0 else total
    return number


def _work_through_duties(job: Job, report: Reporting) -> None:
    step, every = job.state.step, job.every
    if step % every.log == 0:
        report.log()
    if step % every.validate == 0:
        report.validate()
    if step % every.save == 0:
        report.save()


def _stepper(job: Job, guard: NanGuard) -> Stepper:
    graphs = GraphRunner(CudaGraphs(job.core.device), strict=job.pace.strict) if job.pace.graph else None
    return Stepper(
        job.state, job.method, job.core, guard,
        seed=job.seed, ema=job.schedule.ema, accumulate=job.pace.accumulate, graphs=graphs,
    )  # fmt: skip


def _rate(job: Job) -> float:
    s = job.schedule
    return factor(s.kind, job.state.step, job.state.total or 10**9, flat=s.flat, warmup=s.warmup)


def _leave(report: Reporting, number: int) -> Interrupted:
    report.save()
    report.ranks.wait()
    step, path = report.job.state.step, report.job.run.path
    return Interrupted(f"saved at step {step}; go on with `gantrans resume {path}`", number)


def _record_failure(report: Reporting, error: BaseException) -> None:
    """Leave a true status.json; on bad data keep what was learned, which several processes could not do each
    where it is. A failing disk must not hide the error."""
    with contextlib.suppress(GantransError):
        if isinstance(error, DataError) and report.ranks.world == 1:
            report.save()
    state = "failed"
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        state = "preempted"
    elif isinstance(error, DivergedError):
        state = "diverged"
    with contextlib.suppress(GantransError, OSError):
        report.status(state, reason=f"{type(error).__name__}: {error}")


@contextlib.contextmanager
def _stream(job: Job) -> Iterator[Prefetch]:
    stream = batches(
        job.train,
        batch_size=job.batch_size,
        first_step=job.state.step,
        workers=job.workers,
        pin=job.core.device.type == "cuda",
        part=job.core.ranks.share_of(job.batch_size),
    )
    with contextlib.closing(stream):  # type: ignore[type-var]
        yield Prefetch(stream, job.core)


def _next(stream: Prefetch, clock: Clock) -> RawBatch:
    batch = next(stream)
    clock.wait(stream.waited)
    return batch


def _bar(job: Job) -> tqdm:
    hidden = None if job.core.ranks.first else True
    return tqdm(total=job.state.total, initial=job.state.step, desc="training", unit="step", disable=hidden)


def _show(bar: tqdm, job: Job, report: Reporting) -> None:
    if bar.total != job.state.total:
        bar.total = job.state.total
    bar.update(job.state.step - bar.n)
    chosen = job.best or "psnr"
    if chosen in report.validated and not bar.disable:
        bar.set_postfix_str(f"val {chosen} {report.validated[chosen]:.4g}", refresh=False)
