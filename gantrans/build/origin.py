"""Weights that a run may start from: of a bundle, of a run, or of a .pth of the reference family; read as
tensors only, and taken over by name and shape."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gantrans.bundles.bundle import JSON, WAYS, bundle_folder, find_bundle, load_bundle
from gantrans.bundles.interop import generator_of
from gantrans.bundles.pth import read_weights
from gantrans.errors import CheckpointError, ConfigError
from gantrans.nets import catalogue
from gantrans.training.checkpoint import listed, load_newest

KEY = "train.init_from"
_SHOWN = 5  # tensors named of those that were not taken over


@dataclass(frozen=True)
class Found:
    """A network's state dict. `where`: the file or folder, for messages. `network`: its description, where
    that is known. step: of the run that it was learned in, where that is known."""

    state: dict[str, Any]
    where: str
    sha256: str
    network: dict[str, Any] | None = None
    step: int | None = None

    def misfit(self, network: nn.Module) -> str:
        """The first tensor that is not as the network has it; "" where all are."""
        own = network.state_dict()
        for key in [*own, *(k for k in self.state if k not in own)]:
            if _shape(own.get(key)) != _shape(self.state.get(key)):
                there, here = _shape(self.state.get(key)), _shape(own.get(key))
                return f"{key} of {self.where} is {there}, and {here} here"
        return ""


def generators_at(path: Path) -> dict[str, Found]:
    """The generators of a bundle, a run folder or a .pth, by way. Raises CheckpointError with the reason."""
    if not path.exists():
        raise CheckpointError(f"{KEY}={path}: no such file or folder; needed is a run, a bundle or a .pth")
    if path.is_file():
        network = generator_of(read_weights(path), path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {WAYS[0]: Found(network.state_dict(), str(path), digest, catalogue.describe(network))}
    found = {}
    for way in WAYS:
        places = (bundle_folder(folder, way) for folder in (path, path / "bundle"))
        place = next((folder for folder in places if (folder / JSON).is_file()), None)
        if place is not None:
            network, card = load_bundle(place)
            told = json.loads((place / JSON).read_text(encoding="utf-8"))
            step = card.provenance.get("step")
            found[way] = Found(
                network.state_dict(), str(place), told["weights"]["sha256"], card.network, step
            )
    if not found:
        try:
            find_bundle(path)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace("model=", f"{KEY}=", 1)) from error
    return found


def discriminators_at(path: Path) -> tuple[dict[str, Found], str]:
    """What else the newest checkpoint of a run folder holds, by role; or nothing, and why not."""
    if not listed(path / "checkpoints"):
        return {}, f"{path} is no run folder with checkpoints, and only those hold discriminators"
    saved, state, _ = load_newest(path / "checkpoints")
    networks = state.get("networks")
    if not isinstance(networks, dict):
        raise CheckpointError(f"{KEY}={path}: {saved.path.name} is not a checkpoint of gantrans")
    return {
        role: Found(own, str(saved.path), saved.sha256, step=saved.step) for role, own in networks.items()
    }, ""


def took_over(network: nn.Module, found: Found, role: str) -> tuple[dict[str, Any], list[str]]:
    """Fill a network, in place, with what fits by name and shape. Returns what is to be recorded, and the
    account in lines. Raises ConfigError where the architecture is another, or nothing fits."""
    _same_class(network, found, role)
    own = network.state_dict()
    taken = {k: v for k, v in found.state.items() if k in own and _shape(own[k]) == _shape(v)}
    if not taken.keys() & dict(network.named_parameters()).keys():
        raise ConfigError(f"{KEY}: nothing of {found.where} fits {role}{_differing(network, found)}")
    network.load_state_dict({**own, **taken})
    left = [key for key in own if key not in taken]
    step = "" if found.step is None else f", of step {found.step}"
    where = f"{found.where}{step}{_differing(network, found)}"
    lines = [f"{role}: {len(taken)} of {len(own)} tensors from {where}"]
    for key in left[:_SHOWN]:
        why = f"is {_shape(found.state[key])} there" if key in found.state else "is missing there"
        lines.append(f"    not {key}, which {why} and {_shape(own[key])} here: as drawn at the start")
    if len(left) > _SHOWN:
        lines.append(f"    nor {len(left) - _SHOWN} more")
    unused = [key for key in found.state if key not in own]
    if unused:
        lines.append(f"    unused there: {', '.join(unused[:_SHOWN])}" + (" ..." if unused[_SHOWN:] else ""))
    return {"sha256": found.sha256, "taken": len(taken), "of": len(own)}, lines


def _same_class(network: nn.Module, found: Found, role: str) -> None:
    if found.network is None:
        return
    there, here = found.network.get("name"), type(network).__name__
    if there != here:
        raise ConfigError(
            f"{KEY}: {found.where} holds a {there} and {role} is a {here}, which have no layers in common; "
            f"choose a generator= whose _target_ is {there}"
        )


def _differing(network: nn.Module, found: Found) -> str:
    """Arguments that are not the same there and here, in words; some, as residual, change no shape."""
    there = (found.network or {}).get("arguments", {})
    here: dict[str, Any] = getattr(network, "arguments", {})
    parts = [
        f"{name}={there[name]} there, {here[name]} here"
        for name in here
        if name in there and there[name] != here[name]
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _shape(value: Any) -> tuple[int, ...] | str:
    """Extra state, which is no tensor, has no shape."""
    if value is None:
        return "missing"
    return tuple(value.shape) if isinstance(value, Tensor) else "of its own kind"
