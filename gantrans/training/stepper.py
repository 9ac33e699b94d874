"""Takes the steps of a run: eagerly, or as captured graphs, to the same bits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from gantrans.core.device import Core, batch_from, images_of
from gantrans.core.graph import GraphRunner, capturing
from gantrans.core.seed import seed_torch
from gantrans.data.stream import RawBatch
from gantrans.methods.base import Method
from gantrans.training.ema import ema_decay
from gantrans.training.guard import NanGuard
from gantrans.training.stages import BOTH
from gantrans.training.state import State
from gantrans.training.step import (
    Variant,
    advance,
    count,
    set_rates,
    train_step,
    variant_of,
)


def _to_stderr(text: str) -> None:
    print(f"note      {text}", file=sys.stderr, flush=True)


class Stepper:
    """`stepper(raw, rate=..., who=...)` advances the state by one step, as train_step (step.py) does.

    graphs: captures the steps; None: all of them are eager. seed, ema: as train_step takes them. accumulate:
    the parts that each batch is cut into.
    """

    def __init__(
        self,
        state: State,
        method: Method,
        core: Core,
        guard: NanGuard,
        *,
        seed: int,
        ema: float,
        accumulate: int = 1,
        graphs: GraphRunner | None = None,
        note: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.state, self.method, self.core, self.guard = state, method, core, guard
        self.seed, self.ema, self.accumulate = seed, ema, accumulate
        self.note = note
        self._graphs = graphs
        self._dials = Dials(core)
        self._names: dict[Variant, tuple[str, ...]] = {}
        self._noted = False

    def __call__(
        self, raw: RawBatch, *, rate: float, who: str = BOTH, frozen: bool = False, measured: bool = False
    ) -> None:
        """One step on this batch. `rate` is the learning-rate factor, `who` trains (training/stages.py);
        `frozen`: what is pretrained does not; `measured`: with the norms of the gradients (norms.py)."""
        if self._graphs is not None and self._fits(self._graphs, raw):
            variant = variant_of(self.method, who, self.state.step, frozen=frozen, measured=measured)
            self._captured(self._graphs, raw, rate, variant)
            return
        train_step(
            self.state, self.core.prepare(raw), self.method, self.core, self.guard,
            seed=self.seed, rate=rate, ema=self.ema, who=who, frozen=frozen, accumulate=self.accumulate,
            measured=measured,
        )  # fmt: skip

    def _fits(self, graphs: GraphRunner, raw: RawBatch) -> bool:
        misfit = graphs.misfit(images_of(raw))
        if misfit and not self._noted:
            self._noted = True
            self.note(f"{misfit}. Such batches are stepped without the graph")
        return not misfit

    def _captured(self, graphs: GraphRunner, raw: RawBatch, rate: float, variant: Variant) -> None:
        state = self.state
        set_rates(state, variant, rate, self.core)  # what logs and checkpoints show
        self._dials.turn(state, variant, ema_decay(self.ema, state.step))

        def work(images: Mapping[str, Tensor | None]) -> None:
            batch = self.core.prepare(batch_from(images, ()))
            with self._dials.connected(state, variant):
                self._names[variant] = advance(
                    state, batch, self.method, self.core, self.guard, variant,
                    decay=self._dials.decay, parts=self.accumulate,
                )  # fmt: skip

        address = ("step", self.seed, state.step, *self.core.ranks.address)
        graphs.run(variant, images_of(raw), work, lambda: seed_torch(*address))
        count(state, self.guard, self._names[variant], raw.keys)


class Dials:
    """The numbers that change from step to step, where a captured step reads them: on the device.

    Outside of the step the optimizers hold plain numbers, so a checkpoint does not tell how it was reached.
    """

    def __init__(self, core: Core) -> None:
        # CUDA's fused Adam takes its rate as float32; the CPU's reads any, and float64 loses nothing.
        self._dtype = torch.float32 if core.device.type == "cuda" else torch.float64
        self._core = core
        self._rates: dict[tuple[str, int], Tensor] = {}
        self.decay = torch.zeros((), dtype=torch.float64, device=core.device)
        self._shown: dict[int, float] = {}

    def turn(self, state: State, variant: Variant, decay: float) -> None:
        """Set them for this step; what has not changed costs nothing."""
        for name, number, group in _groups(state, variant):
            if (name, number) not in self._rates:
                self._rates[name, number] = torch.zeros((), dtype=self._dtype, device=self._core.device)
            self._set(self._rates[name, number], group["lr"])
        self._set(self.decay, decay)

    def _set(self, dial: Tensor, value: float) -> None:
        if self._shown.get(id(dial)) != value:
            dial.fill_(value)
            self._shown[id(dial)] = value

    @contextmanager
    def connected(self, state: State, variant: Variant) -> Iterator[None]:
        """Meanwhile the optimizers of this step read their rates here."""
        groups = list(_groups(state, variant))
        plain = [(group["lr"], group["capturable"]) for *_, group in groups]
        recording = capturing()
        try:
            for name, number, group in groups:
                group["lr"], group["capturable"] = self._rates[name, number], recording
            yield
        finally:
            for (*_, group), (rate, capturable) in zip(groups, plain, strict=True):
                group["lr"], group["capturable"] = rate, capturable


def _groups(state: State, variant: Variant) -> Iterator[tuple[str, int, dict]]:
    for name in dict.fromkeys(phase.shares or phase.name for phase in variant.phases):
        for number, group in enumerate(state.optimizers[name].param_groups):
            yield name, number, group
