"""What the end of a run says of its last validation."""

from __future__ import annotations

# What label maps of one class throughout would get (training/validate_labels.py).
_MAJORITY = {"pixel_accuracy": "majority_accuracy", "mean_iou": "majority_iou"}


def scores(v: dict[str, float]) -> str:
    """The last validation: what compares with targets where there are any, else what can be said without."""
    from gantrans.metrics.table import LABELS, PER_IMAGE

    compared = [name for name in (*PER_IMAGE, *LABELS) if name in v]
    if compared:
        return "\n".join(_score(name, v) for name in compared)
    said = {"cycle_l1": "round trip, mean error", "health_change": "output differs from input by"}
    lines = [f"    {text:<30} {v[name]:.4f} of 1" for name, text in said.items() if name in v]
    return "\n".join(lines)


def _score(name: str, v: dict[str, float]) -> str:
    """One metric: of the output, and of the input where that can be compared with the target too."""
    from gantrans.metrics.table import PER_IMAGE

    about = PER_IMAGE.get(name)
    unit, digits = (about.unit, 2 if about.unit else 4) if about else ("", 4)
    unit = f" {unit}" if unit else ""
    before = v.get(f"{name}_input")
    given = "" if before is None else f"input {before:7.{digits}f}{unit}  "
    gain = "" if before is None else f"  ({v[name] - before:+.{digits}f})"
    least = v.get(_MAJORITY.get(name, ""))
    if least is not None:
        gain = f"  (the commonest class everywhere: {least:.{digits}f})"
    label = name.upper() if name in ("psnr", "ssim") else name
    return f"    {label:<14} {given}output {v[name]:7.{digits}f}{unit}{gain}"
