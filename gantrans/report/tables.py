"""What is read: figures, keys, cost, files. What comes from a file goes through `_e`, which escapes it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as _e

from gantrans.report import facts
from gantrans.report.run import RunRecord
from gantrans.report.section import Compared, Section, heading, note


def metrics(runs: Sequence[RunRecord]) -> Section:
    """Best and last of each metric, against the input itself."""
    found = facts.figures(list(runs))
    if not found:
        return Section("metrics", "Metrics", "", note("No validation yet."))
    titles = ["metric", *(["run"] if len(runs) > 1 else [])]
    head = "".join(f"<th>{title}</th>" for title in titles)
    head += "".join(f'<th class="n">{title}</th>' for title in ("input", "best", "gain", "last"))
    rows, before = "", ""
    for figure in found:
        rows += _figure(runs, found, figure, new=figure.metric != before)
        before = figure.metric
    body = f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
    if len({(f.metric, round(f.given, 3)) for f in found if f.given is not None}) > len(
        {f.metric for f in found if f.given is not None}
    ):
        body += note("Inputs differ between runs: they were not validated on the same pictures, so that "
                      "their figures are not comparable.")  # fmt: skip
    lead = "Means over the validation images. The gain is that of the best output over its input."
    return Section("metrics", "Metrics", lead, body)


def _figure(runs: Sequence[RunRecord], found: list[facts.Figure], figure: facts.Figure, *, new: bool) -> str:
    rivals = [f.best for f in found if f.metric == figure.metric]
    first = figure.better and len(rivals) > 1 and figure.best == max(rivals, key=lambda v: figure.better * v)
    arrow = {1: "higher is better", -1: "lower is better", 0: "describes only"}[figure.better]
    cells = f"<td>{_e(figure.metric)}<small>{arrow}</small></td>" if new else "<td></td>"
    if len(runs) > 1:
        cells += f'<td class="c{figure.run % 8}"><i class="dot"></i>{_e(runs[figure.run].name)}</td>'
    gain = ""
    if figure.given is not None:
        value = figure.best - figure.given
        kind = "" if not value * figure.better else ("up" if value * figure.better > 0 else "down")
        gain = f'<span class="{kind}">{value:+.4g}</span>'
    cells += (
        f'<td class="n">{_value(figure.given)}</td>'
        f'<td class="n{" top" if first else ""}">{_value(figure.best)}'
        f"<small>step {figure.best_step:,}</small></td>"
        f'<td class="n">{gain}</td>'
        f'<td class="n">{_value(figure.last)}<small>step {figure.last_step:,}</small></td>'
    )
    return f"<tr>{cells}</tr>"


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def config(runs: Sequence[RunRecord], compared: Compared) -> Section:
    """Keys that differ between runs, or from the defaults."""
    single = len(runs) == 1
    title = "Config against defaults" if single else "Config, run against run"
    said = (
        "".join(
            f"<h3>The command line</h3><pre>{_e(run.overrides[:4000])}</pre>" for run in runs if run.overrides
        )
        if single
        else ""
    )
    if compared.why_not:
        return Section("config", title, "", note(compared.why_not) + said)
    rows, same = facts.differences(compared.configs)
    head = "".join(f"<th>{_e(name)}</th>" for name in ("key", *compared.names))
    cells = "".join(
        f"<tr><td><code>{_e(key)}</code></td>{''.join(map(_setting, values))}</tr>" for key, values in rows
    )
    table = (
        f'<div class="scroll"><table><tr>{head}</tr>{cells}</table></div>'
        if rows
        else note("No key differs.")
    )
    lead = f"Keys that differ; {same} are the same."
    return Section("config", title, lead, table + said)


def _setting(text: str) -> str:
    return f'<td class="absent">{text}</td>' if text == facts.ABSENT else f"<td><code>{_e(text)}</code></td>"


def cost(runs: Sequence[RunRecord]) -> Section:
    """Steps, time, memory, device; a table where there are several runs."""
    costs = [facts.cost(run) for run in runs]
    labels = list(dict.fromkeys(label for one in costs for label in one))
    if len(runs) == 1:
        told = "".join(f"<div><dt>{label}</dt><dd>{_e(costs[0][label])}</dd></div>" for label in labels)
        return Section("cost", "Cost", "", f'<dl class="costs">{told}</dl>')
    head = "<th></th>" + "".join(f"<th>{_e(run.name)}</th>" for run in runs)
    rows = "".join(
        f"<tr><th>{label}</th>" + "".join(f"<td>{_e(one.get(label, ''))}</td>" for one in costs) + "</tr>"
        for label in labels
    )
    return Section("cost", "Cost", "", f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>')


def files(runs: Sequence[RunRecord]) -> Section:
    """Where everything lies."""
    body = ""
    for place, run in enumerate(runs):
        rows = "".join(
            f"<tr><td><code>{_e(p)}</code></td><td>{about}</td></tr>" for p, about in facts.files(run)
        )
        body += f'{heading(runs, place)}<div class="scroll"><table>{rows}</table></div>'
    return Section("files", "Files", "Where the run keeps what.", body)
