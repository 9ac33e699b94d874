"""The programs of a batch with all their arrays in one piece of memory, so that one copy brings them over."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gantrans.degrade_batch.program import Program

_ALIGNED = 16  # bytes: where an array of any type may begin
# PyTorch's uint16 can do little; int16 keeps the bits, which `bits16` reads.
_TYPES = {
    "u1": torch.uint8,
    "u2": torch.int16,
    "i2": torch.int16,
    "i4": torch.int32,
    "f4": torch.float32,
}


@dataclass(frozen=True)
class Place:
    """Where an array lies in the piece of memory."""

    offset: int
    nbytes: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """A Call whose arrays lie there."""

    kind: str
    inputs: tuple[Place, ...]
    alike: tuple[Hashable, ...]


@dataclass(frozen=True)
class Packed:
    """Programs on their way to the device. Starts are (H, W, C); `memory` is uint8."""

    starts: tuple[Place, ...]
    steps: tuple[tuple[Step, ...], ...]
    memory: Tensor

    def pin_memory(self) -> Packed:
        return replace(self, memory=self.memory.pin_memory())

    def to(self, device: torch.device) -> Packed:
        """On the device; the copy is asynchronous from pinned memory."""
        return replace(self, memory=self.memory.to(device, non_blocking=True))

    def tensor(self, place: Place) -> Tensor:
        """An array, without a copy."""
        part = self.memory[place.offset : place.offset + place.nbytes]
        return part.view(_TYPES[place.dtype]).view(place.shape)


class _Packing:
    def __init__(self) -> None:
        self.size = 0
        self.places: dict[int, tuple[Place, np.ndarray]] = {}

    def place(self, array: np.ndarray) -> Place:
        """Arrays that programs share are packed once."""
        if id(array) not in self.places:
            kind = array.dtype.str[1:]
            place = Place(self.size, array.nbytes, kind, array.shape)
            self.places[id(array)] = place, array
            self.size += -(-array.nbytes // _ALIGNED) * _ALIGNED
        return self.places[id(array)][0]

    def memory(self) -> Tensor:
        whole = np.empty(self.size, np.uint8)
        for place, array in self.places.values():
            part = whole[place.offset : place.offset + place.nbytes]
            part.view(array.dtype).reshape(array.shape)[...] = array
        return torch.from_numpy(whole)


def pack(programs: Sequence[Program]) -> Packed:
    """The programs of a batch, in order."""
    packing = _Packing()
    starts = tuple(packing.place(program.start) for program in programs)
    steps = tuple(
        tuple(Step(c.kind, tuple(packing.place(array) for array in c.inputs), c.alike) for c in p.calls)
        for p in programs
    )
    return Packed(starts, steps, packing.memory())


def bits16(x: Tensor) -> Tensor:
    """The numbers 0..65535 that an int16 tensor stands for, int32."""
    return x.to(torch.int32) & 0xFFFF
