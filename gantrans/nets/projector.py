"""The heads that turn features into vectors for PatchNCE (Park et al. 2020, section 3.2)."""

from __future__ import annotations

from torch import Tensor, nn


class PatchProjector(nn.Module):
    """One two-layer perceptron a feature map: (N, P, channels[i]) -> (N, P, width), not normalised."""

    def __init__(self, channels: tuple[int, ...], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(inside, width), nn.ReLU(), nn.Linear(width, width)) for inside in channels
        )

    def forward(self, vectors: list[Tensor]) -> list[Tensor]:
        return [head(x) for head, x in zip(self.heads, vectors, strict=True)]
