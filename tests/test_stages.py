"""NoGAN's stages: pure functions of the step, shares of the run, and lazy phases that come when due."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from gantrans.errors import ConfigError
from gantrans.methods.adversary import Restraint
from gantrans.methods.cyclegan import CycleGAN
from gantrans.methods.pix2pix import Pix2Pix
from gantrans.training.stages import Stage, active, parse_stages, who_trains
from tests.conftest import TINY, Cli

NOGAN = [{"generator": 60}, {"discriminator": 20}, {"both": 10}, {"discriminator": 5}, {"both": 5}]


def test_shares_are_of_the_whole_run_and_follow_each_other() -> None:
    stages = parse_stages(NOGAN)
    assert sum(stage.share for stage in stages) == pytest.approx(1)
    seen = [(who, len(list(steps))) for who, steps in groupby(who_trains(stages, s, 200) for s in range(200))]
    assert seen == [
        ("generator", 120),
        ("discriminator", 40),
        ("both", 20),
        ("discriminator", 10),
        ("both", 10),
    ]


def test_without_stages_or_a_plan_everyone_trains() -> None:
    assert who_trains((), 5, 10) == "both"
    assert who_trains(parse_stages(NOGAN), 5, None) == "both"


def test_every_step_of_a_short_run_has_a_stage() -> None:
    stages = parse_stages(NOGAN)
    for total in range(1, 12):
        assert all(
            who_trains(stages, step, total) in ("generator", "discriminator", "both") for step in range(total)
        )
    assert who_trains((Stage("generator", 0.5), Stage("both", 0.5)), 99, 10) == "both"


@pytest.mark.parametrize(
    "bad", [[{"all": 1}], [{"both": 0}], [{"both": "x"}], [{"both": 1, "generator": 1}], [3]]
)
def test_what_is_no_stage_is_refused(bad: list) -> None:
    with pytest.raises(ConfigError, match=r"train\.stages\[0\]"):
        parse_stages(bad)


def test_who_trains_in_a_stage() -> None:
    method = CycleGAN(restraint=Restraint(r1=1.0, r1_every=4))

    def names(who: str, step: int) -> list[tuple[str, bool]]:
        return [(phase.name, phase.adversarial) for phase in active(method.phases, method.roles, who, step)]

    assert names("both", 0) == [("generators", True), ("discriminators", True), ("r1", True)]
    assert names("both", 1) == [("generators", True), ("discriminators", True)]
    assert names("generator", 0) == [("generators", False)]
    assert [name for name, _ in names("discriminator", 4)] == ["discriminators", "r1"]
    pix2pix = Pix2Pix()
    assert active(pix2pix.phases, pix2pix.roles, "both", 3) == pix2pix.phases


def test_a_run_reports_each_stages_losses(photos: Path, tmp_path: Path, cli: Cli) -> None:
    run = tmp_path / "run"
    stages = "train.stages=[{generator:2},{discriminator:2},{both:2}]"
    answer = cli("train", *TINY, f"data.root={photos}", f"run.dir={run}", stages)
    assert answer.code == 0, answer.err
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    reported = [
        {key[:2] for key in line if key[:2] in ("G_", "D_")} for line in lines if line["split"] == "train"
    ]
    assert reported == [{"G_"}, {"D_"}, {"G_", "D_"}]
    assert "G_GAN" not in lines[1]
