"""What match-recipe tells: the recipe as YAML with a comment on each step, a table, and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from gantrans.match.fit import ALWAYS, Step
from gantrans.match.propose import BETTER, Account

LEFT_OUT = {
    "colour_cast": "not offered: a folder's mean colour is of its subjects as much as of the light",
    "down_up": "not offered: lost resolution looks like blur, and is matched as gaussian_blur",
}
# 80 % of single images are told within; measured on photographs: docs/match-recipe.md.
ERRORS = {"jpeg": "0", "gaussian_noise": "1.2 levels or 20 %", "gaussian_blur": "0.4 px"}


def recipe_yaml(account: Account, source: str) -> str:
    """The recipe, ready for `gantrans pairs recipe=FILE`."""
    lines = [
        f"# By gantrans match-recipe, from {account.used} images of {json.dumps(source, ensure_ascii=False)}"
        + (f" beside {account.clean} clean ones" if account.clean else ", without clean ones beside them"),
        "name: matched",
        "steps:",
    ]
    for step in account.fit.steps:
        lines += [f"  # {_percent(step)}: median {_range(step)}; {step.told}", f"  - {_line(step)}"]
    return "\n".join(lines) + "\n"


def _line(step: Step) -> str:
    values = ", ".join(f"{key}: {_number(value)}" for key, value in step.parameters.items())
    made = f"{step.operation}: {{{values}}}"
    return made if step.share >= ALWAYS else f"maybe: {{p: {step.share:.2f}, do: [{{{made}}}]}}"


def _number(value: object) -> str:
    return f"[{value[0]:g}, {value[1]:g}]" if isinstance(value, list) else f"{value:g}"


def _percent(step: Step) -> str:
    return f"in {step.share:.0%} of {step.count} images"


def _range(step: Step) -> str:
    return f"{step.median:g}{' ' + step.unit if step.unit else ''}, 80 % within {step.low:g} to {step.high:g}"


def table(account: Account) -> str:
    """One line for each thing that was looked for."""
    fit = account.fit
    rows = [("what", "median", "range", "images", "error of one image")]
    for step in fit.steps:
        unit = f" {step.unit}" if step.unit else ""
        rows.append((step.operation, f"{step.median:g}{unit}", f"{step.low:g} to {step.high:g}{unit}",
                     f"{step.share:.0%} of {step.count}", ERRORS[step.operation]))  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    widths[0] = max(widths[0], *map(len, [*fit.absent, *LEFT_OUT]))
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{name:<{widths[0]}}  {why}" for name, why in {**fit.absent, **LEFT_OUT}.items()]
    counted = f"found {account.found} images: {account.used} measured, {len(account.unreadable)} left out"
    counted += f"; {account.clean} clean ones" if account.clean else ""
    if account.used < BETTER:
        lines.append(f"few images: a range from {account.used} is rough; {BETTER} or more are better")
    return "\n".join([counted, *(f"left out  {name}: {why}" for name, why in account.unreadable), *lines])


def as_json(account: Account) -> str:
    """All of it, for programs."""
    told = {
        "found": account.found,
        "used": account.used,
        "clean": account.clean,
        "unreadable": [{"file": name, "reason": why} for name, why in account.unreadable],
        "steps": [asdict(step) for step in account.fit.steps],
        "absent": {**account.fit.absent, **LEFT_OUT},
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"
