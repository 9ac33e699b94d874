"""Reads a bundle that may come from anyone. Each part is held against what ours can be before the next is
touched: the size of a file before it is read, arguments before a network is made, weights before their use.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from gantrans.bundles.card import Card
from gantrans.bundles.card_check import check_card, contradiction
from gantrans.errors import CheckpointError
from gantrans.nets import catalogue

FORMAT = "gantrans-bundle/1"
JSON = "bundle.json"
MOST_JSON = 2**20  # bytes; ours have some thousand
_HEADER = 2**20  # bytes that the names and shapes of a .safetensors may take
_FILE = re.compile(r"[\w-][\w.-]{0,120}\.safetensors", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_card(folder: Path) -> tuple[Card, dict[str, str]]:
    """The card of a bundle, and the name and sha256 of its weights. Raises CheckpointError."""
    path = folder / JSON
    about = read_json(_inside(folder, JSON))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a bundle of this version (format must be {FORMAT!r})")
    unknown = about.keys() - Card.__dataclass_fields__.keys() - {"format", "weights"}
    if unknown:
        raise CheckpointError(f"{path}: unknown key {shown(min(unknown))}; another version wrote it")
    weights = _named_weights(about.get("weights"), path)
    return check_card({k: v for k, v in about.items() if k not in ("format", "weights")}, path), weights


def _named_weights(found: Any, path: Path) -> dict[str, str]:
    texts = found if isinstance(found, dict) else {}
    file, sha256 = texts.get("file"), texts.get("sha256")
    sound = isinstance(file, str) and isinstance(sha256, str) and _FILE.fullmatch(file)
    if not sound or not _SHA256.fullmatch(str(sha256)):
        raise CheckpointError(
            f"{path}: weights must give a .safetensors file in this folder, by its name alone, and its "
            f"sha256; found {shown(found)}"
        )
    return {"file": str(file), "sha256": str(sha256)}


def read_json(path: Path) -> Any:
    """A small JSON file; a key may be there once. Raises CheckpointError."""
    try:
        size = path.stat().st_size
        if size > MOST_JSON:
            raise CheckpointError(f"{path}: has {size:,} bytes; at most {MOST_JSON:,}")
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except RecursionError as error:
        raise CheckpointError(f"{path}: not readable as JSON: it is nested too deep") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON: {shown(error)}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return found


def empty_network(card: Card, path: Path) -> tuple[nn.Module, Card]:
    """The network of a card, without memory, and the card with every argument of the network, those it left
    out too. Raises CheckpointError where it is no generator of ours, or not that of the card."""
    try:
        with torch.device("meta"):
            network = catalogue.build(card.network)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: network: {shown(error, 200)}") from error
    own: dict[str, Any] = network.arguments  # type: ignore[assignment]
    if "out_channels" not in own:
        raise CheckpointError(f"{path}: network: a {card.network['name']} is no generator")
    surplus = card.network["arguments"].keys() - own.keys()
    if surplus:
        raise CheckpointError(f"{path}: network: {min(surplus)} does not describe a network; leave it out")
    whole = replace(card, network=catalogue.describe(network))
    reason = contradiction(whole)
    if reason:
        raise CheckpointError(f"{path}: {reason}")
    return network, whole


def checked_weights(folder: Path, weights: dict[str, str], network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a bundle, which are those that `network` has. Raises CheckpointError."""
    path = _inside(folder, weights["file"])
    expected: dict[str, Tensor] = network.state_dict()
    state = _read(path, weights["sha256"], sum(v.numel() * v.element_size() for v in expected.values()))
    kinds = [{k: (tuple(v.shape), v.dtype) for k, v in values.items()} for values in (expected, state)]
    if kinds[0] != kinds[1]:
        wrong = sorted(k for k in kinds[0].keys() | kinds[1].keys() if kinds[0].get(k) != kinds[1].get(k))
        wanted, found = (kind.get(wrong[0], ("nothing",)) for kind in kinds)
        raise CheckpointError(
            f"{path}: {len(wrong)} tensors do not fit {type(network).__name__}, first {shown(wrong[0])}: "
            f"found {_words(found)}, expected {_words(wanted)}"
        )
    bad = next((k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()), None)
    if bad:
        raise CheckpointError(f"{path}: {bad} holds NaN or infinite values")
    return state


def _words(kind: tuple[Any, ...]) -> str:
    return " ".join(str(part).removeprefix("torch.") for part in kind)


def _read(path: Path, sha256: str, expected: int) -> dict[str, Tensor]:
    try:
        size = path.stat().st_size
        if not expected <= size <= expected + _HEADER:
            raise CheckpointError(
                f"{path}: has {size:,} bytes and its network {expected:,} of weights; it is cut short, or "
                "another's; copy the bundle again"
            )
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CheckpointError(f"{path}: damaged: its sha256 is not the one in {JSON}; copy the bundle again")
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # whatever the reader raises on a file that is none
        raise CheckpointError(f"{path}: not a safetensors file: {shown(error)}") from error


def _inside(folder: Path, name: str) -> Path:
    """A file of the bundle, itself: not a link that leads out, and nothing that a read could wait for."""
    path = folder / name
    real = Path(os.path.realpath(path))  # unlike Path.resolve answers for links to themselves
    if path.is_symlink() and real.parent != Path(os.path.realpath(folder)):
        raise CheckpointError(f"{path}: is a link that leads out of its folder; put the file itself there")
    if real.is_symlink() or (real.exists() and not real.is_file()):
        raise CheckpointError(f"{path}: is no file")
    return path


def shown(value: object, most: int = 120) -> str:
    """Something from the file, in one short line, fit for a terminal."""
    text = ascii(str(value) if isinstance(value, str | Exception) else repr(value))[1:-1]
    return text if len(text) <= most else text[:most] + "..."
