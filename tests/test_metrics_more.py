"""MS-SSIM, luma of super-resolution, MATLAB's bicubic, CIELAB, colours, label scores, distances of sets.

Closed forms, slow twins, outside witnesses. What needs real weights or images is in test_real_metrics.py.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gantrans import lab as lab_module
from gantrans.errors import CheckpointError, ConfigError
from gantrans.imaging import matlab_bicubic
from gantrans.lab import lab_from_rgb, rgb_from_lab
from gantrans.metrics import distribution, pairwise, table
from gantrans.metrics.colours import ab_error, colourfulness
from gantrans.metrics.distribution import Collected, frechet, kernel_distance
from gantrans.metrics.labels import Confusion, majority, scores
from gantrans.metrics.pairwise import ms_ssim, psnr, ssim
from gantrans.metrics.superres import luma_x01, psnr_rgb, psnr_y, ssim_y
from gantrans.nets import weights
from gantrans.nets.inception import Inception, load_inception
from tests.conftest import draw_picture


def picture(seed: int, side: int = 192) -> Tensor:
    return torch.from_numpy(draw_picture(seed, side, side + 9) / 255.0).permute(2, 0, 1)[None].float()


def noisy(x01: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(x01.shape, generator=torch.Generator().manual_seed(1))
    return (x01 + sigma * noise).clamp(0, 1)


# MS-SSIM


# multiscale_structural_similarity_index_measure of torchmetrics 1.9 for the three outputs of `worse`.
WITNESS = [[0.88173624, 0.88843868], [0.43854154, 0.44771538], [0.94877018, 0.94770525]]


def worse() -> tuple[Tensor, list[Tensor]]:
    """Two pictures, and three ways to spoil them, float64."""
    target = torch.cat([picture(0, 256), picture(1, 256)]).double()
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(target.shape))
    return target, [(target + 0.05 * noise).clamp(0, 1), (target + 0.3 * noise).clamp(0, 1), target * 0.7]


def test_ms_ssim_has_the_values_of_torchmetrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-3: on the coarsest scale torchmetrics counts windows over a reflected border, Wang et al. only
    those that lie inside."""
    target, outputs = worse()
    witness = torch.tensor(WITNESS, dtype=torch.float64)
    found = torch.stack([ms_ssim(output, target) for output in outputs])
    torch.testing.assert_close(found, witness, atol=0, rtol=1e-3)
    monkeypatch.setattr(pairwise, "SCALES", pairwise.SCALES[::-1])
    wrong = torch.stack([ms_ssim(output, target) for output in outputs])
    assert ((wrong - witness).abs()[:2] > 1e-2).all(), "a wrong order of exponents is seen"


