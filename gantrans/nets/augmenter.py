"""Augmentation that only the discriminator sees, and the generator is taught through (DiffAugment, ADA).

Everything is differentiable, drawn on the device from PyTorch's generator, and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

SHIFT = 1 / 8  # largest translation, as a share of the side (Zhao et al. 2020, section 4.1)
HOLE = 1 / 2  # side of the cut-out square, as a share of the side
IMAGES_TO_ONE = 100_000  # images in which an adaptive probability can rise from 0 to 1 (Karras 2020: 500,000)


class Augmenter(nn.Module):
    """`augmenter([condition, image])` -> the same list, changed alike; x11, (N, C, H, W) each.

    One draw an image moves, recolours and cuts every part of the list in the same way, so that a conditional
    discriminator still sees what belongs together; a mask, the last of four channels, is never
    recoloured. policy: any of "colour", "translation", "cutout" (Zhao et
    al. 2020). Each acts on an image with `probability`; None: adaptive (Karras et al. 2020, section 3), it
    starts at 0 and `observe` moves it.
    """

    probability: Tensor

    def __init__(self, policy: tuple[str, ...], probability: float | None, target: float = 0.6) -> None:
        super().__init__()
        unknown = [name for name in policy if name not in POLICIES]
        if unknown:
            raise ValueError(f"augment={unknown[0]!r}: accepted are {', '.join(POLICIES)}")
        self.policy = policy
        self.adaptive = probability is None
        self.target = target
        self.register_buffer("probability", torch.tensor(probability or 0.0))

    def forward(self, parts: list[Tensor]) -> list[Tensor]:
        channels = [part.shape[1] for part in parts]
        for name in self.policy:
            changed = POLICIES[name](parts)
            chosen = torch.rand(len(parts[0]), 1, 1, 1, device=parts[0].device) < self.probability
            parts = [torch.where(chosen, new, old) for new, old in zip(changed, parts, strict=True)]
        assert channels == [part.shape[1] for part in parts]
        return parts

    @torch.no_grad()
    def observe(self, confidence: Tensor, images: int) -> None:
        """Where adaptive: one step up if the discriminator is surer of real images than `target`, else down.

        confidence: mean sign of the logits of `images` real images, r_t of Karras et al. 2020.
        """
        if self.adaptive:
            self.probability += torch.sign(confidence - self.target) * images / IMAGES_TO_ONE
            self.probability.clamp_(0, 1)


def _colour(parts: list[Tensor]) -> list[Tensor]:
    """Brightness by up to +-0.5, saturation by 0 to 2, contrast by 0.5 to 1.5."""
    n, device = len(parts[0]), parts[0].device
    bright, saturation, contrast = (torch.rand(3, n, 1, 1, 1, device=device)).unbind()
    changed = []
    for x in parts:
        x, mask = (x[:, :-1], x[:, -1:]) if x.shape[1] == 4 else (x, x[:, :0])
        x = x + (bright - 0.5).to(x.dtype)
        grey = x.mean(1, keepdim=True)
        x = (x - grey) * (2 * saturation).to(x.dtype) + grey
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * (contrast + 0.5).to(x.dtype) + mean
        changed.append(torch.cat([x, mask], 1) if mask.shape[1] else x)
    return changed


def _translation(parts: list[Tensor]) -> list[Tensor]:
    """Moved by up to an eighth of each side; zeros come in."""
    n, _, height, width = parts[0].shape
    device = parts[0].device
    shifts = torch.rand(2, n, 1, device=device) * 2 - 1
    down, right = ((shifts[i] * (side * SHIFT)).round().long() for i, side in enumerate((height, width)))
    rows, columns = torch.arange(height, device=device) - down, torch.arange(width, device=device) - right
    inside = (_within(rows, height)[:, :, None] & _within(columns, width)[:, None])[:, None]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    image = torch.arange(n, device=device)[:, None, None]
    return [
        x.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2) * inside
        for x in parts
    ]


def _cutout(parts: list[Tensor]) -> list[Tensor]:
    """A square of half the side set to zero, anywhere, over the edges too."""
    n, _, height, width = parts[0].shape
    device = parts[0].device
    middle = torch.rand(2, n, 1, device=device)
    away = [
        (torch.arange(side, device=device) + 0.5 - middle[i] * side).abs() < side * HOLE / 2
        for i, side in enumerate((height, width))
    ]
    hole = (away[0][:, :, None] & away[1][:, None])[:, None]
    return [x.masked_fill(hole, 0.0) for x in parts]


def _within(index: Tensor, side: int) -> Tensor:
    return (index >= 0) & (index < side)


POLICIES: dict[str, Callable[[list[Tensor]], list[Tensor]]] = {
    "colour": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
