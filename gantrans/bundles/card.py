"""What a bundle says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gantrans.data.pixels import LABELS

UNSPECIFIED = "unspecified"


@dataclass(frozen=True)
class Card:
    """What bundle.json says besides the weights.

    source_mode, target_mode: "rgb", "grey" or "labels", of which the network has `classes` channels;
    `ignore`: other values of label maps that stand for no class.
    value_range: what the network takes and gives. scale: how many times larger the output is than the source,
    which is enlarged (bicubic) first unless the network has a `scale` and does it. mask: "input" where the
    network's last input channel is the mask of what is covered (1 hidden, in the range of the picture), else
    "none". outside: "copy" where pixels whose mask is 0 are the source's, else "output". norm_statistics:
    "running" or "image" (see nets). provenance: free facts (run, step, data, versions). metrics: of the
    validation that chose these weights, finite ones: others are left out when a bundle is written, and
    refused when one is read. training_data: what they were learned from (data/fingerprint.py): the number of
    files, their bytes and a sha256 of their names and sizes; {} where unknown. licence: under which the
    weights may be used, in the words of who trained them.
    """

    network: dict[str, Any]
    source_mode: str = "rgb"
    target_mode: str = "rgb"
    scale: int = 1
    norm_statistics: str = "running"
    mask: str = "none"
    outside: str = "output"
    classes: int = 0
    ignore: tuple[int, ...] = ()
    task: str = ""
    value_range: tuple[float, float] = (-1.0, 1.0)
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    training_data: dict[str, Any] = field(default_factory=dict)
    licence: str = UNSPECIFIED

    @property
    def enlarges(self) -> bool:
        """Whether the network itself makes its output larger than its input."""
        return self.network.get("arguments", {}).get("scale", 1) > 1

    def channels(self, mode: str) -> int:
        """How many channels a picture of `mode` has."""
        return {"rgb": 3, "grey": 1, LABELS: self.classes}[mode]
