"""README.md of a bundle: what it says in bundle.json, for people."""

from __future__ import annotations

from typing import Any

from gantrans.bundles.card import UNSPECIFIED, Card
from gantrans.data.pixels import LABELS

README = "README.md"
_MODES = {"rgb": "colour pictures", "grey": "grey pictures", LABELS: "label maps"}
_NAMES = {
    "psnr": "PSNR (dB, higher is better)",
    "ssim": "SSIM (0 to 1, higher is better)",
    "psnr_input": "PSNR of the input itself",
    "ssim_input": "SSIM of the input itself",
    "psnr_gain": "PSNR gained over the input",
    "ssim_gain": "SSIM gained over the input",
}


def model_card(card: Card, *, parameters: int, size: int, sha256: str) -> str:
    """The text, in Markdown. `size`: bytes of the weights, `sha256` theirs."""
    parts = [
        f"# {_line(card.task) or 'A generator'}",
        f"{_what(card)} By gantrans; the network is {card.network['name']}, {parameters:,} parameters.",
        "## Use\n" + _use(card),
        "## Training\n" + _rows(_training(card)),
        "## Metrics\n" + _metrics(card),
        "## Licence\n" + _licence(card),
        "## Limits\n" + _limits(card),
        f"## Files\n- `bundle.json`: all of this for programs\n- the weights, {size:,} bytes of safetensors, "
        f"sha256 `{sha256}`; loading them runs no code",
    ]
    return "\n\n".join(parts) + "\n"


def _what(card: Card) -> str:
    source, target = _MODES[card.source_mode], _MODES[card.target_mode]
    made = f"Makes {target} from {source}" if source != target else f"Translates {source}"
    larger = f", {card.scale} times as large" if card.scale > 1 else ", of any size and of the same size"
    masked = "; it needs a mask of what is covered" if card.mask == "input" else ""
    return f"{made}{larger}{masked}."


def _use(card: Card) -> str:
    more = " masks=MASKS" if card.mask == "input" else ""
    more += " style=STYLE.jpg" if card.network["name"] == "AdaINGenerator" else ""
    return (
        "In this folder:\n\n"
        f"    gantrans translate model=. source=PHOTOS out=RESULTS{more}\n"
        f"    gantrans export model=. out=model.onnx{' style=STYLE.jpg' if 'style' in more else ''}\n\n"
        "The first translates a picture or a folder, the second writes a graph for other programs."
    )


def _training(card: Card) -> dict[str, Any]:
    facts, data = card.provenance, card.training_data
    recipe = facts.get("recipe")
    versions = f"gantrans {facts.get('gantrans')}, torch {facts.get('torch')}"
    return {
        "Step": facts.get("step"),
        "Seed": facts.get("seed"),
        "Data": facts.get("layout"),
        "Degraded by": f"{recipe['name']} ({recipe['hash']})" if isinstance(recipe, dict) else None,
        "Training images": facts.get("train_images"),
        "Training files": f"{data['files']:,}" if "files" in data else None,
        "Fingerprint of the files": data.get("sha256"),
        "Started from": (facts.get("init_from") or {}).get("file"),
        "Imported from": facts.get("imported_from"),
        "Written by": versions if "gantrans" in facts else None,
    }  # fmt: skip


def _rows(facts: dict[str, Any]) -> str:
    lines = [f"- {name}: {_line(value)}" for name, value in facts.items() if value is not None]
    return "\n".join(lines) or "Not known."


def _metrics(card: Card) -> str:
    chosen = {k: v for k, v in card.metrics.items() if not k.startswith("health_")}
    if not chosen:
        return "Not measured."
    rows = "\n".join(f"| {_NAMES.get(name, name)} | {value:.4g} |" for name, value in chosen.items())
    return f"Of the validation images of the run that made it:\n\n| | |\n|---|---|\n{rows}"


def _licence(card: Card) -> str:
    if card.licence == UNSPECIFIED:
        return "Unspecified: ask who gave you this model before you use it for more than trying it out."
    return _line(card.licence)


def _limits(card: Card) -> str:
    lines = [
        "It has learned from the data above; pictures of another kind may come out wrong, and it invents "
        "detail. Its output is no evidence of what was there.",
        "Values are rounded to the bits of the input.",
    ]
    if card.norm_statistics == "image" and card.source_mode != LABELS:
        lines.append("Batch norm uses the statistics of each picture: a crop may look other than the whole.")
    if card.outside == "copy":
        lines.append("Where the mask is 0, pixels are copied from the input.")
    return "\n".join(f"- {line}" for line in lines)


def _line(value: Any) -> str:
    """On one line, so that a name cannot become a heading."""
    return " ".join(str(value).split())
