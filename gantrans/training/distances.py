"""Distances of whole sets in a validation: of what is made from real pictures that are no partners of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from gantrans.imaging import ranges
from gantrans.metrics.distribution import FEW, Collected


@dataclass
class Distances:
    """`collected` keeps the features of real pictures over the run, as they stay; those of what is made are
    new at each validation. `device`: that of its encoders."""

    collected: Collected
    device: torch.device
    _real: dict[str, int] = field(default_factory=dict)
    _said: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.collected.distances)

    def real(self, role: str, pictures: Iterable[np.ndarray]) -> None:
        """Note the real pictures of a role, (H, W, C) uint8 or uint16; once, as they stay the same."""
        if role in self._real:
            return
        count = 0
        for count, pixels in enumerate(pictures, 1):  # noqa: B007
            self._add(role, pixels)
        self._real[role] = count

    def say_few(self) -> None:
        """Say where the pictures are few; once a sitting."""
        least = min(self._real.values(), default=FEW)
        if least < FEW and not self._said:
            print(f"note      {', '.join(self.names)}: of {least} images, so noisy; compare them within this "
                  "run, with val.images unchanged", file=sys.stderr)  # fmt: skip
        self._said = True

    def start(self) -> None:
        """Forget what was made before."""
        for role in [role for role in self.collected.known if role not in self._real]:
            self.collected.forget(role)

    def made(self, role: str, pixels: np.ndarray) -> None:
        self._add(f"made {role}", pixels)

    def of_made(self, role: str, real: str) -> dict[str, float]:
        """Each distance of what was made from the real pictures of a role."""
        return self.collected.result(f"made {role}", real)

    def of_real(self, one: str, other: str) -> dict[str, float]:
        """Each distance of real pictures from real pictures."""
        return self.collected.result(one, other)

    def pair(self, output: np.ndarray, target: np.ndarray, source: np.ndarray | None) -> None:
        """Note an output, and the first time its target, and its source where that is a picture."""
        self.made("target", output)
        if "target" not in self._real:
            self._add("target", target)
            if source is not None:
                self._add("source", source)

    def of_pairs(self) -> dict[str, float]:
        """Each distance of the outputs that were noted from the targets, *_input that of the sources; and
        forget the outputs."""
        known = self.collected.known
        if "target" not in self._real:
            count = self.collected.count("target")
            self._real |= {role: count for role in ("target", "source") if role in known}
        self.say_few()
        found = self.of_made("target", "target")
        if "source" in known:
            found |= {f"{name}_input": value for name, value in self.of_real("source", "target").items()}
        self.start()
        return found

    def _add(self, role: str, pixels: np.ndarray) -> None:
        x01 = torch.from_numpy(np.ascontiguousarray(ranges.to_x01(pixels))).permute(2, 0, 1)[None]
        self.collected.add(role, x01.to(self.device))
