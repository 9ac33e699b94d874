"""Our metrics against published figures, on real images and weights, which are not part of the repository.

They run with `-m real` where GANTRANS_REAL_DATA names a folder that holds set5/ and weights/.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gantrans.imaging import matlab_bicubic
from gantrans.imaging.read import read
from gantrans.imaging.write import write
from gantrans.metrics.superres import psnr_y, ssim_y
from tests.conftest import Cli

pytestmark = pytest.mark.real

# Per image, bicubic column, Set5: published with SelfExSR (Huang et al., CVPR 2015).
PSNR_DB = {
    2: [37.0263, 36.773, 27.4298, 34.8375, 32.1354],
    3: [33.8998, 32.5718, 24.038, 32.8622, 28.5604],
    4: [31.7711, 30.1751, 22.0992, 31.5785, 26.4645],
}
SSIM = {
    2: [0.95103, 0.97148, 0.91493, 0.86181, 0.94683],
    3: [0.9035, 0.92534, 0.82145, 0.79943, 0.88925],
    4: [0.85634, 0.87272, 0.73677, 0.75306, 0.83151],
}


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("GANTRANS_REAL_DATA")
    if not folder:
        pytest.skip("GANTRANS_REAL_DATA names no folder")
    return Path(folder)


def tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels / 255.0).permute(2, 0, 1)[None]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_reaches_the_published_table_image_by_image(real: Path, scale: int) -> None:
    for i in range(5):
        low, high = (read(real / f"set5/x{scale}/{kind}/img_00{i + 1}.png").pixels for kind in ("LR", "HR"))
        output, target = tensor(matlab_bicubic.resize(low, *high.shape[:2])), tensor(high)
        assert float(psnr_y(output, target, scale)) == pytest.approx(PSNR_DB[scale][i], abs=0.02), i
        assert float(ssim_y(output, target, scale)) == pytest.approx(SSIM[scale][i], abs=0.0005), i


def test_lpips_squeeze_has_the_values_of_torchmetrics_doctests(real: Path) -> None:
    from gantrans.metrics.lpips_metric import Lpips

    lpips = Lpips("squeeze", real / "weights")
    torch.manual_seed(42)
    a, b = torch.rand(10, 3, 100, 100) * 2 - 1, torch.rand(10, 3, 100, 100) * 2 - 1
    assert float(lpips((a + 1) / 2, (b + 1) / 2).mean()) == pytest.approx(0.1005, abs=5e-5)
    generator = torch.Generator().manual_seed(42)
    a, b = (torch.rand(2, 3, 100, 100, generator=generator) for _ in range(2))
    assert lpips(a, b).tolist() == pytest.approx([0.1024, 0.0938], abs=5e-5)


def test_evaluate_tells_bicubic_and_worse_apart(real: Path, tmp_path: Path, cli: Cli) -> None:
    targets, source = real / "set5/x3/HR", real / "set5/x3/LR"
    for file in source.iterdir():
        low = read(file).pixels
        for name, pixels in (("plain", low), ("blurred", np.roll(low, 1, 1) // 2 + low // 2)):
            (tmp_path / name).mkdir(exist_ok=True)
            large = matlab_bicubic.resize(pixels, low.shape[0] * 3, low.shape[1] * 3)
            write(tmp_path / name / file.name, large)
    means = {}
    for name in ("plain", "blurred"):
        answer = cli(
            "evaluate", f"outputs={tmp_path / name}", f"source={source}", f"targets={targets}",
            f"weights={real / 'weights'}", "metrics=[psnr_y,ssim_y,lpips_squeeze,squeeze_distance]",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        means[name] = json.loads((tmp_path / f"{name}-evaluation/metrics.json").read_text())["metrics"]
    assert means["plain"]["psnr_y"] == pytest.approx(np.mean(PSNR_DB[3]), abs=0.01)
    assert means["plain"]["psnr_y"] > means["blurred"]["psnr_y"] + 1
    for name in ("lpips_squeeze", "squeeze_distance"):
        assert means["plain"][name] == pytest.approx(means["plain"][f"{name}_input"], rel=1e-5)
        assert means["plain"][name] < means["blurred"][name], name
