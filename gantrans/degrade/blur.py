"""Blur: by Gaussians round, long, peaked and flat; by a lens, by motion; ripples of sharp filters."""

from __future__ import annotations

import numpy as np

from gantrans.degrade.base import Amount, Interval, Params, interval
from gantrans.imaging import filters, kernels


class KernelBlur:
    """Convolution with a kernel that drawn numbers describe; `amounts` are drawn in their order."""

    scale = 1
    takes_u8 = True
    amounts: dict[str, Interval]

    def sample(self, rng: np.random.Generator) -> Params:
        return {name: amount.draw(rng) for name, amount in self.amounts.items()}

    def kernel(self, params: Params) -> np.ndarray:
        """(odd, odd) float64, summing to 1."""
        raise NotImplementedError

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        blurred = filters.convolve(pixels, self.kernel(params))
        if blurred.dtype == np.uint8:
            return blurred
        return np.clip(blurred, 0, 1)  # an FFT leaves errors of 1e-8, ripples go beyond white and black


class GaussianBlur:
    """Convolution with a Gaussian of standard deviation `sigma_px`."""

    scale = 1
    takes_u8 = True

    def __init__(self, sigma_px: Amount = (1.0, 2.5)) -> None:
        self.sigma_px = interval("sigma_px", sigma_px, 0, 100)

    def sample(self, rng: np.random.Generator) -> Params:
        return {"sigma_px": self.sigma_px.draw(rng)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return filters.gaussian_blur(pixels, params["sigma_px"])


class AnisotropicBlur(KernelBlur):
    """A Gaussian longer one way than the other: axes `sigma_x_px` and `sigma_y_px`, turned by `angle_deg`."""

    def __init__(
        self,
        sigma_x_px: Amount = (1.0, 4.0),
        sigma_y_px: Amount = (0.5, 1.5),
        angle_deg: Amount = (0.0, 180.0),
    ) -> None:
        self.amounts = _axes(sigma_x_px, sigma_y_px, angle_deg)

    def kernel(self, params: Params) -> np.ndarray:
        return kernels.generalised_kernel(*_drawn_axes(params), 1.0)


class GeneralisedBlur(KernelBlur):
    """exp(-(d^2)^beta / 2): `beta` below 1 a peak with long tails, above 1 a flat top (Liu et al. 2020)."""

    def __init__(
        self,
        sigma_x_px: Amount = (0.8, 3.0),
        sigma_y_px: Amount = (0.8, 3.0),
        angle_deg: Amount = (0.0, 180.0),
        beta: Amount = (0.5, 4.0),
    ) -> None:
        self.amounts = {
            **_axes(sigma_x_px, sigma_y_px, angle_deg),
            "beta": interval("beta", beta, 0.25, 16),
        }

    def kernel(self, params: Params) -> np.ndarray:
        return kernels.generalised_kernel(*_drawn_axes(params), params["beta"])


class PlateauBlur(KernelBlur):
    """1 / (1 + (d^2)^beta): an even middle with slow tails (Wang et al. 2021, Real-ESRGAN, section 3.1)."""

    def __init__(
        self,
        sigma_x_px: Amount = (0.8, 3.0),
        sigma_y_px: Amount = (0.8, 3.0),
        angle_deg: Amount = (0.0, 180.0),
        beta: Amount = (1.0, 2.0),
    ) -> None:
        self.amounts = {
            **_axes(sigma_x_px, sigma_y_px, angle_deg),
            "beta": interval("beta", beta, 0.5, 16),
        }

    def kernel(self, params: Params) -> np.ndarray:
        return kernels.plateau_kernel(*_drawn_axes(params), params["beta"])


class BoxBlur(KernelBlur):
    """The mean of a square of `width_px` pixels, 1 for none."""

    def __init__(self, width_px: Amount = (3.0, 7.0)) -> None:
        self.amounts = {"width_px": interval("width_px", width_px, 1, 200)}

    def forward(self, pixels: np.ndarray, params: Params) -> np.ndarray:
        return filters.separable_blur(pixels, kernels.box_kernel_1d(params["width_px"]))


class DefocusBlur(KernelBlur):
    """Each point becomes a disk of `radius_px`, as behind an open aperture."""

    def __init__(self, radius_px: Amount = (2.0, 5.0)) -> None:
        self.amounts = {"radius_px": interval("radius_px", radius_px, 0, 100)}

    def kernel(self, params: Params) -> np.ndarray:
        return filters.disk_kernel(params["radius_px"])


class MotionBlur(KernelBlur):
    """Each point becomes a straight trail of `length_px`, at `angle_deg` counter-clockwise."""

    def __init__(self, length_px: Amount = (7.0, 21.0), angle_deg: Amount = (0.0, 180.0)) -> None:
        self.amounts = {
            "length_px": interval("length_px", length_px, 0, 200),
            "angle_deg": interval("angle_deg", angle_deg, -360, 360),
        }

    def kernel(self, params: Params) -> np.ndarray:
        return filters.motion_kernel(params["length_px"], params["angle_deg"])


class Ringing(KernelBlur):
    """A sharp low-pass, as of hard sharpening or resampling: ripples along edges (Wang et al. 2021, eq. 6).

    `cutoff` is its edge as a share of the highest frequency, lower for coarser ripples; `size_px` how many
    pixels the ripples are followed for.
    """

    def __init__(self, cutoff: Amount = (0.35, 0.8), size_px: Amount = (7, 21)) -> None:
        self.amounts = {
            "cutoff": interval("cutoff", cutoff, 0.05, 1),
            "size_px": interval("size_px", size_px, 3, 99),
        }

    def kernel(self, params: Params) -> np.ndarray:
        odd = 2 * int(params["size_px"] / 2) + 1
        return kernels.sinc_kernel(params["cutoff"], odd)


def _axes(sigma_x_px: Amount, sigma_y_px: Amount, angle_deg: Amount) -> dict[str, Interval]:
    return {
        "sigma_x_px": interval("sigma_x_px", sigma_x_px, 0, 50),
        "sigma_y_px": interval("sigma_y_px", sigma_y_px, 0, 50),
        "angle_deg": interval("angle_deg", angle_deg, -360, 360),
    }


def _drawn_axes(params: Params) -> tuple[float, float, float]:
    return params["sigma_x_px"], params["sigma_y_px"], params["angle_deg"]
