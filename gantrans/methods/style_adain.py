"""Arbitrary style transfer (Huang & Belongie 2017): a decoder learns to paint in any style."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from gantrans.losses.perceptual import (
    even_contents,
    even_moments,
    feature_distance,
    moment_style,
    total_variation,
)
from gantrans.methods.base import Phase, Role, check_weights, reported, total
from gantrans.methods.style_fast import UNCUT, style_picture
from gantrans.nets.adain import AdaINGenerator, adain, mean_std
from gantrans.nets.features import FeatureNet, load_features
from gantrans.types import Batch, Metrics, Networks, Shapes

STYLE_LAYERS = {
    "squeezenet1_1": ("relu1", "fire2", "fire3", "fire5"),
    "vgg16": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
}


class StyleAdaIN:
    """generator: content_weight * content + style_weight * style + tv_weight * total variation.

    A batch's sources are photos and its targets style pictures, which are no pairs. Content (equation 12):
    the output's activations against those that the decoder was given. Style (equation 13): means and standard
    deviations of the output's against the style picture's. Both in shares of what is aimed at. weights: the
    file or folder of the encoder's weights. style: a picture that strips and the bundle show until another is
    given; None: pictures in their own style.

    Reports G_content, G_style and G_tv, each times its weight.
    """

    learns_from = "unpaired"
    compares = False
    phases = (Phase("generator", trains=("generator",)),)

    def __init__(
        self,
        style: str | None = None,
        weights: str | None = None,
        content_weight: float = 1.0,
        style_weight: float = 1.0,
        tv_weight: float = 0.0,
    ) -> None:
        check_weights(content_weight=content_weight, style_weight=style_weight, tv_weight=tv_weight)
        if style_weight == 0 or content_weight == 0:
            raise ValueError("content_weight and style_weight must be above 0: the decoder learns from both")
        if style is not None and not Path(style).expanduser().is_file():
            raise ValueError(f"style={style}: no such file; give a picture, or null")
        self.style, self.weights = style, weights
        self.content_weight, self.style_weight, self.tv_weight = content_weight, style_weight, tv_weight
        self.roles = (
            Role("generator", "generator", sees=("source",), makes="target"),
            Role("look", "helper", build=self._look),
        )

    def check(self, shapes: Shapes) -> None:
        """Raise ValueError where the domains do not suit the losses."""
        if {shapes["source"][0], shapes["target"][0]} - {1, 3}:
            raise ValueError("pictures have 1 or 3 channels here; use data.mask=none")

    def _look(self, networks: Networks, shapes: Shapes) -> FeatureNet:
        generator = networks["generator"]
        if not isinstance(generator, AdaINGenerator):
            raise ValueError(
                f"{type(generator).__name__} takes no style; method=style_adain needs generator=style_adain"
            )
        features = load_features(generator.arguments["features"], self.weights)
        generator.encoder.fill(features.weights(), features.about)
        if self.style is not None:
            size = shapes["target"][1] or UNCUT
            generator.set_style(style_picture(Path(self.style).expanduser(), size))
        return features

    def forward(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        generator = networks["generator"]
        assert isinstance(generator, AdaINGenerator)
        aim = adain(generator.encode(batch.source), *mean_std(generator.encode(batch.target)))
        return {"aim": aim.detach(), "output": generator.decode(aim.detach(), batch.source)}

    def loss(
        self, phase: Phase, networks: Networks, batch: Batch, shared: dict[str, Tensor]
    ) -> tuple[Tensor, Metrics]:
        generator, look = networks["generator"], networks["look"]
        assert isinstance(generator, AdaINGenerator)
        styles, deepest = STYLE_LAYERS[generator.arguments["features"]], generator.layer
        found = look(shared["output"], {*styles, deepest})
        wanted = {layer: value.detach() for layer, value in look(batch.target, styles).items()}
        aim = {deepest: shared["aim"]}
        content = feature_distance(found, aim, even_contents(aim))
        terms = {
            "G_content": self.content_weight * content,
            "G_style": self.style_weight * moment_style(found, wanted, even_moments(wanted)),
        }
        if self.tv_weight:
            terms["G_tv"] = self.tv_weight * total_variation(shared["output"])
        return total(terms), reported(terms)
