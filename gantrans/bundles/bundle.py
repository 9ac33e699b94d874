"""A bundle: generator weights as safetensors, a bundle.json that says all that is needed to use them, and a
README.md that says it to people.

Loading never executes code: the architecture is looked up among our own networks, its arguments are checked
before anything is allocated, and the weights are held against a recorded sha256 (bundles/read.py).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import safetensors.torch
from torch import nn

from gantrans.bundles.card import Card as Card
from gantrans.bundles.model_card import README, model_card
from gantrans.bundles.read import FORMAT, JSON, checked_weights, empty_network, read_card
from gantrans.errors import CheckpointError
from gantrans.imaging.write import write_atomic, write_text_atomic

WAYS = ("to_target", "to_source")


def save_bundle(folder: Path, network: nn.Module, card: Card) -> None:
    """Write or replace a bundle; at every moment the folder holds one whole bundle, the old or the new.

    Metrics that are NaN or infinite are left out: JSON has no such numbers, and no reader would take them.
    """
    card = replace(
        card, metrics={name: value for name, value in card.metrics.items() if math.isfinite(value)}
    )
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    data = safetensors.torch.save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    weights = folder / f"generator-{digest[:12]}.safetensors"
    write_atomic(weights, data)
    about = {"format": FORMAT, **asdict(card), "weights": {"file": weights.name, "sha256": digest}}
    write_text_atomic(folder / JSON, json.dumps(about, indent=2, allow_nan=False) + "\n")
    parameters = sum(p.numel() for p in network.parameters())
    write_text_atomic(folder / README, model_card(card, parameters=parameters, size=len(data), sha256=digest))
    for old in folder.glob("generator-*.safetensors"):
        if old.name != weights.name:
            old.unlink(missing_ok=True)


def bundle_folder(bundle: Path, way: str) -> Path:
    """Where the generator of a way is: "to_target" in the bundle itself, "to_source" in a folder of it.

    So either is a whole bundle, and the first serves without naming a direction.
    """
    return bundle if way == WAYS[0] else bundle / way


def find_bundle(path: Path, way: str = "to_target") -> Path:
    """The bundle of `way` at `path`: itself, or the bundle/ of a run folder. Raises CheckpointError."""
    for folder in (path, path / "bundle"):
        if (bundle_folder(folder, way) / JSON).is_file():
            return bundle_folder(folder, way)
        other = next((w for w in WAYS if (bundle_folder(folder, w) / JSON).is_file()), None)
        if other:
            raise CheckpointError(f"model={path}: translates one way only; use direction={other}")
    if not path.exists():
        raise CheckpointError(f"model={path}: no such folder")
    if (path / "config.yaml").is_file():
        raise CheckpointError(
            f"model={path}: this run has no bundle yet (it is written at the first validation); "
            f"see {path / 'status.json'}"
        )
    raise CheckpointError(f"model={path}: neither a run folder nor a bundle (a folder with {JSON})")


def load_bundle(path: Path, way: str = "to_target") -> tuple[nn.Module, Card]:
    """The generator of `way` (on the CPU, in eval mode) and its card. Raises CheckpointError with the
    reason."""
    folder = find_bundle(path, way)
    card, weights = read_card(folder)
    network, card = empty_network(card, folder / JSON)
    network.load_state_dict(checked_weights(folder, weights, network), assign=True)
    return network.eval().requires_grad_(False), card
