"""Batches as an endless stream in which batch number `step` is a pure function of (seed, step).

Samples are laid end to end and cut into batches, so no image is dropped and a set smaller than the batch
works. Resuming is starting the stream at another step; worker count and speed change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gantrans.data.pixels import into_planes
from gantrans.data.samples import Sample, Samples
from gantrans.degrade_batch.packed import Packed, pack
from gantrans.errors import DataError, GantransError
from gantrans.imaging.ranges import to_x01


@dataclass(frozen=True)
class RawBatch:
    """A batch on the host: (N, C, H, W), uint8, or float32 x01 where an image has 16 bits.

    `programs` make the source, which is empty until then (Core.move).
    """

    source: Tensor
    target: Tensor
    keys: tuple[str, ...]
    unpaired: Tensor | None = None
    programs: Packed | None = None

    def pin_memory(self) -> RawBatch:
        unpaired = None if self.unpaired is None else self.unpaired.pin_memory()
        programs = None if self.programs is None else self.programs.pin_memory()
        return RawBatch(self.source.pin_memory(), self.target.pin_memory(), self.keys, unpaired, programs)


@dataclass(frozen=True)
class StepSampler:
    """The positions of every batch from `first_step` on, without end.

    part: the places in each batch that are this process's; None: all of them.
    """

    batch_size: int
    first_step: int
    part: range | None = None

    def __iter__(self) -> Iterator[range]:
        part = range(self.batch_size) if self.part is None else self.part
        step = self.first_step
        while True:
            start = step * self.batch_size
            yield range(start + part.start, start + part.stop)
            step += 1


class _Addressed(Dataset[Sample | GantransError]):
    """Adapts Samples to DataLoader. A bad image travels as a value: a worker's traceback helps nobody."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, position: int) -> Sample | GantransError:
        try:
            return self.samples.sample(position)
        except GantransError as error:
            return error


def batches(
    samples: Samples,
    *,
    batch_size: int,
    first_step: int,
    workers: int,
    pin: bool = False,
    part: range | None = None,
) -> Iterator[RawBatch]:
    """The stream of training batches from `first_step` on; of each `part` (see StepSampler).

    Raises DataError naming an unusable image.
    """
    loader = DataLoader(
        _Addressed(samples),
        batch_sampler=StepSampler(batch_size, first_step, part),  # type: ignore[arg-type]
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


def _collate(samples: list[Sample | GantransError]) -> RawBatch | GantransError:
    good = [sample for sample in samples if isinstance(sample, Sample)]
    if len(good) < len(samples):
        return next(sample for sample in samples if isinstance(sample, GantransError))
    unpaired = [s.unpaired for s in good if s.unpaired is not None]
    for images in filter(None, ([s.source for s in good], [s.target for s in good], unpaired)):
        if len({image.shape for image in images}) > 1:
            sizes = ", ".join(
                f"{s.key} {image.shape[1]}x{image.shape[0]}" for s, image in zip(good, images, strict=True)
            )
            return DataError(f"one batch holds images of different sizes ({sizes}); set augment.crop=N")
    programs = [s.program for s in good if s.program is not None]
    return RawBatch(
        torch.empty(0) if programs else _stack([s.source for s in good]),
        _stack([s.target for s in good]),
        tuple(s.key for s in good),
        _stack(unpaired) if unpaired else None,
        pack(programs) if programs else None,
    )


def _stack(images: Sequence[np.ndarray]) -> Tensor:
    """(N, C, H, W) uint8, or x01 where an image has 16 bits; each image is copied once."""
    height, width, channels = images[0].shape
    plain = all(image.dtype == np.uint8 for image in images)
    stacked = np.empty((len(images), channels, height, width), np.uint8 if plain else np.float32)
    for image, out in zip(images, stacked, strict=True):
        into_planes(image if plain else to_x01(image), out)
    return torch.from_numpy(stacked)
