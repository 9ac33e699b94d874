"""gantrans completion SHELL: a script that completes verbs, keys and values in bash, zsh or fish.

It holds all it offers, so that completing starts no Python at all and takes milliseconds. After an update of
gantrans it must be printed anew, which `eval` in a startup file does by itself.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from gantrans.build.places import conf_dir
from gantrans.cli.completion_scripts import SCRIPTS
from gantrans.cli.keys import names, whole
from gantrans.cli.options import refuse_config_flags
from gantrans.errors import ConfigError

HELP = """gantrans completion bash | zsh | fish

Prints a script that completes verbs, keys, values and paths. For good:

    bash    echo 'eval "$(gantrans completion bash)"' >> ~/.bashrc
    zsh     echo 'eval "$(gantrans completion zsh)"' >> ~/.zshrc      (behind compinit)
    fish    gantrans completion fish > ~/.config/fish/completions/gantrans.fish

Then open a new shell. The last needs doing again after an update of gantrans.
"""
FLAGS = ("--help", "--cfg", "--config-dir", "--multirun")
POSITIONAL = ("resume", "import", "report")  # these take keys, and a path without a key


def run(args: list[str]) -> None:
    """The verb: print the script of one shell."""
    if "-h" in args or "--help" in args:
        print(HELP, end="")
        return
    refuse_config_flags("completion", args)
    if len(args) != 1 or args[0] not in SCRIPTS:
        raise ConfigError(
            f"completion {' '.join(args)}: accepted is one of {', '.join(SCRIPTS)}".replace(" :", ":")
        )
    print(script(args[0]), end="")


def script(shell: str) -> str:
    """The script of `shell`: words of each verb, and values of each key that has a list of them."""
    from gantrans.cli.main import VERBS  # which itself finds this module by its name

    conf = conf_dir()
    words: dict[str, list[str]] = {}
    values: dict[str, list[str]] = {}
    for verb in VERBS:
        words[verb], more = _of_verb(verb, conf)
        values |= {f"{verb}/{key}": found for key, found in more.items()}
    paths = [v for v in VERBS if v in POSITIONAL or (v != "completion" and not _page(v).is_file())]
    return SCRIPTS[shell](dict(VERBS), paths, words, values)


def _of_verb(verb: str, conf: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Words that may follow the verb, and what may follow a key of it."""
    source = "train" if verb == "resume" else verb
    if verb == "completion":
        return list(SCRIPTS), {}
    if not _page(source).is_file():
        return [*_told(verb), "--help"], {}
    page = whole(source, conf)
    groups = [] if verb == "resume" else [group.name for group in page.groups]
    keys = [key for key in page.keys if not key.section]
    values = {key.name: key.accepted for key in keys if key.accepted}
    values |= {group: list(names(group, conf)) for group in groups}
    flags = FLAGS[:2] if verb == "resume" else FLAGS
    return [*(f"{name}=" for name in [*groups, *(key.name for key in keys)]), *flags], values


def _page(verb: str) -> Path:
    return conf_dir() / f"{verb}.yaml"


def _told(verb: str) -> list[str]:
    """The keys that the help of a verb without a file in conf/ names, as port=."""
    from gantrans.cli.main import MODULES

    text = import_module(f"gantrans.cli.{MODULES.get(verb, verb)}").HELP
    return list(dict.fromkeys(re.findall(r"(?<![\w.])[a-z_]+=", text)))
