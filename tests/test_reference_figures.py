"""Ours against figures recorded from the reference implementation, in float64 (tests/figures)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantrans.methods.pix2pix import Pix2Pix
from gantrans.nets.reference import reference_keys
from gantrans.types import Batch
from tests.reference_fill import figures, image, network, summary

PIX2PIX = [key for key in figures()["training"] if key.startswith("pix2pix/")]
LOSSES = ("G_GAN", "G_L1", "D_real", "D_fake")


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


@pytest.mark.parametrize("key", figures()["networks"])
def test_every_network_computes_the_recorded_output(key: str) -> None:
    entry = figures()["networks"][key]
    made = of_entry(key).eval()
    with torch.no_grad():
        output = made(image(*entry["input"]))
        assert matches(output, entry["output"], tolerance=1e-9)
        next(p for p in made.parameters()).flatten()[0] += 1e-3  # the comparison sees one weight being off
        assert not matches(made(image(*entry["input"])), entry["output"], tolerance=1e-9)


@pytest.mark.parametrize("key", figures()["networks"])
def test_state_dict_maps_to_the_recorded_keys_shapes_and_order(key: str) -> None:
    made = of_entry(key)
    state, recorded = made.state_dict(), figures()["networks"][key]["state_dict"]
    mapped = {theirs: list(state[ours].shape) for ours, theirs in reference_keys(made).items()}
    assert list(mapped.items()) == list(recorded.items())
    assert set(reference_keys(made)) == set(state)


def five_steps(
    settings: dict[str, str], size: int, batch: int
) -> tuple[list[dict[str, float]], dict[str, nn.Module]]:
    """What a trainer does: the shared forward, then each phase in order with its own Adam."""
    norm = settings.get("norm", "batch")
    networks = {"generator": network(settings["netG"], norm, 3), "discriminator": network("D-basic", norm, 6)}
    method = Pix2Pix(gan=settings.get("gan_mode", "vanilla"))
    adams = {
        phase.name: torch.optim.Adam(
            [p for role in phase.trains for p in networks[role].parameters()], lr=2e-4, betas=(0.5, 0.999)
        )
        for phase in method.phases
    }
    history = []
    for step in range(5):
        source = image(batch, 3, size, size, 0.3 * step)
        data = Batch(source, image(batch, 3, size, size, 1.0 + 0.3 * step))
        shared = method.forward(networks, data)
        metrics: dict[str, Tensor] = {}
        for phase in method.phases:
            for role, made in networks.items():
                made.requires_grad_(role in phase.trains)
            loss, parts = method.loss(phase, networks, data, shared)
            adams[phase.name].zero_grad()
            loss.backward()
            adams[phase.name].step()
            metrics |= parts
            for made in networks.values():
                made.requires_grad_(True)
        history.append({name: value.item() for name, value in metrics.items()})
    return history, networks


@pytest.mark.parametrize("key", PIX2PIX)
def test_five_training_steps_have_the_recorded_losses_and_weights(key: str) -> None:
    _, options, size, batch = key.split("/")
    settings = dict(option.split("=") for option in options.split(","))
    history, networks = five_steps(settings, int(size.removeprefix("size")), int(batch.removeprefix("batch")))
    recorded = figures()["training"][key]
    assert len(history) == len(recorded["losses"]) == 5
    for found, expected in zip(history, recorded["losses"], strict=True):
        assert {name: found[name] for name in LOSSES} == pytest.approx(expected, rel=1e-6, abs=0)
    for name, made in (("G", networks["generator"]), ("D", networks["discriminator"])):
        weights = torch.cat([p.detach().flatten() for p in made.parameters()])
        assert matches(weights, recorded["weights_after"][name], tolerance=1e-8)


def test_both_pix2pix_recordings_are_run() -> None:
    assert len(PIX2PIX) == 2
