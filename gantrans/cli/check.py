"""gantrans check: looks at a data folder as train would read it, before a run starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gantrans.cli.options import run_verb
from gantrans.cli.pairs import near_bits_told
from gantrans.errors import ConfigError, DataError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from gantrans.build.check import Account
    from gantrans.build.run_data import RunData


def run(args: list[str]) -> None:
    """The verb: look, print one page, and fail as train would."""
    with near_bits_told():
        run_verb("check", [*args, *_implied(args)], _check)


def _implied(args: list[str]) -> list[str]:
    """The experiment that a folder without pairs is for, where none is named."""
    given = {key: value for key, _, value in (arg.partition("=") for arg in args)}
    if given.keys() & {"experiment", "method"}:
        return []
    if given.get("data.targets", "null") != "null" or given.get("data.layout") == "unpaired":
        return ["experiment=cyclegan"]
    return ["experiment=hybrid"] if given.get("data.unpaired", "null") != "null" else []


def _check(config: DictConfig, overrides: list[str]) -> None:
    from gantrans.build.check import examine
    from gantrans.build.method import build_method
    from gantrans.cli.check_page import as_json, page
    from gantrans.imaging.write import write_text_atomic

    del overrides
    learns_from = build_method(config).learns_from
    data, refusal = _as_train_does(config)
    account = examine(config, learns_from, data, refusal)
    listed = _fixed(config, account) if account.unusable else None
    print(page(config, account, data.about if data else "", listed))
    if config.json is not None:
        write_text_atomic(Path(config.json).expanduser(), as_json(config, account))
    if account.refusal:
        raise account.refusal


def _as_train_does(config: DictConfig) -> tuple[RunData | None, DataError | None]:
    """What train would have before it makes a run folder, or why it would make none."""
    from gantrans.cli.train import prepare

    try:
        return prepare(config)[2], None
    except DataError as error:
        return None, error


def _fixed(config: DictConfig, account: Account) -> tuple[Path, str] | None:
    """Write the list of unusable files where fix asks for it; with what training would say then."""
    from omegaconf import OmegaConf

    from gantrans.data.quarantine import write_quarantine

    if config.fix in (False, "false", None):
        return None
    file = Path("quarantine.txt" if config.fix in (True, "true") else config.fix).expanduser()
    if config.data.quarantine is not None:
        raise ConfigError("fix= writes a new list; leave out data.quarantine, or fix=")
    write_quarantine(file, Path(config.data.root).expanduser(), account.unusable)
    mended = OmegaConf.merge(config, {"data": {"quarantine": str(file)}})
    _, still = _as_train_does(mended)  # type: ignore[arg-type]
    return file, str(still) if still else ""
