"""A method of your own: sharp regression, L1 on pixels and on their differences, no discriminator.

    gantrans train experiment=restore data.root=PAIRS --config-dir . method=my_method plugins=[my_method]

Run it in the folder of this file: method/my_method.yaml beside it makes it a choice. What a method is, and
what it may not do: gantrans/methods/base.py. It is resumed, averaged, validated and turned into a bundle
like any of ours.
"""

from __future__ import annotations

from torch import Tensor

from gantrans.methods.base import Phase, Role
from gantrans.types import Batch, Metrics, Networks


class Sharp:
    """lambda_edges: weight of the differences between neighbours, beside L1 of the pixels at 1."""

    learns_from = "pairs"
    roles = (Role("generator", "generator", sees=("source",), makes="target"),)
    phases = (Phase("generator", trains=("generator",)),)

    def __init__(self, lambda_edges: float = 1.0) -> None:
        if not 0 <= lambda_edges <= 100:
            raise ValueError(f"lambda_edges={lambda_edges}: accepted is 0 to 100")
        self.lambda_edges = lambda_edges

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        return {"output": networks["generator"](batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        error = shared["output"] - batch.target  # (N, C, H, W), x11
        pixels = error.abs().mean()
        edges = self.lambda_edges * (error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean())
        return pixels + edges, {"G_L1": pixels.detach(), "G_edges": edges.detach()}
