"""What an exported graph says of itself, and whether it is the network: both are run on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.bundles.card import Card
from gantrans.bundles.export_network import least_side
from gantrans.data.pixels import LABELS
from gantrans.draws import generator
from gantrans.errors import CheckpointError
from gantrans.nets.norm import set_norm_statistics

TOLERANCE = 1e-4  # the largest difference to PyTorch, of values in [-1, 1]
PROBES = ((1, 64, 64), (2, 45, 70), (1, 97, 33))  # batch, height and width: square, odd, tall

Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Own:
    """Pictures of the model's run, as the network is given them: x11 (1, C, H, W), and from which file; or
    none, and why."""

    pictures: tuple[Tensor, ...] = ()
    file: str = ""
    why_none: str = "no run was given"

    @property
    def said(self) -> str:
        """What the graph is compared on, in words."""
        made = ", ".join(f"{batch}x{height}x{width}" for batch, height, width in PROBES)
        if not self.pictures:
            return f"made pictures of {made} alone: {self.why_none}"
        count = f"{len(self.pictures)} validation picture{'s' if len(self.pictures) > 1 else ''}"
        return f"{count} of the run ({self.file}) and made ones of {made}"


NONE = Own()


def about(card: Card, own: Own = NONE) -> dict[str, str]:
    """What someone needs to know to use the graph, as ONNX's metadata hold it: names and texts."""
    arguments = card.network["arguments"]
    least = least_side(card.network["name"])
    facts = {
        "network": card.network["name"],
        "source_mode": card.source_mode,
        "target_mode": card.target_mode,
        "in_channels": arguments["in_channels"],
        "out_channels": arguments["out_channels"],
        "range": "-1 to 1; results may lie outside and are to be clipped",
        "scale": card.scale,
        "enlarge_first": "bicubic" if card.scale > 1 and not card.enlarges else "no",
        "mask": "last channel, -1 untouched to 1 hidden" if card.mask == "input" else "none",
        "outside": card.outside,
        "classes": card.classes,
        "norm_statistics": card.norm_statistics,
        "task": card.task,
        "licence": card.licence,
        "sizes": "any" if least == 1 else f"any from {least} pixels a side",
        "compared_on": own.said,
    }
    return {f"gantrans.{name}": str(value) for name, value in facts.items()}


def probes(card: Card) -> Iterator[Tensor]:
    """Pictures like those the network is given, x11: smooth with edges and a little noise; label maps as one
    plane for each class."""
    channels = card.network["arguments"]["in_channels"]
    for number, (batch, height, width) in enumerate(PROBES):
        rng = generator("export", number)
        coarse = torch.from_numpy(rng.uniform(-1, 1, (batch, channels, 6, 6)).astype(np.float32))
        x = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
        x[:, :, height // 3 : height // 2, width // 4 :] = 0.6
        x = x + torch.from_numpy(rng.normal(0, 0.02, x.shape).astype(np.float32))
        if card.source_mode == LABELS:
            top = x[:, : card.classes].argmax(1, keepdim=True)
            x[:, : card.classes] = torch.full_like(x[:, : card.classes], -1).scatter_(1, top, 1.0)
        if card.mask == "input":  # a hole with a soft rim: what is known at all is a path of its own
            x[:, -1:] = -1
            x[:, -1:, height // 4 : height // 2, width // 5 : width // 2] = 0.3
            x[:, -1:, height // 3 : height // 2, width // 4 : width // 2] = 1
        yield x.clamp(-1, 1)


def compared(
    network: nn.Module, card: Card, run: Run, path: Path, step: Callable[[], None], own: Own = NONE
) -> float:
    """The largest difference to PyTorch on the made probes and on the run's own pictures. Raises
    CheckpointError above TOLERANCE."""
    set_norm_statistics(network, card.norm_statistics)
    worst = 0.0
    for x in chain(probes(card), own.pictures):
        with torch.inference_mode():
            truth = network(x).float()
        found = _run(run, x, path)
        where = f"{path}: not written: at {x.shape[3]}x{x.shape[2]} pixels, batch {len(x)}, "
        if found.shape != truth.shape:
            raise CheckpointError(f"{where}it answers {tuple(found.shape)}, PyTorch {tuple(truth.shape)}")
        apart = float((found - truth).abs().max())
        if not apart <= TOLERANCE:  # NaN, too
            raise CheckpointError(f"{where}it is {apart:.1e} from PyTorch; accepted is {TOLERANCE:.0e}")
        worst = max(worst, apart)
        step()
    return worst


def _run(run: Run, x: Tensor, path: Path) -> Tensor:
    try:
        return run(x).float()
    except Exception as error:  # whatever a runtime raises on a graph that it cannot run
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path}: not written: the graph does not run: {reason}") from error
