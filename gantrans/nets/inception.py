"""Inception-v3 as FID and KID are defined by: that of the TensorFlow archive of 2015-12-05, in PyTorch.

Names, shapes and pooling are those of `pytorch-fid` 0.3, whose file of weights it loads: average pooling that
leaves out the border's zeros, and, in the last block, the maximum in place of the mean (a mistake of
that archive's, which all published figures share).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.errors import CheckpointError
from gantrans.nets import weights

SIDE = 299  # pixels of the square pictures that it takes
FEATURES = 2048
CLASSES = 1008
_COUNTER = "num_batches_tracked"


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inside: int, outside: int, kernel: int | tuple[int, int], stride: int = 1) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        # Those of stride 2 lose their border, as do two of the stem, which sets it so.
        padding = (sides[0] // 2, sides[1] // 2) if stride == 1 else (0, 0)
        self.conv = nn.Conv2d(inside, outside, sides, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class InceptionA(nn.Module):
    def __init__(self, inside: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inside, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(inside, 48, 1), Conv(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inside, 64, 1), Conv(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3)
        self.branch_pool = Conv(inside, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_mean(x))], 1)


class InceptionB(nn.Module):
    """Halves the sides, as D does."""

    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(inside, 384, 3, 2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inside, 64, 1), Conv(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    def __init__(self, inside: int, c7: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inside, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Conv(inside, c7, 1), Conv(c7, c7, (1, 7))
        self.branch7x7_3 = Conv(c7, 192, (7, 1))
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Conv(inside, c7, 1), Conv(c7, c7, (7, 1))
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Conv(c7, c7, (1, 7)), Conv(c7, c7, (7, 1))
        self.branch7x7dbl_5 = Conv(c7, 192, (1, 7))
        self.branch_pool = Conv(inside, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_mean(x))], 1)


class InceptionD(nn.Module):
    def __init__(self, inside: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(inside, 192, 1), Conv(192, 320, 3, 2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(inside, 192, 1), Conv(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = Conv(192, 192, (7, 1)), Conv(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, 2)], 1)


class InceptionE(nn.Module):
    def __init__(self, inside: int, *, pool_max: bool) -> None:
        super().__init__()
        self.branch1x1 = Conv(inside, 320, 1)
        self.branch3x3_1 = Conv(inside, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Conv(384, 384, (1, 3)), Conv(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inside, 448, 1), Conv(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Conv(384, 384, (1, 3)), Conv(384, 384, (3, 1))
        self.branch_pool = Conv(inside, 192, 1)
        self.pool_max = pool_max

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, 1, 1) if self.pool_max else _mean(x)
        return torch.cat(
            [
                self.branch1x1(x),
                self.branch3x3_2a(three),
                self.branch3x3_2b(three),
                self.branch3x3dbl_3a(double),
                self.branch3x3dbl_3b(double),
                self.branch_pool(pooled),
            ],
            1,
        )


class Inception(nn.Module):
    """x11 (N, 3, 299, 299) -> features (N, 2048): the last block, mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Conv(3, 32, 3, 2), Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(64, 80, 1), Conv(80, 192, 3)
        for conv in (self.Conv2d_2a_3x3, self.Conv2d_4a_3x3):
            conv.conv.padding = (0, 0)
        self.Mixed_5b, self.Mixed_5c = InceptionA(192, 32), InceptionA(256, 64)
        self.Mixed_5d, self.Mixed_6a = InceptionA(288, 64), InceptionB(288)
        self.Mixed_6b, self.Mixed_6c = InceptionC(768, 128), InceptionC(768, 160)
        self.Mixed_6d, self.Mixed_6e = InceptionC(768, 160), InceptionC(768, 192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b, self.Mixed_7c = InceptionE(1280, pool_max=False), InceptionE(2048, pool_max=True)
        self.fc = nn.Linear(FEATURES, CLASSES)  # in the file; no feature comes from it

    def forward(self, x11: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x11)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))


def load_inception(given: str | Path | None = None) -> Inception:
    """The network with the weights of FID's file, on the CPU, in eval mode. Raises ConfigError where the file
    is missing, CheckpointError where it does not fit."""
    path = weights.find("inception_fid", given)
    state = weights.read(path)
    with torch.device("meta"):
        network = Inception()
    expected = {k: v for k, v in network.state_dict().items() if not k.endswith(_COUNTER)}
    for key, own in expected.items():
        value = state.get(key)
        if value is None or value.shape != own.shape or not torch.isfinite(value).all():
            found = "nothing" if value is None else f"{tuple(value.shape)}"
            raise CheckpointError(
                f"{path}: not FID's Inception: {key}: found {found}, expected finite {tuple(own.shape)}; "
                f"fetch the file that {weights.TABLE['inception_fid'].source} publishes"
            )
    counters = {k: torch.tensor(0) for k in network.state_dict() if k.endswith(_COUNTER)}
    network.load_state_dict(counters | {key: state[key].float() for key in expected}, assign=True)
    return network.eval().requires_grad_(False)
