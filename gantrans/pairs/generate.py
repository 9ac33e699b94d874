"""Makes paired data from clean images: plan -> run -> merge.

    plan    list the source, check that OUT holds nothing but this job, name every pair, see what is there
    run     each image in a worker: read, fit, degrade, write; every finished one is journalled at once
    merge   under a lock, the journals become manifest.jsonl, rejected.jsonl and contact.png

All draws are addressed by (seed, key), files appear whole or not at all, and the manifest is sorted by key:
the same job gives the same bytes for any number of workers or shards, in any order, however often killed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gantrans.data.near import MAX_BITS
from gantrans.data.splits import SPLITS
from gantrans.degrade.recipe import Recipe
from gantrans.errors import ConfigError, DataError
from gantrans.imaging.listing import is_image_name
from gantrans.imaging.write import storage_error
from gantrans.pairs import merge as pairs_merge
from gantrans.pairs import plan as pairs_plan
from gantrans.pairs import prints as pairs_prints
from gantrans.pairs import run as pairs_run
from gantrans.pairs import worker as pairs_worker
from gantrans.pairs.group import group
from gantrans.pairs.journal import Journal
from gantrans.pairs.making import Making
from gantrans.pairs.shards_key import limit_mib
from gantrans.pairs.tasks import Near, Plan
from gantrans.pairs.worker import Result, Setup

Run = Callable[..., Generator[Result]]  # pairs_run.run, of tasks, their number, and a word for it


@dataclass(frozen=True)
class PairsJob:
    """What to make. `size` None keeps sizes; `shard` "I/N" does every Nth file; `splits` are the shares.

    `workers` 0 works in this process. An image that takes longer than `timeout_s` seconds is rejected.
    `shards` packs what is done into tars of so many MiB: pairs/shards_write.py, limit_mib. Images that differ
    in so few as `near_bits` of 64 bits of their fingerprints share a split; None: none is taken.
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
    near_bits: int | None = None


@dataclass(frozen=True)
class PairsSummary:
    """What became of the files of this job (or shard): found = used + rejected, used = made + kept.

    `pairs` were made of the used ones, more than one of each with variants or tiles. `groups` of images that
    look alike are among all files of the source, the largest of `largest` images. `unnamed` files lay among
    the pairs though the manifest did not name them, and were moved to OUT/unnamed.
    """

    found: int
    used: int
    rejected: int
    made: int
    kept: int
    pairs: int
    per_split: dict[str, int]
    seconds: float
    groups: int = 0
    largest: int = 0
    unnamed: int = 0


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
        _check_bits(job.near_bits)
        listing = pairs_plan.listing(job.source)
        identity = pairs_plan.Identity.of(
            job.recipe, job.seed, job.size, job.splits, job.making, job.near_bits
        )
        setup = Setup(job.source, job.out, job.recipe, job.seed, job.size, job.making)
        run = partial(pairs_run.run, setup, job.workers, job.timeout_s)
        with Journal.open(job.out, share.label, lambda: identity.claim(job.out, job.recipe_text)) as journal:
            with pairs_merge.known(job.out) as known:
                plan = Plan.of(listing, share, known, identity, job.making)
                near = _near(job, plan, run)
                tally = _Tally()
                with closing(_results(plan, near, setup, run)) as arriving:
                    for result in arriving:
                        if near is not None:
                            near.hear(job.out, share.label, result)
                        journal.append(result, again=result.entry["key"] in known.disputed)
                        tally.count(result)
            merged = pairs_merge.merge(job.out, listing, journal, job.recipe, job.shards)
    except OSError as error:
        raise storage_error(Path(error.filename or job.out), error) from error
    if not merged.used and listing and merged.rejected == len(listing):
        first = merged.first_rejected or {}
        raise DataError(
            f"source={job.source}: none of {len(listing)} files can be used, first: {first['key']}: "
            f"{first['reason']}; all reasons are in {job.out / pairs_merge.REJECTED}"
        )
    return tally.summary(near, merged.unnamed, time.monotonic() - started)


def _check_bits(bits: int | None) -> None:
    if bits is not None and (
        not isinstance(bits, int) or isinstance(bits, bool) or not 0 <= bits <= MAX_BITS
    ):
        raise ConfigError(
            f"near_bits={bits}: accepted is a whole number from 0 to {MAX_BITS}, or null to compare none"
        )


def _near(job: PairsJob, plan: Plan, run: Run) -> Near | None:
    """Look at every image of the source, and settle which belong together."""
    if job.near_bits is None:
        return None
    prints = pairs_prints.Prints([key for key in plan.listing if is_image_name(key)])
    dead = pairs_prints.take(
        job.source,
        job.out,
        plan.share,
        prints,
        lambda keys: run((plan.look(key) for key in keys), len(keys), "looked at"),
    )
    groups = group(prints, job.near_bits, lambda key: plan.known.used.get(key, ()), plan.split_of)
    return Near(prints, groups, {result.entry["key"]: result for result in dead})


def _results(plan: Plan, near: Near | None, setup: Setup, run: Run) -> Generator[Result]:
    """What becomes of every file of the share."""
    refused = {key: result for key in plan.images() if near and (result := near.refused(key))}
    for key, result in refused.items():
        pairs_worker.discard(setup, plan.look(key))
        yield result
    count = sum(key not in refused for key in plan.images())
    yield from run((plan.task(key, near) for key in plan.images() if key not in refused), count, "done")
    yield from plan.not_images()


class _Tally:
    """Counts results, and keeps none."""

    def __init__(self) -> None:
        self.kinds, self.per_split, self.pairs = Counter[str](), Counter[str](), 0

    def count(self, result: Result) -> None:
        self.kinds[result.kind] += 1
        if result.kind != "rejected":
            self.per_split[result.entry["split"]] += 1
            self.pairs += len(result.entries)

    def summary(self, near: Near | None, unnamed: int, seconds: float) -> PairsSummary:
        kinds = self.kinds
        return PairsSummary(
            found=kinds.total(),
            used=kinds["made"] + kinds["kept"],
            rejected=kinds["rejected"],
            made=kinds["made"],
            kept=kinds["kept"],
            pairs=self.pairs,
            per_split={name: self.per_split[name] for name in SPLITS},
            seconds=seconds,
            groups=near.groups.count if near else 0,
            largest=near.groups.largest if near else 0,
            unnamed=unnamed,
        )
