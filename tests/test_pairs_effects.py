"""Every key of `gantrans pairs` does something: turned alone it changes what lies in OUT, or a test that is
named here shows what it changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omegaconf import DictConfig
from PIL import Image

from gantrans.build.config import compose_verb
from tests.conftest import Cli

BASE = ["recipe=blur", "workers=0"]
EFFECTS = [
    "recipe=noise",
    "seed=5",
    "size=32",
    "shard=1/2",
    "shards=1",
    "splits={train: 0.4, val: 0.3, test: 0.3}",
    "variants=2",
    "tile=32",
    "augment.flip_x=true",
    "augment.flip_y=true",
    "augment.rotate_deg=20",
    "augment.scale=[1.2, 1.5]",
    "augment.shear_deg=20",
    "augment.warp=0.1",
    "format=jpg",
    "png_level=9",
]
# Keys that mean something only beside another one.
TOGETHER = {"overlap": ("tile=32", "overlap=12"), "quality": ("format=webp", "quality=30")}
ELSEWHERE = {
    "source": "test_the_folder_accounts_for_every_file",
    "out": "test_the_folder_accounts_for_every_file",
    "preview": "test_the_command_makes_one_png_and_says_where",
    "workers": "test_any_number_of_workers",
    "timeout_s": "test_what_kills_a_worker_costs_that_image_alone",
    "plugins": "test_a_node_without_the_plugin_is_named",
    "near_bits": "test_no_family_is_in_two_splits_whatever_the_seed",
    "launcher": "test_a_task_for_each_shard_makes_the_tree_of_a_local_run",
    "ray.address": "test_a_cluster_is_found_before_one_is_started",
    "ray.tasks": "test_four_tasks_for_each_that_can_run_at_once",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    rows, columns = np.mgrid[:48, :64]
    for i in range(6):
        waves = [127 + 120 * np.sin(rows / (2 + i) + columns / (3 + c)) for c in range(3)]
        Image.fromarray(np.stack(waves, 2).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def tree(cli: Cli, source: Path, out: Path, *keys: str) -> dict[str, bytes]:
    answer = cli("pairs", *BASE, f"source={source}", f"out={out}", *keys)
    assert answer.code == 0, answer.err
    kept = [p for p in out.rglob("*") if p.is_file() and p.suffix in (".png", ".jpg", ".webp", ".tar")]
    return {str(p.relative_to(out)): p.read_bytes() for p in kept if p.name != "contact.png"}


def test_each_key_of_pairs_has_an_effect(source: Path, tmp_path: Path, cli: Cli) -> None:
    plain = tree(cli, source, tmp_path / "plain")
    assert tree(cli, source, tmp_path / "again") == plain  # else everything would be taken for an effect
    turned = [tree(cli, source, tmp_path / f"{i}", effect) for i, effect in enumerate(EFFECTS)]
    assert [effect for effect, found in zip(EFFECTS, turned, strict=True) if found == plain] == []


@pytest.mark.parametrize("key", TOGETHER)
def test_each_key_has_an_effect_beside_another(source: Path, tmp_path: Path, cli: Cli, key: str) -> None:
    without, turned = (TOGETHER[key][:1], TOGETHER[key])
    assert tree(cli, source, tmp_path / "a", *without) != tree(cli, source, tmp_path / "b", *turned)


def leaves(node: DictConfig, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key in node:
        value, name = node._get_node(str(key)), f"{prefix}{key}"
        if isinstance(value, DictConfig) and not value._is_missing() and name not in ("recipe", "splits"):
            found |= leaves(value, f"{name}.")
        else:
            found.add(name)
    return found


def test_the_table_of_pairs_is_complete() -> None:
    turned = {effect.partition("=")[0] for effect in EFFECTS} | TOGETHER.keys()
    assert leaves(compose_verb("pairs", [])) == turned | ELSEWHERE.keys()
    assert not turned & ELSEWHERE.keys()
    tests = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in tests] == []
