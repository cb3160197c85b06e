"""Edits: one in three seconds for a case, few enough in any minute; what is urgent comes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest

from bot.budget import A_MINUTE, EVERY, MOST, Budget

SLACKS = 50  # calls of chat.update a minute, for the whole app


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def busy(
    cases: int, seconds: float = 300.0, *, urgent_every: float = 0.0
) -> Iterator[tuple[float, str, bool]]:
    """Every case wants an edit ten times a second: when, whose, whether urgent."""
    clock = Clock()
    budget = Budget(now=clock)
    due = clock.at
    while clock.at < 1000.0 + seconds:
        if urgent_every and clock.at >= due:
            due += urgent_every
            if budget.may("urgent", urgent=True):
                yield clock.at, "urgent", True
        for case in range(cases):
            if budget.may(f"K-{case}"):
                yield clock.at, f"K-{case}", False
        clock.at += 0.1


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(start <= t < start + 60 for t in times) for start in times)


@pytest.mark.parametrize("cases", [1, 2, 10, 40])
def test_no_more_than_forty_in_any_minute_over_all_cases(cases: int) -> None:
    times = [at for at, _, _ in busy(cases)]
    assert most_in_a_minute(times) <= A_MINUTE <= 40


@pytest.mark.parametrize("cases", [1, 10])
def test_one_in_three_seconds_for_a_case(cases: int) -> None:
    last: dict[str, float] = {}
    for at, case, _ in busy(cases):
        assert at - last.get(case, 0.0) >= EVERY - 0.01
        last[case] = at
    assert EVERY == 3.0


def test_the_first_edit_of_a_case_comes_at_once() -> None:
    clock = Clock()
    budget = Budget(now=clock)
    assert all(budget.may(f"K-{n}") for n in range(5))


def test_no_case_starves_another() -> None:
    counts = Counter(case for _, case, _ in itertools.islice(busy(8), 120))
    assert len(counts) == 8


def test_what_is_urgent_comes_though_everything_is_used_up_and_stays_below_slacks_limit() -> None:
    edits = list(busy(40, urgent_every=7.0))
    assert most_in_a_minute([at for at, _, _ in edits]) <= MOST < SLACKS
    urgent = [at for at, _, mine in edits if mine]
    assert len(urgent) == len(range(0, 300, 7)), "none was refused"


def test_decisions_come_at_once_while_twenty_cases_run() -> None:
    """Five gates answered one after the other: each is a card and two direct messages."""
    clock = Clock()
    budget = Budget(now=clock)
    for _ in range(600):  # a minute of progress
        for case in range(20):
            budget.may(f"K-{case}")
        clock.at += 0.1
    assert all(budget.may(f"K-{n // 3}", urgent=True) for n in range(15))


def test_a_flood_of_urgent_edits_ends_too() -> None:
    clock = Clock()
    budget = Budget(now=clock)
    assert sum(budget.may("K-1", urgent=True) for _ in range(100)) == MOST
    clock.at += 60
    assert budget.may("K-1", urgent=True)
