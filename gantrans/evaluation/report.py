"""What an evaluation leaves behind: the table, metrics.json and a strip of the worst."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from gantrans.errors import StorageError
from gantrans.evaluation.evaluate import ROLES, Found, named
from gantrans.imaging import sheet
from gantrans.imaging.write import storage_error, write, write_text_atomic
from gantrans.metrics.distribution import FEW
from gantrans.metrics.table import OVER_SETS, PER_IMAGE

STRIP = "worst.png"


def table(found: Found) -> str:
    """A line a metric: means of the output, the input and the target, as far as there are any."""
    names = [name for name in found.means if not name.endswith(("_input", "_target"))]
    roles = [role for role in ROLES if any(named(name, role) in found.means for name in names)]
    wide = max(len(name) for name in names)
    lines = [" ".join([" " * wide, *(f"{role:>10}" for role in roles)])]
    for name in names:
        cells = [_cell(found.means.get(named(name, role))) for role in roles]
        lines.append(" ".join([f"{name:<{wide}}", *cells]) + f"  {_legend(name, found)}".rstrip())
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return " " * 10
    return f"{'none':>10}" if math.isnan(value) else f"{value:>10.4f}"


def _legend(name: str, found: Found) -> str:
    about = PER_IMAGE.get(name) or OVER_SETS.get(name)
    notes = [about.unit if about else ""]
    higher = True if about is None else about.higher
    if higher is not None:
        notes.append("higher is better" if higher else "lower is better")
    over = found.over.get(name, len(found.images))
    if name == "squeeze_distance":  # there are no published figures
        notes.append(f"of {over} images: not FID, comparable with itself alone")
    elif name in OVER_SETS and over < FEW:
        notes.append(f"of {over} images: too few to compare with published figures")
    elif over < len(found.images):
        notes.append(f"over {over} of {len(found.images)} images; the others are too small")
    return ", ".join(note for note in notes if note)


def networks(files: dict[str, str]) -> list[str]:
    """A line a file of weights: which metrics look through which network. `files`: metric -> file."""
    lines = []
    for file in dict.fromkeys(files.values()):
        names = [name for name in files if files[name] == file]
        network = (PER_IMAGE.get(names[0]) or OVER_SETS[names[0]]).weights
        lines.append(f"{', '.join(names)}: features of {network}, {file}")
    return lines


def write_json(path: Path, found: Found, about: dict[str, Any]) -> None:
    """All figures of `found`, and `about`: what was measured, and how. NaN becomes null."""
    rejected = [{"image": key, "reason": reason} for key, reason in sorted(found.rejected.items())]
    content = {
        **about,
        "found": found.found,
        "measured": found.found - len(rejected),
        "rejected": rejected,
        "metrics": _finite(found.means),
        "images": {stem: _finite(values) for stem, values in sorted(found.images.items())},
    }
    make_folder(path.parent)
    write_text_atomic(path, json.dumps(content, indent=1) + "\n")


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def write_strip(path: Path, found: Found, metric: str) -> None:
    """The worst images, a row each: input (where there is one), the mask that the model predicts (where it
    does), output, target, error."""
    rows = [pictures for _, _, pictures in found.worst]
    columns = max(map(len, rows))
    titles = ["input", *(["mask"] if columns > 4 else []), "output", "target", "error"][-columns:]
    names = [f"{stem}: {metric} {value:.4g}" for stem, value, _ in found.worst]
    make_folder(path.parent)
    write(path, sheet.grid(rows, titles, names))


def make_folder(folder: Path) -> None:
    """Raises StorageError naming it and the remedy."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        failure: StorageError = storage_error(folder, error)
        raise failure from error
