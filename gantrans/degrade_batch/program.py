"""What a picture's drawn degradation comes to on a device: calls, in order, with the arrays that each needs.

Loader processes make them (making.py), without torch; engine.py runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gantrans.degrade.base import Params


@dataclass(frozen=True)
class Call:
    """One thing to do on the device. `kind` is its name in engine.KINDS; calls of a kind are done together,
    each with its own `inputs`, where they are `alike`."""

    kind: str
    inputs: tuple[np.ndarray, ...] = ()
    alike: tuple[Hashable, ...] = ()


@dataclass(frozen=True)
class Size:
    """The picture that a step finds; `whole`: in whole 8-bit levels, else floating point."""

    height: int
    width: int
    channels: int
    whole: bool


@dataclass(frozen=True)
class Program:
    """`start` (H, W, C) uint8 or x01 float32 is what the device begins with; `size` what comes out."""

    start: np.ndarray
    calls: tuple[Call, ...]
    size: Size

    def then(self, calls: Sequence[Call], *, height: int, width: int, channels: int) -> Program:
        """With more calls, after which the picture has that size."""
        return replace(
            self,
            calls=(*self.calls, *calls),
            size=replace(self.size, height=height, width=width, channels=channels),
        )


@dataclass(frozen=True)
class Asked:
    """A step that is to be done, to a picture of that size, with these parameters."""

    step: Any
    size: Size
    params: Params


Form = Callable[[Asked], list[Call]]
