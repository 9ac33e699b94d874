"""A run in several processes: launched here, or joined where torchrun has started us.

The launcher composes the config once, checks the data and holds the run folder; it tells all processes the
same order, also after a restart. What went wrong in a worker comes back as a value, so that it is said once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.errors import GantransError, Interrupted

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.core.launch import Fleet
    from gantrans.core.ranks import Ranks
    from gantrans.training.run_folder import RunFolder

Told = tuple[str, str, int]  # title, message, exit code of a failure


class ToldError(GantransError):
    """What a worker said went wrong."""

    def __init__(self, title: str, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.title, self.exit_code = title, exit_code

    def __reduce__(self) -> tuple[type, Told]:
        return type(self), (self.title, str(self), self.exit_code)  # as Interrupted does


def _token() -> str:
    """What the processes of one launcher have in common, through all restarts, and no others."""
    torchrun = os.environ.get("TORCHELASTIC_RUN_ID")
    return uuid.uuid4().hex if torchrun is None else f"{socket.gethostname()} {os.getppid()} {torchrun}"


@dataclass(frozen=True)
class Order:
    """What every process is told. verb: train | resume. path: the run folder; None: to be made up by rank 0.

    locked: the launcher holds the folder, else rank 0 does. token: knows the folder again after a restart.
    """

    verb: str
    config: DictConfig
    overrides: list[str]
    path: Path | None
    locked: bool = False
    token: str = field(default_factory=_token)
    here: str = field(default_factory=lambda: str(Path.cwd()))


def start(order: Order, fleet: Fleet, folder: RunFolder | None) -> None:
    """Launch the processes of this machine and see them end; raises what they could not mend."""
    from gantrans.core.collectives import LostPeerError
    from gantrans.core.launch import StoppedError, WorkerBugError, launch

    try:
        told: list[Told] = [value for value in launch(fleet, work, order) if value]
    except StoppedError as error:
        raise Interrupted(_how_far(order), error.number) from None
    except (WorkerBugError, LostPeerError) as error:
        if isinstance(error, WorkerBugError):
            print(error.trace, file=sys.stderr, end="")
        if folder is not None:
            _end_status(folder, error)
        raise
    if told:
        raise ToldError(*told[0])


def work(order: Order) -> Told | None:
    """One process of a run that `start` launched. Returns what is to be said; an exception is a crash, after
    which the launcher may start all processes again."""
    from gantrans.cli.main import explain
    from gantrans.core.collectives import LostPeerError
    from gantrans.core.launch import die_with_launcher, hear_signals
    from gantrans.core.ranks import joined

    hear_signals()
    die_with_launcher()
    os.chdir(order.here)
    try:
        with joined(cuda=_on_cuda(order.config)) as ranks:
            _act(order, ranks)
    except (Interrupted, KeyboardInterrupt) as error:  # the launcher says so
        raise SystemExit(getattr(error, "exit_code", 130)) from None
    except LostPeerError:
        raise
    except Exception as error:
        told = explain(error, order.verb)
        if told is None:
            raise
        return told
    return None


def join(order: Order) -> None:
    """This process's part of a run that torchrun has started; of several failures one is printed."""
    from gantrans.cli.main import explain
    from gantrans.core.ranks import ALONE, joined

    ranks = ALONE
    try:
        with joined(cuda=_on_cuda(order.config)) as ranks:
            _act(order, ranks)
    except Exception as error:
        if ranks.speaks():
            raise
        told = explain(error, order.verb)
        raise SystemExit(told[2] if told else 1) from None


def _act(order: Order, ranks: Ranks) -> None:
    """Begin the run, or go on with what there is of it."""
    from gantrans.cli.resume import go_on
    from gantrans.cli.train import begin, prepare

    parts = prepare(order.config, ranks)
    with _folder(order, ranks) as (folder, again):
        if again and ranks.first:
            print(
                "note      a process was lost: all start again, from the newest checkpoint", file=sys.stderr
            )
        saved = ranks.share(ranks.first and any(folder.checkpoints.glob("step-*.json")))
        if order.verb == "train" and not saved:
            begin(order.config, order.overrides, folder, parts)
        else:
            changes = order.overrides if order.verb == "resume" and not again else []
            go_on(order.config, folder, changes, parts)


@contextlib.contextmanager
def _folder(order: Order, ranks: Ranks) -> Iterator[tuple[RunFolder, bool]]:
    """The run folder, made or opened by rank 0, and whether these processes have used it before."""
    from gantrans.training.run_folder import RunFolder, create_run, open_run, signed

    folder, again = None, os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
    tokens = ranks.exchange(order.token)
    if ranks.first and order.locked and order.path:
        folder = RunFolder(order.path, lock=False)
        folder.sweep()
    elif ranks.first:
        again = order.path is not None and signed(order.path) in tokens
        known = order.path if again or order.verb == "resume" else None
        folder = open_run(known) if known else create_run(order.path, order.config.task or "train")
        folder.sign(order.token)
    path, again = ranks.share((str(folder.path) if folder else "", again))
    folder = folder or RunFolder(Path(path), lock=False)
    try:
        yield folder, again
    except BaseException:
        if ranks.first and not order.locked:
            folder.discard_if_unused()
        raise
    finally:
        folder.close()


def _on_cuda(config: DictConfig) -> bool:
    import torch

    return config.core.device != "cpu" and torch.cuda.is_available()


def _how_far(order: Order) -> str:
    from gantrans.training.run_folder import RunFolder

    status = RunFolder(order.path, lock=False).read_status() if order.path else {}
    if status.get("state") != "preempted":
        return "stopped before anything was saved"
    return f"saved at step {status.get('step')}; go on with `gantrans resume {order.path}`"


def _end_status(folder: RunFolder, error: Exception) -> None:
    """A killed process leaves a status that says it is running."""
    status = folder.read_status()
    if status.pop("state", None) == "running":
        status.pop("updated", None)
        folder.status("failed", **{**status, "reason": f"{type(error).__name__}: {error}"})
