"""A bundle: generator weights as safetensors and a bundle.json that says all that is needed to use them.

Loading never executes code: the architecture is looked up among our own networks, its arguments are checked
before anything is allocated, and the weights are held against a recorded sha256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from gantrans.data.pixels import LABELS
from gantrans.errors import CheckpointError
from gantrans.imaging.labels import MOST_CLASSES
from gantrans.imaging.write import write_atomic, write_text_atomic
from gantrans.nets import catalogue

FORMAT = "gantrans-bundle/1"
JSON = "bundle.json"
WAYS = ("to_target", "to_source")


@dataclass(frozen=True)
class Card:
    """What bundle.json says besides the weights.

    source_mode, target_mode: "rgb", "grey" or "labels", of which the network has `classes` channels;
    `ignore`: other values of label maps that stand for no class.
    value_range: what the network takes and gives. scale: how many times larger the output is than the source,
    which is enlarged (bicubic) first unless the network has a `scale` and does it. mask: "input" where the
    network's last input channel is the mask of what is covered (1 hidden, in the range of the picture), else
    "none". outside: "copy" where pixels whose mask is 0 are the source's, else "output". norm_statistics:
    "running" or "image" (see nets). provenance: free facts (run, step, data, versions). metrics: of the
    validation that chose these weights.
    """

    network: dict[str, Any]
    source_mode: str = "rgb"
    target_mode: str = "rgb"
    scale: int = 1
    norm_statistics: str = "running"
    mask: str = "none"
    outside: str = "output"
    classes: int = 0
    ignore: tuple[int, ...] = ()
    task: str = ""
    value_range: tuple[float, float] = (-1.0, 1.0)
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def enlarges(self) -> bool:
        """Whether the network itself makes its output larger than its input."""
        return self.network.get("arguments", {}).get("scale", 1) > 1

    def channels(self, mode: str) -> int:
        return {"rgb": 3, "grey": 1, LABELS: self.classes}[mode]


def save_bundle(folder: Path, network: nn.Module, card: Card) -> None:
    """Write or replace a bundle; at every moment the folder holds one whole bundle, the old or the new."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    data = safetensors.torch.save(tensors)
    digest = hashlib.sha256(data).hexdigest()
    weights = folder / f"generator-{digest[:12]}.safetensors"
    write_atomic(weights, data)
    about = {"format": FORMAT, **asdict(card), "weights": {"file": weights.name, "sha256": digest}}
    write_text_atomic(folder / JSON, json.dumps(about, indent=2) + "\n")
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
    card, weights = _read_card(folder)
    try:
        with torch.device("meta"):
            network = catalogue.build(card.network)
    except ValueError as error:
        raise CheckpointError(f"{folder / JSON}: network: {error}") from error
    state = _read_weights(folder / weights["file"], weights["sha256"])
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    if expected != found:
        wrong = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
        key = wrong[0]
        raise CheckpointError(
            f"{folder / weights['file']}: {len(wrong)} tensors do not fit {card.network['name']}, first "
            f"{key}: found {found.get(key, 'nothing')}, expected {expected.get(key, 'nothing')}"
        )
    network.load_state_dict(state, assign=True)
    bad = next((k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()), None)
    if bad:
        raise CheckpointError(f"{folder / weights['file']}: {bad} holds NaN or infinite values")
    return network.eval().requires_grad_(False), card


def _read_card(folder: Path) -> tuple[Card, dict[str, str]]:
    path = folder / JSON
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a bundle of this version (format must be {FORMAT!r})")
    weights = about.pop("weights", None)
    file = weights.get("file") if isinstance(weights, dict) else None
    if not isinstance(file, str) or Path(file).name != file or not isinstance(weights.get("sha256"), str):
        raise CheckpointError(f"{path}: weights must give a file name in this folder and its sha256")
    known = {name: about[name] for name in Card.__dataclass_fields__ if name in about}
    if not _are_labels(known.get("ignore", [])):
        raise CheckpointError(
            f"{path}: ignore={known['ignore']!r}; accepted: a list of numbers from 0 to 255"
        )
    card = Card(**{**known, "ignore": tuple(known.get("ignore", ()))})
    accepted = {
        "source_mode": ("rgb", "grey", LABELS),
        "target_mode": ("rgb", "grey", LABELS),
        "classes": tuple(range(MOST_CLASSES + 1)),
        "norm_statistics": ("running", "image"),
        "scale": tuple(range(1, 17)),
        "mask": ("none", "input"),
        "outside": ("output", "copy"),
        "value_range": ([-1.0, 1.0],),
    }
    for name, values in accepted.items():
        if getattr(card, name) not in values:
            raise CheckpointError(f"{path}: {name}={getattr(card, name)!r}; accepted: {values}")
    arguments = card.network.get("arguments") if isinstance(card.network, dict) else None
    if not isinstance(arguments, dict):
        raise CheckpointError(f"{path}: network must be an object with name and arguments")
    for side, mode in (("in", card.source_mode), ("out", card.target_mode)):
        found = arguments.get(f"{side}_channels", 3)
        masked = side == "in" and card.mask == "input"
        if found != card.channels(mode) + masked:
            told = f"{mode} with a mask" if masked else mode
            raise CheckpointError(f"{path}: {told} does not go with {side}_channels={found}")
    made = arguments.get("scale", 1)
    if made not in (1, card.scale):
        raise CheckpointError(
            f"{path}: scale={card.scale} does not go with a network that enlarges {made!r} times"
        )
    if card.outside == "copy" and (card.source_mode != card.target_mode or card.scale != 1):
        raise CheckpointError(f"{path}: outside='copy' needs equal modes and scale 1")
    return card, weights


def _are_labels(found: Any) -> bool:
    return isinstance(found, list) and all(type(v) is int and 0 <= v < MOST_CLASSES for v in found)


def _read_weights(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{path}: damaged: its sha256 is not the one in {JSON}; copy the bundle again")
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: not a safetensors file: {error}") from error
