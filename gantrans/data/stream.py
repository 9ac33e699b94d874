"""Batches as an endless stream in which batch number `step` is a pure function of (seed, step).

Epochs are laid end to end and cut into batches, so no image is dropped and a set smaller than the batch
works. Resuming is starting the stream at another step; worker count and speed change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gantrans import draws
from gantrans.data.dataset import Pair, PairDataset
from gantrans.errors import DataError, GantransError

Address = tuple[int, int]  # epoch, index


@dataclass(frozen=True)
class RawBatch:
    """A batch on the host: (N, C, H, W), uint8, or float32 x01 where an image has 16 bits."""

    source: Tensor
    target: Tensor
    keys: tuple[str, ...]

    def pin_memory(self) -> RawBatch:
        return RawBatch(self.source.pin_memory(), self.target.pin_memory(), self.keys)


@lru_cache(maxsize=4)
def epoch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The order of the images in one epoch."""
    return draws.generator("order", seed, epoch).permutation(images)


def addresses(step: int, batch_size: int, images: int, seed: int) -> list[Address]:
    """Which (epoch, index) pairs make up batch number `step`, counted from 0."""
    positions = range(step * batch_size, (step + 1) * batch_size)
    return [(p // images, int(epoch_order(seed, p // images, images)[p % images])) for p in positions]


@dataclass(frozen=True)
class StepSampler:
    """The addresses of every batch from `first_step` on, without end."""

    images: int
    batch_size: int
    seed: int
    first_step: int

    def __iter__(self) -> Iterator[list[Address]]:
        step = self.first_step
        while True:
            yield addresses(step, self.batch_size, self.images, self.seed)
            step += 1


class _Addressed(Dataset[Pair | GantransError]):
    """Adapts PairDataset to DataLoader. A bad image travels as a value: a worker's traceback helps nobody."""

    def __init__(self, pairs: PairDataset) -> None:
        self.pairs = pairs

    def __getitem__(self, address: Address) -> tuple[str, Pair | GantransError]:  # type: ignore[override]
        epoch, index = address
        try:
            return self.pairs.items[index].key, self.pairs.pair(epoch, index)
        except GantransError as error:
            return self.pairs.items[index].key, error


def batches(
    pairs: PairDataset, *, batch_size: int, first_step: int, workers: int, pin: bool = False
) -> Iterator[RawBatch]:
    """The stream of training batches from `first_step` on. Raises DataError naming an unusable image."""
    loader = DataLoader(
        _Addressed(pairs),
        batch_sampler=StepSampler(len(pairs), batch_size, pairs.seed, first_step),  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        worker_init_fn=_quiet_worker if workers else None,
    )
    try:
        for batch in loader:
            if isinstance(batch, GantransError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DataError(
            f"a data worker died ({str(error).splitlines()[0]}); out of memory is the usual cause: "
            "set data.workers=0 to see the error itself"
        ) from error


def _quiet_worker(worker_id: int) -> None:
    """Signals are for the main process, which saves before it leaves and then ends its workers."""
    import signal

    del worker_id
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)


def _collate(samples: list[tuple[str, Pair | GantransError]]) -> RawBatch | GantransError:
    for _, sample in samples:
        if isinstance(sample, GantransError):
            return sample
    keys = tuple(key for key, _ in samples)
    pairs = [sample for _, sample in samples if not isinstance(sample, GantransError)]
    shapes = {p[1].shape for p in pairs}
    if len(shapes) > 1:
        sizes = ", ".join(f"{k} {p[1].shape[1]}x{p[1].shape[0]}" for k, p in zip(keys, pairs, strict=True))
        return DataError(f"one batch holds images of different sizes ({sizes}); set augment.crop=N")
    return RawBatch(_stack([p[0] for p in pairs]), _stack([p[1] for p in pairs]), keys)


def _stack(images: list[np.ndarray]) -> Tensor:
    if all(image.dtype == np.uint8 for image in images):
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    x01 = [image.astype(np.float32) / np.iinfo(image.dtype).max for image in images]
    return torch.from_numpy(np.stack(x01)).permute(0, 3, 1, 2).contiguous()
