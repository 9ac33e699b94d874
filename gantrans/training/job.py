"""What a run is made of: the objects that `build` puts together and the loop works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gantrans.bundles.bundle import Card
from gantrans.core.device import Core
from gantrans.data.samples import Samples
from gantrans.durations import Duration
from gantrans.methods.base import Method
from gantrans.training.clock import Intervals
from gantrans.training.run_folder import RunFolder
from gantrans.training.stages import Stage
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
class Pace:
    """How steps are taken. graph: captured as CUDA graphs; strict: a batch that does not fit is an error.

    accumulate: the parts that a batch is cut into. eager_because: why nothing is captured, where that is
    worth saying.
    """

    graph: bool = False
    strict: bool = False
    accumulate: int = 1
    eager_because: str = ""


@dataclass(frozen=True)
class View:
    """What TensorBoard is given. worst: so many of the worst validation images; width: of pictures, in pixels
    at most; config: the keys, resolved, of which hyperparameters are chosen (training/hparams.py)."""

    worst: int = 4
    width: int = 1024
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One training run. `best` names the validation metric that chooses the bundle; None keeps the latest.
    `stop_at` leaves at that step, saved, although the schedule goes on to `total`.

    `cards` describe the bundle of each way; none is written where a generator is the user's own class, and so
    not `describable`. `stages`: who trains when (training/stages.py); () is everyone, always. `freeze`: for
    so many steps what is pretrained waits (training/depth.py). `data` says in words what the run learns from.
    `view`: what TensorBoard is given. `profile`: a few steps are traced (training/profile.py).
    """

    run: RunFolder
    state: State
    method: Method
    core: Core
    train: Samples
    validation: Validation
    cards: dict[str, Card]
    data: str
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
    stages: tuple[Stage, ...] = ()
    freeze: int = 0
    pace: Pace = Pace()
    view: View = View()
    profile: bool = False
