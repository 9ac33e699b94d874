"""Blurs and changes of size as calls: kernels, and the weights of resizing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gantrans.degrade_batch import weights
from gantrans.degrade_batch.program import Asked, Call, Size
from gantrans.imaging import filters, kernels


def gaussian(asked: Asked) -> list[Call]:
    sigma = asked.params["sigma_px"]
    taps = filters.gaussian_kernel_1d(sigma)
    return _line(_in_256ths(taps) if asked.size.whole and sigma <= 10 else taps)


def _in_256ths(taps: np.ndarray) -> np.ndarray:
    """OpenCV's whole-number kernel: what rounding takes from a tap the next one gets, or the middle."""
    middle, over, found = len(taps) // 2, 0.0, []
    for tap in taps[:middle] * 256:
        found.append(round(tap + over))
        over += tap - found[-1]
    return np.array([*found, 256 - 2 * sum(found), *found[::-1]]) / 256


def box(asked: Asked) -> list[Call]:
    return _line(kernels.box_kernel_1d(asked.params["width_px"]))


def kernel(asked: Asked) -> list[Call]:
    kernel = asked.step.kernel(asked.params)[::-1, ::-1]  # the device sums without turning it
    return [_among_zeros(kernel)] if kernel.size > 1 else []


def _line(taps: np.ndarray) -> list[Call]:
    return [_among_zeros(taps)] if len(taps) > 1 else []


def _among_zeros(kernel: np.ndarray) -> Call:
    """Sides are 8 n - 1, so that few sizes occur, and none that depends on who else is in the batch."""
    spare = [(-(-(side + 1) // 8) * 8 - 1 - side) // 2 for side in kernel.shape]
    grown = np.pad(kernel.astype(np.float32), [(more, more) for more in spare])
    return Call("kernel" if kernel.ndim == 2 else "separable", (grown,), grown.shape)


def downscale(asked: Asked) -> list[Call]:
    size, scale = asked.size, asked.step.scale
    return [resize_call(size, ((size.height // scale, size.width // scale, asked.params["method"]),))]


def down_up(asked: Asked) -> list[Call]:
    """One call, as the small pictures of a batch differ in size."""
    size, factor = asked.size, asked.params["factor"]
    low = max(1, round(size.height / factor)), max(1, round(size.width / factor))
    return [resize_call(size, ((*low, asked.params["down"]), (size.height, size.width, asked.params["up"])))]


def pixelate(asked: Asked) -> list[Call]:
    return [Call("mosaic", (np.array([asked.params["block_px"]], np.int32),))]


def enlarged(size: Size, height: int, width: int) -> Call:
    """Bicubic and in floating point, whatever the picture is: data/pixels.py."""
    bands = (*weights.band(size.height, height, "bicubic"), *weights.band(size.width, width, "bicubic"))
    return Call("resize", (*bands, np.array([False, True], np.uint8)), (height, width))


def resize_call(size: Size, through: Sequence[tuple[int, int, str]]) -> Call:
    """To each height and width by that filter, in turn; weights and rounding as in imaging/filters.py."""
    now, inputs = (size.height, size.width), []
    for height, width, method in through:
        for after, band in weights.stages(now, (height, width), method, whole=size.whole):
            for old, new in zip(now, after, strict=True):
                inputs += weights.band(old, new, band)
            inputs.append(weights.rounding(band, now, after))
            now = after
    return Call("resize", tuple(inputs), (now, len(inputs)))