@pytest.mark.slow  # for the import of torchmetrics
def test_torchmetrics_still_has_them() -> None:
    from torchmetrics.functional.image.ssim import multiscale_structural_similarity_index_measure as witness

    target, outputs = worse()
    found = [witness(output, target, data_range=1.0, reduction="none") for output in outputs]
    torch.testing.assert_close(
        torch.stack(found), torch.tensor(WITNESS, dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_ms_ssim_is_1_for_equal_pictures_falls_with_noise_and_knows_what_is_too_small() -> None:
    target = picture(2)
    values = [float(ms_ssim(noisy(target, s), target)) for s in (0.0, 0.02, 0.1, 0.4)]
    assert values[0] == pytest.approx(1, abs=1e-6) and values == sorted(values, reverse=True)
    assert 0 <= float(ms_ssim(1 - target, target)) < 0.2  # negative structure counts as none, not as NaN
    assert math.isfinite(ms_ssim(target[..., :16, :16], target[..., :16, :16]))
    assert ms_ssim(target[..., :15, :], target[..., :15, :]).isnan().all()


# The protocol of super-resolution


def test_luma_is_rounded_twice_in_studio_range_and_shaved() -> None:
    levels = torch.tensor(
        [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [100, 150, 200]]
    )
    x01 = (levels.float() / 255).T.reshape(1, 3, 2, 3)
    found = (luma_x01(x01, 0) * 255).flatten().tolist()
    assert found == pytest.approx([16, 235, 81, 145, 41, 137])  # MATLAB's rgb2ycbcr of the same levels
    nudged = x01 + 0.4 / 255  # within rounding of the same levels
    assert torch.equal(luma_x01(nudged.clamp(0, 1), 0), luma_x01(x01, 0))
    assert luma_x01(torch.rand(2, 3, 20, 30), 4).shape == (2, 1, 12, 22)


def test_psnr_y_has_a_closed_form_and_ignores_the_border() -> None:
    target = torch.full((1, 1, 30, 30), 100 / 255)
    output = torch.full((1, 1, 30, 30), 110 / 255)
    assert float(psnr_y(output, target, 3)) == pytest.approx(20 * math.log10(255 / 10), abs=1e-9)
    output[..., :3, :] = output[..., -3:] = 1.0
    assert float(psnr_y(output, target, 3)) == pytest.approx(20 * math.log10(255 / 10), abs=1e-9)
    assert float(psnr_y(output, target, 0)) < 20
    assert float(ssim_y(target, target, 3)) == pytest.approx(1)
    assert psnr_y(target, target, 15).isnan().all() and ssim_y(target, target, 99).isnan().all()
    with pytest.raises(ValueError, match="shave=-1"):
        psnr_y(target, target, -1)


def test_psnr_rgb_is_one_error_over_three_rounded_channels_without_the_border() -> None:
    target = torch.full((1, 3, 30, 30), 100 / 255)
    output = target + torch.tensor([10.0, 0.0, 20.0]).view(1, 3, 1, 1) / 255
    joint = 10 * math.log10(255**2 / ((10**2 + 0 + 20**2) / 3))
    assert float(psnr_rgb(output, target, 3)) == pytest.approx(joint, abs=1e-9)
    wanted = [20 * math.log10(255 / 10), 100.0, 20 * math.log10(255 / 20)]
    each = [float(psnr_rgb(output, target, 3, channel)) for channel in range(3)]
    assert each == pytest.approx(wanted, abs=1e-9)
    named = table.build(["psnr_rgb", "psnr_r", "psnr_g", "psnr_b"], table.Settings(shave=3)).each
    assert [float(m(output, target)) for m in named.values()] == pytest.approx([joint, *wanted], abs=1e-9)
    nudged, bordered = output + 0.4 / 255, output.clone()
    bordered[..., :3, :] = bordered[..., -3:] = 1.0
    for same in (nudged, bordered):
        assert float(psnr_rgb(same, target, 3)) == pytest.approx(joint, abs=1e-9)
        assert float(psnr(same, target)) != pytest.approx(joint, abs=0.05), (
            "without the protocol it would show"
        )
    grey = target[:, :1]
    assert float(psnr_rgb(grey, grey, 3)) == 100 and psnr_rgb(grey, grey, 3, 0).isnan().all()
    assert psnr_rgb(target, target, 15).isnan().all()
    with pytest.raises(ValueError, match="shave=-1"):
        psnr_rgb(target, target, -1)


def slow_bicubic(line: list[float], size: int) -> list[float]:
    """MATLAB's definition, sample by sample."""

    def h(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    scale, count = size / len(line), len(line)
    narrow = min(scale, 1.0)
    mirrored = [*line, *reversed(line)]
    found = []
    for i in range(size):
        at = (i + 0.5) / scale - 0.5
        near = range(math.floor(at - 3 / narrow), math.ceil(at + 3 / narrow) + 1)
        share = [h((at - j) * narrow) for j in near]
        found.append(
            sum(w * mirrored[j % (2 * count)] for w, j in zip(share, near, strict=True)) / sum(share)
        )
    return found


@pytest.mark.parametrize(
    ("before", "after"), [(7, 21), (8, 16), (9, 36), (20, 10), (21, 7), (13, 5), (5, 5), (3, 1)]
)
def test_matlab_bicubic_is_its_slow_definition(before: int, after: int) -> None:
    line = np.random.default_rng(before).random(before)
    found = matlab_bicubic.resize(line[None, :, None], 1, after)[0, :, 0]
    np.testing.assert_allclose(found, slow_bicubic(line.tolist(), after), atol=1e-12)


def test_matlab_bicubic_keeps_flat_areas_rounds_once_and_turns_with_the_picture() -> None:
    pixels = draw_picture(3, 20, 14)
    pixels[:10, :7], pixels[10:, 7:] = 0, 255  # edges, so that the filter overshoots both ends
    large = matlab_bicubic.resize(pixels, 40, 42)
    assert large.dtype == np.uint8 and large.shape == (40, 42, 3)
    exact = matlab_bicubic.resize(pixels.astype(np.float64), 40, 42)
    assert exact.min() < -1 and exact.max() > 256, "floating point is not clipped"
    np.testing.assert_array_equal(large, np.clip(np.floor(exact + 0.5), 0, 255))
    np.testing.assert_allclose(
        matlab_bicubic.resize(pixels.astype(float).transpose(1, 0, 2), 42, 40),
        exact.transpose(1, 0, 2),
        atol=1e-9,
    )
    assert (matlab_bicubic.resize(np.full((5, 5, 1), 77, np.uint8), 11, 3) == 77).all()
    assert matlab_bicubic.resize(np.full((4, 4, 1), 60000, np.uint16), 8, 8).dtype == np.uint16
    with pytest.raises(ValueError, match="sizes of 1 or more"):
        matlab_bicubic.resize(pixels, 0, 3)


# CIELAB

# sRGB -> L, a, b by scikit-image 0.26's rgb2lab.
PUBLISHED = [
    ((1, 0, 0), (53.2405879, 80.0923082, 67.2027510)),
    ((0, 1, 0), (87.7350995, -86.1830297, 83.1797032)),
    ((0, 0, 1), (32.2956726, 79.1855909, -107.857300)),
    ((1, 1, 1), (100.0, -0.00245493786, 0.00465342115)),
    ((0, 0, 0), (0.0, 0.0, 0.0)),
    ((0.5, 0.5, 0.5), (53.3889647, -0.00146849652, 0.00278358687)),
    ((0.2, 0.4, 0.6), (42.0080006, -0.154041198, -32.8428974)),
    ((0.01, 0.02, 0.03), (1.30005392, -0.312350277, -1.19976500)),
    ((0.9, 0.7, 0.1), (75.3620595, 6.23362510, 74.4062923)),
]


def test_lab_has_published_values_and_its_inverse_gives_them_back() -> None:
    rgb, lab = (np.array(column, np.float64) for column in zip(*PUBLISHED, strict=True))
    np.testing.assert_allclose(lab_from_rgb(rgb), lab, atol=2e-6)
    np.testing.assert_allclose(rgb_from_lab(lab), rgb, atol=1e-7)


def test_lab_is_one_formula_for_arrays_and_tensors_and_turns_back() -> None:
    x01 = np.random.default_rng(0).random((30, 40, 3)).astype(np.float32)
    lab = lab_from_rgb(x01)
    assert lab.dtype == np.float32 and lab.shape == x01.shape
    assert np.abs(rgb_from_lab(lab) - x01).max() < 1e-4
    batch = torch.from_numpy(x01).permute(2, 0, 1)[None]
    found = lab_from_rgb(batch, axis=1)
    torch.testing.assert_close(found[0].permute(1, 2, 0), torch.from_numpy(lab), atol=1e-4, rtol=0)
    assert (rgb_from_lab(found, axis=1) - batch).abs().max() < 1e-4
    with pytest.raises(ValueError, match="needed: 3"):
        lab_from_rgb(x01[..., :1])


def off(made: np.ndarray, lab: np.ndarray) -> tuple[float, float]:
    """How far L is from what was asked for, at most; and the hue, in degrees, on average."""
    found = lab_from_rgb(made)
    hues = [np.arctan2(each[..., 2], each[..., 1]) for each in (found, lab)]
    turned = np.degrees(np.abs((hues[0] - hues[1] + np.pi) % (2 * np.pi) - np.pi))
    return float(np.abs(found[..., 0] - lab[..., 0]).max()), float(turned.mean())


def test_what_is_no_colour_of_srgb_loses_colour_and_keeps_its_lightness(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    ab = rng.uniform(-110, 110, (2000, 2))
    asked = np.concatenate([rng.uniform(1, 99, (2000, 1)), ab], axis=1)
    for dtype, near in ((np.float64, 1e-3), (np.float32, 2e-3)):
        made = rgb_from_lab(asked.astype(dtype))
        assert made.dtype == dtype and made.min() >= 0 and made.max() <= 1
        lightness, hue = off(made, asked)
        assert lightness < near and hue < 10
        edge = np.minimum(made, 1 - made).min(axis=-1)
        within = np.abs(lab_from_rgb(made) - asked).max(axis=-1) < 0.01
        assert 0.05 < within.mean() < 0.95 and edge[~within].max() < 1e-3  # no more is taken than must be
    beyond = rgb_from_lab(np.array([[-5.0, 40, 0], [0, 40, 0], [100, 0, 40], [130, 40, 40]]))
    assert np.allclose(beyond, [[0] * 3, [0] * 3, [1] * 3, [1] * 3], atol=1e-3)
    monkeypatch.setattr(lab_module, "_into_gamut", lambda light, _: light)  # cut off channel by channel
    lightness, hue = off(rgb_from_lab(asked), asked)
    assert lightness > 10 and hue > 10


def test_lab_has_finite_gradients_in_black_white_and_grey() -> None:
    x01 = torch.tensor([0.0, 0.04045, 0.5, 1.0]).expand(1, 3, 1, 4).clone().requires_grad_()
    rgb_from_lab(lab_from_rgb(x01, axis=1), axis=1).sum().backward()
    assert x01.grad is not None and x01.grad.isfinite().all()
    lightness = torch.tensor([-5.0, 0.0, 1e-3, 50.0, 99.999, 100.0, 110.0])
    lab = torch.stack([lightness, *torch.full((2, 7), 60.0)])[None, :, None].requires_grad_()
    rgb_from_lab(lab, axis=1).square().sum().backward()  # no colours of sRGB
    assert lab.grad is not None and lab.grad.isfinite().all() and lab.grad.abs().max() < 1


# Colours


def test_colourfulness_is_the_papers_formula_and_0_for_grey() -> None:
    rgb = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    r, g, b = (255 * rgb[0].numpy()).reshape(3, -1)
    rg, yb = r - g, (r + g) / 2 - b
    told = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert float(colourfulness(rgb)) == pytest.approx(told, rel=1e-5)
    grey = rgb[:, :1]
    assert float(colourfulness(grey)) == 0
    mixed = [float(colourfulness(share * rgb + (1 - share) * grey)) for share in (0.0, 0.3, 0.7, 1.0)]
    assert mixed == sorted(mixed) and mixed[0] == pytest.approx(0, abs=1e-4)


def test_ab_error_sees_colour_and_not_light() -> None:
    target = lab_from_rgb(
        torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3, axis=1
    )
    lighter, shifted = target.clone(), target.clone()
    lighter[:, 0] += 5
    shifted[:, 1] += 3
    shifted[:, 2] += 4
    wanted = rgb_from_lab(target, axis=1)
    assert float(ab_error(rgb_from_lab(lighter, axis=1), wanted)) < 1e-2
    assert float(ab_error(rgb_from_lab(shifted, axis=1), wanted)) == pytest.approx(5, abs=1e-2)


# Class maps


def test_label_scores_by_hand() -> None:
    confusion = Confusion(3, ignore=[255])
    target = np.array([[0, 0, 0, 1], [1, 255, 255, 0]])
    output = np.array([[0, 0, 1, 1], [0, 2, 0, 0]])
    added = confusion.add(output, target)
    np.testing.assert_array_equal(added, [[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    found = confusion.result()
    assert found["pixel_accuracy"] == pytest.approx(4 / 6)
    assert found["class_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)  # class 2 occurs in no target
    assert found["mean_iou"] == pytest.approx((3 / 5 + 1 / 3) / 2)
    guess = majority(confusion.counts)  # class 0 everywhere
    assert guess == {
        "majority_accuracy": pytest.approx(4 / 6),
        "majority_iou": pytest.approx((4 / 6 + 0) / 2),
    }
    confusion.add(output, output)
    assert confusion.counts.sum() == 6 + 8
    assert all(math.isnan(value) for value in scores(np.zeros((2, 2), int)).values())


def test_a_class_out_of_range_is_named_and_nothing_counted() -> None:
    confusion = Confusion(3)
    with pytest.raises(ValueError, match="target holds classes 0 to 7; accepted are 0 to 2"):
        confusion.add(np.array([0, 1]), np.array([0, 7]))
    with pytest.raises(ValueError, match="output holds classes"):
        Confusion(3, ignore=[255]).add(np.array([255, 1]), np.array([0, 1]))
    with pytest.raises(ValueError, match="differ in shape"):
        confusion.add(np.zeros((2, 3)), np.zeros((3, 2)))
    assert confusion.counts.sum() == 0


# Distances of sets


def gaussians(count: int, mean: float, scale: float, seed: int, width: int = 6) -> np.ndarray:
    return mean + scale * np.random.default_rng(seed).standard_normal((count, width))


def whitened(features: np.ndarray) -> np.ndarray:
    """The same with exactly mean 0 and covariance 1."""
    centred = features - features.mean(0)
    root = np.linalg.cholesky(np.cov(centred.T))
    return centred @ np.linalg.inv(root).T


@pytest.mark.parametrize("counts", [(400, 300), (9, 300), (7, 7)])
def test_frechet_of_planted_gaussians_has_its_closed_form(counts: tuple[int, int]) -> None:
    a, b = (whitened(gaussians(n, 0, 1, n)) for n in counts)
    scales = np.array([1, 2, 3, 0.5, 1, 1])
    told = 6 * 0.7**2 + ((scales - 1) ** 2).sum()  # commuting covariances: sum of (s1 - s2)^2
    assert frechet(a, b * scales + 0.7) == pytest.approx(told, rel=1e-6)
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)


def test_frechet_is_that_of_the_matrix_root_where_covariances_do_not_commute_or_are_singular() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((6, 6))
    for count in (300, 5):  # 5 pictures: rank 4 of 6
        a, b = gaussians(count, 0, 1, 1) @ mixing, gaussians(200, 0.3, 2, 2)
        s1, s2 = np.cov(a.T), np.cov(b.T)
        told = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * np.real(sqrtm(s1 @ s2)))
        assert frechet(a, b) == pytest.approx(told, rel=1e-4)
        assert frechet(b, a) == pytest.approx(frechet(a, b), rel=1e-6)
    with pytest.raises(ValueError, match="2 or more"):
        frechet(a[:1], b)


def test_kernel_distance_is_the_sum_over_pairs_and_unbiased() -> None:
    a, b = gaussians(7, 0, 1, 1), gaussians(5, 1, 1, 2)
    k = lambda x, y: (x @ y / 6 + 1) ** 3  # noqa: E731
    same = [np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (a, b)]
    told = sum(same) - 2 * np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(told, rel=1e-9)
    assert kernel_distance(a, b, block=2) == pytest.approx(told, rel=1e-9)
    alike = [kernel_distance(gaussians(40, 0, 1, 2 * i), gaussians(40, 0, 1, 2 * i + 1)) for i in range(60)]
    assert abs(np.mean(alike)) < 3 * np.std(alike) / math.sqrt(60)  # a biased one lies above
    assert min(alike) < 0 < kernel_distance(a, b)


def test_collected_features_are_told_by_role() -> None:
    class Mean(nn.Module):
        def forward(self, x01: Tensor) -> Tensor:
            return x01.mean((2, 3))

    collected = Collected({"mean": Mean()}, {"toy": ("mean", frechet)})
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        target = torch.rand(1, 3, 4, 4, generator=generator)
        for role, x01 in (("target", target), ("output", target), ("input", target + 1)):
            collected.add(role, x01)
    assert collected.roles == ["output", "input"]
    assert collected.result()["toy"] == pytest.approx(0, abs=1e-6)
    assert collected.result("input")["toy"] == pytest.approx(3, rel=1e-3)
    assert math.isnan(collected.result("nobody")["toy"])


# Inception


def test_inception_has_the_names_and_shapes_of_fids_file() -> None:
    with torch.device("meta"):
        state = Inception().state_dict()
    kept = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    told = "\n".join(sorted(f"{key} {tuple(value.shape)}" for key, value in kept.items()))
    # Of torchvision's inception_v3(num_classes=1008, aux_logits=False), into which pytorch-fid puts its file.
    assert (len(kept), sum(value.numel() for value in kept.values())) == (472, 23_885_392)
    assert hashlib.sha256(told.encode()).hexdigest().startswith("d84f693f2abd7fea61cb31c87d3b2f26")
    assert kept["Mixed_7b.branch3x3dbl_3a.conv.weight"].shape == (384, 384, 1, 3)


def test_inception_is_filled_whole_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 2)
            self.bn = nn.BatchNorm2d(2)

    monkeypatch.setattr("gantrans.nets.inception.Inception", Small)
    file = tmp_path / weights.TABLE["inception_fid"].files[0]
    state = Small().state_dict()
    kept = {key: value for key, value in state.items() if "num_batches" not in key}  # as in FID's file
    torch.save(kept, file)
    network = load_inception(tmp_path)
    assert all(torch.equal(network.state_dict()[key], value) for key, value in kept.items())
    assert not network.training
    for bad in (
        {**kept, "fc.weight": torch.zeros(3, 3)},
        {key: value for key, value in kept.items() if key != "bn.running_var"},
        {**kept, "fc.bias": torch.tensor([1.0, float("nan")])},
    ):
        torch.save(bad, file)
        with pytest.raises(CheckpointError, match="not FID's Inception"):
            load_inception(file)


def test_the_two_preprocessings_differ_as_they_should() -> None:
    stripes = torch.zeros(1, 1, 598, 598)
    stripes[..., ::4] = stripes[..., 1::4] = 1.0
    plain, clean = (distribution.prepared(stripes, name) for name in distribution.PREPROCESSING)
    assert plain.shape == clean.shape == (1, 3, 299, 299)
    flat = torch.full((1, 3, 20, 30), 1.0)
    assert distribution.prepared(flat, "pytorch-fid").mean() == 1
    assert distribution.prepared(flat, "clean-fid").mean() == pytest.approx(127 / 128)
    fine = torch.zeros(1, 3, 1196, 1196)
    fine[..., ::2] = 1.0  # finer than 299 pixels can show
    spread = [float(distribution.prepared(fine[..., :-1], name).std()) for name in distribution.PREPROCESSING]
    assert spread[0] > 5 * spread[1], "clean-fid antialiases, pytorch-fid does not"


# The table


def test_every_metric_says_which_way_is_better() -> None:
    settings = table.Settings(shave=2)
    free = [name for name, metric in table.PER_IMAGE.items() if metric.weights is None]
    measures = table.build(free, settings)
    assert measures.names == free and measures.sets is None
    target = torch.cat([picture(4), picture(5)])
    for name, measure in measures.each.items():
        near, far = measure(noisy(target, 0.05), target), measure(noisy(target, 0.2), target)
        assert near.shape == (2,), name
        higher = table.PER_IMAGE[name].higher
        if higher is not None:
            assert bool(((near > far) if higher else (near < far)).all()), name
    assert torch.equal(measures.each["psnr"](target, target), psnr(target, target))
    assert torch.equal(measures.each["ssim"](target, target), ssim(target, target))


def test_missing_weights_are_left_out_with_the_reason_or_refused(tmp_path: Path) -> None:
    settings = table.Settings(weights=tmp_path)
    names, left_out = table.choose(None, settings, scale=1, paired=True)
    assert names == ["psnr", "ssim", "ms_ssim", "ab_error", "colourfulness"]
    assert set(left_out) == {"lpips_alex", "lpips_vgg", "lpips_squeeze", "squeeze_distance", "fid", "kid"}
    assert "pt_inception-2015-12-05-6726825d.pth (91 MiB" in left_out["fid"]
    assert table.choose(None, settings, scale=2, paired=True)[0][:3] == ["psnr_y", "ssim_y", "psnr_rgb"]
    with pytest.raises(
        ConfigError, match=r"lpips_alex: weights are missing: alexnet.*put it there. Without it work"
    ):
        table.build(["psnr", "lpips_alex"], settings)
    with pytest.raises(ConfigError, match="none can be had"):
        table.choose(None, settings, scale=1, paired=False)
    with pytest.raises(ConfigError, match="psnr compares pairs"):
        table.choose(["fid", "psnr"], settings, scale=1, paired=False)
    with pytest.raises(ConfigError, match="did you mean psnr"):
        table.choose(["psrn"], settings, scale=1, paired=True)
    with pytest.raises(ConfigError, match="fid_resize=tf"):
        table.build(["psnr"], table.Settings(preprocessing="tf"))


# Files of weights


def test_weights_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, cache, given = (tmp_path / name for name in ("own", "cache", "given"))
    for folder in (own, cache / "hub/checkpoints", given):
        folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(cache))
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    told = r"alexnet-owt-7be5be79.pth \(233 MiB.*the file that torchvision.models publishes.*GANTRANS_WEIGHTS"
    with pytest.raises(ConfigError, match=told):
        weights.find("alexnet")
    (cache / "hub/checkpoints/squeezenet1_1_features.pth").touch()
    assert weights.find("squeezenet1_1").parent.name == "checkpoints"
    monkeypatch.setenv(weights.VARIABLE, str(own))
    (own / "squeezenet1_1_features.pth").touch()
    assert weights.find("squeezenet1_1").parent == own
    (own / "squeezenet1_1-b8a52dc0.pth").touch()
    assert weights.find("squeezenet1_1").name == "squeezenet1_1-b8a52dc0.pth", (
        "the published file comes first"
    )
    with pytest.raises(ConfigError, match="put it there"):
        weights.find("squeezenet1_1", given)  # what is given is not passed over for another
    with pytest.raises(ConfigError, match="which does not exist"):
        weights.find("squeezenet1_1", given / "no")
    (given / "mine.pth").touch()
    assert weights.find("squeezenet1_1", given / "mine.pth") == given / "mine.pth"


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02junk", b"PK\x03\x04" + b"0" * 200])
def test_damaged_weights_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"w\.pth: damaged") as told:
        weights.read(file)
    assert "\n" not in str(told.value)


def test_weights_are_tensors_by_name_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save({"state_dict": {"a": torch.ones(2)}}, file)
    assert torch.equal(weights.read(file)["a"], torch.ones(2))
    for bad in ({}, torch.ones(2), {"a": 1}, {"a": torch.ones(1), 3: torch.ones(1)}):
        torch.save(bad, file)
        with pytest.raises(CheckpointError, match="not tensors by name"):
            weights.read(file)
    torch.save({"a": nn.Linear(1, 1)}, file)  # a pickled object
    with pytest.raises(CheckpointError, match="damaged, or not a file of weights"):
        weights.read(file)


def test_lpips_takes_its_whole_backbone_from_the_file(tmp_path: Path) -> None:
    from gantrans.metrics.lpips_metric import Lpips, _empty
    from gantrans.nets.features import squeezenet_features

    generator = torch.Generator().manual_seed(0)
    shapes = squeezenet_features().weights()
    state = {k: torch.randn(v.shape, generator=generator) * 0.1 for k, v in shapes.items()}
    file = tmp_path / "squeezenet1_1_features.pth"
    torch.save(state, file)
    before = torch.get_rng_state()
    first, second = Lpips("squeeze", tmp_path), Lpips("squeeze", file)
    assert torch.equal(torch.get_rng_state(), before)
    target = picture(6, 64)
    near, far = (float(first(noisy(target, s), target)) for s in (0.02, 0.2))
    assert 0 < near < far and float(first(target, target)) == 0
    assert float(second(noisy(target, 0.2), target)) == far, "nothing of it is random"
    grey = target[:, :1]
    assert float(first(grey * 0.5, grey)) == float(
        first(grey.expand(-1, 3, -1, -1) * 0.5, grey.expand(-1, 3, -1, -1))
    )
    assert first(target[..., :31], target[..., :31]).isnan().all()
    assert not torch.equal(_empty("squeeze").net.slice1[0].weight, first.network.net.slice1[0].weight)  # type: ignore
    for bad in (
        {k: v for k, v in state.items() if k != "features.12.expand1x1.bias"},
        {**state, "features.0.weight": torch.ones(64, 3, 11, 11)},
        {**state, "features.0.bias": torch.full((64,), math.inf)},
    ):
        torch.save(bad, file)
        with pytest.raises(CheckpointError, match="not the backbone of LPIPS: features"):
            Lpips("squeeze", file)
    with pytest.raises(ValueError, match="accepted are alex, vgg, squeeze"):
        Lpips("resnet")


def planted_inception() -> Inception:
    """Weights of a generator, scaled so that activations neither grow nor die."""
    generator, network = torch.Generator().manual_seed(0), Inception().eval()
    state = network.state_dict()
    for key in sorted(state):
        value = state[key]
        if key.endswith("conv.weight"):
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif key.endswith(("bn.bias", "running_mean")):
            value.normal_(0, 0.1, generator=generator)
    return network


def test_inception_pools_as_fids_does() -> None:
    """Features that pytorch-fid 0.3's network gives with the same planted weights: its average pooling leaves
    padding out, and its last block takes a maximum."""
    network = planted_inception()
    x11 = torch.linspace(-1, 1, 3 * 107 * 107).sin().view(1, 3, 107, 107)
    with torch.inference_mode():
        features = network(x11)[0]
        assert features.shape == (2048,)
        found = [float(features[i : i + 256].mean()) for i in range(0, 2048, 256)]
        assert found == pytest.approx(PYTORCH_FID, rel=1e-4)
        network.Mixed_7c.pool_max = False
        wrong = float(network(x11)[0, -192:].mean())
    assert wrong != pytest.approx(float(features[-192:].mean()), rel=1e-2)


# Means of 256 features each.
PYTORCH_FID = [0.155957, 0.154608, 0.162362, 0.161883, 0.121575, 0.114826, 0.101444, 0.214594]
