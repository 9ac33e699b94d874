"""Feed-forward style transfer (Johnson et al. 2016): a generator learns one style from photos alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gantrans.errors import DataError
from gantrans.imaging import colour, filters, ranges
from gantrans.imaging.read import read
from gantrans.losses.perceptual import (
    even_contents,
    even_styles,
    feature_distance,
    gram,
    gram_style,
    total_variation,
)
from gantrans.methods.base import Phase, Role, check_counts, check_weights, reported, total
from gantrans.methods.gatys import LAYERS, LEAST, looked_at
from gantrans.nets.features import FeatureNet, Features, check_network, load_features
from gantrans.types import Batch, Metrics, Networks, Shapes

UNCUT = 512  # pixels of the style picture's longer side where no crop tells what photos are like


class StyleFast:
    """generator: content_weight * content + style_weight * style + tv_weight * total variation.

    Content is the squared difference of activations between output and source, style that of Gram matrices
    between output and the style picture, each in shares of what its own picture has (methods/gatys.py). The
    batch's target is not looked at. style: the file of the style picture, looked at with `style_size` pixels
    on its longer side (None: twice the crop's). features: the network that looks, of the file or folder
    `weights`.

    The frozen network and the Grams live in the helper "look". The Grams are its buffers, so that a resumed
    run goes on with them; the frozen weights are read again from their file and are in no checkpoint.

    Reports G_content, G_style and G_tv, each times its weight.
    """

    learns_from = "pairs"
    compares = False  # with the photo: it is no target
    phases = (Phase("generator", trains=("generator",)),)

    def __init__(
        self,
        style: str | None = None,
        features: str = "squeezenet1_1",
        weights: str | None = None,
        style_size: int | None = None,
        content_weight: float = 1.0,
        style_weight: float = 30.0,
        tv_weight: float = 1.0,
    ) -> None:
        check_network(features)
        check_weights(content_weight=content_weight, style_weight=style_weight, tv_weight=tv_weight)
        if style_weight == 0:
            raise ValueError("style_weight=0 leaves no style to learn; accepted is more than 0")
        if style_size is not None:
            check_counts(least=LEAST, style_size=style_size)
        if style is not None and not Path(style).expanduser().is_file():
            raise ValueError(f"style={style}: no such file; give the picture whose style is to be learned")
        self.style, self.features, self.weights, self.style_size = style, features, weights, style_size
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            Role("look", "helper", build=lambda _, shapes: self._look(shapes)),
        )

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where there is no style, or the domains do not suit the losses."""
        if self.style is None:
            raise ValueError(
                "style is missing; give the picture whose style is to be learned: method.style=FILE"
            )
        if shapes["source"][0] not in (1, 3):
            raise ValueError(f"source has {shapes['source'][0]} channels; use data.mask=none")

    def _look(self, shapes: Shapes) -> StyleLook:
        assert self.style is not None
        crop = shapes["source"][1]
        size = self.style_size or (UNCUT if crop is None else 2 * crop)
        picture = style_picture(Path(self.style).expanduser(), size, grey=shapes["target"][0] == 1)
        return StyleLook(load_features(self.features, self.weights), LAYERS[self.features], picture)

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        return {"output": networks["generator"](batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        content, style = networks["look"](shared["output"], batch.source)
        terms = {"G_content": self.content_weight * content, "G_style": self.style_weight * style}
        if self.tv_weight:
            terms["G_tv"] = self.tv_weight * total_variation(shared["output"])
        return total(terms), reported(terms)


class StyleLook(nn.Module):
    """`look(output, source)`: the distances of content and of style, 0-d each; x11 (N, 1 or 3, H, W).

    layers: of content and of style. picture: the style's, x11 (1, C, H, W); only its Gram matrices are kept.
    """

    def __init__(
        self, features: FeatureNet, layers: tuple[tuple[str, ...], tuple[str, ...]], picture: Tensor
    ) -> None:
        super().__init__()
        self.features = features
        self.contents, self.styles = layers
        with torch.no_grad():
            for layer, found in features(picture, self.styles).items():
                self.register_buffer(f"gram_{layer}", gram(found))

    def forward(self, output: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            wanted: Features = self.features(source, self.contents)
        found = self.features(output, {*self.contents, *self.styles})
        grams = {layer: self.get_buffer(f"gram_{layer}") for layer in self.styles}
        content = feature_distance(found, wanted, even_contents(wanted))
        return content, gram_style(found, grams, even_styles(grams))


def style_picture(path: Path, size: int, *, grey: bool = False) -> Tensor:
    """A picture file as x11 (1, 3 or 1, H, W), its longer side `size` pixels unless it is no longer anyway,
    or its shorter one would come below LEAST.

    Raises UnreadableImage, and DataError for a picture that is too small.
    """
    picture = read(path)
    pixels = colour.over_white(picture.pixels, picture.alpha)
    x01 = ranges.to_x01(colour.to_grey(pixels) if grey else colour.to_rgb(pixels))
    try:
        height, width = looked_at(x01.shape[0], x01.shape[1], size)
    except ValueError as error:
        raise DataError(f"style={path}: {error}; give a larger picture") from error
    if (height, width) != x01.shape[:2]:
        x01 = filters.resize(x01, height, width, "bicubic")
    tensor = torch.from_numpy(np.ascontiguousarray(x01)).permute(2, 0, 1)[None]
    return ranges.x11_from_x01(tensor).contiguous()
