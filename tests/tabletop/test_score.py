"""Ratings by threshold, points by weight, and what no number of points makes up for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabletop.record import Judged
from tabletop.scenario import Objective
from tabletop.score import CAP, judge, score
from tests.tabletop.aar.records import bad, good, objective, truth


def wanted(measure: str = "time_to_contain", **limit: object) -> Objective:
    return Objective.model_validate({"id": "O1", "title": "t", "measure": measure, **limit})


@pytest.mark.parametrize(
    ("value", "rating"),
    [(1200, "P"), (1200.5, "S"), (1800, "S"), (1800.5, "M"), (3600, "M"), (3600.5, "U"), (0, "P")],
)
def test_at_most_is_judged_in_four_steps(value, rating):
    assert judge(wanted(at_most="20m"), value).rating == rating


@pytest.mark.parametrize(
    ("value", "rating"), [(90, "P"), (100, "P"), (89.9, "S"), (60, "S"), (59.9, "M"), (29.9, "U")]
)
def test_at_least_is_judged_in_four_steps(value, rating):
    assert judge(wanted("evidence_complete", at_least=90.0), value).rating == rating


def test_nothing_is_one_and_a_half_times_nothing():
    assert judge(wanted("false_contained", at_most=0.0), 0.0).rating == "P"
    assert judge(wanted("false_contained", at_most=0.0), 1.0).rating == "U"


@pytest.mark.parametrize(
    ("equals", "value", "rating"),
    [(True, True, "P"), (True, False, "U"), (False, False, "P"), (False, True, "U")],
)
def test_equals_is_met_or_not(equals, value, rating):
    assert judge(wanted("order_held", equals=equals), value).rating == rating


def test_what_could_not_be_measured_is_not_reached_and_says_why():
    found = judge(wanted(at_most="20m"), None, why="nobody asked for a kill")
    assert (found.rating, found.value) == ("U", None)
    assert found.why == "could not be measured: nobody asked for a kill"


def test_what_was_reached_because_nobody_was_asked_is_a_major_challenge():
    fast = judge(wanted(at_most="20m"), 5, broke_glass=True)
    assert (fast.rating, fast.why) == ("M", "the glass was broken: nobody approved beforehand")
    assert judge(wanted(at_most="20m"), 5).rating == "P"
    assert judge(wanted(at_most="20m"), 9999, broke_glass=True).rating == "U"


@pytest.mark.parametrize(
    ("measure", "limit", "said"),
    [
        ("time_to_contain", {"at_most": "20m"}, "at most 20 min"),
        ("machine_time", {"at_most": 90.0}, "at most 1 min 30 s"),
        ("evidence_complete", {"at_least": 90.0}, "at least 90 %"),
        ("missed", {"at_most": 0.0}, "at most 0"),
        ("order_held", {"equals": True}, "yes"),
    ],
)
def test_what_was_wanted_is_said_in_words(measure, limit, said):
    assert judge(wanted(measure, **limit), None).wanted == said


def rated(*ratings: tuple[str, int]) -> list[Judged]:
    return [objective(f"O{n}", r, weight=w) for n, (r, w) in enumerate(ratings, start=1)]


def test_points_are_the_weighted_sum():
    record = good(objectives=rated(("P", 50), ("S", 20), ("M", 20), ("U", 10)))
    found = score(record)
    assert found.points == (50 + 14 + 6)
    assert found.verdict == "ready with gaps"
    assert found.because == (
        "objective O3 was rated M: Stop the person within twenty minutes",
        "objective O4 was rated U: Stop the person within twenty minutes",
    )


def test_ready_needs_every_objective_at_p_or_s():
    found = score(good(objectives=rated(("P", 10), ("S", 10))))
    assert (found.points, found.verdict, found.because) == (85, "ready", ())


@pytest.mark.parametrize("rating", ["M", "U"])
def test_a_critical_objective_that_failed_caps_the_drill(rating):
    lost = [*rated(("P", 95)), objective("O9", rating, critical=True, weight=5)]
    found = score(good(objectives=lost))
    assert (found.points, found.verdict) == (CAP, "not ready")
    assert "critical objective O9" in found.because[0]
    kept = [*rated(("P", 95)), objective("O9", "S", critical=True, weight=5)]
    assert score(good(objectives=kept)).verdict == "ready"


def test_one_false_claim_makes_it_not_ready_whatever_else_went_well():
    found = score(good(truth=[truth(), truth(works=True)]))
    assert (found.points, found.verdict) == (CAP, "not ready")
    assert "called stopped and still works" in found.because[0]
    for honest in (truth(works=True, claimed="open"), truth(works=True, claimed="silent")):
        assert score(good(truth=[honest])).verdict == "ready"


def test_no_cap_lifts_a_low_score():
    assert score(bad(objectives=rated(("U", 10)))).points == 0


def test_what_was_not_tried_or_not_played_to_the_end_proves_no_readiness():
    assert score(good(truth=[])).verdict == "ready with gaps"
    assert score(good(objectives=[])).verdict == "ready with gaps"
    for status in ("stopped", "aborted", "failed"):
        assert score(good(status=status)).verdict == "not ready"


def test_rubber_stamps_and_broken_glass_are_remarked_on():
    assert score(good()).remarks == ()
    stamped, broken = score(bad()).remarks
    assert stamped.startswith("2 approvals came within five seconds")
    assert "K-1127" in broken


def test_grades_of_people_are_never_mixed_in():
    record = good()
    for grade in (0, 3):
        graded = replace(record, grades={"press": {"grade": grade}})
        assert score(graded) == score(record)
