"""PSNR and SSIM: closed forms, symmetry, monotony, any size, and torchmetrics as an outside witness."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from gantrans.metrics.pairwise import PSNR_CAP_DB, psnr, ssim

Metric = Callable[[Tensor, Tensor], Tensor]


def pair(*shape: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A smooth image batch in [0, 1], and the same with noise."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(*shape[:2], 4, 4, generator=rng)
    target = torch.nn.functional.interpolate(coarse, size=shape[2:], mode="bicubic").clamp(0, 1)
    return (target + noise * torch.randn(shape, generator=rng)).clamp(0, 1), target


def test_psnr_in_closed_form() -> None:
    target = torch.zeros(3, 2, 4, 5)
    output = torch.stack([target[0] + 0.1, target[1] + 0.01, target[2]])
    output[2, 0] = 0.2  # all channels count: mean square 0.02
    torch.testing.assert_close(psnr(output, target), torch.tensor([20.0, 40.0, 16.9897]))


def test_identical_images_have_the_stated_limits() -> None:
    x = torch.rand(2, 3, 16, 16)
    assert psnr(x, x).tolist() == [PSNR_CAP_DB] * 2
    assert psnr(x + 1e-7, x).tolist() == [PSNR_CAP_DB] * 2
    torch.testing.assert_close(ssim(x, x), torch.ones(2), rtol=0, atol=1e-6)


def test_ssim_of_flat_images_is_its_luminance_term() -> None:
    a, b = 0.3, 0.7
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    found = ssim(torch.full((1, 1, 20, 20), a).double(), torch.full((1, 1, 20, 20), b).double())
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_ssim_of_a_scaled_image_is_its_contrast_term() -> None:
    """y = mean + k (x - mean) around equal window means: SSIM = (2 k v + c) / ((1 + k^2) v + c)."""
    board = torch.linspace(-1, 1, 11).double().square().expand(1, 1, 11, 11)  # bright towards two sides
    weights = torch.exp(-((torch.arange(11.0).double() - 5) ** 2) / 4.5)
    window = weights.outer(weights) / weights.sum() ** 2
    mean = (window * board).sum()
    x = board - mean + 0.5
    variance = (window * (x - 0.5) ** 2).sum()
    k = 0.4
    expected = (2 * k * variance + 9e-4) / ((1 + k * k) * variance + 9e-4)
    torch.testing.assert_close(ssim(0.5 + k * (x - 0.5), x), expected[None], rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_metrics_are_symmetric_and_fall_with_noise(metric: Metric) -> None:
    values = [metric(*pair(2, 3, 32, 40, noise=noise)) for noise in (0.01, 0.03, 0.1, 0.3)]
    for better, worse in pairwise(values):
        assert (better > worse).all()
    output, target = pair(2, 3, 32, 40)
    torch.testing.assert_close(metric(output, target), metric(target, output), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_each_image_is_measured_alone_and_widely(metric: Metric) -> None:
    output, target = pair(3, 3, 24, 24)
    alone = torch.cat([metric(a, b) for a, b in zip(output.split(1), target.split(1), strict=True)])
    assert metric(output, target).shape == (3,)
    torch.testing.assert_close(metric(output, target), alone)
    assert metric(output.half(), target.half()).dtype == torch.float32
    torch.testing.assert_close(metric(output.double(), target.double()).float(), alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (2, 5), (10, 10), (11, 11), (12, 40)])
def test_ssim_takes_images_smaller_than_its_window(size: tuple[int, int]) -> None:
    output, target = pair(2, 3, *size)
    values = ssim(output, target)
    assert values.isfinite().all() and (values.abs() <= 1 + 1e-6).all()
    torch.testing.assert_close(ssim(target, target), torch.ones(2), rtol=0, atol=1e-5)


def test_ssim_window_of_a_small_image_is_the_largest_odd_one() -> None:
    """In a 6 x 6 image windows are 5 x 5, so its corner pixel is in one of four windows and weighs little."""
    target = torch.full((1, 1, 6, 6), 0.5, dtype=torch.float64)
    changed = target.clone()
    changed[..., 0, 0] = 1.0
    shifted = target[..., 1:, 1:]  # 5 x 5 without the corner: one window
    assert ssim(changed, target).item() < 1 - 1e-6
    assert ssim(changed[..., 1:, 1:], shifted).item() == pytest.approx(1)
    windows = [
        ssim(changed[..., i : i + 5, j : j + 5], target[..., i : i + 5, j : j + 5])
        for i in (0, 1)
        for j in (0, 1)
    ]
    assert ssim(changed, target).item() == pytest.approx(torch.stack(windows).mean().item(), abs=1e-12)


def test_shapes_that_cannot_be_compared_are_refused() -> None:
    for output, target in [
        ((1, 3, 8, 8), (1, 1, 8, 8)),
        ((3, 8, 8), (3, 8, 8)),
        ((0, 3, 8, 8), (0, 3, 8, 8)),
    ]:
        for metric in (psnr, ssim):
            with pytest.raises(ValueError, match=r"must be \(N, C, H, W\) and equal"):
                metric(torch.zeros(output), torch.zeros(target))


def test_torchmetrics_agrees() -> None:
    """Its SSIM includes windows over a mirrored border; ours, as in the paper, only those inside it."""
    image = pytest.importorskip("torchmetrics.functional.image")
    settings = {"data_range": 1.0, "reduction": "none"}
    for noise in (0.01, 0.3):
        output, target = pair(3, 3, 33, 40, noise=noise)
        decibels = image.peak_signal_noise_ratio(output, target, dim=(1, 2, 3), **settings)
        torch.testing.assert_close(psnr(output, target), decibels, rtol=0, atol=1e-4)
        _, ssim_map = image.structural_similarity_index_measure(
            output, target, return_full_image=True, **settings
        )
        inside = ssim_map[..., 5:-5, 5:-5].mean((1, 2, 3))
        torch.testing.assert_close(ssim(output, target), inside, rtol=0, atol=1e-5)
