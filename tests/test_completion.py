"""Completion of the command line, as bash would call it, and the help pages that read the same files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from gantrans.build.config import compose_verb
from gantrans.build.places import conf_dir
from gantrans.cli.completion import script
from gantrans.cli.help import EXAMPLES, help_text
from gantrans.cli.keys import GROUPS, names, whole
from gantrans.cli.main import VERBS
from tests.conftest import Cli

bash = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="needs bash")
PAGES = sorted(path.stem for path in conf_dir().glob("*.yaml"))
ASK = """
source "$1"
COMP_WORDBREAKS="$3"
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line}
    _gantrans
    (IFS='|'; echo "${COMPREPLY[*]}")
done <<< "$2"
"""


def complete(lines: list[str], here: Path, breaks: str = " \t\n\"'><=;|&(:") -> list[list[str]]:
    """What bash offers at the end of each line; `breaks` is where it parts words."""
    (here / "completion.bash").write_text(script("bash"))
    words = ["bash", "--norc", "-c", ASK, "bash", "completion.bash", "\n".join(lines), breaks]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split("|") if line else [] for line in done.stdout.split("\n")[:-1]]


@bash
def test_bash_completes_verbs_keys_names_and_paths(tmp_path: Path) -> None:
    (tmp_path / "PHOTOS").mkdir()
    (tmp_path / "cold.yaml").write_text("")
    asked = {
        "gantrans tra": {"train", "translate"},
        "gantrans train core.prec": {"core.precision="},
        "gantrans train seed=3 core.precision=b": {"bf16"},
        "gantrans train experiment=cycle": {"cyclegan"},
        "gantrans train generator=unet_1": {"unet_128"},
        "gantrans check experiment=cycle": {"cyclegan"},
        "gantrans train data.root=PH": {"PHOTOS"},
        "gantrans pairs recipe=c": {"crappify", "cutout", "cold.yaml", "completion.bash"},
        "gantrans translate ensemble=": {"true", "false"},
        "gantrans resume PH": {"PHOTOS"},
        "gantrans resume train.tot": {"train.total="},
        "gantrans doctor PH": {"PHOTOS"},
        "gantrans completion z": {"zsh"},
        "gantrans nonsense x": set(),
    }
    for found, (line, wanted) in zip(complete(list(asked), tmp_path), asked.items(), strict=True):
        assert set(found) == wanted, line
    whole_words = complete(["gantrans train experiment=cycle", "gantrans train data.root=PH"], tmp_path, " ")
    assert whole_words == [["experiment=cyclegan"], ["data.root=PHOTOS"]]


@bash
def test_bash_completes_paths_with_spaces_quotes_and_stars(tmp_path: Path) -> None:
    """Bash quotes what is offered as it stands, and replaces only what follows the last "=" or ":"."""
    for name in ("My Photos", "My Scans", "a[1]", "a1", "it's", "10:30", "s*r", "star", "tr ain"):
        (tmp_path / name).mkdir()
    asked = {
        "gantrans train data.root=My": ["My Photos", "My Scans"],
        r"gantrans train data.root=My\ P": ["My Photos"],
        'gantrans train data.root="My P': ["My Photos"],
        "gantrans train data.root='My P": ["My Photos"],
        'gantrans train "data.root=My P': ["data.root=My Photos"],
        r"gantrans train run.dir=a\ b data.root=My\ S": ["My Scans"],
        "gantrans train data.root=a[": ["a[1]"],
        r"gantrans train data.root=it\'": ["it's"],
        "gantrans train data.root=10:": ["30"],
        r"gantrans train data.root=10\:": ["10:30"],
        r"gantrans train data.root=s\*": ["s*r"],
        r"gantrans doctor My\ P": ["My Photos"],
        "gantrans resume 'tr ": ["tr ain"],
    }
    for found, (line, wanted) in zip(complete(list(asked), tmp_path), asked.items(), strict=True):
        assert sorted(found) == wanted, line
    assert complete([r"gantrans train data.root=My\ P"], tmp_path, " ") == [["data.root=My Photos"]]


@bash
def test_completing_starts_no_python(tmp_path: Path) -> None:
    """With nothing on the PATH every program would be missing, and said so."""
    (tmp_path / "completion.bash").write_text(script("bash"))
    words = ["-c", ASK, "bash", "completion.bash", "gantrans train exp", " ="]
    done = subprocess.run([str(shutil.which("bash")), "--norc", *words], cwd=tmp_path, env={"PATH": ""},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert (done.stdout, done.stderr) == ("experiment=\n", "")


def test_the_script_comes_without_torch_or_hydra() -> None:
    code = (
        "import sys; from gantrans.cli.main import main; assert main(['completion', 'fish']) == 0;"
        "sys.exit(bool({'torch', 'hydra', 'yaml', 'numpy'} & sys.modules.keys()))"
    )
    begun = time.process_time()
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    assert time.process_time() - begun < 1


def test_every_shell_offers_every_verb_and_key_and_others_are_refused(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        text = script(shell)
        assert "@" not in re.sub(r"\$@|\$\{.*?\}", "", text), "a place was left unfilled"
        for word in (*VERBS, "train.batch_size=", "near_bits=", *names("experiment", conf_dir())):
            assert word in text
    assert cli("completion", "--help").code == 0
    for wrong in ([], ["tcsh"], ["bash", "zsh"]):
        answer = cli("completion", *wrong)
        assert answer.code == 2
        assert "bash, zsh, fish" in answer.err


def test_a_verb_without_a_config_says_which_have_one(cli: Cli) -> None:
    without = sorted(set(VERBS) - {*PAGES, "resume"})
    assert without == ["board", "completion", "doctor"]
    for verb in without:
        for asked in (["--cfg", "job"], ["RUN", "-c", "job"], ["--config-dir=x"]):
            answer = cli(verb, *asked)
            assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
            assert f"{verb} has no config" in answer.err
            assert "--cfg job goes with check, demo-ui" in answer.err
    shown = cli("translate", "--cfg", "job")
    assert (shown.code, "model: ???" in shown.out) == (0, True)


def leaves(node: object, prefix: str = "") -> set[str]:
    """Dotted names as YAML itself reads them."""
    if not isinstance(node, dict):
        return {prefix.rstrip(".")}
    return {name for key, value in node.items() for name in leaves(value, f"{prefix}{key}.")}


@pytest.mark.parametrize("verb", PAGES)
def test_the_light_reader_finds_what_yaml_finds(verb: str) -> None:
    plain = yaml.safe_load((conf_dir() / f"{verb}.yaml").read_text())
    plain.pop("defaults")
    plain = {key: "flow" if key == "splits" else value for key, value in plain.items()}
    page = whole(verb, conf_dir())
    found = {key.name for key in page.keys if not key.section}
    assert leaves(plain) <= found
    if not page.parents:
        assert leaves(plain) == found


def test_what_a_comment_lists_as_values_is_accepted_by_the_config() -> None:
    keys = [key for key in whole("train", conf_dir()).keys if key.accepted]
    assert len(keys) > 15
    for which in (0, -1):
        compose_verb("train", [f"{key.name}={key.accepted[which]}" for key in keys])
    assert {g.name for g in whole("check", conf_dir()).groups} == set(GROUPS)


@pytest.mark.parametrize("verb", PAGES)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_is_complete_aligned_and_fits(verb: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_text(verb, conf_dir())
    page = whole(verb, conf_dir())
    assert [line for line in text.split("examples:")[1].splitlines() if len(line) > columns] == []
    keys = [key for key in page.keys if not key.section]
    body = text.split("keys, their defaults")[1]
    lines = {
        line.split()[0]: line for line in body.splitlines() if line.startswith("    ") and line[4] != " "
    }
    assert {key.name for key in keys} <= lines.keys()
    comments = [re.match(r" {4}\S+ +(?:\S.*?)  (?= *\S)", lines[k.name].ljust(9)) for k in keys if k.about]
    starts = {len(m[0]) + len(m.string[m.end() :]) - len(m.string[m.end() :].lstrip()) for m in comments if m}
    assert len(starts) == 1, f"comments stand in one column: {starts}"
    for group in page.groups:
        assert set(names(group.name, conf_dir())) <= lines.keys()
    assert "exit codes: 0 done" in text.replace("\n", " ")
    assert verb in EXAMPLES, "a verb shows how it is called"
    assert text.index("examples:") < text.index("keys, their defaults")


@pytest.mark.parametrize("verb", EXAMPLES)
def test_the_examples_of_help_name_keys_and_choices_that_exist(verb: str) -> None:
    page = whole(verb, conf_dir())
    groups = {group.name: names(group.name, conf_dir()) for group in page.groups}
    known = {key.name for key in page.keys} | groups.keys()
    for command, _ in EXAMPLES[verb]:
        first, *words = command.split()
        assert first == verb
        for key, equals, value in (word.partition("=") for word in words):
            assert not equals or key in known, f"{command}: {key}"
            assert key not in groups or value in groups[key] or value.endswith(".yaml"), command


def test_a_planted_key_without_its_comment_column_is_seen(tmp_path: Path) -> None:
    """The reader against a file of its own: nesting, comments that go on, choices."""
    (tmp_path / "x.yaml").write_text(
        "# head\ndefaults:\n  - x_schema\n  - recipe: blur  # how   (conf/recipe/)\n  - _self_\n\n"
        "a: 1        # one\n            # and more\nb:          # a section\n"
        "  c: fast   # fast | slow (hm) | odd\n"
        "  d: true\ne: ???\n"
    )
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "r.yaml").write_text("# gantrans x\n# Soft, by X et al. 2020. More.\nname: r\n")
    page = whole("x", tmp_path)
    assert page.head == ["head"]
    assert [(g.name, g.value, g.about) for g in page.groups] == [("recipe", "blur", "how")]
    assert [(k.name, k.value, k.about, k.section) for k in page.keys] == [
        ("a", "1", "one and more", False), ("b", "", "a section", True),
        ("b.c", "fast", "fast | slow (hm) | odd", False), ("b.d", "true", "", False), ("e", "???", "", False),
    ]  # fmt: skip
    assert [k.accepted for k in page.keys] == [[], [], ["fast", "slow", "odd"], ["true", "false"], []]
    assert names("recipe", tmp_path) == {"r": "Soft, by X et al. 2020"}
