"""Every file of conf/ composes and builds what it promises; the wheel carries conf/ and the sample images."""

from __future__ import annotations

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from gantrans.build.config import compose_verb
from gantrans.build.factory import make
from gantrans.build.method import DISCRIMINATORS, GENERATORS, build_method
from gantrans.build.places import conf_dir, sample_dir
from gantrans.build.recipe import build_recipe
from gantrans.methods.base import translators
from gantrans.nets import catalogue

ROOT = Path(__file__).parent.parent


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


@cache
def alone(group: str, name: str) -> DictConfig:
    """A choice as it is without an experiment."""
    return compose_verb("train", ["data.root=x", f"{group}={name}"])[group]


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_and_says_how_to_run_it(name: str) -> None:
    config = compose_verb("train", [f"experiment={name}", "data.root=x"])
    assert config.task == name
    text = (conf_dir() / "experiment" / f"{name}.yaml").read_text()
    assert "# gantrans train" in text


@pytest.mark.parametrize("experiment", names("experiment"))
@pytest.mark.parametrize("group", ["generator", "discriminator", "method", "recipe"])
def test_any_choice_fits_any_experiment(experiment: str, group: str) -> None:
    """An experiment only chooses; if it set keys inside a group, other choices there would inherit them."""
    for name in (names(group)[0], names(group)[-1]):
        chosen = compose_verb("train", [f"experiment={experiment}", "data.root=x", f"{group}={name}"])[group]
        assert chosen == alone(group, name)


@pytest.mark.parametrize("name", names("generator"))
def test_every_generator_builds_and_describes_itself(name: str) -> None:
    node = compose_verb("train", ["data.root=x", f"generator={name}"]).generator
    with torch.device("meta"):
        given = 1 if name.startswith("colorizer") else 3
        network = make(node, "generator", GENERATORS, [], in_channels=given, out_channels=3)
        again = catalogue.build(catalogue.describe(network))
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert shapes == {key: value.shape for key, value in again.state_dict().items()}


@pytest.mark.parametrize("name", names("discriminator"))
def test_every_discriminator_judges_a_crop(name: str) -> None:
    node = compose_verb("train", ["data.root=x", f"discriminator={name}"]).discriminator
    with torch.device("meta"):
        network = make(node, "discriminator", DISCRIMINATORS, [], in_channels=6)
        logits = network(torch.empty(1, 6, 96, 96))
        for scale in logits if isinstance(logits, list) else [logits]:
            assert scale.shape[:2] == (1, 1)


@pytest.mark.parametrize("name", names("method"))
def test_every_method_builds(name: str) -> None:
    method = build_method(compose_verb("train", ["data.root=x", f"method={name}"]))
    trained = {role for phase in method.phases for role in phase.trains}
    assert trained <= {role.name for role in method.roles}
    assert "to_target" in translators(method.roles)


@pytest.mark.parametrize("name", names("recipe"))
def test_every_recipe_parses_and_describes_itself(name: str) -> None:
    config = compose_verb("pairs", ["source=x", "out=y", f"recipe={name}"])
    assert build_recipe(config.recipe, []).name == name
    assert (conf_dir() / "recipe" / f"{name}.yaml").read_text().startswith("#")


def test_lowres_takes_each_scale() -> None:
    for scale in (2, 3, 4):
        config = compose_verb("pairs", ["source=x", "out=y", "recipe=lowres", f"recipe.scale={scale}"])
        assert build_recipe(config.recipe, []).scale == scale


def test_sample_images_are_found() -> None:
    assert len(list(sample_dir().glob("*.png"))) >= 24


@pytest.mark.slow
def test_a_wheel_works_from_any_folder(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, ROOT], check=True)
    subprocess.run([*pip, "install", "--no-deps", next(tmp_path.glob("*.whl"))], check=True)
    borrowed = next(p for p in sys.path if p.endswith("site-packages"))  # torch and the rest
    (next((tmp_path / "venv" / "lib").glob("*/site-packages")) / "borrowed.pth").write_text(borrowed)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = subprocess.run([python, "-m", "gantrans", "train", "--cfg", "job"], cwd=elsewhere, check=True,
                           capture_output=True, text=True).stdout  # fmt: skip
    root = Path(shown.split("root: ")[1].splitlines()[0])
    assert root.is_relative_to(tmp_path / "venv")
    assert len(list(root.glob("*.png"))) >= 24
