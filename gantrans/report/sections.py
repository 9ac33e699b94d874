"""What is looked at: health, pictures, curves. What comes from a file goes through `_e`, which escapes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from html import escape as _e

from gantrans.report import facts
from gantrans.report.curves import REST, Chart
from gantrans.report.facts import TEXT
from gantrans.report.pictures import Frame, Shown
from gantrans.report.run import RunRecord
from gantrans.report.section import Section, heading, note
from gantrans.training.doctor import Finding

STATES = ("running", "finished", "preempted", "diverged", "failed")


def states(runs: Sequence[RunRecord]) -> str:
    """The runs by name, each with its colour and how it stands."""
    return f'<ul class="runs">{"".join(_state(i, run) for i, run in enumerate(runs))}</ul>'


def _state(place: int, run: RunRecord) -> str:
    state, done = str(run.status.get("state", "unknown"))[:40], facts.cost(run)
    task = run.config.get("task")
    told = [str(task)[:80] if task else "", f"step {done['steps']}" if "steps" in done else "",
            str(run.status.get("updated", ""))[:40].replace("T", " ")]  # fmt: skip
    kind = state if state in STATES else ""
    return (
        f'<li class="c{place % 8}"><i class="dot"></i><b>{_e(run.name)}</b>'
        f'<span class="badge {kind}">{_e(state)}</span>{_e(", ".join(t for t in told if t))}</li>'
    )


def health(runs: Sequence[RunRecord], findings: Sequence[list[Finding]]) -> Section:
    """What the doctor says, and what could not be read."""
    body = ""
    for place, (run, found) in enumerate(zip(runs, findings, strict=True)):
        body += heading(runs, place)
        if not found:
            body += '<p class="well">Nothing found: the numbers look well.</p>'
        for finding in found:
            body += (
                f'<div class="finding"><b>{_e(finding.signal)}</b><p>{_e(finding.seen[:TEXT])}</p>'
                f"<p>{_code(finding.advice)}</p></div>"
            )
        body += "".join(note(text) for text in run.notes)
    return Section("health", "Health", "What gantrans doctor sees in the numbers.", body)


def _code(text: str) -> str:
    """Escaped, and what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", _e(text))


def pictures(runs: Sequence[RunRecord], shown: Sequence[Shown], what: str) -> Section:
    """`what`: "compare", source and output of the last strip, or "strips" through time."""
    body = ""
    for place, one in enumerate(shown):
        mine = "".join(_compare(pair) for pair in one.pairs) if what == "compare" else "".join(_strips(one))
        notes = "".join(note(text) for text in one.notes) if what == "strips" or not mine else ""
        if what == "compare":
            mine = f'<div class="row">{mine}</div>' if mine else ""
        body += heading(runs, place) + (mine or ("" if notes else note("No pictures."))) + notes
    if what == "compare":
        lead = (
            "Drag across a picture: left the source, right what the model makes of it, of the newest strip."
        )
        return Section("compare", "Before and after", lead, body)
    lead = "The same images at every step: source, output, target where there is one, and the error."
    return Section("strips", "Through time", lead, body)


def _compare(pair: tuple[bytes, bytes]) -> str:
    source, output = map(_data, pair)
    return (
        f'<figure class="compare" data-compare><img alt="source" src="{source}">'
        f'<img class="over" alt="output" src="{output}"><span class="left">source</span>'
        '<span class="right">output</span><input type="range" min="0" max="100" value="50" step="0.5" '
        'aria-label="Share of the source"><i class="bar"></i></figure>'
    )


def _strips(shown: Shown) -> Iterator[str]:
    for kind, frames in shown.strips.items():
        if not frames:
            continue
        title = f"<h3>{_e(kind)}</h3>" if len(shown.strips) > 1 else ""
        last = len(frames) - 1
        images = "".join(_frame(frame, hidden=i != last) for i, frame in enumerate(frames))
        slider = f'<input type="range" min="0" max="{last}" value="{last}" aria-label="Step">' if last else ""
        slide = f'<div class="slide">{slider}<output>step {frames[-1].step:,}</output></div>'
        yield f'{title}<figure data-strip><div class="frames">{images}</div>{slide}</figure>'


def _frame(frame: Frame, *, hidden: bool) -> str:
    alt = f'alt="probe strip at step {frame.step}" data-step="{frame.step}"'
    return f'<img {alt}{" hidden" if hidden else ""} src="{_data(frame.jpeg)}">'


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def curves(runs: Sequence[RunRecord], charts: Sequence[Chart], notes: Sequence[str]) -> Section:
    """Places for the charts, by what they answer; the script draws them."""
    pages: dict[str, str] = {}
    for place, chart in enumerate(charts):
        told = (
            f'<figure class="chart" data-chart="{place}"><figcaption>{_e(chart.title)}</figcaption></figure>'
        )
        pages[chart.page] = pages.get(chart.page, "") + told
    body = "".join(note(text) for text in notes)
    if len(runs) > 1:
        buttons = "".join(
            f'<button type="button" class="c{i % 8}" data-run="{i}" aria-pressed="true">'
            f'<i class="dot"></i>{_e(run.name)}</button>'
            for i, run in enumerate(runs)
        )
        body += f'<div class="toggles">{buttons}</div>'
    for title, drawn in pages.items():
        inside = f'<div class="charts">{drawn}</div>'
        folded = title == REST and len(pages) > 1
        body += (
            f"<details><summary>{title}</summary>{inside}</details>"
            if folded
            else f"<h3>{title}</h3>{inside}"
        )
    lead = "Point at a curve to read its values; they are those of metrics.jsonl."
    return Section("curves", "Curves", lead, body if pages else body + note("No curves yet."))
