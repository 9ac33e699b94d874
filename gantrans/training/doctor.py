"""What is wrong with a run, in plain words: reads its metrics and status, and says what to change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAST = 0.25  # the share of a run, at its end, that is judged
LOGS = 4  # fewer lines of losses than these say nothing

Values = dict[str, float]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `signal`: its short name; `seen`: the numbers; `advice`: what to change."""

    signal: str
    seen: str
    advice: str


@dataclass(frozen=True)
class Sign:
    """A sign of health (metrics/health.py) and when it is a bad one; `says` describes a value."""

    signal: str
    metric: str
    bad: Callable[[float], bool]
    says: str
    advice: str


# The bounds lie far from what sound runs show; docs/adr/0010-health.md tells what was measured.
SIGNS = (
    Sign(
        "copy",
        "health_change",
        lambda value: value < 0.01,
        "outputs differ from their inputs by {:.1%} of the range only",
        "The generator copies its input. Without pairs use generator.residual=false, which cannot start as a "
        "copy; lower the identity loss (method.lambda_identity=0 or method.identity=false), or the cycle or "
        "NCE weight; or train longer.",
    ),
    Sign(
        "collapse",
        "health_diversity",
        lambda value: value < 0.15,
        "outputs differ from each other {:.0%} as much as inputs do",
        "The generator gives much the same picture for everything. Go back to an earlier checkpoint; use "
        "adversary.smooth=0.1 or adversary.r1=1, a lower train.lr, or a higher cycle, NCE or L1 weight.",
    ),
    Sign(
        "inversion",
        "health_luminance",
        lambda value: value < -0.2,
        "light and dark correlate by {:+.2f} between input and output",
        "Light and dark have changed places, which a round trip cannot see. Set method.lambda_identity=0.5 "
        "(or method.identity=true), or start again with another seed. If the two kinds of image really are "
        "each other's negatives, all is well.",
    ),
    Sign(
        "checkerboard",
        "health_checkerboard",
        lambda value: value > 0.15,
        "{:.0%} of the outputs' fine detail is a pattern that repeats every 4 pixels",
        "The transposed convolutions show. Train longer; or use generator.antialias=true (ResNet) or a lower "
        "method.lambda_gan.",
    ),
)


def examine(run: Path) -> list[Finding]:
    """What is wrong with the run in this folder; nothing, if all looks well. Reads files only."""
    status, lines = _status(run), _lines(run)
    findings = _ended(run, status)
    losses = [line for line in lines if line.get("split") == "train"]
    checks = [line for line in lines if line.get("split") == "val" and line.get("step", 0) > 0]
    if len(losses) >= LOGS:
        findings += _game(losses[-max(LOGS, round(len(losses) * LAST)) :])
    if checks:
        findings += _signs(checks[-1])
        findings += _gain(checks[-1])
    if status.get("data_wait_share", 0.0) > 0.3:
        findings.append(
            Finding(
                "data-wait",
                f"{status['data_wait_share']:.0%} of the time was spent waiting for images",
                "Raise data.workers, or shrink the images once with `gantrans pairs size=N`.",
            )
        )
    return findings


def _ended(run: Path, status: dict[str, Any]) -> list[Finding]:
    """How the run ended, where it did not end well."""
    state, reason = status.get("state"), str(status.get("reason", ""))
    if state == "diverged":
        return [
            Finding(
                "non-finite",
                reason or "a loss became NaN or infinite",
                f"Look at those images; lower train.lr, use core.precision=fp32; `gantrans resume {run}`.",
            )
        ]
    if state in ("failed", "preempted"):
        said = {"failed": "the run failed", "preempted": "the run was interrupted, and saved"}[state]
        return [Finding(state, f"{said}: {reason}", f"Mend the cause, then `gantrans resume {run}`.")]
    return []


def _game(losses: list[dict[str, Any]]) -> list[Finding]:
    """Whether the discriminators have won or lost, by the share of patches that they tell."""
    findings = []
    for name in sorted({key for line in losses for key in line if key.startswith("D_accuracy")}):
        share = _mean(losses, name)
        which = name.removeprefix("D_accuracy").strip("_") or "the"
        if share > 0.97:
            findings.append(
                Finding(
                    "discriminator-wins",
                    f"{which} discriminator tells {share:.0%} of patches right, so it teaches nothing",
                    "Use adversary.r1=1, adversary.smooth=0.1 or, for small data, "
                    "adversary.augment=[colour,translation]; or a smaller discriminator.width.",
                )
            )
    return findings


def _signs(check: dict[str, Any]) -> list[Finding]:
    findings = []
    for sign in SIGNS:
        for suffix, which in (
            ("", ""),
            ("_to_source", "on the way back, "),
            ("_unpaired", "on real images, "),
        ):
            value = check.get(sign.metric + suffix)
            copied = sign.signal == "copy" and _nothing_to_change(check)
            if isinstance(value, int | float) and sign.bad(float(value)) and not copied:
                findings.append(Finding(sign.signal, which + sign.says.format(value), sign.advice))
    return findings


def _nothing_to_change(check: dict[str, Any]) -> bool:
    """Pairs whose source is as good as its target: there an output like its input is right."""
    return check.get("psnr_input", 0.0) > 35


def _gain(check: dict[str, Any]) -> list[Finding]:
    gain = check.get("psnr_gain")
    sharing = check.get("health_luminance", 0.0) > 0.5  # source and target show the same picture
    if isinstance(gain, int | float) and gain < 0 and check.get("psnr_input", 0.0) > 15 and sharing:
        return [
            Finding(
                "no-gain",
                f"the output's PSNR is {-gain:.2f} dB below that of its input",
                "Train longer, lower method.lambda_gan, or use generator.residual=true.",
            )
        ]
    return []


def _mean(lines: list[dict[str, Any]], name: str) -> float:
    values = [float(line[name]) for line in lines if isinstance(line.get(name), int | float)]
    return sum(values) / len(values)


def _status(run: Path) -> dict[str, Any]:
    try:
        found = json.loads((run / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lines(run: Path) -> list[dict[str, Any]]:
    try:
        text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue  # a line cut short by a crash
        if isinstance(value, dict):
            found.append(value)
    return found
