"""Ours against figures recorded from the reference implementation, in float64 (tests/figures)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantrans.methods.cut import CUT
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.patchgan import PatchGAN
from gantrans.nets.projector import PatchProjector
from gantrans.nets.reference import reference_keys
from gantrans.nets.resnet import ResNetGenerator
from gantrans.types import Batch
from tests.reference_fill import cut_figures, figures, fill, image, network, summary
from tests.steps import train_steps

PIX2PIX = [key for key in figures()["training"] if key.startswith("pix2pix/")]
CYCLEGAN = [key for key in figures()["training"] if key.startswith("cycle_gan/")]
NETWORKS = {**figures()["networks"], **cut_figures()["networks"]}


def of_entry(key: str) -> nn.Module:
    """ "unet_128/instance/3->1/ngf8" -> that network."""
    kind, norm, channels, _ = key.split("/", 3)
    return network(kind, norm, *(int(count) for count in channels.split("->")))


def matches(found: Tensor, recorded: dict[str, Any], *, tolerance: float) -> bool:
    points = {int(at): value for at, value in recorded["at"].items()}
    there = summary(found)
    return (
        there.pop("shape") == recorded["shape"]
        and all(abs(there[name] - recorded[name]) < tolerance for name in there)
        and all(abs(found.flatten()[at].item() - value) < tolerance for at, value in points.items())
    )


@pytest.mark.parametrize("key", NETWORKS)
def test_every_network_computes_the_recorded_output(key: str) -> None:
    entry = NETWORKS[key]
    made = of_entry(key).eval()
    with torch.no_grad():
        output = made(image(*entry["input"]))
        assert matches(output, entry["output"], tolerance=1e-9)
        next(p for p in made.parameters()).flatten()[0] += 1e-3  # the comparison sees one weight being off
        assert not matches(made(image(*entry["input"])), entry["output"], tolerance=1e-9)


@pytest.mark.parametrize("key", NETWORKS)
def test_state_dict_maps_to_the_recorded_keys_shapes_and_order(key: str) -> None:
    made = of_entry(key)
    state, recorded = made.state_dict(), NETWORKS[key]["state_dict"]
    mapped = {theirs: list(state[ours].shape) for ours, theirs in reference_keys(made).items()}
    assert list(mapped.items()) == list(recorded.items())
    assert set(reference_keys(made)) == set(state)


def joined(*networks: nn.Module) -> Tensor:
    """Every parameter, flattened, in `parameters()` order."""
    return torch.cat([p.detach().flatten() for network in networks for p in network.parameters()])


def settings_of(key: str) -> tuple[dict[str, str], int, int]:
    """The settings, size and batch that a training entry's key tells."""
    _, options, size, batch = key.split("/")
    settings = dict(option.split("=") for option in options.split(","))
    return settings, int(size.removeprefix("size")), int(batch.removeprefix("batch"))


def five_batches(size: int, batch: int) -> list[Batch]:
    phases = [0.3 * step for step in range(5)]
    return [Batch(image(batch, 3, size, size, p), image(batch, 3, size, size, 1.0 + p)) for p in phases]


@pytest.mark.parametrize("key", PIX2PIX)
def test_five_pix2pix_steps_have_the_recorded_losses_and_weights(key: str) -> None:
    settings, size, batch = settings_of(key)
    norm = settings.get("norm", "batch")
    networks = {"generator": network(settings["netG"], norm, 3), "discriminator": network("D-basic", norm, 6)}
    history = train_steps(
        Pix2Pix(gan=settings.get("gan_mode", "vanilla")), networks, five_batches(size, batch)
    )
    recorded = figures()["training"][key]
    assert len(history) == len(recorded["losses"]) == 5
    for found, expected in zip(history, recorded["losses"], strict=True):
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=0)
    for name, made in (("G", networks["generator"]), ("D", networks["discriminator"])):
        assert matches(joined(made), recorded["weights_after"][name], tolerance=1e-8)


# their letter -> our role or domain: G_A makes B of A, D_A judges Bs
THEIRS = {
    "G_A": "to_target",
    "G_B": "to_source",
    "D_A": "target_discriminator",
    "D_B": "source_discriminator",
}


def in_their_letters(found: dict[str, float]) -> dict[str, float]:
    """Our report under the reference's names; its D_A is the mean of real and fake."""
    named = {}
    for letter, start, made in (("A", "source", "target"), ("B", "target", "source")):
        named |= {
            f"G_{letter}": found[f"G_GAN_{made}"],
            f"cycle_{letter}": found[f"G_cycle_{start}"],
            f"idt_{letter}": found[f"G_identity_{made}"],
            f"D_{letter}": 0.5 * (found[f"D_real_{made}"] + found[f"D_fake_{made}"]),
        }
    return named


@pytest.mark.parametrize("key", CYCLEGAN)
def test_five_cyclegan_steps_have_the_recorded_losses_and_weights(key: str) -> None:
    settings, size, batch = settings_of(key)
    kinds = {name: settings["netG"] if name.startswith("G") else "D-basic" for name in THEIRS}
    networks = {THEIRS[name]: network(kind, settings["norm"], 3) for name, kind in kinds.items()}
    history = train_steps(CycleGAN(gan=settings["gan_mode"], pool=0), networks, five_batches(size, batch))
    recorded = figures()["training"][key]
    assert len(history) == len(recorded["losses"]) == 5
    for found, expected in zip(history, recorded["losses"], strict=True):
        assert in_their_letters(found) == pytest.approx(expected, rel=1e-6, abs=0)
    for name, role in THEIRS.items():
        assert matches(joined(networks[role]), recorded["weights_after"][name], tolerance=1e-8)


@pytest.mark.parametrize("mode", ["cut", "fastcut"])
def test_twenty_cut_steps_have_the_recorded_losses_and_weights(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded from the authors' own CUT, with every place compared, so that no draw plays a part."""
    choice = {"cut": {}, "fastcut": {"lambda_nce": 10.0, "identity": False, "flip": True}}[mode]
    method = CUT(patches=10**6, width=16, **choice)
    generator = ResNetGenerator(3, 3, 8, blocks=6, antialias=True)
    networks: dict[str, nn.Module] = {
        "generator": generator,
        "discriminator": PatchGAN(3, 8, norm="instance", antialias=True),
        "projector": PatchProjector(generator.feature_channels, 16),
    }
    for made in networks.values():
        fill(made.double())
    flips = iter([step % 2 == 1 for step in range(20)])
    monkeypatch.setattr("gantrans.methods.cut._coin", lambda _: torch.tensor(next(flips)))
    phases = [0.3 * step for step in range(20)]
    batches = [Batch(image(2, 3, 32, 32, p), image(2, 3, 32, 32, 1.0 + p)) for p in phases]
    history = train_steps(method, networks, batches)
    recorded = cut_figures()["training"][mode]
    assert len(history) == len(recorded["losses"]) == 20
    for found, expected in zip(history, recorded["losses"], strict=True):
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=0)
    for name, role in (("G", "generator"), ("D", "discriminator"), ("F", "projector")):
        assert matches(joined(networks[role]), recorded["weights_after"][name], tolerance=1e-7)


def test_every_recording_is_run() -> None:
    assert len(PIX2PIX) == 2
    assert len(CYCLEGAN) == 1
    assert len(cut_figures()["networks"]) == 2
