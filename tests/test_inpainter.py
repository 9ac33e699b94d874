"""Holes: what is known stays, what is covered is not looked at, and nothing steps at a rim."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gantrans.bundles.bundle import Card
from gantrans.core.device import open_core
from gantrans.inference.predictor import Predictor
from gantrans.nets import catalogue
from gantrans.nets.inpainter import Inpainter
from gantrans.nets.membrane import smooth_fill
from gantrans.nets.unet import UNet
from tests.conftest import draw_picture


def with_hole(height: int = 64, width: int = 64) -> tuple[Tensor, Tensor]:
    """A slope of light with a hole in it, and whether a pixel lies in the hole."""
    down, along = torch.linspace(-0.8, 0.4, height), torch.linspace(-0.2, 0.4, width)
    picture = (down[:, None] + along).expand(1, 3, height, width).clone()
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = True
    return picture, hole


def given(picture: Tensor, hole: Tensor, fill: float = 1.0) -> Tensor:
    """x11 with its mask, as a run gives it."""
    return torch.cat([torch.where(hole, fill, picture), torch.where(hole, 1.0, -1.0)], 1)


def learned(network: nn.Module) -> nn.Module:
    """As if it had learned something, though nothing of use: all its outputs are wrong."""
    torch.manual_seed(0)
    nn.init.normal_(network.head.weight, std=0.02)  # type: ignore[union-attr]
    nn.init.constant_(network.head.bias, 0.4)  # type: ignore[union-attr]
    return network.eval()


@pytest.mark.parametrize("translucent", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 4), (33, 50), (64, 64)])
def test_what_is_known_stays_and_a_hole_is_not_looked_at(size: tuple[int, int], translucent: bool) -> None:
    network = learned(Inpainter(width=2, depth=3, translucent=translucent))
    torch.manual_seed(1)
    picture, hole = torch.rand(2, 3, *size) * 2 - 1, torch.rand(2, 1, *size) < 0.3
    hole[:, :, 0, 0] = True
    with torch.no_grad():
        made = network(given(picture, hole))
        again = network(given(picture, hole, fill=-0.3))
        everything = network(given(picture, torch.ones_like(hole)))  # nothing to go by
    assert made.shape == picture.shape and made.isfinite().all() and everything.isfinite().all()
    assert torch.equal(made, again) is not translucent
    for answer in (made, again):
        assert torch.equal(torch.where(hole, 0, answer), torch.where(hole, 0, picture))


def test_a_membrane_carries_a_slope_across_a_hole() -> None:
    picture, hole = with_hole()
    known = 1 - hole.float()
    filled = smooth_fill(picture * known, known, 4)
    assert torch.equal(filled * known, picture * known)
    assert (filled - picture).abs().max() < 0.06  # of 1.8 from corner to corner
    flat = torch.where(hole, picture[~hole.expand_as(picture)].mean(), picture)
    assert (flat - picture).abs().max() > 0.3  # one colour for the hole would not do


def test_it_fades_where_nothing_known_is_near() -> None:
    known = torch.zeros(1, 1, 8, 256)
    known[..., :8] = 1
    filled = smooth_fill(torch.ones(1, 1, 8, 256), known, 3)[0, 0, 4]
    assert filled[:40].min() > 0.5 and filled[64:].abs().max() < 1e-3


def step_at_the_rim(network: nn.Module) -> float:
    """Mean difference of neighbours of which one is made up, beyond what the slope of light has."""
    picture, hole = with_hole()
    with torch.no_grad():
        made = network(given(picture, hole))
    first = 16
    return float((made[..., 16:48, first] - picture[..., 16:48, first]).abs().mean())


def test_whatever_is_learned_no_step_is_left_at_a_rim() -> None:
    wrong = learned(UNet(4, 3, width=4, depth=4, norm="none", dropout=False, residual=True))
    assert step_at_the_rim(wrong) > 0.3
    for translucent in (False, True):
        assert step_at_the_rim(learned(Inpainter(width=4, depth=4, translucent=translucent))) < 0.2


def test_what_shows_through_a_mark_can_be_learned() -> None:
    """A wide translucent mark over stripes: there a membrane is worse than what is to be seen."""
    torch.manual_seed(0)
    picture = (torch.arange(32) % 4 < 2).float().mul(1.4).sub(0.7).expand(1, 3, 32, 32).clone()
    hole = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    hole[..., 4:28, 4:28] = True
    source = torch.cat([torch.where(hole, picture * 0.6 + 0.4, picture), torch.where(hole, -0.2, -1.0)], 1)

    def error_after(steps: int) -> float:
        network = Inpainter(width=4, depth=2, translucent=True)
        optimizer = torch.optim.Adam(network.parameters(), 0.01)
        loss = (network(source) - picture).abs().mean()
        for _ in range(steps):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss = (network(source) - picture).abs().mean()
        return float(loss.detach())

    assert error_after(60) < 0.5 * error_after(0)


def test_it_starts_as_the_membrane_and_takes_gradients() -> None:
    network = Inpainter(width=2, depth=3)
    picture, hole = with_hole()
    known = 1 - hole.float()
    made = network(given(picture, hole))
    torch.testing.assert_close(made, smooth_fill(picture, known, 3))
    (made - picture).abs().mean().backward()
    assert network.head.weight.grad.abs().max() > 0  # type: ignore[union-attr]


def test_it_needs_a_mask() -> None:
    with pytest.raises(
        ValueError, match=r"in_channels=3 must be one more than out_channels=3.*data.mask=input"
    ):
        Inpainter(in_channels=3)


@pytest.mark.parametrize(("outside", "ensemble"), [("copy", False), ("copy", True), ("output", False)])
def test_tiles_without_a_hole_are_not_computed(outside: str, ensemble: bool) -> None:
    network = learned(Inpainter(width=2, depth=2))
    card = Card(catalogue.describe(network), mask="input", outside=outside)
    pixels = draw_picture(3, 160, 128)  # 20 tiles of 32
    mask = np.zeros((160, 128, 1), np.uint8)
    mask[20:50, 70:90], mask[159:, :1] = 255, 1  # in 3 of them
    seen: list[int] = []
    hook = network.register_forward_hook(lambda *_: seen.append(1))
    whole = Predictor(network, card, open_core("cpu"), tile=0, ensemble=ensemble)(pixels, mask)
    seen.clear()
    tiled = Predictor(network, card, open_core("cpu"), tile=32, ensemble=ensemble)(pixels, mask)
    hook.remove()
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert np.array_equal(tiled[mask[..., 0] == 0], pixels[mask[..., 0] == 0])
    assert len(seen) == (20 if outside == "output" else 3 * (8 if ensemble else 1))
