"""Pairs on a Ray cluster: one task a shard, on a folder that all nodes see.

Shards are independent, deterministic and merged in any order (pairs/generate.py), so all that Ray does is
to find each a place, and another when a worker or a node dies; the lock of the dead one goes with it, and its
journal says what need not be made again. Nothing but accounts and errors travels through Ray.
"""

from __future__ import annotations

import pickle
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from gantrans.cli.pairs_task import work
from gantrans.core import ray_cluster
from gantrans.data.splits import SPLITS
from gantrans.errors import BusyError, ConfigError, GantransError, Interrupted
from gantrans.pairs import plan as pairs_plan
from gantrans.pairs.generate import PairsSummary
from gantrans.pairs.shards_key import limit_mib
from gantrans.training.signals import StopRequest

if TYPE_CHECKING:
    from gantrans.pairs.generate import PairsJob

RETRIES = 20  # how often a shard is begun anew; each time it goes on from what it has made
TASKS_A_CPU = 4  # so that the last tasks are short against the whole, and a lost one costs little
_POLL_S = 0.5  # how soon a signal is noticed


class LostShardError(GantransError):
    """A shard was begun again and again, and never came to its end."""

    title = "shard lost"


@dataclass(frozen=True)
class Cluster:
    """`address` of a running cluster; None: RAY_ADDRESS, or the one on this machine, or one of our own.

    `tasks`: how many shards; None: four for each that the cluster can do at once.
    """

    address: str | None = None
    tasks: int | None = None


def make_on_ray(job: PairsJob, cluster: Cluster) -> PairsSummary:
    """make_pairs on a cluster, `job.workers` processes and CPUs a task; the same bytes.

    Raises ConfigError (also: no Ray, no cluster at the address), what make_pairs raises, LostShardError.
    """
    started = time.monotonic()
    job = replace(job, source=job.source.absolute(), out=job.out.absolute())
    files = _check(job, cluster)
    ray = ray_cluster.load()
    with ray_cluster.connected(ray, cluster.address):
        count = min(_tasks(ray, job.workers, cluster.tasks), files)
        accounts = _Shards(ray, job, count).run()
    return _sum(accounts, time.monotonic() - started)


def _check(job: PairsJob, cluster: Cluster) -> int:
    """How many files there are. What is wrong with the keys is said before a cluster is asked for."""
    if job.shard is not None:
        raise ConfigError(f"shard={job.shard}: launcher=ray makes shards itself; use ray.tasks=N, not shard")
    if cluster.tasks is not None and cluster.tasks < 1:
        raise ConfigError(f"ray.tasks={cluster.tasks}: accepted is a whole number from 1, or null")
    if job.workers == 0:
        raise ConfigError(
            "workers=0: one image that crashes its decoder would end Ray's process on each node in turn; "
            "with launcher=ray use workers=1 or more"
        )
    pairs_plan.check(job.source, job.out, job.recipe, job.size, None, job.workers)
    job.making.check(job.recipe.scale)
    limit_mib(job.shards, 0, job.out)
    return len(pairs_plan.listing(job.source))


def _tasks(ray: Any, cpus: int, asked: int | None) -> int:
    """How many shards there shall be, of tasks that take `cpus` each."""
    fit, largest = ray_cluster.at_once(ray, cpus)
    if not fit:
        words = f"no node has so many CPUs now, the largest {largest}; waiting for one"
        print(f"note      workers={cpus}: {words}", file=sys.stderr)
    return asked or max(1, TASKS_A_CPU * fit)


class _Shards:
    """The tasks of one command, by Ray's reference to what they will answer."""

    def __init__(self, ray: Any, job: PairsJob, count: int) -> None:
        self.ray, self.job, self.count = ray, job, count
        self.task = ray.remote(
            num_cpus=job.workers, max_retries=RETRIES, retry_exceptions=False, scheduling_strategy="SPREAD"
        )(work)
        self.here = str(Path.cwd())
        self.pending: dict[Any, int] = {}
        self.stopped: Counter[int] = Counter()
        self.accounts: list[PairsSummary] = []
        self.failures: list[Exception] = []

    def run(self) -> list[PairsSummary]:
        """The account of every shard. The first failure is raised once nothing is at work any more."""
        with StopRequest() as stop, tqdm(total=self.count, desc="pairs", unit="shard", disable=None) as bar:
            for number in range(1, self.count + 1):
                self._submit(number)
            while self.pending and stop.number is None and not self._hopeless():
                ready, _ = self.ray.wait(list(self.pending), num_returns=1, timeout=_POLL_S)
                for reference in ready:
                    self._take(reference)
                    bar.update(len(self.accounts) - bar.n)
            self._cancel()
        if stop.number is not None:
            raise Interrupted(
                f"stopped by {signal.Signals(stop.number).name}: {len(self.accounts)} of {self.count} shards "
                "are done, and what others have made is kept; run the same command again to go on",
                stop.number,
            )
        if self.failures:
            raise self.failures[0]
        return self.accounts

    def _submit(self, number: int) -> None:
        shard = f"{number}/{self.count}"
        packed = pickle.dumps(replace(self.job, shard=shard))
        reference = self.task.options(name=f"shard {shard}").remote(packed, self.here)
        self.pending[reference] = number

    def _take(self, reference: Any) -> None:
        number = self.pending.pop(reference)
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            answer = self._lost(number, str(error))
        if isinstance(answer, Interrupted):  # by a signal to a worker, as when its node is taken away
            self.stopped[number] += 1
            if self.stopped[number] <= RETRIES:
                self._submit(number)
                return
            answer = self._lost(number, str(answer))
        if isinstance(answer, Exception):
            self.failures.append(answer)
        else:
            self.accounts.append(answer)

    def _lost(self, number: int, words: str) -> LostShardError:
        why = ([line.strip() for line in words.splitlines() if line.strip()] or ["no reason given"])[0]
        return LostShardError(
            f"shard {number}/{self.count} was begun up to {RETRIES + 1} times: {why}; what it made is kept; "
            "see that every node has this gantrans and enough memory, and run the same command again to go on"
        )

    def _hopeless(self) -> bool:
        """Whether there was a failure that is not the shard's own, so that others would fail as well."""
        return any(not isinstance(failure, LostShardError | BusyError) for failure in self.failures)

    def _cancel(self) -> None:
        """Let those at work finish the images in hand, as Ctrl-C does in a command without a cluster."""
        left = list(self.pending)
        for reference in left:
            self.ray.cancel(reference)
        if left:
            patience = 10 + (self.job.timeout_s or 20)
            _, left = self.ray.wait(left, num_returns=len(left), timeout=patience)
        for reference in left:
            self.ray.cancel(reference, force=True)


def _sum(accounts: list[PairsSummary], seconds: float) -> PairsSummary:
    """The account of all. Groups of images that look alike are those of the whole source, told by each."""
    told: dict[str, Any] = {}
    for name in (field.name for field in fields(PairsSummary)):
        values = [getattr(account, name) for account in accounts]
        if name == "per_split":
            told[name] = {split: sum(value[split] for value in values) for split in SPLITS}
        else:
            told[name] = max(values) if name in ("groups", "largest") else sum(values)
    return replace(PairsSummary(**told), seconds=seconds)
