"""PatchNCE: a place of the output must be recognisable as that place of the source (Park et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from gantrans.losses.pixel import wide

SELF = -10.0  # similarity of a place with itself among the negatives: a weight of exp(-10 / t), nearly none


def patch_nce(query: Tensor, key: Tensor, temperature: float = 0.07) -> Tensor:
    """Cross entropy of finding, for each place of the output, the same place of the source, 0-d.

    `query` (N, P, C): features of P places in N outputs; `key`: of the same places in their sources, which
    gets no gradient. Both are normalised to length 1 here. The negatives of a place are the other places of
    the same image (Park et al. 2020, equations 2 and 3).
    """
    query, key = _unit(wide(query)), _unit(wide(key)).detach()
    positive = (query * key).sum(2, keepdim=True)
    diagonal = torch.eye(query.shape[1], dtype=torch.bool, device=query.device)
    negative = torch.bmm(query, key.transpose(1, 2)).masked_fill(diagonal, SELF)
    logits = torch.cat([positive, negative], 2).flatten(0, 1) / temperature
    return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def _unit(x: Tensor) -> Tensor:
    """Vectors along the last dimension at length 1; a zero vector stays zero, and so does its gradient."""
    return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + 1e-7)


def sample_places(features: list[Tensor], count: int) -> list[Tensor]:
    """For each feature map (N, C, H, W) the indices of `count` places in H * W, drawn without repetition.

    Where a map has fewer places, all of them. Drawn on the device from PyTorch's generator.
    """
    return [torch.randperm(f.shape[2] * f.shape[3], device=f.device)[:count] for f in features]


def at_places(feature: Tensor, places: Tensor) -> Tensor:
    """(N, C, H, W) at indices (P,) of H * W -> (N, P, C)."""
    return feature.flatten(2).index_select(2, places).transpose(1, 2)
