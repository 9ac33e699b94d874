"""What a run is made of: the objects that `build` puts together and the loop works with."""

from __future__ import annotations

from dataclasses import dataclass

from gantrans.core.device import Core
from gantrans.data.dataset import PairDataset
from gantrans.durations import Duration
from gantrans.inference.bundle import Card
from gantrans.methods.base import Method
from gantrans.training.clock import Intervals
from gantrans.training.run_folder import RunFolder
from gantrans.training.state import State
from gantrans.training.validate import Validation


@dataclass(frozen=True)
class Schedule:
    """The learning-rate schedule (see training/schedule.py) and the decay of the weight average."""

    kind: str
    flat: float
    warmup: int
    ema: float


@dataclass(frozen=True)
class Job:
    """One training run. `best` names the validation metric that chooses the bundle; None keeps the latest.
    `stop_at` leaves at that step, saved, although the schedule goes on to `total`.

    `card` describes the bundle; none is written where the generator is the user's own class, and so not
    `describable`.
    """

    run: RunFolder
    state: State
    method: Method
    core: Core
    train: PairDataset
    validation: Validation
    card: Card
    schedule: Schedule
    total: Duration
    every: Intervals
    batch_size: int
    workers: int
    seed: int
    best: str | None
    keep_last: int
    config_text: str
    stop_at: int | None = None
    describable: bool = True
