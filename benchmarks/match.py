"""How far match-recipe is off, on photographs that our own recipes made bad: docs/match-recipe.md.

    python -m benchmarks.match folders PHOTOS    what recipes say beside what was hidden
    python -m benchmarks.match single PHOTOS     how far apart the estimates of equally bad images lie
    python -m benchmarks.match proof PHOTOS      statistics of bad images beside those that the recipe made

Half of the photographs, shrunk by a third so that their own compression is gone, are made bad by a hidden
recipe; of the other half, 40 are the clean images.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from gantrans.degrade.estimate_blur import edge_ratio
from gantrans.degrade.estimate_jpeg import from_comb
from gantrans.degrade.recipe import degrade, parse_recipe
from gantrans.imaging.listing import list_images
from gantrans.imaging.write import write
from gantrans.match.fit import Step
from gantrans.match.measure import Looked, look, made_alike
from gantrans.match.propose import Account, match
from gantrans.match.text import recipe_yaml

HIDDEN: dict[str, list[Any]] = {
    "nothing": [],
    "noise 3": [{"gaussian_noise": {"sigma_levels": 3, "grey": 1}}],
    "noise 10, colour": [{"gaussian_noise": {"sigma_levels": 10, "grey": 0}}],
    "noise 25": [{"gaussian_noise": {"sigma_levels": 25, "grey": 1}}],
    "jpeg 15": [{"jpeg": {"quality": 15}}],
    "jpeg 85": [{"jpeg": {"quality": 85}}],
    "blur 0.8": [{"gaussian_blur": {"sigma_px": 0.8}}],
    "blur 2": [{"gaussian_blur": {"sigma_px": 2}}],
    "blur 3.5": [{"gaussian_blur": {"sigma_px": 3.5}}],
    "noise 10, jpeg 50": [{"gaussian_noise": {"sigma_levels": 10, "grey": 1}}, {"jpeg": {"quality": 50}}],
    "noise 5, jpeg 80": [{"gaussian_noise": {"sigma_levels": 5, "grey": 1}}, {"jpeg": {"quality": 80}}],
    "noise 5, jpeg 30": [{"gaussian_noise": {"sigma_levels": 5, "grey": 1}}, {"jpeg": {"quality": 30}}],
    "blur 1.5, noise 8": [{"gaussian_blur": {"sigma_px": 1.5}}, {"gaussian_noise": {"sigma_levels": 8}}],
    "blur 1.5, noise 12, jpeg 40": [
        {"gaussian_blur": {"sigma_px": 1.5}},
        {"gaussian_noise": {"sigma_levels": 12, "grey": 1}},
        {"jpeg": {"quality": 40}},
    ],
    "ranges": [
        {"gaussian_blur": {"sigma_px": [1, 2.5]}},
        {"gaussian_noise": {"sigma_levels": [6, 14], "grey": 1}},
        {"jpeg": {"quality": [50, 85]}},
    ],
    "half of them": [
        {"maybe": {"p": 0.5, "do": [{"gaussian_noise": {"sigma_levels": 10, "grey": 1}}]}},
        {"maybe": {"p": 0.5, "do": [{"jpeg": {"quality": 40}}]}},
    ],
    "cast alone": [{"colour_cast": {"strength": 0.5, "hue_deg": 40}}],
    "gray alone": ["gray"],
    "down_up 2": [{"down_up": {"factor": 2}}],
    "defocus 3": [{"defocus_blur": {"radius_px": 3}}],
    "poisson": [{"poisson_noise": {"peak_photons": 100}}],
}


def shrunk(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        size = (image.width * 2 // 3, image.height * 2 // 3)
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def make(photos: list[Path], folder: Path, steps: list[Any], seed: int = 0) -> Path:
    """The photographs made bad, as PNG, or as they are where there are no steps."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = parse_recipe({"name": "hidden", "steps": steps}) if steps else None
    for path in photos:
        pixels = shrunk(path)
        bad = degrade(recipe, pixels, seed=seed, key=path.stem)[0] if recipe else pixels
        write(folder / f"{path.stem}.png", bad)
    return folder


