"""What the sections of the page share. Whatever comes from a file is escaped where it is put into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from gantrans.report.run import RunRecord, Values


@dataclass(frozen=True)
class Section:
    """`key`: its anchor; title, lead and body are HTML."""

    key: str
    title: str
    lead: str
    body: str


@dataclass(frozen=True)
class Compared:
    """Configs side by side: the runs', or the defaults and a run's. `why_not`: where they cannot be."""

    names: list[str]
    configs: list[Values]
    why_not: str = ""


def heading(runs: Sequence[RunRecord], place: int) -> str:
    """The run's name, where there are several."""
    return f"<h3>{escape(runs[place].name)}</h3>" if len(runs) > 1 else ""


def note(text: str) -> str:
    """A remark; `text` is plain."""
    return f'<p class="note">{escape(text)}</p>'
