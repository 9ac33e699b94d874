"""-m: what a sweep tries, what it gives back, and what becomes of failures (cli/sweep.py)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from omegaconf import DictConfig

from gantrans.build.config import compose_verb
from gantrans.cli.sweep import _parted, _sought, best_value
from gantrans.errors import ConfigError, DataError, DivergedError
from tests.conftest import Cli

SEEN: list[Any] = []
PLUGINS = "hydra_plugins.watching"  # where Hydra looks for sweepers, and nowhere else


# Hydra reads the modules of its own plugins anew, so an import would give another class of that name.
BasicSweeper: Any = Plugins.instance().class_name_to_class[
    "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
]


class Watching(BasicSweeper):
    """Hydra's own sweeper, which remembers what the jobs returned and which way was said to be better."""

    __module__ = PLUGINS

    def __init__(self, direction: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.direction = direction

    def sweep(self, arguments: list[str]) -> Any:
        batches = super().sweep(arguments)
        SEEN.append((self.direction, [job.return_value for batch in batches for job in batch]))
        return batches


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[DictConfig]:
    """The configs that a sweep hands to train, which does nothing but give its seed back as its score."""
    seen: list[DictConfig] = []

    def launch(config: DictConfig, _: list[str]) -> float:
        seen.append(config)
        if config.seed < 0:
            raise DivergedError(f"seed {config.seed}")
        if config.seed == 0:
            raise DataError("seed 0")
        return float(config.seed)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gantrans.cli.train.launch", launch)
    return seen


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A --config-dir with that sweeper, which is installed as any other would be."""
    folder, package, module = tmp_path, ModuleType("hydra_plugins"), ModuleType(PLUGINS)
    package.__path__ = []
    module.Watching = Watching  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hydra_plugins", package)
    monkeypatch.setitem(sys.modules, PLUGINS, module)
    (folder / "own/hydra/sweeper").mkdir(parents=True)
    (folder / "own/hydra/sweeper/watching.yaml").write_text(
        f"_target_: {PLUGINS}.Watching\nmax_batch_size: null\nparams: null\ndirection: minimize\n"
    )
    Plugins.instance().register(Watching)
    return folder / "own"


def test_a_failing_job_hides_neither_itself_nor_the_others(begun: list[DictConfig], cli: Cli) -> None:
    answer = cli("train", "-m", "seed=0,-1")
    assert [config.seed for config in begun] == [0, -1], "all are tried"
    assert answer.code == 3, "the first failure decides"
    assert answer.err.splitlines()[-1] == "gantrans: data error: seed 0"


@pytest.mark.slow
def test_every_combination_is_run_with_a_run_folder_of_its_own(begun: list[DictConfig], cli: Cli) -> None:
    assert cli("train", "-m", "seed=1,2", "recipe=blur,jpeg", "val.best=null").code == 0
    assert [(c.seed, c.recipe.name) for c in begun] == [(1, "blur"), (1, "jpeg"), (2, "blur"), (2, "jpeg")]
    assert {c.run.dir for c in begun} == {None}, "each makes up its own"


def test_a_sweeper_is_given_scores_and_told_which_way_is_better(
    begun: list[DictConfig], cli: Cli, own: Path
) -> None:
    SEEN.clear()
    answer = cli("train", "-m", "hydra/sweeper=watching", "--config-dir", own, "seed=3,5")
    assert answer.code == 0, answer
    assert SEEN == [("maximize", [3.0, 5.0])]
    assert [config.seed for config in begun] == [3, 5]


@pytest.mark.parametrize("target", ["os.system", "hydra_plugins.nowhere.Nothing"])
def test_a_sweeper_that_is_no_plugin_is_refused_by_name(
    begun: list[DictConfig], cli: Cli, own: Path, target: str
) -> None:
    (own / "hydra/sweeper/foreign.yaml").write_text(f"_target_: {target}\ndirection: minimize\n")
    answer = cli("train", "-m", "hydra/sweeper=foreign", "--config-dir", own, "seed=3,5")
    assert (answer.code, begun) == (2, []), answer
    assert answer.err.count("\n") == 1
    assert "hydra/sweeper=foreign: " in answer.err
    assert target in answer.err


def test_mistakes_in_an_interval_are_answered_before_the_first_run(begun: list[DictConfig], cli: Cli) -> None:
    fixed, swept = _parted(["seed=1,2", "train.lr=interval(0.0001,0.01)", "train.ema=0.9"])
    assert (fixed, swept) == (["train.ema=0.9"], [["seed=1", "seed=2"], ["train.lr=0.0001", "train.lr=0.01"]])
    answer = cli("train", "-m", "train.batch_sise=interval(1,4)")
    assert (answer.code, begun) == (2, [])
    assert "did you mean batch_size" in answer.err


def test_the_value_of_a_run_is_the_best_of_the_metric_that_chose(tmp_path: Path) -> None:
    def run(**best: Any) -> float | None:
        (tmp_path / "status.json").write_text(json.dumps({"state": "finished", "best": best}))
        return best_value(tmp_path)

    assert run(metric="psnr", value=27.5, step=4) == 27.5
    assert run(metric="lpips_squeeze", value=-0.25, step=4) == 0.25, "kept with its sign turned"
    assert run(metric="step", value=4.0, step=4) is None
    assert run() is None
    assert best_value(tmp_path / "nowhere") is None
    assert best_value(None) is None


def test_a_sweeper_needs_a_metric_that_chooses_and_may_be_told_the_way() -> None:
    unscored, scored = compose_verb("train", ["val.best=null"]), compose_verb("train", [])
    assert _sought(["seed=1,2"], unscored) == [], "the usual one looks for nothing"
    optuna = "hydra/sweeper=optuna"
    with pytest.raises(ConfigError, match=r"hydra/sweeper=optuna .* val\.best=METRIC"):
        _sought([optuna], unscored)
    lower = compose_verb("train", ["experiment=superres_gan"])  # chosen by LPIPS
    assert _sought([optuna], lower) == ["hydra.sweeper.direction=minimize"]
    assert _sought([optuna], scored) == ["hydra.sweeper.direction=maximize"]
    assert _sought([optuna, "hydra.sweeper.direction=minimize"], scored) == []


def test_optuna_finds_its_way(begun: list[DictConfig], cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="the extra optuna")
    keys = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.n_jobs=1",
        "hydra.sweep.dir=found",
    ]
    answer = cli("train", "-m", *keys, "seed=range(1,9)", "train.lr=interval(1e-4,1e-2)")
    assert answer.code == 0, answer
    assert len(begun) == 3
    assert all(1e-4 <= c.train.lr <= 1e-2 for c in begun)
    found = (tmp_path / "found/optimization_results.yaml").read_text()
    assert f"best_value: {max(float(c.seed) for c in begun)}" in found, "PSNR is better where it is higher"
