"""Runs as one HTML page that needs nothing but itself.

Every text from a file is escaped, numbers travel as JSON that cannot leave its element, and a policy allows
no script, style or picture but the page's own: a run folder may be a stranger's.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

from gantrans.report import sections, tables
from gantrans.report.curves import charts_of, curves_of
from gantrans.report.pictures import Shown
from gantrans.report.run import RunRecord
from gantrans.report.section import Compared, Section
from gantrans.training.doctor import Finding

MARK = '<meta name="generator" content="gantrans report">'
LIMIT_MB = 14  # pictures 7 (pictures.BYTES as base64), curves 3.6, the rest text of limited length
_HERE = Path(__file__).parent


def page(
    runs: Sequence[RunRecord],
    shown: Sequence[Shown],
    findings: Sequence[list[Finding]],
    compared: Compared,
    when: str,
) -> str:
    """The page of these runs, each with its pictures and findings; `when`: the date on it."""
    curves, notes = curves_of(list(runs))
    charts = charts_of(curves)
    made = [
        sections.health(runs, findings),
        tables.metrics(runs),
        *(sections.pictures(runs, shown, what) for what in ("compare", "strips")),
        sections.curves(runs, charts, notes),
        tables.config(runs, compared),
        tables.cost(runs),
        tables.files(runs),
    ]
    style, script = (_part(name) for name in ("page.css", "page.js"))
    numbers = {
        "runs": [run.name for run in runs],
        "curves": [{"run": c.run, "name": c.name, "split": c.split, "points": c.points} for c in curves],
        "charts": [{"title": c.title, "curves": c.curves} for c in charts],
    }
    filled = _filled(
        {
            "policy": _policy(style, script),
            "title": html.escape(", ".join(run.name for run in runs)),
            "runs": sections.states(runs),
            "nav": "".join(f'<a href="#{section.key}">{section.title}</a>' for section in made),
            "sections": "\n".join(map(_section, made)),
            "footer": html.escape(f"Made {when}; keeps all it needs, and stays below {LIMIT_MB} MB."),
            "numbers": in_script(numbers),
            "css": style,
            "js": script,
        }
    )
    return filled.encode("utf-8", "replace").decode()  # half a character, as a file's name may hold


def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _filled(parts: dict[str, str]) -> str:
    """The template with its places filled, in one pass: what is filled in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))


def _section(section: Section) -> str:
    return (
        f'<section id="{section.key}"><h2>{section.title}</h2>\n'
        f'<p class="lead">{section.lead}</p>\n{section.body}</section>'
    )


def in_script(values: object) -> str:
    """JSON that no text in it can end or turn into markup."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)  # ASCII alone
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; img-src data:; style-src {allowed(style)}; script-src {allowed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
