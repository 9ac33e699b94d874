"""A degradation of your own: rain. Two methods and a scale, in a file anywhere; docs/guide/1-restore.md.

    gantrans pairs source=PHOTOS recipe=my_degradation.yaml plugins=[my_degradation] preview=true
    gantrans train experiment=restore data.root=PHOTOS recipe=my_degradation.yaml plugins=[my_degradation]

Run them in the folder of this file, or put it on PYTHONPATH.
"""

from __future__ import annotations

import numpy as np


class Rain:
    """Bright slanted streaks. amount: their share of the picture, 0 to 0.2. length_px: of each, at most."""

    scale = 1  # the degraded picture is as large as the clean one; 2 would mean half its size

    def __init__(self, amount: float = 0.02, length_px: int = 12) -> None:
        if not 0 <= amount <= 0.2:
            raise ValueError(f"amount={amount}: accepted is 0 to 0.2")
        self.amount, self.length_px = amount, length_px

    def sample(self, rng: np.random.Generator) -> dict[str, float]:
        """All chance is here. What it returns is written into the manifest and can be read by people."""
        return {"slant": float(rng.uniform(-0.5, 0.5)), "light": float(rng.uniform(0.3, 0.8)),
                "seed": int(rng.integers(2**32))}  # fmt: skip

    def forward(self, x01: np.ndarray, params: dict[str, float]) -> np.ndarray:
        """(H, W, C) float32 in [0, 1] -> the same, degraded. Equal arguments must give equal bits."""
        rng = np.random.default_rng(int(params["seed"]))
        height, width = x01.shape[:2]
        drops = rng.random((height, width)) < self.amount / self.length_px
        rain = np.zeros((height, width), np.float32)
        for step in range(self.length_px):
            fallen = np.roll(drops, (step, round(step * params["slant"])), axis=(0, 1))
            rain = np.maximum(rain, fallen * params["light"])
        return (x01 + (1 - x01) * rain[..., None]).astype(np.float32)
