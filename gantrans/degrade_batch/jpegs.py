"""JPEG of a batch, bit for bit as libjpeg does it: colours, 4:2:0, the transform both ways, quantisation.

Whole-number arithmetic of libjpeg's "islow" transform (Loeffler, Ligtenberg and Moschytz 1989) and "fancy"
up-sampling; what comes in between, the coding of the numbers, loses nothing and is left out.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from gantrans.degrade_batch.stacks import Given, scalar

# ITU-T T.81, tables K.1 and K.2, for quality 50.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_BITS, _EXTRA = 13, 2  # of fixed-point constants, and kept between rows and columns


def jpeg(levels: Tensor, given: Given) -> Tensor:
    """To JPEG and back at each sample's quality; floating point is rounded to 8 bits."""
    u8 = torch.floor(levels + 0.5).to(torch.int32)
    quality = scalar(given, 0)
    scale = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    luma, chroma = ((table * scale + 50).div(100, rounding_mode="floor").clamp(1, 255)
                    for table in _tables(levels.device))  # fmt: skip
    if u8.shape[1] == 1:
        return _through(u8[:, 0], luma).float()[:, None]
    y, cb, cr = _ycc(u8)
    small = torch.cat([_halved(cb), _halved(cr)])
    small = _doubled(_through(small, torch.cat([chroma, chroma])), *u8.shape[2:])
    return _rgb(_through(y, luma), *small.chunk(2)).float()


@functools.cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor]:
    return tuple(torch.tensor([[table]], dtype=torch.int32, device=device) for table in (_LUMA, _CHROMA))  # type: ignore[return-value]


def _fixed(x: float) -> int:
    return int(x * 65536 + 0.5)


