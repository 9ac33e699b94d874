"""What a run folder holds, read so that nothing in it can do harm: it may be damaged, or a stranger's."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gantrans.errors import CheckpointError

MOST_BYTES = 2**26  # of metrics.jsonl that are read; a run of 100,000 lines has a quarter of that
MOST_HEADER = 2**24  # bytes of a safetensors header
STRIP = re.compile(r"step-(\d{1,12})(?:-(.{1,40}))?\.png", re.DOTALL)

Values = dict[str, Any]


@dataclass
class RunRecord:
    """The files of one run as values. `lines`: of metrics.jsonl, in the order of steps. `strips`: steps and
    pictures by the name behind the step ("" the probes). `notes`: what could not be read, in words."""

    name: str
    path: Path
    config: Values = field(default_factory=dict)
    overrides: str = ""
    status: Values = field(default_factory=dict)
    env: Values = field(default_factory=dict)
    lines: list[Values] = field(default_factory=list)
    strips: dict[str, list[tuple[int, Path]]] = field(default_factory=dict)
    bundle: Values = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def check_is_run(path: Path) -> None:
    """Raises CheckpointError for a folder that train did not make."""
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such folder; give the folder that train printed")
    if not (path / "config.yaml").is_file():
        raise CheckpointError(
            f"{path}: not a run folder (no config.yaml); give the folder that train printed"
        )


def read_run(path: Path, name: str, config: Values | None, why_not: str = "") -> RunRecord:
    """The run at `path`; its config was read by who may read configs, or `why_not`. Raises CheckpointError
    for a folder that is none; damage is noted instead."""
    check_is_run(path)
    run = RunRecord(name, path, config or {})
    outside = [part for part in sorted(_parts(path)) if not is_inside(part, path)]
    if outside:
        raise CheckpointError(
            f"{outside[0]}: is a link that leads out of the run folder, and the page would show what is "
            "there; put the file itself into the folder"
        )
    if config is None:
        run.notes.append(why_not)
    run.overrides = _text(path / "overrides.txt")
    run.status, run.env = (_object(run, name) for name in ("status.json", "env.json"))
    run.lines = _metrics(run)
    run.strips = _strips(path / "samples")
    run.bundle = _bundle(run)
    if not any(run.strips.values()):
        run.notes.append("samples/ holds no picture: there is nothing to show of what the model makes")
    return run


def _parts(path: Path) -> list[Path]:
    """All that is read of a run."""
    files = [
        path / name for name in ("config.yaml", "overrides.txt", "status.json", "env.json", "metrics.jsonl")
    ]
    return [
        *files,
        path / "samples",
        path / "bundle",
        *(path / "samples").glob("*"),
        *(path / "bundle").glob("*"),
    ]


def is_inside(part: Path, folder: Path) -> bool:
    """Whether a path, its links followed, lies in a folder."""
    real, root = os.path.realpath(part), os.path.realpath(folder)
    return os.path.commonpath([real, root]) == root


def number(value: object) -> float | None:
    """A finite number, or None: files may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if _is_huge(value) or not math.isfinite(value) else value


def _text(path: Path) -> str:
    if not path.is_file():  # a pipe would be waited for
        return ""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return ""


def _loaded(text: str) -> Values:
    """A JSON object; empty for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: math.inf if _is_huge(value) else value for key, value in found.items()}


def _is_huge(value: object) -> bool:
    """An integer that no float holds, which arithmetic would trip over."""
    return isinstance(value, int) and abs(value) >= 2**1000


def _object(run: RunRecord, name: str) -> Values:
    text = _text(run.path / name)
    found = _loaded(text)
    if not found:
        run.notes.append(f"{name} is {'damaged' if text else 'missing'}: what it tells is left out")
    return found


def _metrics(run: RunRecord) -> list[Values]:
    """Whole lines, the last of each step and split, by step."""
    text = _text(run.path / "metrics.jsonl")
    found: dict[tuple[int, str], Values] = {}
    bad: list[int] = []
    for place, line in enumerate(text.splitlines(), 1):
        values = _loaded(line)
        step, split = values.get("step"), values.get("split")
        if (
            isinstance(step, int)
            and not isinstance(step, bool)
            and 0 <= step < 2**53
            and split in ("train", "val")
        ):
            found[step, str(split)] = values
        elif line.strip():
            bad.append(place)
    if bad:
        some = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        run.notes.append(f"metrics.jsonl: {len(bad)} damaged lines are left out (line {some})")
    if len(text) >= MOST_BYTES:
        run.notes.append(f"metrics.jsonl is very long: only its first {MOST_BYTES >> 20} MiB are read")
    if not found:
        run.notes.append("no metrics yet: curves and figures come with the first log and validation")
    return [found[key] for key in sorted(found)]


def _strips(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    found: dict[str, list[tuple[int, Path]]] = {}
    try:
        paths = list(folder.iterdir())
    except OSError:
        return {}
    for path in paths:
        if match := STRIP.fullmatch(path.name):
            found.setdefault(match[2] or "", []).append((int(match[1]), path))
    return {name: sorted(found[name]) for name in sorted(found)}


def _bundle(run: RunRecord) -> Values:
    """The network's name, its parameters and its file, from the headers alone."""
    folder = run.path / "bundle"
    if not (folder / "bundle.json").is_file():
        return {}
    card = _loaded(_text(folder / "bundle.json"))
    network, weights = card.get("network"), card.get("weights")
    file = weights.get("file") if isinstance(weights, dict) else None
    found: Values = {"network": network.get("name") if isinstance(network, dict) else None}
    if isinstance(file, str) and Path(file).name == file:
        found |= _header(folder / file)
    if "parameters" not in found:
        run.notes.append("bundle/ is damaged: its weights' header cannot be read")
    return found


def _header(path: Path) -> Values:
    """Parameters and bytes of a safetensors file: 8 bytes of length, then JSON with every shape."""
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            tensors = _loaded(stream.read(length).decode("utf-8")) if length <= MOST_HEADER else {}
        shapes = [entry["shape"] for name, entry in tensors.items() if name != "__metadata__"]
        count = sum(math.prod(int(side) for side in shape) for shape in shapes)
        return {"parameters": count, "bytes": path.stat().st_size} if shapes else {}
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return {}
