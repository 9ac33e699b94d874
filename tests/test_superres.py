"""Networks that enlarge: sizes, their start, and the checkerboard that ICNR keeps away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gantrans.errors import ConfigError
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.methods.superres import SuperRes
from gantrans.nets import catalogue, upscale
from gantrans.nets.init import init_weights
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.remover import MaskedUNet
from gantrans.nets.superres import RRDBNet, SRResNet
from gantrans.nets.unet import UNet
from gantrans.types import Batch
from tests.test_features import random_state

SMALL: dict[str, Callable[..., nn.Module]] = {
    "srresnet": lambda **k: SRResNet(width=4, blocks=1, **k),
    "rrdb": lambda **k: RRDBNet(width=4, blocks=1, growth=2, **k),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("way", upscale.WAYS)
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_any_size_comes_out_as_many_times_as_large(name: str, way: str, scale: int) -> None:
    network = SMALL[name](scale=scale, upsample=way)
    for height, width in ((1, 1), (1, 6), (5, 4)):
        assert network(torch.rand(2, 3, height, width)).shape == (2, 3, scale * height, scale * width)


@pytest.mark.parametrize("name", SMALL)
def test_a_residual_network_starts_as_bicubic_enlargement(name: str) -> None:
    network, x = SMALL[name](scale=2), torch.rand(1, 3, 6, 7) * 2 - 1
    for kind in ("pytorch", "normal", "kaiming"):
        init_weights(network, kind)
        torch.testing.assert_close(network(x), F.interpolate(x, scale_factor=2, mode="bicubic"))
    assert not torch.allclose(SMALL[name](scale=2, residual=False)(x), upscale.bicubic(x, 2), atol=0.05)


def unevenness(layer: upscale.PixelShuffleUp) -> float:
    """How much the pixels of a block differ where the picture is flat."""
    y = layer(torch.ones(1, 4, 8, 8)).detach()[..., 8:-8, 8:-8]
    return float(y.amax((2, 3)).sub(y.amin((2, 3))).max())


@pytest.mark.parametrize("kind", ["pytorch", "normal", "kaiming", "orthogonal"])
def test_pixel_shuffle_starts_without_a_checkerboard(kind: str) -> None:
    layer = upscale.PixelShuffleUp(4, 3)
    init_weights(layer, kind)
    assert unevenness(layer) < 1e-5
    nn.init.kaiming_normal_(layer.conv.weight)  # what would happen if ICNR were forgotten
    assert unevenness(layer) > 0.1


def test_they_are_described_and_their_arguments_checked() -> None:
    for network in (SMALL["srresnet"](scale=3), SMALL["rrdb"](scale=8, upsample="pixelshuffle")):
        again = catalogue.build(catalogue.describe(network))
        again.load_state_dict(network.state_dict())
    for bad, words in (
        ({"scale": 5}, "scale=5: accepted are 1, 2, 3, 4, 8"),
        ({"scale": True}, "scale=True"),
        ({"upsample": "nearest"}, "upsample='nearest': accepted are pixelshuffle, resize"),
    ):
        with pytest.raises(ValueError, match=words):
            SRResNet(**bad)  # type: ignore[arg-type]


# --- the perceptual loss


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for seed in (0, 1):
        torch.save(random_state("squeezenet1_1", seed), tmp_path / f"{seed}.pth")
    return tmp_path


@pytest.mark.parametrize("kind", [SuperRes, Pix2Pix])
def test_the_perceptual_loss_is_weighed_asked_for_and_kept_nowhere(kind: type, files: Path) -> None:
    batch = Batch(torch.rand(1, 3, 32, 32) * 2 - 1, torch.rand(1, 3, 32, 32) * 2 - 1)

    def terms(**given: object) -> dict[str, Tensor]:
        method = kind(lambda_gan=0.0, **given)
        torch.manual_seed(0)
        networks = {"generator": nn.Conv2d(3, 3, 1), "discriminator": PatchGAN(6, 2, layers=1)}
        for role in method.roles:
            if role.kind == "helper":
                assert role.build is not None
                networks[role.name] = role.build(networks, {})
                kept = [value.numel() for value in networks[role.name].state_dict().values()]
                assert sum(kept) <= 6 and not list(networks[role.name].parameters())  # a mean and a spread
        phase = next(p for p in method.phases if p.name == "generator")
        return method.loss(phase, networks, batch, method.forward(networks, batch))[1]

    assert "G_perceptual" not in terms()
    once, twice = (
        terms(lambda_perceptual=w, weights=str(files / "0.pth"))["G_perceptual"] for w in (1.0, 2.0)
    )
    torch.testing.assert_close(twice, 2 * once)
    assert terms(lambda_perceptual=1.0, weights=str(files / "1.pth"))["G_perceptual"] != once
    with pytest.raises(ConfigError, match="vgg19"):
        terms(lambda_perceptual=1.0, features="vgg19", weights=str(files))
    with pytest.raises(ValueError, match="resnet"):
        kind(lambda_perceptual=1.0, features="resnet")


# --- a mask that is predicted


def test_a_masked_unet_starts_as_the_identity_and_changes_only_where_its_mask_is() -> None:
    network, x = MaskedUNet(width=4, depth=2), torch.rand(1, 3, 9, 13) * 2 - 1
    for kind in ("pytorch", "normal"):
        init_weights(network, kind)
        assert torch.equal(network(x), x)
    nn.init.normal_(network.head.weight, std=0.1)  # type: ignore[arg-type]
    with torch.no_grad():
        network.head.bias[-1] = -100.0  # type: ignore[index]
        output, logits = network.with_mask(x)
    assert logits.shape == (1, 1, 9, 13) and logits.max() < 0
    assert torch.equal(network.predict_mask(x), torch.sigmoid(logits))
    assert (output - x).abs().max() < 0.05 < (network.unet(x)[:, :3]).abs().max()


def test_the_mask_is_learned_from_where_the_pictures_differ() -> None:
    torch.manual_seed(0)
    target = torch.rand(2, 3, 16, 16) * 2 - 1
    source = target.clone()
    source[:, :, 4:10, 3:12] = 0.9
    method = Pix2Pix(lambda_l1=0.0, lambda_gan=0.0, lambda_perceptual=0.0, lambda_mask=1.0)
    networks: dict[str, nn.Module] = {"generator": MaskedUNet(width=8, depth=2)}
    method.fits(networks)
    optimizer = torch.optim.Adam(networks["generator"].parameters(), 0.01)
    phase, batch = method.phases[-1], Batch(source, target)
    for _ in range(60):
        optimizer.zero_grad()
        loss, found = method.loss(phase, networks, batch, method.forward(networks, batch))
        loss.backward()
        optimizer.step()
    covered = (source != target).any(1, keepdim=True)
    hit = (method.forward(networks, batch)["mask"] > 0) == covered
    assert found["G_mask"] < 0.4 and hit.float().mean() > 0.9
    with pytest.raises(ValueError, match="UNet predicts no mask; use generator=remover"):
        method.fits({"generator": UNet(width=4, depth=2)})
