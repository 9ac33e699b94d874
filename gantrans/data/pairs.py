"""Makes paired data from clean images: plan -> run -> merge.

    plan    list the source, check that OUT holds nothing but this job, name every pair, see what is there
    run     each image in a worker: read, fit, degrade, write; every finished one is journalled at once
    merge   under a lock, the journals become manifest.jsonl, rejected.jsonl and contact.png

All draws are addressed by (seed, key), files appear whole or not at all, and the manifest is sorted by key:
the same job gives the same bytes for any number of workers or shards, in any order, however often killed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from gantrans.data import pairs_merge, pairs_plan, pairs_pool
from gantrans.data.pairs_journal import Journal
from gantrans.data.pairs_making import Making
from gantrans.data.pairs_worker import Result, Setup
from gantrans.data.shards_key import limit_mib
from gantrans.data.splits import SPLITS
from gantrans.degrade.recipe import Recipe
from gantrans.errors import ConfigError, DataError, Interrupted
from gantrans.imaging.write import storage_error


@dataclass(frozen=True)
class PairsJob:
    """What to make. `size` None keeps sizes; `shard` "I/N" does every Nth file; `splits` are the shares.

    `workers` 0 works in this process. An image that takes longer than `timeout_s` seconds is rejected.
    `shards` packs what is done into tars of so many MiB: data/shards_write.py, limit_mib.
    """

    source: Path
    out: Path
    recipe: Recipe
    recipe_text: str
    seed: int
    workers: int
    size: int | None
    shard: str | None
    splits: Mapping[str, float]
    making: Making = field(default_factory=Making)
    timeout_s: float | None = 20.0
    shards: int | str | None = None


@dataclass(frozen=True)
class PairsSummary:
    """What became of the files of this job (or shard): found = used + rejected, used = made + kept.

    `pairs` were made of the used ones, more than one of each with variants or tiles.
    """

    found: int
    used: int
    rejected: int
    made: int
    kept: int
    pairs: int
    per_split: dict[str, int]
    seconds: float


def make_pairs(job: PairsJob) -> PairsSummary:
    """Make, or go on making, the pairs of `job` in its `out` folder.

    Raises ConfigError (bad keys, or `out` holds something else), DataError (nothing usable, originals gone,
    no worker starts), StorageError, BusyError (this shard is running), Interrupted (by SIGINT, SIGTERM).
    """
    started = time.monotonic()
    try:
        share = pairs_plan.check(job.source, job.out, job.recipe, job.size, job.shard, job.workers)
        job.making.check(job.recipe.scale)
        limit_mib(job.shards, 0, job.out)
        if job.timeout_s is not None and job.timeout_s <= 0:
            raise ConfigError(f"timeout_s={job.timeout_s}: accepted are seconds above 0, or null for none")
        listing = pairs_plan.listing(job.source)
        identity = pairs_plan.Identity.of(job.recipe, job.seed, job.size, job.splits, job.making)
        with Journal.open(job.out, share.label, lambda: identity.claim(job.out, job.recipe_text)) as journal:
            known = pairs_merge.known(job.out)
            tasks = pairs_plan.tasks(listing, share, known, identity, job.making)
            results = _run(job, tasks, journal)
            others = pairs_plan.not_images(listing, share)
            state = pairs_merge.merge(job.out, [*results, *others], listing, journal, job.shards)
    except OSError as error:
        raise storage_error(Path(error.filename or job.out), error) from error
    if not state.used and listing and state.rejected.keys() >= set(listing):
        first = next(iter(sorted(state.rejected.values(), key=lambda entry: entry["key"])))
        raise DataError(
            f"source={job.source}: none of {len(listing)} files can be used, first: {first['key']}: "
            f"{first['reason']}; all reasons are in {job.out / pairs_merge.REJECTED}"
        )
    return _summary([*results, *others], time.monotonic() - started)


def _run(job: PairsJob, tasks: list[pairs_plan.Task], journal: Journal) -> list[Result]:
    """Every task's result; each is journalled on arrival, so that a kill costs only what is in flight."""
    setup = Setup(job.source, job.out, job.recipe, job.seed, job.size, job.making)
    results = []
    with (
        _signals() as stop,
        tqdm(total=len(tasks), desc="pairs", unit="image", disable=None) as bar,
        closing(pairs_pool.results(setup, tasks, job.workers, stop, job.timeout_s)) as arriving,
    ):
        for result in arriving:
            journal.append(result)
            results.append(result)
            bar.update()
    if stop.signal is not None:
        raise Interrupted(
            f"stopped by {signal.Signals(stop.signal).name}: {len(results)} of {len(tasks)} images are done "
            "and kept; run the same command again to go on",
            stop.signal,
        )
    return results


@contextmanager
def _signals() -> Iterator[pairs_pool.Stop]:
    """The first SIGINT or SIGTERM stops after the images in flight; a second acts as it always did."""
    stop = pairs_pool.Stop()
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield stop
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        stop.signal = number
        restore()

    for number in previous:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        restore()


def _summary(results: list[Result], seconds: float) -> PairsSummary:
    kinds = Counter(result.kind for result in results)
    per_split = Counter(result.entry["split"] for result in results if result.kind != "rejected")
    return PairsSummary(
        found=len(results),
        used=kinds["made"] + kinds["kept"],
        rejected=kinds["rejected"],
        made=kinds["made"],
        kept=kinds["kept"],
        pairs=sum(len(result.entries) for result in results if result.kind != "rejected"),
        per_split={name: per_split[name] for name in SPLITS},
        seconds=seconds,
    )
