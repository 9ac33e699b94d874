"""Every file of conf/ composes and builds what it promises; the wheel carries conf/ and the sample images."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import DictConfig

from gantrans.build.config import compose_verb
from gantrans.build.factory import make
from gantrans.build.method import build_method
from gantrans.build.places import conf_dir, sample_dir
from gantrans.build.recipe import build_recipe
from gantrans.methods.base import translators
from gantrans.nets import catalogue
from gantrans.nets.catalogue import DISCRIMINATORS, GENERATORS

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
    assert "# Measured:" in text, "what it takes and reaches, or that nobody knows"
    assert "GPU" in text.partition("# Measured:")[2] or "nothing yet" in text


GROUPS = ("generator", "discriminator", "method", "recipe")


def keys_inside_groups(text: str) -> list[str]:
    """The groups in which an experiment sets keys, which any other choice there would inherit."""
    return sorted(set(GROUPS) & set(yaml.safe_load(text)))


@pytest.mark.parametrize("name", names("experiment"))
def test_an_experiment_only_chooses(name: str) -> None:
    assert keys_inside_groups((conf_dir() / "experiment" / f"{name}.yaml").read_text()) == []


def test_an_experiment_that_sets_keys_of_a_group_is_found() -> None:
    assert keys_inside_groups("task: x\nmethod: {gan: wgan}") == ["method"]


@pytest.mark.parametrize("group", GROUPS)
def test_any_choice_fits_an_experiment(group: str) -> None:
    """What is chosen beside an experiment is what it is without one."""
    name = names(group)[-1]
    chosen = compose_verb("train", ["experiment=restore", "data.root=x", f"{group}={name}"])[group]
    assert chosen == alone(group, name)


def channels_in(generator: str) -> int:
    """Grey for those that give it colours, a mask beside colours for holes."""
    return 1 if generator.startswith("colorizer") else 4 if generator in ("inpainter", "eraser") else 3


@pytest.mark.parametrize("name", names("generator"))
def test_the_parameters_in_a_header_are_those_of_the_network(name: str) -> None:
    text = (conf_dir() / "generator" / f"{name}.yaml").read_text()
    said = re.search(r"([\d.]+) M parameters", text)
    if said is None:
        return
    with torch.device("meta"):
        given = channels_in(name)
        node = alone("generator", name)
        network = make(node, "generator", GENERATORS, [], in_channels=given, out_channels=3)
    found = sum(p.numel() for p in network.parameters()) / 1e6
    assert float(said[1]) == pytest.approx(found, rel=0.15)


@pytest.mark.parametrize("name", names("generator"))
def test_every_generator_builds_and_describes_itself(name: str) -> None:
    node = compose_verb("train", ["data.root=x", f"generator={name}"]).generator
    with torch.device("meta"):
        given = channels_in(name)
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


def test_the_second_half_of_superres_takes_over_the_first() -> None:
    """Without a further word: the same network, sizes and pictures, so that every weight finds its place."""
    first, second = (
        compose_verb("train", ["data.root=x", f"experiment={e}"]) for e in ("superres", "superres_gan")
    )
    for key in ("generator", "recipe", "scale", "data"):
        assert first[key] == second[key], key
    assert first.method.lambda_gan == 0 < second.method.lambda_gan
    assert (
        second.val.best in second.val.metrics and "lpips" in second.val.best
    )  # PSNR falls, and would keep the first


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
