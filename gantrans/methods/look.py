"""The perceptual loss of methods that have one: a frozen network looks at output and target."""

from __future__ import annotations

from torch import Tensor

from gantrans.losses.perceptual import Perceptual
from gantrans.methods.base import Role, check_weights
from gantrans.nets.features import check_network, load_features
from gantrans.types import Networks

# The last layer before its activation, as ESRGAN has it (Wang et al. 2018b, section 3.3).
LAYERS = {"vgg19": "conv5_4", "vgg16": "conv5_3", "squeezenet1_1": "expand9"}


class Look:
    """`weight` times the L1 distance of the activations that the network `features` has; 0: none of it.

    weights: the file of that network, or a folder of it; None: the usual places (nets/weights.py). The
    network is a helper without parameters or buffers, so it is neither trained nor kept in checkpoints.
    """

    def __init__(self, weight: float, features: str, weights: str | None) -> None:
        check_weights(lambda_perceptual=weight)
        check_network(features)
        self.weight, self.features, self.weights = weight, features, weights

    @property
    def roles(self) -> tuple[Role, ...]:
        """The network that looks, if anything is asked of it."""
        return (Role("look", "helper", build=lambda *_: self._build()),) if self.weight else ()

    def _build(self) -> Perceptual:
        return Perceptual(load_features(self.features, self.weights), {LAYERS[self.features]: 1.0}, "l1")

    def terms(self, networks: Networks, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """{"G_perceptual": the weighted distance}, or nothing."""
        return {"G_perceptual": self.weight * networks["look"](output, target)} if self.weight else {}
