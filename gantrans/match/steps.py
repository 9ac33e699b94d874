"""Each step of a matched recipe: what its estimates say of a folder, beside clean pictures made alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gantrans.degrade.estimate_blur import sigma_of
from gantrans.degrade.estimate_jpeg import JpegFound
from gantrans.degrade.estimate_noise import NoiseFound
from gantrans.match.fit import LUMA_NORM, Fit, highest, share_above, spread, step, usable, without
from gantrans.match.measure import BLURS_PX, Looked, blur_curve, made_alike, ratios_of

_FAINT = 93  # qualities from here on leave nothing to learn
_LOUD = 3.0  # levels; without clean images to compare with, less than that may be the pictures' own
_ABOVE_FLOOR = 1.4  # of what compression leaves of noise; texture is taken for noise just above the floor
_MOST_HAVE_IT = 0.6  # share; some pictures of any folder are textured all over
_FEW_IMAGES = 8  # fewer, without clean ones beside them, may all be textured
_FEW_POINTS = 4  # of the curve from edges to blur


@dataclass
class Measured:
    """A folder of bad pictures, one entry a picture."""

    folder: Path
    names: list[str] = field(default_factory=list)
    jpegs: list[JpegFound | None] = field(default_factory=list)
    noises: list[NoiseFound] = field(default_factory=list)

    def add(self, one: Looked) -> None:
        self.names.append(one.key)
        self.jpegs.append(one.jpeg)
        self.noises.append(one.noise())


def jpeg_step(fit: Fit, measured: Measured, clean: list[Looked]) -> None:
    visible = [j for j in measured.jpegs if j is not None and j.quality < _FAINT]
    share = len(visible) / len(measured.jpegs)
    if clean:
        share = min(share, share_above(-_qualities(measured.jpegs), -_qualities([c.jpeg for c in clean])))
    if share < 0.25:
        seen = "no worse than in clean images" if visible and clean else f"seen in {len(visible)} images"
        fit.absent["jpeg"] = f"{seen}; resizing, cropping or noise that came later hide it"
        return
    exact = sum(j.exact for j in visible)
    told = f"tables of {exact} files, DCT combs of {len(visible) - exact}; the last compression only"
    found = spread(np.array([j.quality for j in visible]))
    fit.steps.append(step("jpeg", {"quality": None}, "", found, share, len(measured.jpegs), told, 0))


def _qualities(jpegs: list[JpegFound | None]) -> np.ndarray:
    return np.array([100 if j is None else j.quality for j in jpegs])


def noise_step(fit: Fit, measured: Measured, clean: list[Looked]) -> None:
    known = [n for n in measured.noises if n.sigma is not None]
    sigmas = np.array([n.sigma for n in known])
    floor = float(np.median([n.floor for n in measured.noises]))
    hidden = f"; below {floor:.0f} levels this compression hides it" if floor > 1 else ""
    if len(sigmas) < max(3, len(measured.noises) / 4):
        fit.absent["gaussian_noise"] = f"texture hides it in all but {len(sigmas)} images{hidden}"
        return
    base = _sigmas(made_alike(clean, fit.plain()))
    share = share_above(sigmas, base) if clean else _loud(sigmas, floor)
    if not share:
        what = "no more than in clean images" if clean else f"less than {_LOUD:g} levels, or too unsure"
        fit.absent["gaussian_noise"] = what + hidden
        return
    sigmas = without(sigmas, float(np.median(base)) if len(base) else 0.0)
    own = _own_spread(clean, float(np.median(highest(sigmas, share))), fit.plain())
    each = np.array([n.colour is not None and n.colour > 0.5 for n in known])
    found = spread(highest(sigmas / np.where(each, LUMA_NORM, 1), share), own)
    unknown = ", grey as JPEG hides its colour" if any(n.floor for n in known) else ""
    told = f"in smooth areas{unknown}{hidden}"
    grey = float(np.round(1 - each.mean(), 1))
    parameters = {"sigma_levels": None, "grey": grey}
    fit.steps.insert(0, step("gaussian_noise", parameters, "levels", found, share, len(sigmas), told, 1))


def _sigmas(looked: list[Looked]) -> np.ndarray:
    found = [one.noise().sigma for one in looked]
    return np.array([s for s in found if s is not None])


def _loud(sigmas: np.ndarray, floor: float) -> float:
    """The share with more noise than pictures have of their own; 0 where it is not most of them."""
    share = float((sigmas > max(_LOUD, _ABOVE_FLOOR * floor)).mean())
    return share if share >= _MOST_HAVE_IT and len(sigmas) >= _FEW_IMAGES else 0.0


def _own_spread(clean: list[Looked], sigma: float, after: list[dict[str, Any]]) -> float:
    """How far apart estimates lie (10th to 90th percentile) where the noise is the same."""
    noise = {"gaussian_noise": {"sigma_levels": sigma, "grey": 1.0}}
    found = _sigmas(made_alike(clean, [noise, *after]))
    return float(np.ptp(np.percentile(found, [10, 90]))) if len(found) else 0.0


def blur_step(fit: Fit, measured: Measured, clean: list[Looked]) -> None:
    if not clean:
        fit.absent["gaussian_blur"] = "not measured without clean=FOLDER: subjects are soft or sharp, too"
        return
    noise_levels = _luma_noise(fit)
    curve, ratios = blur_curve(clean, fit.plain(), noise_levels)
    points = usable(curve, np.array(BLURS_PX))
    found = ratios_of(measured.folder, measured.names, noise_levels)
    if len(found) < max(3, len(measured.names) / 4):
        fit.absent["gaussian_blur"] = f"edges stand out from noise and texture in {len(found)} images only"
        return
    share = share_above(-found, -ratios[0])
    if not share or points < _FEW_POINTS:
        sharp = "edges are as sharp as in clean images"
        fit.absent["gaussian_blur"] = "noise and compression hide it" if points < _FEW_POINTS else sharp
        return
    blurs, curve = np.array(BLURS_PX[:points]), curve[:points]
    strong = highest(np.array([sigma_of(r, blurs, curve) for r in found]), share)
    nearest = int(np.argmin(np.abs(blurs - np.median(strong))))
    own = np.percentile([sigma_of(r, blurs, curve) for r in ratios[nearest]], [10, 90])
    told = f"edges beside those of clean images blurred; {blurs[-1]:g} px stands for more, too"
    widths = spread(strong, float(np.ptp(own)))
    fit.steps.insert(0, step("gaussian_blur", {"sigma_px": None}, "px", widths, share, len(found), told, 2))


def _luma_noise(fit: Fit) -> float:
    """Levels of noise that luma has in the recipe so far."""
    for one in fit.steps:
        if one.operation == "gaussian_noise":
            return one.median * (LUMA_NORM + (1 - LUMA_NORM) * one.parameters["grey"])
    return 0.0
