"""Which part of a run trains what: NoGAN's stages (Antic 2019) as a pure function of the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gantrans.errors import ConfigError
from gantrans.methods.base import Phase, Role

GENERATOR, DISCRIMINATOR, BOTH = WHO = ("generator", "discriminator", "both")


@dataclass(frozen=True)
class Stage:
    """A part of the run: who trains in it, and the share of all steps that it lasts."""

    who: str
    share: float


def parse_stages(items: Iterable[Any], key: str = "train.stages") -> tuple[Stage, ...]:
    """[{"generator": 0.6}, {"both": 0.4}, ...] -> stages whose shares sum to 1. Raises ConfigError."""
    stages = []
    for number, item in enumerate(items):
        entry = list(item.items()) if isinstance(item, Mapping) else []
        if len(entry) != 1 or entry[0][0] not in WHO:
            raise ConfigError(f"{key}[{number}]={item}: accepted is one of {{{'|'.join(WHO)}: share}}")
        who, share = entry[0]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < float("inf"):
            raise ConfigError(f"{key}[{number}].{who}={share}: accepted are numbers above 0")
        stages.append(Stage(str(who), float(share)))
    total = sum(stage.share for stage in stages)
    return tuple(replace(stage, share=stage.share / total) for stage in stages)


def who_trains(stages: tuple[Stage, ...], step: int, total: int | None) -> str:
    """The `who` of the stage that `step` (0 is the first) of `total` lies in; "both" where there are none."""
    if not stages or not total:
        return BOTH
    end = 0.0
    for stage in stages:
        end += stage.share
        if step < round(end * total):
            return stage.who
    return stages[-1].who


def active(phases: tuple[Phase, ...], roles: tuple[Role, ...], who: str, step: int) -> tuple[Phase, ...]:
    """The updates of this step: those of `who`, and of lazy ones those that are due.

    Where the generators train alone they do so without an adversary, which has learned nothing yet.
    """
    generators = {role.name for role in roles if role.kind == "generator"}
    chosen = []
    for phase in phases:
        trains = GENERATOR if generators & set(phase.trains) else DISCRIMINATOR
        if who in (trains, BOTH) and step % phase.every == 0:
            chosen.append(replace(phase, adversarial=phase.adversarial and who == BOTH))
    return tuple(chosen)
