"""gantrans from Python: apply a bundle, make pairs in memory, train. The same code as the verbs.

    from gantrans.api import Model, Pairs, train

    restore = Model("RUN")                                  # a run folder or a bundle
    restore(Image.open("old.jpg")).save("new.png")          # a PIL picture of any size
    outputs_x01 = restore(batch_x01)                        # or a tensor (N, C, H, W) in [0, 1]

Pictures are as in gantrans/types.py: arrays (H, W, C) of uint8 or uint16, tensors (N, C, H, W). Every
failure that a caller can mend is a GantransError (gantrans/errors.py). docs/examples has complete files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from PIL import Image, ImageOps

from gantrans.build.config import compose_verb, require
from gantrans.build.recipe import build_recipe
from gantrans.degrade.recipe import crop_to_multiple, degrade
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import decode, filters, ranges

if TYPE_CHECKING:
    from torch import Tensor


class Model:
    """The generator of a bundle, ready to be called.

    path: a run folder or a bundle. direction: "to_source" is the way back of a model that has one. device,
    precision, tile and ensemble: as the keys of `gantrans translate`. Raises CheckpointError for what is no
    sound bundle, ConfigError for a value that is not accepted.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        direction: str = "to_target",
        device: str = "auto",
        precision: str = "auto",
        tile: int | None = None,
        ensemble: bool = False,
    ) -> None:
        from gantrans.bundles.bundle import load_bundle
        from gantrans.cli.options import way_of
        from gantrans.core.device import open_core
        from gantrans.inference.predictor import Predictor

        network, self.card = load_bundle(Path(path).expanduser(), way_of(direction))
        core = open_core(device, precision)
        self.predictor = Predictor(network, self.card, core, tile=tile, ensemble=ensemble)

    @overload
    def __call__(self, source: Image.Image, mask: Image.Image | None = None) -> Image.Image: ...
    @overload
    def __call__(self, source: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray: ...
    @overload
    def __call__(self, source: Tensor, mask: None = None) -> Tensor: ...

    def __call__(
        self,
        source: Image.Image | np.ndarray | Tensor,
        mask: Image.Image | np.ndarray | None = None,
    ) -> Image.Image | np.ndarray | Tensor:
        """Translate, and answer in kind.

        A PIL picture: any mode and size; turned upright as its EXIF says, alpha kept. An array: (H, W, C)
        uint8 or uint16. A tensor: (N, C, H, W) x01 with the model's own channels, and the mask as its last
        one if the model takes one; the answer is on the run's device. mask: 0 untouched to 255 hidden, of
        the picture's size. Raises DataError for a picture that is not of these kinds.
        """
        if isinstance(source, Image.Image):
            return self._picture(source, mask)
        if isinstance(source, np.ndarray):
            return self._array(source, None if mask is None else np.asarray(mask))
        return self._batch(source)

    def _picture(self, source: Image.Image, mask: Image.Image | np.ndarray | None) -> Image.Image:
        upright = ImageOps.exif_transpose(source)
        upright.load()  # so that Pillow's own 8 bits are what is seen
        if self.card.source_mode == "labels":
            pixels, alpha = np.asarray(upright)[..., None], None
        else:
            try:
                pixels, alpha = decode.samples(upright, lambda: upright)
            except decode.Refused as error:
                raise DataError(f"the picture {error}") from error
        hidden = np.asarray(mask.convert("L")) if isinstance(mask, Image.Image) else mask
        made = self._array(pixels, hidden)
        if alpha is None:
            return Image.fromarray(made[..., 0] if made.shape[2] == 1 else made)
        if alpha.shape != made.shape[:2]:
            wide = filters.resize(ranges.to_x01(alpha[..., None]), made.shape[0], made.shape[1], "bicubic")
            alpha = ranges.from_x01(wide, alpha.dtype)[..., 0]
        return Image.fromarray(np.dstack([made, alpha]))

    def _array(self, pixels: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        if pixels.ndim != 3 or pixels.dtype not in (np.uint8, np.uint16) or 0 in pixels.shape:
            raise DataError(
                f"found {pixels.dtype} {pixels.shape}; needed are pixels (H, W, C), uint8 or uint16"
            )
        if mask is not None:
            mask = mask.reshape(*mask.shape[:2], -1)[..., :1]
            if mask.shape[:2] != pixels.shape[:2] or mask.dtype != np.uint8:
                raise DataError(
                    f"the mask is {mask.dtype} {mask.shape[:2]}, the picture {pixels.shape[:2]}; needed are "
                    "uint8 and one size"
                )
        try:
            return self.predictor(pixels, mask)
        except ValueError as error:
            raise DataError(str(error)) from error

    def _batch(self, source_x01: Tensor) -> Tensor:
        card = self.card
        wanted = card.channels(card.source_mode) + (card.mask == "input")
        if source_x01.ndim != 4 or source_x01.shape[1] != wanted or not source_x01.is_floating_point():
            raise DataError(
                f"found {source_x01.dtype} {tuple(source_x01.shape)}; this model takes floats in [0, 1], "
                f"(N, {wanted}, H, W)"
            )
        if card.scale > 1 and not card.enlarges:
            raise DataError("this model wants sources that are enlarged first; give it pictures or arrays")
        return self.predictor.predict_x01(source_x01)


class Pairs:
    """Makes pairs in memory, the very ones that `gantrans pairs` makes under the same seed and key.

    recipe: a name of conf/recipe, or a .yaml file. plugins: modules whose classes the recipe may name. Raises
    ConfigError.
    """

    def __init__(self, recipe: Path | str, *, seed: int = 0, plugins: Sequence[str] = ()) -> None:
        node = compose_verb("pairs", [f"recipe={recipe}"]).recipe
        self.recipe, self.seed = build_recipe(node, list(plugins)), seed

    def __call__(
        self, key: str, clean: np.ndarray | Image.Image, *, draw: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Source (H / scale, W / scale, C) and target (H, W, C) of one clean picture, in its dtype.

        clean: (H, W, 1 or 3) uint8 or uint16, or a PIL picture; cut at right and bottom to a multiple of
        the recipe's scale. key: its address, for `gantrans pairs` the path below source= without the
        suffix; draw: 0, 1, 2 ... are other degradations of the same picture. Raises DataError, ConfigError.
        """
        if isinstance(clean, Image.Image):
            upright = ImageOps.exif_transpose(clean)
            upright.load()
            clean, _ = decode.samples(upright, lambda: upright)
        if clean.ndim != 3 or clean.shape[2] not in (1, 3) or clean.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"{key}: found {clean.dtype} {clean.shape}; needed is (H, W, 1 or 3), uint8 or uint16"
            )
        target = crop_to_multiple(clean, self.recipe.scale)
        if 0 in target.shape:
            raise DataError(
                f"{key}: {clean.shape[1]}x{clean.shape[0]} is smaller than scale {self.recipe.scale}"
            )
        source, _ = degrade(self.recipe, target, seed=self.seed, key=key, draw=draw)
        return source, target


def train(run: Path | str, *overrides: str, config_dir: Path | str | None = None) -> float | None:
    """What `gantrans train run.dir=RUN KEY=VALUE ...` does; returns the best validation value, if any.

    A class of your own needs its module in plugins=[...], and its choice, as DIR/method/mine.yaml, the
    folder DIR as config_dir. Guard the call with `if __name__ == "__main__"`, as loader processes import
    your script. Raises any GantransError; RUN then tells in status.json how far it came.
    """
    from gantrans.cli.train import launch

    if any(o.startswith("run.dir=") for o in overrides):
        raise ConfigError("run.dir: is what train() is given first; leave it out of the keys")
    words = [f"run.dir={run}", *overrides]
    config = compose_verb("train", words, None if config_dir is None else str(config_dir))
    require(config)
    return launch(config, words)
