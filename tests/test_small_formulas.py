"""Durations, schedules, addressed draws, the average of weights: closed forms."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from gantrans import draws
from gantrans.durations import parse_duration
from gantrans.errors import ConfigError
from gantrans.training.ema import ema_copy, ema_decay, update_ema
from gantrans.training.schedule import KINDS, factor


@pytest.mark.parametrize(
    ("text", "steps"), [("200step", 200), ("3ep", 38), ("100img", 13), ("0.5ep", 7), ("1img", 1)]
)
def test_counts_become_steps(text: str, steps: int) -> None:
    assert parse_duration(text, "train.total").steps(images=100, batch_size=8) == steps


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("20min", 1200)])
def test_times_are_seconds(text: str, seconds: float) -> None:
    duration = parse_duration(text, "train.total")
    assert duration.is_time
    assert duration.amount == seconds
    with pytest.raises(ValueError, match="wall-clock"):
        duration.steps(100, 8)


@pytest.mark.parametrize("text", ["", "5", "ep", "-3ep", "0step", "5epochs", "5 hours", "1e3step"])
def test_other_durations_are_refused_by_key(text: str) -> None:
    with pytest.raises(ConfigError, match=r"train\.total.*200ep"):
        parse_duration(text, "train.total")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_no_step_is_trained_at_rate_zero(kind: str, total: int) -> None:
    rates = [factor(kind, step, total) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates == sorted(rates, reverse=True)


def test_linear_schedule_is_flat_then_a_line_to_zero() -> None:
    rates = [factor("linear", step, 200, flat=0.5) for step in range(200)]
    assert rates[:101] == [1.0] * 101
    assert rates[150] == pytest.approx(0.5)
    assert rates[199] == pytest.approx(0.01)
    differences = {round(a - b, 9) for a, b in pairwise(rates[100:])}
    assert differences == {0.01}


def test_warmup_rises_linearly() -> None:
    assert [factor("constant", s, 100, warmup=3) for s in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="constant, linear, cosine"):
        factor("step", 0, 10)


def test_addresses_are_not_confused_by_their_parts() -> None:
    addresses = [("ab", "c"), ("a", "bc"), ("abc",), ("1",), (1,), ("a", "", "bc")]
    assert len({draws.seed_of(*address) for address in addresses}) == len(addresses)


def test_draws_depend_on_the_address_alone() -> None:
    first = draws.generator("x", 3).random(4).tolist()
    draws.generator("y", 3).random(100)
    assert draws.generator("x", 3).random(4).tolist() == first


def test_fractions_are_uniform() -> None:
    values = [draws.fraction("split", 0, str(i)) for i in range(4000)]
    assert sum(v < 0.1 for v in values) / 4000 == pytest.approx(0.1, abs=0.02)
    assert sum(values) / 4000 == pytest.approx(0.5, abs=0.02)


def test_integers_reach_both_ends_and_nothing_else() -> None:
    rng = draws.generator("integers")
    assert {draws.integer(rng, 2, 4) for _ in range(200)} == {2, 3, 4}


def test_ema_follows_its_formula_and_takes_buffers_along() -> None:
    network = nn.BatchNorm1d(2)
    average = ema_copy(network)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(8.0)  # type: ignore[union-attr]
        network.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
    update_ema(average, network, 0.75)
    assert average.weight.tolist() == [1.5, 1.5]  # type: ignore[union-attr]
    assert average.running_mean.tolist() == [2.0, 2.0]  # type: ignore[union-attr]
    assert int(average.num_batches_tracked) == 5  # type: ignore[arg-type]
    assert not any(p.requires_grad for p in average.parameters())


def test_ema_forgets_fast_at_first_and_zero_means_the_weights_themselves() -> None:
    assert ema_decay(0.999, 0) == 0.1
    assert ema_decay(0.999, 10**6) == 0.999
    assert ema_decay(0.0, 500) == 0.0
