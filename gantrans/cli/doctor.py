"""gantrans doctor RUN_DIR: look at a run and say in plain words what went wrong."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from gantrans.cli.options import refuse_config_flags
from gantrans.errors import CheckpointError, ConfigError

HELP = """gantrans doctor RUN_DIR

Reads a run's metrics and status, finished or not, and says what is wrong and what to change: a discriminator
that wins, a generator that copies its input, collapse, inverted light and dark, checkerboards, losses that
became NaN, interrupted runs, waiting for data. Changes nothing. Exit code 0, whatever it finds.
"""


def run(args: list[str]) -> None:
    """The verb: read the run folder, print each finding with its advice."""
    if "-h" in args or "--help" in args:
        print(HELP, end="")
        return
    refuse_config_flags("doctor", args)
    if len(args) != 1 or args[0].startswith("-"):
        raise ConfigError("doctor takes one run folder: gantrans doctor RUN_DIR")
    path = Path(args[0]).expanduser()
    if not (path / "config.yaml").is_file():
        raise CheckpointError(
            f"{path}: not a run folder (no config.yaml); give the folder that train printed"
        )
    from gantrans.training.doctor import examine

    texts = {name: _text(path / name) for name in ("status.json", "metrics.jsonl")}
    status = _object(texts["status.json"])
    lines = [_object(line) for line in texts["metrics.jsonl"].splitlines()]
    when = f", as of {status['updated']}" if "updated" in status else ""
    print(f"run       {path}")
    print(f"state     {status.get('state', 'unknown')}, step {status.get('step', 'unknown')}{when}")
    findings = examine(path, status, [line for line in lines if line])
    damaged = [
        name for name, found in zip(texts, (status, any(lines)), strict=True) if texts[name] and not found
    ]
    if damaged:
        print(f"note      damaged, nothing in it can be read: {', '.join(damaged)}")
    if not findings:
        print("findings  none: the numbers look well. Look at the pictures in samples/ all the same")
    for finding in findings:
        print(f"\n{finding.signal}\n{_indented(finding.seen)}\n{_indented(finding.advice)}")


def _text(path: Path) -> str:
    """What the file holds; nothing if it is missing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _object(text: str) -> dict[str, Any]:
    """A JSON object; empty where it was cut short by a crash."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _indented(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    ")
