"""What is wrong with a run, in plain words: judges its status and metrics, and says what to change."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAST = 0.25  # the share of a run, at its end, that is judged
COLLAPSED = 0.3  # a diversity below this
WON = 0.98  # a discriminator that tells a larger share of patches
LOGS = 4  # fewer lines of losses than these say nothing

Values = dict[str, Any]


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


# The bounds lie between what sound and what spoilt outputs show; docs/adr/0010-health.md has the numbers.
SIGNS = (
    Sign(
        "copy",
        "health_change",
        lambda value: value < 0.006,
        "outputs differ from their inputs by {:.1%} of the range only",
        "The generator copies its input. Without pairs use generator.residual=false, which cannot start as a "
        "copy; lower the identity loss (method.lambda_identity=0 or method.identity=false), or the cycle or "
        "NCE weight; or train longer. If inputs need no more than that, all is well.",
    ),
    Sign(
        "collapse",
        "health_diversity",
        lambda value: value < COLLAPSED,
        "outputs differ from each other {:.0%} as much as inputs do",
        "The generator gives much the same picture for everything. Go back to an earlier checkpoint; use "
        "adversary.smooth=0.1 or adversary.r1=1, a lower train.lr, or a higher cycle, NCE or L1 weight.",
    ),
    Sign(
        "inversion",
        "health_luminance",
        lambda value: value < -0.6,
        "light and dark correlate by {:+.2f} between input and output",
        "Light and dark have changed places, which a round trip cannot see. Set method.lambda_identity=0.5 "
        "(or method.identity=true), or start again with another seed. If the two kinds of image really are "
        "each other's negatives, all is well.",
    ),
    Sign(
        "checkerboard",
        "health_checkerboard",
        lambda value: value > 0.02,
        "{:.0%} of the outputs' fine detail is one pattern that repeats every 4 pixels",
        "The transposed convolutions show. All generators that have them begin so: while a run is young, "
        "train on, it fades. If it stays, use generator.antialias=true (ResNet) or lower method.lambda_gan.",
    ),
)
WAYS = {"": "", "_to_source": "on the way back, ", "_unpaired": "on real images, "}  # endings of the metrics


def examine(run: Path, status: Values, lines: list[Values]) -> list[Finding]:
    """What is wrong with the run in the folder `run`; nothing, if all looks well.

    status: what status.json holds; lines: what metrics.jsonl does. Either may be empty, odd or incomplete.
    """
    losses = [line for line in lines if line.get("split") == "train"]
    checks = [line for line in lines if line.get("split") == "val" and (_number(line, "step") or 0) > 0]
    findings = _ended(run, status) or _not_finite(lines)
    findings += _game(losses)
    if checks:
        findings += _signs(checks[-1])
        findings += _gain(checks[-1])
    waited = _number(status, "data_wait_share") or 0.0
    if waited > 0.3:
        seen = f"{waited:.0%} of the time was spent waiting for images"
        advice = "Raise data.workers, or shrink the images once with `gantrans pairs size=N`."
        findings.append(Finding("data-wait", seen, advice))
    if not checks and not findings:
        seen = "metrics.jsonl holds no validation after step 0"
        findings = [Finding("nothing-to-judge", seen, "Ask again after the first one; see val.every.")]
    return findings


def _ended(run: Path, status: Values) -> list[Finding]:
    """How the run ended, where it did not end well."""
    state, again = status.get("state"), f"`gantrans resume {run}`"
    reason = re.sub(r"^\w+: ?", "", str(status.get("reason") or ""))  # without the name of the exception
    if state == "diverged":
        seen = reason or "a loss became NaN or infinite"
        advice = f"Look at those images. {again} with a lower train.lr or core.precision=fp32 goes on."
        return [Finding("non-finite", seen, advice)]
    if state == "failed":
        return [Finding("failed", reason or "no reason was left", f"Mend the cause, then {again}.")]
    if state == "preempted" and reason != "train.stop_at":
        return [Finding("interrupted", "something stopped the run", f"{again} goes on where it was saved.")]
    return []


def _not_finite(lines: list[Values]) -> list[Finding]:
    """The first number that is NaN or infinite."""
    for line in lines:
        for name, value in line.items():
            if isinstance(value, float) and not math.isfinite(value):
                advice = "Look for it in the curves; lower train.lr, use core.precision=fp32."
                return [Finding("non-finite", f"{name} is {value} at step {line.get('step')}", advice)]
    return []


def _has(line: Values, *beginnings: str) -> bool:
    return any(name.startswith(beginnings) for name in line)


def _game(losses: list[Values]) -> list[Finding]:
    """Whether a discriminator has won, by the share of patches that it tells; where a generator asks it.

    Not under a gradient penalty: that is made for critics that are right, and theirs have no zero.
    """
    last = losses[-max(LOGS, round(len(losses) * LAST)) :]
    asked = [line for line in last if _has(line, "G_GAN", "G_features") and not _has(line, "D_penalty")]
    findings = []
    for name in sorted({name for line in asked for name in line if name.startswith("D_accuracy")}):
        shares = [share for line in asked if (share := _number(line, name)) is not None]
        share = sum(shares) / max(1, len(shares))
        if len(shares) < LOGS or share <= WON:
            continue
        which = name.removeprefix("D_accuracy").strip("_") or "the"
        seen = f"{which} discriminator tells {share:.0%} of patches right, so it teaches little"
        advice = (
            "Use adversary.r1=1, adversary.smooth=0.1 or, for small data, "
            "adversary.augment=[colour,translation]; or a smaller discriminator.width."
        )
        findings.append(Finding("discriminator-wins", seen, advice))
    return findings


def _signs(check: Values) -> list[Finding]:
    """The bad signs, each with the ways in which it is seen."""
    findings = []
    for sign in SIGNS:
        seen = [
            which + sign.says.format(value)
            for ending, which in WAYS.items()
            if (value := _number(check, sign.metric + ending)) is not None
            and sign.bad(value)
            and not _excused(sign.signal, ending, check)
        ]
        if seen:
            findings.append(Finding(sign.signal, "; ".join(seen), sign.advice))
    return findings


def _excused(signal: str, ending: str, check: Values) -> bool:
    """Whether something else that was measured explains a bad sign. Only pairs (no `ending`) have a gain."""
    gain = 0.0 if ending else _number(check, "psnr_gain") or 0.0
    if signal == "copy":  # a source as good as its target, or little to do and that done
        return (_number(check, "psnr_input") or 0.0) > 35 or gain > 0.5
    if signal == "inversion":  # targets are dark where labels are light; or one picture for everything
        varied = _number(check, f"health_diversity{ending}")
        return gain > 0 or (varied is not None and varied < COLLAPSED)
    return False


def _gain(check: Values) -> list[Finding]:
    gain, before = _number(check, "psnr_gain"), _number(check, "psnr_input")
    sharing = (_number(check, "health_luminance") or 0.0) > 0.5  # source and target show the same picture
    if gain is not None and gain < 0 and (before or 0.0) > 15 and sharing:
        seen = f"the output's PSNR is {-gain:.2f} dB below that of its input"
        advice = "Train longer, lower method.lambda_gan, or use generator.residual=true."
        return [Finding("no-gain", seen, advice)]
    return []


def _number(values: Values, name: str) -> float | None:
    """A finite number of that name, or None: files may be damaged or written by hand."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None  # whole numbers have no largest
