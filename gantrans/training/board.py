"""What TensorBoard shows and under which names: charts, the layout of those that belong together, and how
large pictures are and how many are kept."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

# metric names of the steps -> the TensorBoard charts they are drawn in
_GROUPS = {"G_": "loss_generator", "D_": "loss_discriminator", "grad_": "gradients", "lr_": "learning_rate"}
QUALITY = 85  # of the JPEGs in event files; samples/ keeps the strips without loss
TALL = 3  # pictures are at most this many times as tall as their greatest width
ALL, HALVE = 50, 50  # validations whose pictures are all kept, and how many more until half as many are

# Pages and charts of the Custom Scalars tab: title -> title -> patterns of chart names. A chart none of whose
# names exists in a run is left out of its layout.
Layout = dict[str, dict[str, list[str]]]
LAYOUT: Layout = {
    "Is the game balanced? Generator against discriminator": {
        "losses of G (GAN) and D": [r"loss_generator/G_GAN.*", r"loss_discriminator/D_(real|fake).*"],
        "D on real against D on fake (equal: balanced)": [r"loss_discriminator/D_(real|fake).*"],
        "logits, real less fake (0: fooled)": [r"loss_discriminator/D_gap.*"],
        "share of patches that D tells (0.5: fooled)": [r"loss_discriminator/D_accuracy.*"],
        "gradient norms": [r"gradients/.*"],
    },
    "Does it learn by heart? Training images against validation images": {
        "PSNR [dB], training and validation": [r"val/psnr", r"val/psnr_train"],
    },
    "Is it better than doing nothing? Output against input": {
        "PSNR [dB]": [r"val/psnr", r"val/psnr_input"],
        "SSIM": [r"val/ssim", r"val/ssim_input"],
        "PSNR [dB] where covered": [r"val/psnr_inside", r"val/psnr_inside_input"],
        "accuracy, and that of the commonest class": [r"val/pixel_accuracy", r"val/majority_accuracy"],
    },
    "Is the translation sound?": {
        "round trip, mean error": [r"val/cycle_l1.*"],
        "output differs from input": [r"health/change.*"],
        "outputs differ from each other (0: collapse)": [r"health/diversity.*"],
    },
    "Is the machine busy?": {
        "images per second": [r"speed/images_per_second"],
        "share of time spent waiting for data": [r"speed/data_wait_share"],
    },
}


def chart(name: str, split: str) -> str:
    """The chart of a metric: "G_L1" of "train" -> "loss_generator/G_L1"."""
    if split == "val":
        return f"health/{name.removeprefix('health_')}" if name.startswith("health_") else f"val/{name}"
    group = next((group for prefix, group in _GROUPS.items() if name.startswith(prefix)), "train")
    return f"{group}/{name.removeprefix('grad_').removeprefix('lr_')}"


def layout(charts: Iterable[str]) -> Layout:
    """LAYOUT with the charts that these names fill, each pattern anchored at both ends."""
    import re

    names = list(charts)
    pages: Layout = {}
    for page, drawn in LAYOUT.items():
        for title, patterns in drawn.items():
            filled = [p for p in patterns if any(re.fullmatch(p, name) for name in names)]
            if len(filled) == len(patterns):
                pages.setdefault(page, {})[title] = [f"^{p}$" for p in filled]
    return pages


def keeps_pictures(validation: int) -> bool:
    """Whether pictures and histograms of validation number `validation` (0 the first) go into the events.

    All of the first 50, then each second up to 100, each fourth up to 200 and so on: 25 more whenever a run
    doubles, so that an event file stays small however long it becomes.
    """
    return validation < ALL or validation % (1 << (validation // HALVE).bit_length()) == 0


def encoded(pixels: np.ndarray, width: int) -> tuple[bytes, int, int]:
    """A picture (H, W, 3) uint8 as a JPEG at most `width` wide and TALL times that tall, and its height and
    width."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = min(1.0, width / image.width, TALL * width / image.height)
    if scale < 1:
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    held = io.BytesIO()
    image.save(held, "JPEG", quality=QUALITY)
    return held.getvalue(), image.height, image.width