def told(account: Account) -> str:
    return "; ".join(map(_line, account.fit.steps)) or "nothing"


def _line(step: Step) -> str:
    some = "" if step.share >= 0.8 else f" in {step.share:.0%}"
    each = " colour" if step.parameters.get("grey") == 0 else ""
    return f"{step.operation} {step.median:g} ({step.low:g} to {step.high:g}){each}{some}"


def folders(photos: list[Path], work: Path) -> None:
    """What a folder's recipe says, for each hidden one."""
    clean = make(photos[1::2][:: max(1, len(photos) // 80)], work / "clean", [])
    print("| hidden | with clean= | without |\n|---|---|---|")
    for number, (name, steps) in enumerate(HIDDEN.items()):
        bad = make(photos[::2][:50], work / f"bad-{number}", steps)
        print(f"| {name} | {told(match(bad, clean, 200))} | {told(match(bad, None, 200))} |", flush=True)


def proof(photos: list[Path], work: Path) -> None:
    """A hidden recipe on half of the photographs, the matched one on the other half: are both as bad?"""
    clean = make(photos[1::2][:40], work / "proof-clean", [])
    bad = make(photos[::2][:40], work / "proof-bad", HIDDEN["ranges"], seed=3)
    account = match(bad, clean, 200)
    steps = yaml.safe_load(recipe_yaml(account, "bad"))["steps"]
    print(f"matched: {told(account)}\n")
    print("| 10th, 50th, 90th percentile | hidden | matched | clean |\n|---|---|---|---|")
    sides = [bad, make(photos[1::2][:40], work / "proof-matched", steps, seed=4), clean]
    looked = [[look(folder, name) for name in list_images(folder)] for folder in sides]
    for what, of in {
        "noise, levels": lambda one: one.noise().sigma,
        "edge ratio (falls with blur)": lambda one: edge_ratio(one.pixels, 8.0),
        "JPEG quality": lambda one: one.jpeg.quality if one.jpeg else None,
    }.items():
        cells = [_percentiles([of(one) for one in side]) for side in looked]
        print(f"| {what} | {' | '.join(cells)} |")


def single(photos: list[Path], work: Path) -> None:
    """Single images, noise and JPEG: the 10th, 50th and 90th percentile of what is told of equal ones."""
    del work
    looked = [Looked(path.stem, shrunk(path), None) for path in photos[::8]]
    print("| noise | JPEG | noise told | quality told |\n|---|---|---|---|")
    for sigma, quality in itertools.product((0, 4, 8, 15, 25), (None, 80, 50, 30)):
        noisy = [{"gaussian_noise": {"sigma_levels": sigma, "grey": 1}}] if sigma else []
        alike = made_alike(looked, noisy + ([{"jpeg": {"quality": quality}}] if quality else []))
        combs = [from_comb(one.pixels) for one in alike] if sigma in (0, 8) else []
        noises = _percentiles([one.noise().sigma for one in alike])
        qualities = _percentiles([c.quality if c else None for c in combs]) if combs else ""
        print(f"| {sigma} | {quality or 'no'} | {noises} | {qualities} of {len(combs)} |", flush=True)


def _percentiles(found: list[float | None]) -> str:
    known = [f for f in found if f is not None]
    if len(known) < len(found) / 4:
        return "not told"
    return ", ".join(f"{p:.3g}" for p in np.percentile(known, [10, 50, 90]))


def main() -> None:
    root = Path(sys.argv[2])
    photos = [root / name for name in list_images(root)]
    with tempfile.TemporaryDirectory() as work:
        {"folders": folders, "proof": proof, "single": single}[sys.argv[1]](photos, Path(work))


if __name__ == "__main__":
    main()
