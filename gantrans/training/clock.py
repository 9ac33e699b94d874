"""When things are due. There is one clock, the step; a wall-clock budget becomes steps from measured
speed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gantrans.durations import Duration
from gantrans.training.state import State

# Until this share of a time budget its number of steps is measured anew; the schedule's flat share bounds it.
FREEZE_AT = 0.5
SETTLE = 0.05  # share that is measured in any case


@dataclass(frozen=True)
class Intervals:
    """How often things happen, in steps."""

    log: int
    validate: int
    save: int


def planned_steps(budget: Duration, state: State, *, images: int, batch_size: int) -> int | None:
    """Steps in all; None for a wall-clock budget that was not measured yet, or that was changed."""
    if not budget.is_time:
        return budget.steps(images, batch_size)
    return state.total if state.budget == budget.amount else None


class Clock:
    """Counts wall-clock time into the state and keeps `state.total` for a budget in seconds.

    The plan is measured anew at each step until the learning rate may fall or half the budget is spent, then
    frozen; it is part of the state, so the learning rate stays a pure function of (step, total), and a
    resumed run follows the same plan.
    """

    def __init__(self, state: State, budget: Duration, *, images: int, batch_size: int, flat: float) -> None:
        self.state = state
        self.budget = budget
        state.total = planned_steps(budget, state, images=images, batch_size=batch_size)
        self._freeze = max(SETTLE, min(FREEZE_AT, flat)) * budget.amount
        if budget.is_time and state.total is None:
            state.budget = budget.amount
            self._freeze = max(self._freeze, state.seconds + SETTLE * budget.amount)
        self._before = state.seconds
        self._begun = time.perf_counter()
        self.start()

    def start(self) -> None:
        """Measure the speed of steps from now on: what came before was preparation."""
        self._start, self._first_step = time.perf_counter(), self.state.step
        self.restart_lap()

    def wait(self, seconds: float) -> None:
        """Note time that the step spent waiting for data."""
        self._waited += seconds

    def tick(self) -> None:
        """Note the time that has passed; for a time budget, plan anew while that is allowed."""
        state, now = self.state, time.perf_counter()
        state.seconds = self._before + now - self._begun
        if not self.budget.is_time or (state.total is not None and state.seconds > self._freeze):
            return
        each = (now - self._start) / max(1, state.step - self._first_step)
        left = self.budget.amount - state.seconds
        state.total = state.step + max(1, int(left / each)) if left > 0 else state.step

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
