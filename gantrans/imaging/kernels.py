"""More blur kernels: float64, (odd, odd), summing to 1. Lengths in pixels, angles counter-clockwise."""

from __future__ import annotations

import math

import numpy as np

_REACH_PX = 100  # the largest kernel is 201x201
_TAIL = 1e-3  # a kernel ends where it falls below this share of its peak


def generalised_kernel(sigma_x: float, sigma_y: float, angle_deg: float, beta: float) -> np.ndarray:
    """exp(-(d^2)^beta / 2), d the distance in units of the axes (Liu et al. 2020, generalised Gaussian).

    beta 1 is a Gaussian with axes `sigma_x`, `sigma_y` px (0 or more), turned by `angle_deg`; above 1 its top
    is flatter and its edge steeper, below 1 it is peaked with long tails. Raises ValueError.
    """
    _check(sigma_x, sigma_y, beta)
    tail = (2 * math.log(1 / _TAIL)) ** (0.5 / beta)
    squared = _squared_distance(sigma_x, sigma_y, angle_deg, tail)
    return _normal(np.exp(-0.5 * squared**beta))


def plateau_kernel(sigma_x: float, sigma_y: float, angle_deg: float, beta: float) -> np.ndarray:
    """1 / (1 + (d^2)^beta): a flat top with slow tails (Wang et al. 2021, Real-ESRGAN, section 3.1).

    Arguments as of `generalised_kernel`; cut at 8 axes where its tail would go on for ever.
    """
    _check(sigma_x, sigma_y, beta)
    tail = min(8.0, (1 / _TAIL - 1) ** (0.5 / beta))
    squared = _squared_distance(sigma_x, sigma_y, angle_deg, tail)
    return _normal(1 / (1 + squared**beta))


def box_kernel_1d(width_px: float) -> np.ndarray:
    """An even trail of `width_px` 1 or more, the outer pixels weighted by how much of them it covers."""
    if width_px < 1:
        raise ValueError(f"width_px={width_px}: needed: 1 or more")
    reach = math.ceil((width_px - 1) / 2)
    kernel = np.clip((width_px + 1) / 2 - np.abs(np.arange(-reach, reach + 1, dtype=np.float64)), 0, 1)
    return kernel / kernel.sum()


def sinc_kernel(cutoff: float, size_px: int) -> np.ndarray:
    """The ideal low-pass of a circle in the frequency plane, which leaves ripples along edges.

    k(r) = w J1(w r) / (2 pi r), w = pi `cutoff` rad/px, cutoff 1 at the Nyquist frequency (Wang et al. 2021,
    Real-ESRGAN, eq. 6), over `size_px` odd pixels a side. Raises ValueError.
    """
    if not 0 < cutoff <= 1 or size_px < 1 or size_px % 2 == 0:
        raise ValueError(f"cutoff={cutoff}, size_px={size_px}: needed: above 0 up to 1, and an odd size")
    omega, reach = math.pi * cutoff, size_px // 2
    axis = np.arange(-reach, reach + 1)
    squares, places = np.unique(axis[:, None] ** 2 + axis[None, :] ** 2, return_inverse=True)
    radii = np.sqrt(squares.astype(np.float64))
    values = np.full(len(radii), omega**2 / (4 * math.pi))  # the limit at r = 0
    values[1:] = omega * _bessel_j1(omega * radii[1:]) / (2 * math.pi * radii[1:])
    return _normal(values[places].reshape(size_px, size_px))


def _bessel_j1(x: np.ndarray) -> np.ndarray:
    """J1 by its integral, (1/pi) int_0^pi cos(t - x sin t) dt (DLMF 10.9.2); the midpoint rule of a periodic
    function is exact to rounding once it has more points than x."""
    points = 64 + 2 * int(x.max(initial=0))
    t = (np.arange(points) + 0.5) * (math.pi / points)
    return np.cos(t - x[:, None] * np.sin(t)).mean(axis=1)


def _squared_distance(sigma_x: float, sigma_y: float, angle_deg: float, tail: float) -> np.ndarray:
    """Squared distance from the middle in units of the axes; axes under a quarter pixel count as that."""
    sigma_x, sigma_y = max(sigma_x, 0.25), max(sigma_y, 0.25)
    reach = min(_REACH_PX, max(1, math.ceil(tail * max(sigma_x, sigma_y))))
    y, x = np.mgrid[reach : -reach - 1 : -1, -reach : reach + 1].astype(np.float64)  # rows count downwards
    angle = math.radians(angle_deg)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _check(sigma_x: float, sigma_y: float, beta: float) -> None:
    if min(sigma_x, sigma_y) < 0 or beta <= 0:
        raise ValueError(
            f"sigma_x={sigma_x}, sigma_y={sigma_y}, beta={beta}: needed: 0 or more, beta above 0"
        )


def _normal(kernel: np.ndarray) -> np.ndarray:
    return kernel / kernel.sum()
