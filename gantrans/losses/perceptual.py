"""Losses between the activations that a frozen network has of two pictures: perceptual, and of style.

All are 0-d, float32 at least also under autocast, and send gradients into the output only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gantrans.losses.pixel import wide
from gantrans.nets.adain import mean_std
from gantrans.nets.features import FeatureNet, Features

KINDS = ("l1", "l2")
Layers = Mapping[str, float]  # layer -> weight
Weighed = Mapping[str, float] | Mapping[str, Tensor]  # the same, or 0-d tensors


def feature_distance(output: Features, target: Features, layers: Weighed, kind: str = "l2") -> Tensor:
    """sum over `layers` of weight * mean |a - b| ("l1") or weight * mean (a - b)^2 ("l2").

    "l2" is the feature reconstruction loss of Johnson et al. (2016, equation 2); "l1", at a layer before its
    activation, what ESRGAN has (Wang et al. 2018, section 3.3). Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind}: accepted are {', '.join(KINDS)}")
    terms = []
    for layer, weight in layers.items():
        difference = wide(output[layer]) - wide(target[layer]).detach()
        terms.append(weight * (difference.abs() if kind == "l1" else difference.square()).mean())
    return torch.stack(terms).sum()


def gram(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C): for each two channels the mean over places of their product.

    Gatys et al. (2016, equation 3) take the sum, of pictures of one size; the mean lets sizes differ.
    """
    n, channels, height, width = x.shape
    flat = wide(x).reshape(n, channels, height * width)
    with torch.autocast(x.device.type, enabled=False):  # half precision has too few digits for such sums
        return flat @ flat.transpose(1, 2) / (height * width)


def gram_distance(output: Tensor, target: Tensor) -> Tensor:
    """sum (G - A)^2 / (4 C^2) of Gram matrices (N, C, C) as `gram` makes them, the mean over N.

    Equation 4 of Gatys et al. (2016), where sums over M places stand for our means: their 1 / (4 C^2 M^2) is
    our 1 / (4 C^2). The target (1 or N, C, C) gets no gradient.
    """
    channels = output.shape[-1]
    return (output - target.detach()).square().sum((1, 2)).mean() / (4 * channels**2)


def gram_style(output: Features, targets: Mapping[str, Tensor], layers: Weighed) -> Tensor:
    """sum over `layers` of weight * gram_distance (equation 5 of Gatys et al. 2016); `targets`: Grams."""
    terms = [weight * gram_distance(gram(output[layer]), targets[layer]) for layer, weight in layers.items()]
    return torch.stack(terms).sum()


def even_styles(targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for `gram_style` that make each layer tell how far the output is in shares of the target: the
    distance of nothing at all counts 1 / layers. Activations grow a thousandfold from layer to layer."""
    zero = {layer: torch.zeros_like(a) for layer, a in targets.items()}
    return {
        layer: 1 / (len(targets) * gram_distance(zero[layer], a).clamp(min=1e-12))
        for layer, a in targets.items()
    }


def even_contents(target: Features) -> dict[str, Tensor]:
    """The same for `feature_distance` by "l2"."""
    return {
        layer: 1 / (len(target) * wide(a).detach().square().mean().clamp(min=1e-12))
        for layer, a in target.items()
    }


def even_moments(target: Features) -> dict[str, Tensor]:
    """The same for `moment_style`."""
    sizes = {layer: torch.cat(mean_std(a.detach())).square().mean() * 2 for layer, a in target.items()}
    return {layer: 1 / (len(target) * size) for layer, size in sizes.items()}


def moment_style(output: Features, target: Features, layers: Weighed) -> Tensor:
    """sum over `layers` of weight * (mean squared difference of means, and of standard deviations).

    Huang & Belongie (2017), equation 13, with squares in place of norms, as its authors' code has it.
    """
    terms = []
    for layer, weight in layers.items():
        for a, b in zip(mean_std(output[layer]), mean_std(target[layer]), strict=True):
            terms.append(weight * (a - b.detach()).square().mean())
    return torch.stack(terms).sum()


def total_variation(x: Tensor) -> Tensor:
    """mean |difference to the pixel on the right| + mean |to the one below|; (N, C, H, W), H and W > 1."""
    x = wide(x)
    return x.diff(dim=3).abs().mean() + x.diff(dim=2).abs().mean()


class Perceptual(nn.Module):
    """`Perceptual(features, {"relu5_4": 1.0})(output, target)`: `feature_distance` of two batches of x11.

    features: as `load_features` gives it. It has no parameters and adds no weights to a checkpoint, so that
    the module can be a method's helper. Layers before their activation, as "conv5_4" or "expand9", are told
    by name. Raises ValueError for a layer that there is not, for none, and for weights that are not above 0.
    """

    def __init__(self, features: FeatureNet, layers: Layers, kind: str = "l1") -> None:
        super().__init__()
        features.check(layers)
        check_layers(layers)
        if kind not in KINDS:
            raise ValueError(f"kind={kind}: accepted are {', '.join(KINDS)}")
        self.features, self.layers, self.kind = features, dict(layers), kind

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(target, self.layers)
        return feature_distance(self.features(output, self.layers), wanted, self.layers, self.kind)


def check_layers(layers: Layers) -> None:
    """Raise ValueError where no layer is named, or a weight is not a finite number above 0."""
    if not layers:
        raise ValueError("no layer is named; give one or more, each with its weight")
    for layer, weight in layers.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise ValueError(f"layer {layer}: weight {weight!r}: accepted are finite numbers above 0")
