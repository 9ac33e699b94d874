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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex, overload

import numpy as np
from PIL import Image

from gantrans import api_checks as checks
from gantrans.build.config import compose_verb, require
from gantrans.build.recipe import build_recipe
from gantrans.degrade.recipe import crop_to_multiple, degrade
from gantrans.errors import ConfigError, DataError
from gantrans.imaging import colour

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

        checks.of_kind("path", path, (str, Path), "a run folder or a bundle")
        checks.of_kind("direction", direction, str, "to_target or to_source")
        checks.of_kind("ensemble", ensemble, bool, "True or False")
        if tile is not None:
            tile = checks.whole_number(
                "tile", tile, "pixels, 0 (never in tiles) and None (as memory allows)", 0
            )
        network, self.card = load_bundle(Path(path).expanduser(), way_of(direction))
        card = replace(self.card, outside="copy") if checks.copies_outside(self.card) else self.card
        core = open_core(device, precision)
        self.predictor = Predictor(network, card, core, tile=tile, ensemble=ensemble)

    @overload
    def __call__(self, source: Image.Image, mask: Image.Image | np.ndarray | None = None) -> Image.Image: ...
    @overload
    def __call__(self, source: np.ndarray, mask: Image.Image | np.ndarray | None = None) -> np.ndarray: ...
    @overload
    def __call__(self, source: Tensor, mask: None = None) -> Tensor: ...

    def __call__(
        self,
        source: Image.Image | np.ndarray | Tensor,
        mask: Image.Image | np.ndarray | None = None,
    ) -> Image.Image | np.ndarray | Tensor:
        """Translate, and answer in kind.

        A PIL picture: any mode but "F", any size; turned upright as its EXIF says, alpha kept; 16-bit grey
        made colour comes out with 8 bits, as Pillow has no more. An array: (H, W, 1 or 3) uint8 or uint16,
        classes (H, W, 1). A tensor: (N, C, H, W) x01 of any float type with the model's own channels, and
        the mask as its last one if the model takes one; the answer is float32 on the run's device.
        mask: 0 untouched to 255 hidden, of the picture's size, of several channels the largest; a model that
        takes none has the source kept where it is 0, as `translate masks=` does. Raises DataError for what is
        not of these kinds, or does not fit the model.
        """
        from torch import Tensor

        if isinstance(source, Image.Image):
            return self._picture(source, mask)
        if isinstance(source, np.ndarray):
            return self._array(source, mask)
        if isinstance(source, Tensor):
            return self._batch(source, mask)
        raise checks.no_picture(
            "source", source, "a PIL picture, an array (H, W, C) or a tensor (N, C, H, W)"
        )

    def _picture(self, source: Image.Image, mask: object) -> Image.Image:
        pixels, alpha = checks.samples("the picture", source, classes=self.card.source_mode == "labels")
        return checks.picture_of(self._array(pixels, mask), alpha)

    def _array(self, pixels: np.ndarray, mask: object) -> np.ndarray:
        checks.check_pixels("source", pixels, (1,) if self.card.source_mode == "labels" else (1, 3))
        hidden = checks.mask_of(mask, pixels.shape[:2], self.card)
        try:
            return self.predictor(pixels, hidden)
        except ValueError as error:
            raise DataError(str(error)) from error

    def _batch(self, source_x01: Tensor, mask: object) -> Tensor:
        from gantrans.inference import memory

        if mask is not None:
            raise DataError(
                "mask: found one beside a tensor; "
                + ("needed is the mask as the tensor's last channel, 0 untouched to 1 hidden"
                   if self.card.mask == "input" else "this model takes none; leave it out")
            )  # fmt: skip
        batch = checks.checked_batch(source_x01, self.card)
        try:
            return self.predictor.predict_x01(batch)
        except ValueError as error:
            raise DataError(str(error)) from error
        except (RuntimeError, MemoryError) as error:
            if not memory.is_full(error):
                raise
            raise DataError(f"{tuple(batch.shape)} does not fit memory; give fewer or arrays") from error


class Pairs:
    """Makes pairs in memory, the very ones that `gantrans pairs` makes under the same seed and key.

    recipe: a name of conf/recipe, or a .yaml file. plugins: modules whose classes the recipe may name. Raises
    ConfigError.
    """

    def __init__(self, recipe: Path | str, *, seed: int = 0, plugins: Sequence[str] = ()) -> None:
        checks.of_kind("recipe", recipe, (str, Path), "a name of conf/recipe or a .yaml file")
        seed = checks.whole_number("seed", seed, "whole numbers")
        node = compose_verb("pairs", [f"recipe={recipe}"]).recipe
        self.recipe, self.seed = build_recipe(node, list(plugins)), seed

    def __call__(
        self, key: str, clean: np.ndarray | Image.Image, *, draw: SupportsIndex = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Source (H / scale, W / scale, C) and target (H, W, C) of one clean picture, in its dtype.

        clean: (H, W, 1 or 3) uint8 or uint16, or a PIL picture, which is laid over white; cut at right and
        bottom to a multiple of the recipe's scale. key: its address, for `gantrans pairs` the path below
        source= without the suffix; draw: 0, 1, 2 ... are other degradations of the same picture. Raises
        DataError, ConfigError.
        """
        checks.of_kind("key", key, str, "the address of the picture, a str")
        index = checks.whole_number("draw", draw, "0, 1, 2 ...", 0)
        if isinstance(clean, Image.Image):
            clean = colour.over_white(*checks.samples(f"{key}: the picture", clean))
        if not isinstance(clean, np.ndarray):
            raise checks.no_picture(key, clean, "a PIL picture or an array (H, W, 1 or 3)")
        checks.check_pixels(key, clean, (1, 3))
        target = crop_to_multiple(clean, self.recipe.scale)
        if 0 in target.shape:
            raise DataError(
                f"{key}: {clean.shape[1]}x{clean.shape[0]} is smaller than scale {self.recipe.scale}"
            )
        source, _ = degrade(self.recipe, target, seed=self.seed, key=key, draw=index)
        return source, target


def train(run: Path | str, *overrides: str, config_dir: Path | str | None = None) -> float | None:
    """What `gantrans train run.dir=RUN KEY=VALUE ...` does; returns the best validation value, if any.

    A class of your own needs its module in plugins=[...], and its choice, as DIR/method/mine.yaml, the
    folder DIR as config_dir. Guard the call with `if __name__ == "__main__"`, as loader processes import
    your script. Raises any GantransError; RUN then tells in status.json how far it came.
    """
    from gantrans.cli.train import launch

    for word in overrides:
        checks.of_kind("an override", word, str, "KEY=VALUE, a str")
    if any(o.startswith("run.dir=") for o in overrides):
        raise ConfigError("run.dir: is what train() is given first; leave it out of the keys")
    words = [f"run.dir={run}", *overrides]
    config = compose_verb("train", words, None if config_dir is None else str(config_dir))
    require(config)
    return launch(config, words)
