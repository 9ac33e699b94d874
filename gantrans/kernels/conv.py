"""Convolutions that choose the fastest way for their shapes; weights and their names are those of PyTorch's.

PyTorch's own, "direct", is one of the ways, and the twin that every other is tested against. All others are
for the CPU, where libraries leave time on the table; what each brings is in docs/adr/0014-kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.kernels import packed
from gantrans.kernels.blocked import conv2d_blocked
from gantrans.kernels.gemm import conv2d_gemm, conv_transpose2d_gemm
from gantrans.kernels.winograd import Winograd, conv2d

PLANS = {3: Winograd(4, 3), 4: Winograd(3, 4)}  # by side of the kernel
# Below these, turning weights and tiles costs more than it saves.
WINOGRAD_CHANNELS, WINOGRAD_PIXELS = 96, 400
GEMM_PIXELS = 64  # above it, weights are no longer most of the data
BLOCKED_CHANNELS = 4  # above it, vector units are busy enough


class _Keeping(nn.Module):
    """Keeps what a weight was turned into, for inference, until the weight changes; never copied or saved.

    A call with gradients enabled drops it, as training then changes the weight in ways that PyTorch does not
    count. A change through `weight.data` in place without such a call goes unseen: `for_inference` is for
    weights that are done.
    """

    weight: Tensor
    fast = True
    keep = False
    _kept: tuple[object, Tensor] | None = None  # what tells the weight and its form, and that form

    def _turned(self, form: str, turn: Callable[[], Tensor]) -> Tensor | None:
        """What `turn` makes of the weight; None where it is not to be kept."""
        weight = self.weight
        if torch.is_grad_enabled():  # training follows, and fused optimisers do not count their changes
            self._kept = None
        if not self.keep or torch.is_grad_enabled() or not isinstance(weight, nn.Parameter):
            return None
        if weight.is_inference():  # whose changes are not counted
            return None
        told = (form, id(weight), weight.data_ptr(), weight._version, weight.dtype, weight.shape)
        kept = self._kept
        if kept is None or kept[0] != told:
            with torch.inference_mode(False), torch.no_grad():
                self._kept = kept = (told, turn())
        return kept[1]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_kept"}


class Conv2d(_Keeping, nn.Conv2d):
    """nn.Conv2d, computed by "winograd", "gemm", "blocked" or "direct", whichever suits the shapes.

    fast=False (see `set_fast`): always by PyTorch. keep (see `for_inference`): outside of training the weight
    is kept in the form that its way needs; "direct" then runs on packed weights.
    """

    def forward(self, input: Tensor) -> Tensor:
        way = self.way(input) if self.fast else "plain"
        if way == "winograd":
            return self._winograd(input)
        if way == "blocked":
            return conv2d_blocked(self._bordered(input), self.weight, self.bias)
        if way != "plain" and self.padding_mode == "zeros" and _packable(self, input):
            weight = self._turned("packed", lambda: packed.pack(self, input))
            if weight is not None:
                return packed.packed(self, input, weight)
        if way == "gemm":
            return conv2d_gemm(input, self.weight, self.bias, self.stride[0], int(self.padding[0]))
        return super().forward(input)

    def way(self, x: Tensor) -> str:
        """How the picture x (N, C, H, W) is convolved."""
        side, stride, padding = self.kernel_size[0], self.stride[0], self.padding[0]
        if isinstance(padding, str) or not _plain(x, self):
            return "direct"
        height, width = ((n + 2 * padding - side) // stride + 1 for n in x.shape[2:])
        pixels = len(x) * height * width
        if not pixels or x.shape[1] != self.in_channels:  # PyTorch has the words for these
            return "direct"
        if stride == 2 and pixels <= GEMM_PIXELS and self.padding_mode == "zeros":
            return "gemm"
        if stride == 1 and side == 7 and self.out_channels <= BLOCKED_CHANNELS:
            return "blocked" if height % 2 == width % 2 == 0 else "direct"
        if stride == 1 and side in PLANS and not _reduced(x) and self.padding_mode in ("zeros", "reflect"):
            wide = min(self.in_channels, self.out_channels) >= WINOGRAD_CHANNELS
            return "winograd" if wide and pixels >= WINOGRAD_PIXELS else "direct"
        return "direct"

    def _bordered(self, x: Tensor) -> Tensor:
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._reversed_padding_repeated_twice, mode=mode) if any(self.padding) else x

    def _winograd(self, x: Tensor) -> Tensor:
        plan, border = PLANS[self.kernel_size[0]], self.padding_mode.replace("zeros", "constant")
        turned = self._turned("winograd", lambda: plan.packed(self.weight, x))
        y = conv2d(plan, x, self.weight, int(self.padding[0]), border, turned)
        return y if self.bias is None else y + self.bias.view(-1, 1, 1)


class ConvTranspose2d(_Keeping, nn.ConvTranspose2d):
    """nn.ConvTranspose2d, computed by "gemm" or "direct", whichever suits the shapes; `fast` and `keep` as
    for Conv2d."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not self.fast or output_size is not None:
            return super().forward(input, output_size)
        if _packable(self, input):
            weight = self._turned("packed", lambda: packed.pack(self, input))
            if weight is not None:
                return packed.packed(self, input, weight)
        if self.way(input) == "gemm":
            return conv_transpose2d_gemm(input, self.weight, self.bias, self.stride[0], int(self.padding[0]))
        return super().forward(input)

    def way(self, x: Tensor) -> str:
        """How the picture x (N, C, H, W) is convolved."""
        plain = _plain(x, self) and self.output_padding == (0, 0) and self.stride[0] == 2
        plain = plain and x.shape[1] == self.in_channels
        return "gemm" if plain and 0 < len(x) * x.shape[2] * x.shape[3] <= GEMM_PIXELS else "direct"


def suited(x: Tensor, *, winograd: bool = False) -> Tensor:
    """The same picture (N, C, H, W) in the layout that convolutions on its device are fastest in.

    On the CPU: channels last in bfloat16, and where the network has convolutions for Winograd; else plane by
    plane. Elsewhere as it comes (core/device.py).
    """
    if x.device.type != "cpu":
        return x
    last = winograd or _reduced(x)
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def set_fast(network: nn.Module, fast: bool) -> None:
    """Let the convolutions of `network` choose, or (False) always be PyTorch's own."""
    for module in network.modules():
        if isinstance(module, _Keeping):
            module.fast = fast


def for_inference(network: nn.Module) -> None:
    """Make ready for many pictures with these weights: what convolutions turn them into is kept."""
    for module in network.modules():
        if isinstance(module, _Keeping):
            module.keep = True


def _packable(conv: _Keeping, x: Tensor) -> bool:
    return (
        conv.keep and _plain(x, conv) and x.dtype == torch.float32 and not _reduced(x) and packed.available()
    )


def _plain(x: Tensor, conv: Any) -> bool:
    """Whether a fast way may take this call: on the CPU, not traced, alike in both directions, one type."""
    on_cpu = x.device.type == "cpu" and x.dim() == 4 and not torch.compiler.is_compiling()
    alike = all(len({*sides}) == 1 for sides in (conv.kernel_size, conv.stride, conv.padding))
    same_type = x.dtype == conv.weight.dtype or torch.is_autocast_enabled("cpu")
    return on_cpu and alike and same_type and conv.groups == 1 and conv.dilation == (1, 1)


def _reduced(x: Tensor) -> bool:
    """Whether the product would be taken in bfloat16 or float16, too coarse for Winograd's sums."""
    return x.dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu")
