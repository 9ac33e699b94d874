"""What many tests share: a folder of small clean pictures, the tiniest sensible run, and the command line."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from gantrans.cli.main import main

torch.set_num_threads(1)  # tests run beside each other, and one thread gives the same bits on every machine

# The smallest run that still has every part: dropout, batch norm, degradation on the fly, validation.
TINY = [
    "experiment=restore",
    "generator=unet_128",
    "generator.width=2",
    "generator.depth=6",
    "generator.residual=true",
    "discriminator.width=2",
    "discriminator.layers=1",
    "discriminator.norm=batch",
    "init.kind=normal",
    "augment.crop=32",
    "train.batch_size=2",
    "train.total=6step",
    "train.save_every=2step",
    "val.every=3step",
    "val.images=1",
    "val.probes=1",
    "log.every=2step",
    "data.workers=0",
    "core.threads=1",
    "core.device=cpu",
]


class Answer(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


Cli = Callable[..., Answer]


def draw_picture(seed: int, height: int = 40, width: int = 44) -> np.ndarray:
    """A smooth picture with edges, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    picture = np.array(small.resize((width, height), Image.Resampling.BICUBIC))
    picture[height // 3 : height // 2, width // 4 :] = rng.integers(0, 256, 3)
    return picture


def save_photos(folder: Path) -> Path:
    """Five clean pictures of unequal sizes."""
    folder.mkdir()
    for i in range(5):
        Image.fromarray(draw_picture(i, 40 + i, 44 + 3 * i)).save(folder / f"photo-{i}.png")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


class Finished(NamedTuple):
    """A run that went through to its end, which many tests look at: only a copy of it may be changed."""

    photos: Path
    run: Path
    out: str  # what it said

    def copy(self, to: Path) -> Path:
        return Path(shutil.copytree(self.run, to))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The tiniest run on `photos`, made once."""
    folder = tmp_path_factory.mktemp("finished")
    photos, run = save_photos(folder / "photos"), folder / "run"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["train", *TINY, f"data.root={photos}", f"run.dir={run}"]) == 0
    return Finished(photos, run, said.getvalue())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `gantrans ...` in this process."""

    def call(*args: str | Path) -> Answer:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wake the threads by which autograd serves other devices come last: a process that has them
    may not fork any more, as the tests do that kill a run."""
    items.sort(key=lambda item: item.path.stem == "test_no_sync")


def some(rows: Iterable[Any], every: int = 3) -> list[Any]:
    """The rows of a table of which each costs a run of its own: every third is run by default, all of them on
    request (`-m "slow or not slow"`)."""
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)), marks=() if i % every == 0 else pytest.mark.slow
        )
        for i, row in enumerate(rows)
    ]