def _ycc(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """jccolor.c"""
    red, green, blue = rgb.unbind(1)
    half, middle = 1 << 15, (128 << 16) + (1 << 15) - 1
    y = _fixed(0.299) * red + _fixed(0.587) * green + _fixed(0.114) * blue + half
    cb = -_fixed(0.16874) * red - _fixed(0.33126) * green + half * blue + middle
    cr = half * red - _fixed(0.41869) * green - _fixed(0.08131) * blue + middle
    return y >> 16, cb >> 16, cr >> 16


def _rgb(y: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """jdcolor.c"""
    cb, cr, half = cb - 128, cr - 128, 1 << 15
    red = y + ((_fixed(1.402) * cr + half) >> 16)
    green = y + ((-_fixed(0.34414) * cb - _fixed(0.71414) * cr + half) >> 16)
    blue = y + ((_fixed(1.772) * cb + half) >> 16)
    return torch.stack([red, green, blue], dim=1).clamp(0, 255)


def _grown(plane: Tensor, rows: int, columns: int) -> Tensor:
    """With so many rows and columns more, the last ones repeated."""
    if rows:
        plane = torch.cat([plane, plane[:, -1:].expand(-1, rows, -1)], dim=1)
    if columns:
        plane = torch.cat([plane, plane[:, :, -1:].expand(-1, -1, columns)], dim=2)
    return plane


def _halved(plane: Tensor) -> Tensor:
    """jcsample.c: means of 2 x 2, halves up and down in turn."""
    plane = _grown(plane, plane.shape[1] % 2, -plane.shape[2] % 16)
    bias = torch.arange(plane.shape[2] // 2, device=plane.device, dtype=torch.int32) % 2 + 1
    rows = plane[:, ::2] + plane[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2] + bias) >> 2


def _doubled(plane: Tensor, height: int, width: int) -> Tensor:
    """jdsample.c: each new sample 9/16 its nearest, 3/16 and 3/16 and 1/16 of the next ones."""
    rows, columns = -(-height // 2), -(-width // 2)
    plane = plane[:, :rows, :columns]
    if columns <= 2:
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :height, :width]
    above, below = (torch.cat(parts, dim=1) for parts in (
        (plane[:, :1], plane[:, :-1]), (plane[:, 1:], plane[:, -1:])))  # fmt: skip
    tall = torch.stack([3 * plane + above, 3 * plane + below], dim=2).flatten(1, 2)
    left, right = (torch.cat(parts, dim=2) for parts in (
        (tall[:, :, :1], tall[:, :, :-1]), (tall[:, :, 1:], tall[:, :, -1:])))  # fmt: skip
    wide = torch.stack([(3 * tall + left + 8) >> 4, (3 * tall + right + 7) >> 4], dim=3).flatten(2, 3)
    return wide[:, :height, :width]


def _through(plane: Tensor, table: Tensor) -> Tensor:
    """(n, H, W) transformed in blocks of 8 x 8, quantised by each sample's table, and back."""
    n, height, width = plane.shape
    plane = _grown(plane, -height % 8, -width % 8)
    blocks = (plane - 128).view(n, plane.shape[1] // 8, 8, plane.shape[2] // 8, 8)
    table = table.view(n, 1, 8, 1, 8)
    numbers = _forward(_forward(blocks, 4, -_EXTRA), 2, _EXTRA)
    steps = table << 3
    numbers = numbers.sign() * torch.div(numbers.abs() + (steps >> 1), steps, rounding_mode="floor")
    made = _backward(_backward(numbers * table, 2, _BITS - _EXTRA), 4, _BITS + _EXTRA + 3)
    return (made + 128).clamp(0, 255).view(plane.shape)[:, :height, :width]


def _rounded(x: Tensor, bits: int) -> Tensor:
    """x / 2^bits to nearest; to the left where bits are below 0."""
    return (x + (1 << (bits - 1))) >> bits if bits > 0 else x << -bits


def _odd(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The rotations that both directions share."""
    z5 = (a + c + b + d) * 9633
    z1, z2 = (a + d) * -7373, (b + c) * -20995
    z3, z4 = (a + c) * -16069 + z5, (b + d) * -3196 + z5
    return a * 2446 + z1 + z3, b * 16819 + z2 + z4, c * 25172 + z2 + z3, d * 12299 + z1 + z4


def _forward(blocks: Tensor, axis: int, shift: int) -> Tensor:
    """jfdctint.c along one axis; `shift` bits are dropped besides those of the constants."""
    d = blocks.unbind(axis)
    s0, s1, s2, s3 = (d[i] + d[7 - i] for i in range(4))
    t7, t6, t5, t4 = (d[i] - d[7 - i] for i in range(4))
    e0, e3, e1, e2 = s0 + s3, s0 - s3, s1 + s2, s1 - s2
    z = (e2 + e3) * 4433
    bits = _BITS + shift
    o7, o5, o3, o1 = _odd(t4, t5, t6, t7)
    out = [
        _rounded(e0 + e1, shift), _rounded(o1, bits), _rounded(z + e3 * 6270, bits), _rounded(o3, bits),
        _rounded(e0 - e1, shift), _rounded(o5, bits), _rounded(z - e2 * 15137, bits), _rounded(o7, bits),
    ]  # fmt: skip
    return torch.stack(out, dim=axis)


def _backward(blocks: Tensor, axis: int, bits: int) -> Tensor:
    """jidctint.c along one axis."""
    d = blocks.unbind(axis)
    z = (d[2] + d[6]) * 4433
    t2, t3 = z - d[6] * 15137, z + d[2] * 6270
    t0, t1 = (d[0] + d[4]) << _BITS, (d[0] - d[4]) << _BITS
    even = (t0 + t3, t1 + t2, t1 - t2, t0 - t3)
    o0, o1, o2, o3 = _odd(d[7], d[5], d[3], d[1])
    odd = (o3, o2, o1, o0)
    first = [_rounded(a + b, bits) for a, b in zip(even, odd, strict=True)]
    last = [_rounded(a - b, bits) for a, b in zip(even, odd, strict=True)]
    return torch.stack([*first, *last[::-1]], dim=axis)
