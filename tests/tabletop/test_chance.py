"""Chance repeats with its seed, and what is added reshuffles nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from tabletop.chance import Chance
from tabletop.scenario import Spread


@given(seed=some.integers(0, 2**63), name=some.text(max_size=20))
def test_one_seed_repeats_and_another_name_is_another_stream(seed, name):
    first, again = Chance(seed), Chance(seed)
    spread = Spread(360, 120)
    drawn = first.delay(name, spread)
    assert drawn == again.delay(name, spread)
    assert 240 <= drawn <= 480
    first.delay(name + "other", spread)
    assert first.delay(name, spread) == drawn


def test_two_seeds_differ():
    draws = {Chance(seed).delay("ack:lead", Spread(360, 120)) for seed in range(20)}
    assert len(draws) > 15


def test_what_is_certain_happens_and_half_happens_about_half_the_time():
    assert all(Chance(seed).happens("x", 1.0) for seed in range(50))
    assert 30 < sum(Chance(seed).happens("x", 0.5) for seed in range(100)) < 70
