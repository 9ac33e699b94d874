"""gantrans report RUN [RUN ...]: runs as one HTML page that needs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantrans.errors import ConfigError, GantransError, StorageError

if TYPE_CHECKING:
    from gantrans.report.run import RunRecord
    from gantrans.report.section import Compared

MOST = 8  # runs on a page; there are as many colours


def run(args: list[str]) -> None:
    """The verb: read the runs, draw the page, say where it lies."""
    from gantrans.cli.options import parse

    keys = [i for i, arg in enumerate(args) if _is_key(args, i)]
    options = parse("report", [args[i] for i in keys])
    if options is None:
        return
    from omegaconf import OmegaConf

    from gantrans.build.config import compose_verb

    if options.multirun:
        raise ConfigError("--multirun: report takes several runs at once: gantrans report RUN RUN")
    config = compose_verb("report", options.overrides, options.config_dir)
    if options.show_config:
        print(OmegaConf.to_yaml(config), end="")
        return
    paths = [Path(arg).expanduser() for i, arg in enumerate(args) if i not in keys]
    if not 1 <= len(paths) <= MOST:
        found = f"{len(paths)} were given" if paths else "none was given"
        raise ConfigError(f"report takes 1 to {MOST} run folders: gantrans report RUN [RUN ...]; {found}")
    _report(
        paths, Path(config.out).expanduser() if config.out else paths[0] / "report.html", config.overwrite
    )


def _is_key(args: list[str], place: int) -> bool:
    """A key, a flag or a flag's value, and no run folder: those may hold an = too."""
    after_flag = place > 0 and args[place - 1] in ("--cfg", "-c", "--config-dir", "-cd")
    given = args[place]
    return (
        after_flag
        or given.startswith("-")
        or bool(re.match(r"[+~]?[a-z_.]+=", given) and not Path(given).exists())
    )


def _report(paths: list[Path], out: Path, overwrite: bool) -> None:
    from datetime import datetime

    from tqdm import tqdm

    from gantrans.imaging.write import write_text_atomic
    from gantrans.report import pictures
    from gantrans.report.page import page
    from gantrans.report.run import check_is_run, read_run
    from gantrans.training.doctor import examine

    for path in paths:
        check_is_run(path)
    _check_out(out, overwrite)
    runs = [read_run(path, name, *_config(path)) for path, name in zip(paths, _names(paths), strict=True)]
    with tqdm(total=sum(map(pictures.count, runs)), desc="pictures", disable=None) as bar:
        shown = [pictures.show(run, 1 / len(runs), bar.update) for run in runs]
    findings = [examine(run.path, run.status, run.lines) for run in runs]
    text = page(runs, shown, findings, _compared(runs), f"{datetime.now():%Y-%m-%d %H:%M}")
    write_text_atomic(out, text)
    for run in runs:
        for note in run.notes:
            print(f"note      {_one_line(f'{run.path}: {note}')}")
    print(f"report    {_one_line(str(out))}   ({len(text.encode()) / 1e6:.1f} MB)")


def _check_out(out: Path, overwrite: bool) -> None:
    """Raises ConfigError where a file would be lost that is no page of ours."""
    from gantrans.report.page import MARK

    if out.is_dir():
        raise ConfigError(f"out={out}: is a folder; name a file, as {out / 'report.html'}")
    if not out.exists() or overwrite:
        return
    try:
        with out.open(encoding="utf-8", errors="replace") as stream:
            ours = MARK in stream.read(2048)
    except OSError as error:
        raise StorageError(
            f"out={out}: is there and cannot be read: {error.strerror}; name another"
        ) from error
    if not ours:
        raise ConfigError(f"out={out}: is there and no report; name another, or give overwrite=true")


def _names(paths: list[Path]) -> list[str]:
    """Each run by its folder, and by as much of its path as tells it from the others."""
    full = [path.resolve() for path in paths]
    if len(set(full)) < len(full):
        raise ConfigError("report: one run was given twice")
    depth = 1
    while len({path.parts[-depth:] for path in full}) < len(full):
        depth += 1
    return [_one_line("/".join(path.parts[-depth:])) for path in full]


def _config(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The run's config as it stands, and why there is none."""
    import yaml

    from gantrans.build.untrusted import check_saved, check_size

    file = path / "config.yaml"
    try:
        check_size(file, "config.yaml")
        check_saved(file)
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except ConfigError as error:
        return None, str(error)
    except (OSError, ValueError, yaml.YAMLError):
        return None, "config.yaml is damaged: keys cannot be compared"
    return (loaded, "") if isinstance(loaded, dict) else (None, "config.yaml holds no keys")


def _compared(runs: list[RunRecord]) -> Compared:
    """The runs' configs; that of a single run beside what its experiment is without any key."""
    from gantrans.report.section import Compared

    names = [run.name for run in runs]
    if any(not run.config for run in runs):
        lacking = ", ".join(run.name for run in runs if not run.config)
        return Compared(names, [], f"{lacking}: config.yaml cannot be read, so that nothing can be compared")
    if len(runs) > 1:
        return Compared(names, [run.config for run in runs])
    experiment, defaults = _defaults(runs[0].overrides)
    if defaults is None:
        return Compared(names, [], f"experiment={experiment} is not in the catalogue, so nothing is compared")
    known = _common(defaults, runs[0].config)
    return Compared([f"experiment={experiment}", names[0]], [known, runs[0].config])


def _defaults(overrides: str) -> tuple[str, dict[str, Any] | None]:
    """The experiment that the run chose, and its config. Nothing else of the file is used: it may be a
    stranger's."""
    from omegaconf import OmegaConf

    from gantrans.build.config import compose_verb
    from gantrans.build.places import conf_dir

    chosen = re.findall(r"^experiment=([a-z0-9_]+)$", overrides, re.MULTILINE)
    experiment = chosen[-1] if chosen else "demo"
    if not (conf_dir() / "experiment" / f"{experiment}.yaml").is_file():
        return experiment, None
    try:
        config = compose_verb("train", [f"experiment={experiment}"])
    except GantransError:
        return experiment, None
    return experiment, OmegaConf.to_container(config, resolve=False)  # type: ignore[return-value]


def _common(defaults: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Without keys that came with a later version than the run's: it says nothing of them."""
    return {
        key: _common(value, config[key])
        if isinstance(value, dict) and isinstance(config[key], dict)
        else value
        for key, value in defaults.items()
        if key in config
    }


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
