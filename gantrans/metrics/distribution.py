"""How far two sets of pictures are apart as a whole, by features of a network: no pairs needed.

fid                Frechet distance of Inception features (Heusel et al. 2017, equation 6)
kid                squared maximum mean discrepancy of the same features (Binkowski et al. 2018, section 4)
squeeze_distance   Frechet distance of SqueezeNet 1.1's last features, mean over places. It is not FID:
                   another network, another scale, comparable with itself alone

All are biased or noisy for few pictures; FID of less than 2048 a side says little.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.imaging import filters
from gantrans.nets.features import load_features
from gantrans.nets.inception import SIDE, load_inception

PREPROCESSING = ("pytorch-fid", "clean-fid")
SQUEEZE_SIDE = 224  # pixels of the pictures that SqueezeNet was trained on
LAST = "fire9"
FEW = 2048  # pictures a side: below, the covariance of Inception's features is not of full rank


class InceptionFeatures(nn.Module):
    """x01 (N, 1 or 3, H, W) of any size -> (N, 2048).

    `preprocessing`: pytorch-fid resizes bilinearly without antialiasing, to [-1, 1]; clean-fid (Parmar et al.
    2022) by Pillow's bicubic with antialiasing in floating point, to (v - 128) / 128. Figures of the two are
    not comparable.
    """

    def __init__(self, preprocessing: str = "pytorch-fid", given: str | Path | None = None) -> None:
        super().__init__()
        if preprocessing not in PREPROCESSING:
            raise ValueError(f"preprocessing={preprocessing}: accepted are {', '.join(PREPROCESSING)}")
        self.preprocessing = preprocessing
        self.network = load_inception(given)

    def forward(self, x01: Tensor) -> Tensor:
        return self.network(prepared(x01, self.preprocessing))


def prepared(x01: Tensor, preprocessing: str) -> Tensor:
    """(N, 1 or 3, H, W) in [0, 1] -> (N, 3, 299, 299) as Inception takes it; grey is repeated."""
    x01 = x01.float().expand(-1, 3, -1, -1)
    if preprocessing == "pytorch-fid":
        return 2 * F.interpolate(x01, size=(SIDE, SIDE), mode="bilinear", align_corners=False) - 1
    return (255 * antialiased(x01, SIDE) - 128) / 128


def antialiased(x01: Tensor, side: int) -> Tensor:
    """(N, C, H, W) -> (N, C, side, side) by Pillow's bicubic filter, in floating point, clipped to [0, 1]."""
    pictures = x01.permute(0, 2, 3, 1).cpu().numpy()
    resized = np.stack([filters.resize(picture, side, side, "bicubic") for picture in pictures])
    return torch.from_numpy(resized).permute(0, 3, 1, 2).to(x01.device)


class SqueezeFeatures(nn.Module):
    """x01 (N, 1 or 3, H, W) of any size -> (N, 512): fire9 of the picture at 224 x 224, mean over places."""

    def __init__(self, given: str | Path | None = None) -> None:
        super().__init__()
        self.network = load_features("squeezenet1_1", given)

    def forward(self, x01: Tensor) -> Tensor:
        x11 = 2 * antialiased(x01.float().expand(-1, 3, -1, -1), SQUEEZE_SIDE) - 1
        return self.network(x11, [LAST])[LAST].mean((2, 3))


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of two Gaussians, |m1 - m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2)), with the means and
    (unbiased) covariances of features (N, D) and (M, D), N and M from 2 on.

    With S1 = A'A and S2 = B'B the eigenvalues of S1 S2 are the squared singular values of AB', so that no
    root of a singular matrix is taken.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} pictures: a covariance needs 2 or more of each")
    roots = [_root(x.astype(np.float64)) for x in (a, b)]
    shift = a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)
    between = roots[0] @ roots[1].T
    # Roots of eigenvalues: four times as fast as singular values, exact to 1e-8 of the largest.
    crossed = np.sqrt(np.linalg.eigvalsh(between @ between.T).clip(min=0)).sum()
    return float(max(0.0, (shift**2).sum() + sum((root**2).sum() for root in roots) - 2 * crossed))


def _root(features: np.ndarray) -> np.ndarray:
    """A with A'A the covariance, min(N, D) rows."""
    root = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    if len(root) <= root.shape[1]:
        return root
    values, vectors = np.linalg.eigh(root.T @ root)
    return (vectors * np.sqrt(values.clip(min=0))).T


def kernel_distance(a: np.ndarray, b: np.ndarray, block: int = 1024) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy of features (N, D) and (M, D) under the
    kernel (x.y / D + 1)^3; about 0, and at times below, for sets that are alike.

    Over all pairs at once; others take the mean over random subsets, which estimates the same number.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} pictures: this needs 2 or more of each")
    a, b = a.astype(np.float64), b.astype(np.float64)
    within = [(_kernels(x, x, block) - _own(x)) / (len(x) * (len(x) - 1)) for x in (a, b)]
    return float(sum(within) - 2 * _kernels(a, b, block) / (len(a) * len(b)))


def _kernels(a: np.ndarray, b: np.ndarray, block: int) -> float:
    """The sum of the kernel over all pairs."""
    starts = range(0, len(a), block)
    return float(sum(((a[i : i + block] @ b.T / a.shape[1] + 1) ** 3).sum() for i in starts))


def _own(a: np.ndarray) -> float:
    return float((((a**2).sum(1) / a.shape[1] + 1) ** 3).sum())


class Collected:
    """Features of pictures by role ("output", "target", ...), for those distances that are asked for."""

    def __init__(self, encoders: dict[str, nn.Module], distances: dict[str, tuple[str, Distance]]) -> None:
        """`distances`: name -> (encoder, function of two sets of features)."""
        self.encoders, self.distances = encoders, distances
        self._features: dict[tuple[str, str], list[np.ndarray]] = {}

    @property
    def roles(self) -> list[str]:
        """Those that were added, but for the targets."""
        return list(dict.fromkeys(role for _, role in self._features if role != "target"))

    @property
    def known(self) -> list[str]:
        """All roles that were added."""
        return list(dict.fromkeys(role for _, role in self._features))

    def count(self, role: str) -> int:
        """How many pictures of a role were added."""
        return sum(map(len, self._features.get((next(iter(self.encoders)), role), [])))

    def forget(self, role: str) -> None:
        """Drop what was added of a role."""
        self._features = {key: value for key, value in self._features.items() if key[1] != role}

    def add(self, role: str, x01: Tensor) -> None:
        """Note a batch (N, C, H, W) in [0, 1], on the encoders' device."""
        with torch.inference_mode():
            for name, encoder in self.encoders.items():
                self._features.setdefault((name, role), []).append(encoder(x01).cpu().numpy())

    def result(self, role: str = "output", other: str = "target") -> dict[str, float]:
        """Each distance of that role's pictures from the other's; NaN where there are fewer than 2."""
        return {
            name: self._distance(encoder, (role, other), how)
            for name, (encoder, how) in self.distances.items()
        }

    def _distance(self, encoder: str, roles: tuple[str, str], how: Distance) -> float:
        sets = [self._features.get((encoder, one), []) for one in roles]
        if any(sum(map(len, features)) < 2 for features in sets):
            return float("nan")
        return how(*(np.concatenate(features) for features in sets))


Distance = Callable[[np.ndarray, np.ndarray], float]
