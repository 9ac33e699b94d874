"""A history of generated images, so that discriminators forget no old trick (Shrivastava et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HistoryPool(nn.Module):
    """`pool(images)` (N, C, H, W) -> the same shape: each image, or an older one in its stead, detached.

    Until `size` images are held, each is stored and returned. Then, half of the time, a stored one is drawn
    and returned and the new one takes its place; else the new one is returned and not stored (CycleGAN, Zhu
    et al. 2017, section 4). Images pass one after another, so one of a batch may meet another of it.

    All is kept in preallocated buffers and decided on the device from PyTorch's generator, so nothing waits
    for the device and a checkpoint of the buffers is all there is to resume.
    """

    images: Tensor
    held: Tensor

    def __init__(self, size: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(size, channels, height, width))
        self.register_buffer("held", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.images.shape[1:]:
            raise ValueError(
                f"the history pool holds images of {tuple(self.images.shape[1:])}, "
                f"found {tuple(images.shape[1:])}"
            )
        count = len(images)
        slots = torch.randint(self.size, (count,), device=images.device)
        swaps = torch.rand(count, device=images.device) < 0.5
        return torch.cat([self._pass(images[i : i + 1], slots[i], swaps[i]) for i in range(count)])

    def _pass(self, image: Tensor, slot: Tensor, swap: Tensor) -> Tensor:
        filling = self.held < self.size
        slot = torch.where(filling, self.held, slot).view(1)
        new, old = image.to(self.images.dtype), self.images.index_select(0, slot)
        self.images.index_copy_(0, slot, torch.where(filling | swap, new, old))
        self.held += filling
        return torch.where(swap & ~filling, old.to(image.dtype), image)
