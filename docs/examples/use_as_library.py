"""gantrans as a library: pairs in memory, a training run with a method of one's own, and the model applied.

    python use_as_library.py PHOTOS RUN [KEY=VALUE ...]

PHOTOS is a folder of clean pictures, RUN a folder that is made. Further keys are those of `gantrans train`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gantrans.api import Model, Pairs, train

HERE = Path(__file__).parent
RAIN = HERE / "my_degradation.yaml"


def main(photos: Path, run: Path, *keys: str) -> None:
    # 1. Pairs in memory: the same seed and key give the same picture, here and in `gantrans pairs`.
    rain = Pairs(RAIN, seed=1, plugins=["my_degradation"])
    photo = sorted(photos.glob("*.png"))[0]
    source, target = rain(photo.stem, Image.open(photo))
    change = np.abs(source - target.astype(float)).mean()
    print(f"a pair of {photo.name}: {source.shape}, differing by {change:.1f} levels")

    # 2. Training, with the degradation and the method that lie beside this file.
    best = train(
        run,
        "experiment=restore", f"data.root={photos}", f"recipe={RAIN}",
        "method=my_method", "plugins=[my_method, my_degradation]", *keys,
        config_dir=HERE,
    )  # fmt: skip
    print(f"best PSNR {best:.2f} dB")

    # 3. The model: on a picture of any size, and on a batch in [0, 1].
    restore = Model(run)
    restore(Image.fromarray(source)).save(run / "restored.png")
    batch_x01 = torch.from_numpy(source).permute(2, 0, 1)[None] / 255
    print(f"a batch: {tuple(restore(batch_x01).shape)}")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
