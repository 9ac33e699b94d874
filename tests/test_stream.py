"""The stream of batches is a pure function of (seed, step): no image lost, none seen twice, resumable
anywhere."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.core.device import Core
from gantrans.core.prefetch import Prefetch
from gantrans.data.augment import Augment
from gantrans.data.dataset import PairDataset
from gantrans.data.layouts import Item
from gantrans.data.order import place
from gantrans.data.readers import read_files
from gantrans.data.samples import Sample
from gantrans.data.stream import batches
from gantrans.durations import parse_duration
from gantrans.errors import DataError
from gantrans.training.clock import Clock
from gantrans.training.loop import _next


@pytest.mark.parametrize(("images", "batch"), [(10, 4), (3, 8), (1, 2), (7, 7)])
def test_every_epoch_sees_every_image_once(images: int, batch: int) -> None:
    steps = 6 * images  # a whole number of epochs
    seen = [place(position, images, seed=3) for position in range(steps * batch)]
    counts = Counter(seen)
    epochs = steps * batch // images
    assert counts == {(epoch, index): 1 for epoch in range(epochs) for index in range(images)}


def test_epochs_differ_in_order_and_seeds_differ() -> None:
    first, second = ([place(50 * epoch + i, 50, 0)[1] for i in range(50)] for epoch in (0, 1))
    assert first != second
    assert first != [place(i, 50, 1)[1] for i in range(50)]
    assert first != [place(i, 50, 0, "target")[1] for i in range(50)], "rows are independent"


@pytest.fixture
def pairs(tmp_path: Path) -> PairDataset:
    rng = np.random.default_rng(0)
    items = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)).save(path)
        items.append(Item(path.stem, path, path))
    return PairDataset(items, read_files, Augment(crop=16, rotate_deg=10), seed=1)


def test_workers_and_starting_point_change_nothing(pairs: PairDataset) -> None:
    alone = list(islice(batches(pairs, batch_size=4, first_step=0, workers=0), 5))
    helped = list(islice(batches(pairs, batch_size=4, first_step=2, workers=2), 3))
    for a, b in zip(alone[2:], helped, strict=True):
        assert a.keys == b.keys
        assert torch.equal(a.source, b.source)
        assert torch.equal(a.target, b.target)


def test_augmentation_differs_between_epochs(pairs: PairDataset) -> None:
    assert not np.array_equal(pairs.pair(0, 0)[0], pairs.pair(1, 0)[0])
    assert np.array_equal(pairs.pair(1, 0)[0], pairs.pair(1, 0)[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_is_named_not_traced(pairs: PairDataset, workers: int) -> None:
    pairs.items[2].source.write_bytes(b"<html>not an image</html>")
    with pytest.raises(DataError, match=r"2\.png") as caught:
        list(islice(batches(pairs, batch_size=6, first_step=0, workers=workers), 1))
    assert "Traceback" not in str(caught.value)


def test_sizes_that_do_not_fit_one_batch_are_named(pairs: PairDataset) -> None:
    Image.new("RGB", (30, 30)).save(pairs.items[0].source)
    uneven = PairDataset(pairs.items, read_files, Augment(crop=None, flip=False), seed=1)
    with pytest.raises(DataError, match=r"different sizes.*augment\.crop"):
        next(batches(uneven, batch_size=6, first_step=0, workers=0))


class Slow:
    """Samples that take 20 ms each."""

    def __len__(self) -> int:
        return 4

    def sample(self, position: int) -> Sample:
        time.sleep(0.02)
        image = np.zeros((8, 8, 3), np.uint8)
        return Sample(str(position), image, image)


def test_the_share_of_time_spent_waiting_is_true() -> None:
    shares = {}
    for workers in (0, 2):
        state = SimpleNamespace(seconds=0.0, step=0, total=None, budget=None)
        clock = Clock(state, parse_duration("99step", "x"), images=4, batch_size=2, flat=0.5)  # type: ignore[arg-type]
        stream = batches(Slow(), batch_size=2, first_step=0, workers=workers)
        ahead = Prefetch(stream, Core(torch.device("cpu"), "fp32", channels_last=False))
        for step in range(12):
            if step == 2:
                clock.restart_lap()  # workers have started
            _next(ahead, clock)
            time.sleep(0.04)  # the step
            state.step += 1
        stream.close()  # type: ignore[attr-defined]
        shares[workers] = clock.lap(2)["data_wait_share"]
    assert 0.35 < shares[0] < 0.65, "half of the time is waiting"
    assert shares[2] < 0.3, "two processes keep up"
