"""The tables of the page: figures, configs against each other, cost, files; as text, nothing escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gantrans.report.run import RunRecord, Values, number

# metrics/table.py says the same of each metric, but needs torch.
LOWER = ("ab_error", "lpips", "cycle_l1", "fid", "kid", "squeeze_distance")
NEITHER = ("colourfulness",)
APART = ("_input", "_gain", "_train")  # endings of figures that stand beside another
KEYS, TEXT = 300, 200  # rows of a table of keys, letters of a value
NOT_COMPARED = ("run.dir",)
ABSENT = "not a key"


@dataclass(frozen=True)
class Figure:
    """A validation metric of a run. `better`: +1 where higher is better, -1 lower, 0 where it only tells."""

    metric: str
    run: int
    better: int
    given: float | None  # of the input itself, at the best step
    best: float
    best_step: int
    last: float
    last_step: int


def figures(runs: list[RunRecord]) -> list[Figure]:
    """Best and last of each metric of each run, metric by metric."""
    found = [figure for place, run in enumerate(runs) for figure in _figures(place, run)]
    order = list(dict.fromkeys(figure.metric for figure in found))
    return sorted(found, key=lambda figure: (order.index(figure.metric), figure.run))


def better(metric: str) -> int:
    if metric.startswith(NEITHER):
        return 0
    return -1 if metric.startswith(LOWER) else 1


def _figures(place: int, run: RunRecord) -> Iterator[Figure]:
    checks = [line for line in run.lines if line["split"] == "val"]
    names = dict.fromkeys(name for line in checks for name in line if name not in ("step", "split"))
    for name in list(names)[:KEYS]:
        if name.endswith(APART) or name.startswith("health_"):
            continue
        known = [(line, v) for line in checks if (v := number(line.get(name))) is not None]
        if not known:
            continue
        sign = better(name)
        line, best = max(known, key=lambda both: (sign * both[1], both[0]["step"]))
        end, last = known[-1]
        given = number(line.get(f"{name}_input"))
        yield Figure(name[:80], place, sign, given, best, line["step"], last, end["step"])


def flat(node: Any, prefix: str = "") -> dict[str, str]:
    """Nested values as dotted keys and short text."""
    found: dict[str, str] = {}
    for key, value in node.items():
        place = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found |= flat(value, f"{place}.")
        else:
            found[place] = _brief(value)
    return found


def _brief(value: Any) -> str:
    try:
        return value if isinstance(value, str) else json.dumps(value, default=str)
    except TypeError:  # a key that is no text, as YAML allows
        return str(value)


def differences(columns: list[Values]) -> tuple[list[tuple[str, list[str]]], int]:
    """Keys that are not the same in all configs, with their values; and how many are the same."""
    texts = [flat(column) for column in columns]
    keys = [k for k in dict.fromkeys(k for t in texts for k in t) if k not in NOT_COMPARED]
    rows = [(key, [text.get(key, ABSENT)[:TEXT] for text in texts]) for key in keys]
    unlike = [(key[:TEXT], values) for key, values in rows if len(set(values)) > 1]
    return unlike[:KEYS], len(rows) - len(unlike)


def cost(run: RunRecord) -> dict[str, str]:
    """What the run took, label by label; what is not known is left out."""
    status, config, env = run.status, run.config, run.env
    core, train = (config.get(key) if isinstance(config.get(key), dict) else {} for key in ("core", "train"))
    step, total, seconds = (number(status.get(key)) for key in ("step", "total_steps", "seconds"))
    speed, wait, memory = (
        number(status.get(key)) for key in ("images_per_second", "data_wait_share", "peak_memory_mib")
    )
    parameters, size = (number(run.bundle.get(key)) for key in ("parameters", "bytes"))
    cuda = env.get("cuda")
    asked = (core or {}).get("device")
    device = f"CUDA: {cuda}" if cuda and asked != "cpu" else f"CPU, {env.get('cpu_threads', '?')} threads"
    versions = [f"{name} {env[name]}" for name in ("gantrans", "torch", "python") if name in env]
    found = {
        "steps": None if step is None else f"{step:,.0f}" + (f" of {total:,.0f}" if total else ""),
        "time": None if seconds is None else duration(seconds),
        "speed": None if speed is None else f"{speed:,.2f} images/s",
        "batch": _known((train or {}).get("batch_size")),
        "waiting for data": None if wait is None else f"{wait:.1%} of the time",
        "peak memory": None if memory is None else f"{memory:,.0f} MiB",
        "device": device if env else None,
        "precision": _known((core or {}).get("precision")),
        "network": _known(run.bundle.get("network")),
        "parameters": None if parameters is None else f"{parameters:,.0f}",
        "bundle": None if size is None else f"{size / 1e6:,.1f} MB",
        "versions": ", ".join(versions) or None,
    }
    return {label: text[:TEXT] for label, text in found.items() if text is not None}


def _known(value: object) -> str | None:
    return None if value is None else str(value)


def duration(seconds: float) -> str:
    """ "2 h 05 min", "34 min 08 s", "12 s"."""
    minutes, rest = divmod(round(min(max(seconds, 0), 1e9)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


FILES = {
    "config.yaml": "every key, as the run used it",
    "overrides.txt": "what the command line said",
    "metrics.jsonl": "the numbers of every curve here, one line a step",
    "samples": "the probe strips, without loss",
    "tensorboard": "the same and more for gantrans board",
    "checkpoints": "what gantrans resume goes on from",
    "bundle": "the model, for gantrans translate model=",
    "status.json": "how far it came, how it ended",
    "env.json": "versions and the machine",
    "profile": "a trace for ui.perfetto.dev",
}


def files(run: RunRecord) -> list[tuple[str, str]]:
    """(path, what it is) of what is there."""
    there = [(run.path / name, about) for name, about in FILES.items() if (run.path / name).exists()]
    return [(str(path), about) for path, about in there]
