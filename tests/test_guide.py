"""docs/guide and its neighbours: every command is one, every key exists, links and pictures are there."""

from __future__ import annotations

import re
import runpy
import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gantrans.build.config import compose_verb
from gantrans.build.places import conf_dir
from gantrans.cli.completion import _told
from gantrans.cli.keys import names, whole
from gantrans.cli.main import VERBS

ROOT = Path(__file__).parent.parent
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = [*GUIDE, *(ROOT / "docs" / name for name in ("migration.md", "troubleshooting.md"))]
WITH_COMMANDS = [*PAGES, ROOT / "README.md", ROOT / "docs" / "cluster.md", ROOT / "docs" / "translate.md"]


def commands(text: str) -> list[list[str]]:
    """The words of every indented line that calls gantrans; what stands behind three spaces is a remark."""
    joined = re.sub(r"\\\n\s+", "", text)
    lines = re.findall(r"^    gantrans (\S.*)$", joined, re.MULTILINE)
    return [shlex.split(re.split(r" {3,}", line)[0].split(" ...")[0]) for line in lines]


@cache
def known(verb: str) -> tuple[frozenset[str], dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Keys of a verb, choices of its groups, and keys that some choice of a group has."""
    page = whole("train" if verb == "resume" else verb, conf_dir())
    groups = {group.name: frozenset(names(group.name, conf_dir())) for group in page.groups}
    inside = {
        group: frozenset(
            found
            for path in (conf_dir() / group).glob("*.yaml")
            for found in re.findall(r"^(\w+):", path.read_text(), re.MULTILINE)
        )
        for group in groups
    }
    return frozenset(key.name for key in page.keys if not key.section), groups, inside


def wrong(words: list[str]) -> str | None:
    """What is wrong with a command, told from the files in conf/ alone; None if nothing is."""
    verb, *rest = words
    if verb not in VERBS:
        return f"no verb {verb}"
    if verb != "resume" and not (conf_dir() / f"{verb}.yaml").is_file():
        told = _told(verb)
        return next((w for w in rest if "=" in w and f"{w.partition('=')[0]}=" not in told), None)
    keys, groups, inside = known(verb)
    for key, equals, value in (word.partition("=") for word in rest if not word.startswith("-")):
        group, _, name = key.partition(".")
        plain = key in keys or (group in inside and name in inside[group]) or group == "hydra"
        if equals and not plain and key not in groups and not key.startswith("hydra/"):
            return f"no key {key}"
        chosen = [] if value.isupper() or "/" in value or value.endswith(".yaml") else value.split(",")
        if key in groups and not set(chosen) <= groups[key] and value not in ("mine", "my_method"):
            return f"no {key} {value}"
    return None


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda p: p.name)
def test_every_command_names_verbs_keys_and_choices_that_exist(page: Path) -> None:
    found = commands(page.read_text(encoding="utf-8"))
    assert found or page.name == "troubleshooting.md"
    assert [(words, said) for words in found if (said := wrong(words))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_keys_and_choices_in_running_text_exist_too(page: Path) -> None:
    """`key=value` between backticks; keys of some verb, and of an experiment where one is named."""
    every = [
        known(verb)
        for verb in ("train", "check", "pairs", "translate", "evaluate", "import", "export", "stylize")
    ]
    keys = {key for found, _, _ in every for key in found}
    inside = {
        f"{group}.{name}" for _, _, groups in every for group, found in groups.items() for name in found
    }
    choices = known("train")[1]
    bad = []
    for quoted in re.findall(r"`([^`]+)`", page.read_text(encoding="utf-8")):
        for key, value in re.findall(r"(?<![\w.])([a-z_]+(?:\.[a-z_0-9]+)?)=(\S+)", quoted):
            if key in ("port", "seed"):
                continue
            named = key not in choices or value.rstrip(",") in choices[key] or value.endswith(".yaml")
            if key not in keys | inside | choices.keys() or not named:
                bad.append(f"{key}={value}")
    assert bad == []


def test_a_planted_mistake_is_found() -> None:
    page = "    gantrans train experiment=cyclgan data.root=X      remark=no\n"
    page += "    gantrans train \\\n        train.totl=3ep\n"
    assert commands(page) == [["train", "experiment=cyclgan", "data.root=X"], ["train", "train.totl=3ep"]]
    assert [wrong(words) for words in commands(page)] == ["no experiment cyclgan", "no key train.totl"]
    assert wrong(["trian"]) == "no verb trian"
    assert wrong(["board", "RUN", "prot=3"]) == "prot=3"
    assert wrong(["translate", "mdoel=x"]) == "no key mdoel"
    assert wrong(["train", "generator=unet_256", "generator.width=3", "method.lambda_l1=2"]) is None


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda p: p.name)
def test_every_command_composes(page: Path) -> None:
    for verb, *words in commands(page.read_text(encoding="utf-8")):
        if (conf_dir() / f"{verb}.yaml").is_file() and "-m" not in words and "method=mine" not in words:
            keys = [word for word in words if "=" in word and not word.endswith(".yaml")]
            compose_verb(verb, keys)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_pictures_are_small_and_all_are_shown() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("guide-*.png"))
    shown = "".join(page.read_text(encoding="utf-8") for page in GUIDE)
    assert len(pictures) == 5
    for picture in pictures:
        assert picture.stat().st_size < 150_000
        assert picture.name in shown


@pytest.mark.slow
def test_pictures_are_those_that_the_script_draws() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "guide_pictures.py"))
    for name, rows in script["pages"]().items():
        kept = np.asarray(Image.open(ROOT / "docs" / "pictures" / f"{name}.png").convert("RGB"))
        drawn = script["sheet"](rows)
        assert np.abs(kept.astype(int) - drawn).mean() < 6, "256 colours, and another Pillow's text"


def test_migration_names_every_option_of_the_other_code() -> None:
    both = (
        "dataroot name gpu_ids checkpoints_dir model input_nc output_nc ngf ndf netD netG n_layers_D norm "
        "init_type  init_gain no_dropout dataset_mode direction serial_batches num_threads batch_size "
        "load_size crop_size  max_dataset_size preprocess no_flip display_winsize epoch load_iter verbose "
        "suffix use_wandb wandb_project_name display_freq display_ncols display_id display_server "
        "display_env display_port update_html_freq print_freq  no_html save_latest_freq save_epoch_freq "
        "save_by_iter continue_train epoch_count phase n_epochs n_epochs_decay  beta1 lr gan_mode "
        "pool_size lr_policy lr_decay_iters lambda_L1 lambda_A lambda_B lambda_identity"
    )
    test = "results_dir aspect_ratio phase eval num_test model_suffix"
    text = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
    missing = [option for option in f"{both} {test}".split() if f"--{option}" not in text]
    assert missing == []
