"""When things are due. There is one clock, the step; a wall-clock budget becomes steps from measured
speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gantrans.durations import Duration
from gantrans.training.state import State

FREEZE_AT = (
    0.5  # share of a time budget after which its number of steps is final, as the schedule relies on it
)


@dataclass(frozen=True)
class Intervals:
    """How often things happen, in steps."""

    log: int
    validate: int
    save: int


def planned_steps(budget: Duration, state: State, *, images: int, batch_size: int) -> int | None:
    """Steps in all, or None for a wall-clock budget that was never measured."""
    return state.total if budget.is_time else budget.steps(images, batch_size)


class Clock:
    """Counts wall-clock time into the state and keeps `state.total` for a budget in seconds.

    The plan is measured anew at each log until half the budget is spent, then frozen; it is part of the
    state, so the learning rate stays a pure function of (step, total), and a resumed run follows the same
    plan.
    """

    def __init__(self, state: State, budget: Duration, *, images: int, batch_size: int) -> None:
        self.state = state
        self.budget = budget
        state.total = planned_steps(budget, state, images=images, batch_size=batch_size)
        self._first_step, self._before = state.step, state.seconds
        self._start = self._lap = time.perf_counter()
        self._lap_step, self._waited = state.step, 0.0

    def wait(self, seconds: float) -> None:
        """Note time that the step spent waiting for data."""
        self._waited += seconds

    def tick(self) -> None:
        """Note the time that has passed; for a time budget, plan anew while that is allowed."""
        state, now = self.state, time.perf_counter()
        state.seconds = self._before + now - self._start
        if not self.budget.is_time or self._frozen:
            return
        done = state.step - self._first_step
        if done < 3 and state.total is not None:
            return
        each = (now - self._start) / max(1, done)
        left = max(0.0, self.budget.amount - state.seconds)
        state.total = max(state.step + int(left / each), state.step)

    @property
    def _frozen(self) -> bool:
        total = self.state.total
        return (
            total is not None and self.state.seconds > FREEZE_AT * self.budget.amount and self.state.step > 0
        )

    @property
    def finished(self) -> bool:
        return self.state.total is not None and self.state.step >= self.state.total

    def lap(self, batch_size: int) -> dict[str, float]:
        """Speed since the last lap: images_per_second, data_wait_share, seconds_per_step."""
        now, steps = time.perf_counter(), self.state.step - self._lap_step
        seconds = max(now - self._lap, 1e-9)
        values = {
            "images_per_second": steps * batch_size / seconds,
            "data_wait_share": self._waited / seconds,
            "seconds_per_step": seconds / max(1, steps),
        }
        self.restart_lap()
        return values

    def restart_lap(self) -> None:
        """Leave what has passed out of the next lap (validation and saving are not training speed)."""
        self._lap, self._lap_step, self._waited = time.perf_counter(), self.state.step, 0.0
