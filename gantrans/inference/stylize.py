"""One picture in the style of another (methods/gatys.py), coarse to fine.

The picture is made small first, where the network sees large shapes, and enlarged as the start of the next
size (after Gatys et al. 2017, section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gantrans.core.device import Core
from gantrans.core.seed import seed_torch
from gantrans.errors import DataError
from gantrans.imaging import colour, filters, ranges
from gantrans.methods.gatys import (
    LAYERS,
    LEAST,
    Aims,
    Best,
    Weights,
    aims_of,
    looked_at,
    optimise,
    terms_of,
)
from gantrans.nets.features import FeatureNet

COARSE = 256  # pixels of the longer side that one size is enough for
COLOURS, STARTS = ("style", "content"), ("content", "noise")
NETWORKS = tuple(LAYERS)


@dataclass(frozen=True)
class Wanted:
    """steps: iterations at each size. colour: whose colours the result has; "content": brightness alone takes
    the style (Gatys et al. 2017, section 4.1). start: "content" or "noise", drawn from `seed`. style_scale:
    the longer side of the style picture as a share of the result's, at which it is looked at."""

    network: str
    weights: Weights
    steps: int = 100
    colour: str = "style"
    start: str = "content"
    style_scale: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Stylized:
    """The result, x01 (H, W, 3); done of planned iterations; terms: the losses at the end, weighted."""

    x01: np.ndarray
    done: int
    planned: int
    terms: dict[str, float] = field(default_factory=dict)


def stylize(
    content: np.ndarray,
    style: np.ndarray,
    features: FeatureNet,
    wanted: Wanted,
    core: Core,
    stop: Callable[[], bool] = lambda: False,
) -> Stylized:
    """The content picture in the style of the other; both x01 (H, W, 3). The result has the content's size.

    `stop` is asked every few iterations; once it says so, the best so far is returned, at full size. Raises
    DataError for a picture that is too small, DivergedError where no picture had a finite loss.
    """
    for name, picture in (("content", content), ("style", style)):
        height, width, _ = picture.shape
        if min(height, width) < LEAST:
            raise DataError(f"{name} is {width}x{height}: needed are {LEAST} pixels a side or more")
    height, width, _ = content.shape
    features = core.place(features)  # type: ignore[assignment]
    given = content
    if wanted.colour == "content":
        content, style = (colour.to_rgb(colour.to_grey(x)) for x in (content, style))
        style = _matched(style, content)
    sizes = list(_sizes(height, width))
    best, done, planned = None, 0, wanted.steps * len(sizes)
    with tqdm(total=planned, desc="stylizing", disable=None, unit="step") as bar:
        for size in sizes:
            small = _x11(filters.resize(content, *size, "bicubic"), core)
            aims = aims_of(small, _style(style, size, wanted, core), features, LAYERS[wanted.network])
            start = _begin(small, wanted) if best is None else _resized(best, size, core)
            best, steps = _at_one_size(start, aims, features, wanted, stop, bar)
            done += steps
            if stop():
                break
    assert best is not None
    x01 = filters.resize(_x01(best), height, width, "bicubic")
    return Stylized(_coloured(x01, given) if wanted.colour == "content" else x01, done, planned, best.terms)


def _at_one_size(
    start: Tensor, aims: Aims, features: FeatureNet, wanted: Wanted, stop: Callable[[], bool], bar: tqdm
) -> tuple[Best, int]:
    def advanced(steps: int, best: Best) -> None:
        bar.update(steps)
        bar.set_postfix(loss=f"{best.loss:.4g}", refresh=False)

    losses = lambda x: terms_of(x, aims, features, wanted.weights)  # noqa: E731
    return optimise(start, losses, wanted.steps, stop=stop, advanced=advanced)


def _sizes(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Height and width from the coarsest on; each twice the one before, the last as given."""
    halvings = 0
    while (max(height, width) / 2**halvings > COARSE
           and min(height, width) / 2 ** (halvings + 1) >= LEAST):  # fmt: skip
        halvings += 1
    for level in reversed(range(halvings + 1)):
        yield round(height / 2**level), round(width / 2**level)


def _begin(small: Tensor, wanted: Wanted) -> Tensor:
    if wanted.start == "content":
        return small
    seed_torch("stylize", wanted.seed)
    return (0.5 * torch.randn(small.shape)).to(small)


def _style(style: np.ndarray, size: tuple[int, int], wanted: Wanted, core: Core) -> Tensor:
    """The style picture as it is looked at beside a picture of `size`."""
    height, width = looked_at(style.shape[0], style.shape[1], wanted.style_scale * max(size))
    return _x11(filters.resize(style, height, width, "bicubic"), core)


def _x11(x01: np.ndarray, core: Core) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(x01, dtype=np.float32)).permute(2, 0, 1)[None]
    return ranges.x11_from_x01(tensor).contiguous().to(core.device)


def _x01(best: Best) -> np.ndarray:
    x01 = ranges.x01_from_x11(best.picture)[0].permute(1, 2, 0).clamp(0, 1)
    return np.ascontiguousarray(x01.cpu().numpy())


def _resized(best: Best, size: tuple[int, int], core: Core) -> Tensor:
    return _x11(filters.resize(_x01(best), *size, "bicubic"), core)


def _matched(style: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The style with mean and standard deviation of the content's brightness (Gatys et al. 2017, eq. 11)."""
    spread = content.std() / max(float(style.std()), 1e-6)
    return np.clip((style - style.mean()) * spread + content.mean(), 0, 1).astype(np.float32)


def _coloured(x01: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The brightness of x01, and what `given` has beside its brightness."""
    shift = colour.luma(x01) - colour.luma(given)
    return np.clip(given + shift[..., None], 0, 1)
