"""A few steps of a run looked at by PyTorch's profiler (train.profile), as a file that Perfetto opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gantrans.training.job import Job

if TYPE_CHECKING:
    from torch.profiler import profile

WAIT, WARM, TRACED = 5, 2, 3  # steps: caches fill and graphs are captured, the profiler starts, it writes
TOP = 25  # operations in the list


class Tracer:
    """`step()` after each step. Writes profile/trace-step-N.json.gz (Chrome's trace format) and .txt, the
    operations that took longest, when TRACED steps have been seen; nothing if the run ends before."""

    def __init__(self, job: Job) -> None:
        self._folder = job.run.path / "profile"
        self._first = job.state.step
        self._cuda = job.core.device.type == "cuda"
        self.written: str = ""

    @contextmanager
    def on(self) -> Iterator[Tracer]:
        from torch.profiler import ProfilerActivity, profile, schedule

        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self._cuda else [])]
        plan = schedule(wait=WAIT, warmup=WARM, active=TRACED, repeat=1)
        with profile(activities=kinds, schedule=plan, on_trace_ready=self._write, record_shapes=True) as run:
            self.step = run.step
            yield self

    def step(self) -> None:
        """A step is done."""

    def _write(self, run: profile) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"trace-step-{self._first + WAIT + WARM:06d}.json.gz"
        run.export_chrome_trace(str(path))
        by = "self_device_time_total" if self._cuda else "self_cpu_time_total"
        table = run.key_averages().table(sort_by=by, row_limit=TOP)
        path.with_suffix("").with_suffix(".txt").write_text(table + "\n", encoding="utf-8")
        self.written = str(path)


class Idle:
    """In place of a Tracer where nothing is to be traced."""

    def step(self) -> None:
        """A step is done."""


@contextmanager
def tracing(job: Job) -> Iterator[Tracer | Idle]:
    """What the loop tells of each step; only rank 0 of a run with train.profile is traced."""
    if not (job.profile and job.core.ranks.first):
        yield Idle()
        return
    with Tracer(job).on() as tracer:
        yield tracer
