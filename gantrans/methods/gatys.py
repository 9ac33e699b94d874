"""Neural style transfer (Gatys et al. 2016): a picture is optimised until it has the content of one picture
and the style of another, as a network sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gantrans.errors import DivergedError
from gantrans.losses.perceptual import (
    even_contents,
    even_styles,
    feature_distance,
    gram,
    gram_style,
    total_variation,
)
from gantrans.nets.features import FeatureNet

LEAST = 32  # pixels of the shorter side of a picture that a network can look at as deep as is asked
BURST = 10  # iterations of L-BFGS between two looks at whether to stop
VGG_STYLE = tuple(f"relu{block}_1" for block in range(1, 6))
# Layers of content and of style; VGG's are those of Gatys et al. (2016, section 3).
LAYERS = {
    "squeezenet1_1": (("fire5",), ("relu1", "fire2", "fire3", "fire4", "fire5", "fire7")),
    "vgg16": (("relu4_2",), VGG_STYLE),
    "vgg19": (("relu4_2",), VGG_STYLE),
}


@dataclass(frozen=True)
class Weights:
    """What counts how much: `feature_distance` (l2) of content, `gram_style`, `total_variation`. The first
    two are in shares of what their own pictures have, the mean over layers, so that weights mean the same
    for every network."""

    content: float = 1.0
    style: float = 1.0
    tv: float = 0.0


@dataclass(frozen=True)
class Aims:
    """What a picture should come to: activations of content and Gram matrices of style, by layer, and the
    weights that make layers count alike."""

    contents: dict[str, Tensor]
    grams: dict[str, Tensor]
    content_weights: dict[str, Tensor]
    style_weights: dict[str, Tensor]


def looked_at(height: int, width: int, longest: float) -> tuple[int, int]:
    """Height and width at which a style picture is looked at: its longer side `longest` pixels, its shorter
    one LEAST at the least, in its own proportions, and never enlarged, which would only blur it.

    Raises ValueError for a picture that is too small itself.
    """
    if min(height, width) < LEAST:
        raise ValueError(f"is {width}x{height} pixels: needed are {LEAST} a side or more")
    share = min(1.0, max(longest / max(height, width), LEAST / min(height, width)))
    return max(LEAST, round(height * share)), max(LEAST, round(width * share))


@torch.no_grad()
def aims_of(
    content: Tensor, style: Tensor, features: FeatureNet, layers: tuple[tuple[str, ...], tuple[str, ...]]
) -> Aims:
    """From two pictures x11 (1, 3, H, W), of sizes of their own; layers: of content and of style."""
    contents = features(content, layers[0])
    grams = {layer: gram(found) for layer, found in features(style, layers[1]).items()}
    return Aims(contents, grams, even_contents(contents), even_styles(grams))


def terms_of(x11: Tensor, aims: Aims, features: FeatureNet, weights: Weights) -> dict[str, Tensor]:
    """The weighted losses of a picture (1, 3, H, W): content, style, tv; 0-d."""
    found = features(x11, {*aims.contents, *aims.grams})
    return {
        "content": weights.content * feature_distance(found, aims.contents, aims.content_weights),
        "style": weights.style * gram_style(found, aims.grams, aims.style_weights),
        "tv": weights.tv * total_variation(x11),
    }


@dataclass
class Best:
    """The picture x11 of the least loss so far, and its weighted terms."""

    picture: Tensor
    loss: float = float("inf")
    terms: dict[str, float] = field(default_factory=dict)


def optimise(
    start: Tensor,
    losses: Callable[[Tensor], dict[str, Tensor]],
    steps: int,
    *,
    stop: Callable[[], bool] = lambda: False,
    advanced: Callable[[int, Best], None] = lambda *_: None,
) -> tuple[Best, int]:
    """L-BFGS with a strong Wolfe line search from `start` (1, C, H, W), for `steps` iterations or until
    `stop` says so: the best picture, and the iterations that were done. `advanced` hears of every few.

    Raises DivergedError if no loss was finite.
    """
    x = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_(True)
    best = Best(start.detach())
    optimizer = torch.optim.LBFGS(
        [x], history_size=20, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        terms = losses(x)
        total = torch.stack(list(terms.values())).sum()
        total.backward()
        value = float(total.detach())
        if value < best.loss:
            best.picture, best.loss = x.detach().clone(), value
            best.terms = {name: float(term.detach()) for name, term in terms.items()}
        return total

    done = 0
    while done < steps and not stop() and bool(torch.isfinite(x).all()):
        burst = min(BURST, steps - done)
        optimizer.param_groups[0].update(max_iter=burst, max_eval=2 * burst)
        optimizer.step(closure)  # type: ignore[arg-type]
        done += burst
        advanced(burst, best)
    if done and best.loss == float("inf"):
        raise DivergedError("the loss is NaN or infinite from the start; lower the weights")
    return best, done
