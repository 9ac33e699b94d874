"""The results of benchmarks/gpu.py as tables in Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_floor import floor_ms

FACADES_STEPS = 80_000  # 400 images, 200 epochs, batch 1 (Isola et al. 2017)


def table(results: dict[str, Any]) -> str:
    """Everything that was measured, what was not, and what it means for a run on the facades."""
    peaks = results.get("peaks", {})
    lines = [
        f"{peaks.get('device', '?')}, PyTorch {peaks.get('torch', '?')}, {results['options']['size']} pixels"
    ]
    measured = {name: value for name, value in peaks.items() if isinstance(value, float)}
    lines.append(
        "measured peaks: "
        + ", ".join(
            f"{name} {value / 1e12:.2f} {'TB/s' if name == 'bandwidth' else 'TFLOP/s'}"
            for name, value in measured.items()
        )
    )
    lines += [
        "",
        "| method | batch | way | format | steps/s | images/s | ms | x reference | floor ms | of floor | "
        "peak MiB | first steps s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    order = {cell["method"]: number for number, cell in enumerate(reversed(results["cells"]))}
    cells = sorted(results["cells"], key=lambda cell: (-order[cell["method"]], cell["batch"]))
    lines += [_row(cell, results["cells"], peaks) for cell in cells]
    lines += ["", *_parity(results.get("parity", {})), *_facades(results["cells"])]
    if results.get("left_out"):
        lines.append("no time for: " + "; ".join(_name(job) for job in results["left_out"]))
    return "\n".join(lines)


def _row(cell: dict[str, Any], cells: list[dict[str, Any]], peaks: dict[str, Any]) -> str:
    head = f"| {cell['method']} | {cell['batch']} | {cell['way']} | {cell['precision']} "
    if "error" in cell:
        return f"{head}| {cell['error'][:120].replace('|', '/')} | | | | | | | |"
    like = [c for c in cells if (c["method"], c["batch"]) == (cell["method"], cell["batch"])]
    reference = next((c["ms"] for c in like if c["way"] == "reference" and "ms" in c), None)
    work = next((c["work"] for c in like if c["precision"] == cell["precision"] and "work" in c), None)
    floor = None
    if work and cell["precision"] in peaks:
        floor = floor_ms(work, peaks[cell["precision"]], peaks["bandwidth"])
    ratio = f"{reference / cell['ms']:.2f}" if reference else ""
    least, share = (f"{floor:.2f}", f"{100 * floor / cell['ms']:.0f} %") if floor else ("", "")
    return (
        f"{head}| {cell['steps_per_s']:.2f} | {cell['images_per_s']:.1f} | {cell['ms']:.2f} | {ratio} "
        f"| {least} | {share} | {cell['peak_mib']} | {cell['first_steps_s']} |"
    )


def _parity(found: dict[str, Any]) -> list[str]:
    if not found:
        return []
    said = (
        f"{n}: {'bit-equal' if d == 0 else d if isinstance(d, str) else f'{d:.2e}'}" for n, d in found.items()
    )
    return ["graph against eager, largest difference: " + "; ".join(said), ""]


def _facades(cells: list[dict[str, Any]]) -> list[str]:
    """200 epochs at batch 1, from the steps alone: neither loading nor validation is in it."""
    measured = [c for c in cells if (c["method"], c["batch"]) == ("pix2pix", 1) and "ms" in c]
    return [
        f"facades, 200 epochs at batch 1 ({FACADES_STEPS} steps), {c['way']} {c['precision']}: "
        f"{FACADES_STEPS * c['ms'] / 60_000:.1f} min"
        for c in sorted(measured, key=lambda c: c["ms"])
    ]


def _name(job: dict[str, Any]) -> str:
    return " ".join(str(value) for value in job.values())
