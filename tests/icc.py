"""ICC profiles, written independently of the code under test (ICC.1:2022)."""

from __future__ import annotations

import struct

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)  # r, g, b as XYZ


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(65536 * v) for v in values))


def profile(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50), **tags}
    table, data, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">II", start + len(data), 0) + b"\x02\x10\0\0" + kind + space + pcs + b"\0" * 12
    head += b"acsp" + b"\0" * 28 + fixed(*D50)
    return head.ljust(128, b"\0") + table + data


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * value))


def parametric(*values: float) -> bytes:
    """Function type 3 (10.18): (a x + b)^g from d on, c x below."""
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(*values)


def rgb(primaries: tuple[tuple[float, ...], ...] = P3, curve: bytes = b"") -> bytes:
    curve = curve or gamma(1.8)
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    columns = {n: b"XYZ \0\0\0\0" + fixed(*xyz) for n, xyz in zip(names, primaries, strict=True)}
    return profile(b"RGB ", b"mntr", b"XYZ ", {**columns, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def grey(value: float) -> bytes:
    return profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": gamma(value)})


def cmyk() -> bytes:
    """Whatever the inks, a neutral grey as light as the strongest of them is weak."""
    line = bytes(range(256))
    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(-1, 4)
    table = b"".join(bytes([255 * (1 - ink.max()), 128, 128]) for ink in inks)
    matrix = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + line * 4 + table + line * 3
    return profile(b"CMYK", b"prtr", b"Lab ", {b"A2B0": lut})
