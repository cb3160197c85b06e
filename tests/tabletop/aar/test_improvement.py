"""The improvement plan: what makes a row, and that a gap keeps its id."""

from __future__ import annotations

from collections import Counter

import pytest

from tabletop.aar.improvement import items
from tabletop.record import to_json
from tests.tabletop.aar.records import bad, good, objective, truth


def plan(record):
    return items(to_json(record))


def kinds(record) -> Counter[str]:
    return Counter(item["kind"] for item in plan(record))


def test_a_drill_without_a_gap_has_no_plan():
    assert plan(good()) == []


def test_every_kind_of_gap_makes_a_row_the_gravest_first():
    found = plan(bad())
    assert kinds(bad()) == {
        "false claim": 1,
        "objective": 3,
        "still possible": 1,
        "missed": 1,
        "collateral": 1,
        "left open": 1,
        "not played": 1,
    }
    assert found[0]["kind"] == "false claim"
    assert "push to payments" in found[0]["gap"]


def test_objectives_at_p_or_s_make_no_row():
    rated = [objective("O1", "P"), objective("O2", "S"), objective("O3", "M"), objective("O4", "U")]
    assert [item["gap"][:2] for item in plan(good(objectives=rated))] == ["O3", "O4"]


def test_changes_that_are_contained_make_no_row():
    states = ["contained", "unverified", "failed", "manual", "skipped", "restored"]
    changes = [{"id": state, "state": state, "label": state} for state in states]
    gaps = [i["gap"] for i in plan(good(cases=[{"id": "K-1", "changes": changes}]))]
    assert gaps == [
        "unverified ended unverified",
        "failed ended failed",
        "manual ended manual",
    ]


def test_what_could_not_be_done_before_or_is_refused_now_makes_no_row():
    rows = [truth(works=False), truth(works=True, claimed="open", before=False)]
    assert plan(good(truth=rows)) == []
    minted = truth(works=True, claimed="silent", before=None)
    assert len(plan(good(truth=[minted]))) == 1


def test_many_things_at_one_vendor_are_one_row():
    rows = [truth(works=True, claimed="open", what=f"push to r{n}") for n in range(40)]
    [item] = plan(good(truth=rows))
    assert "40 things" in item["gap"]
    assert item["evidence"].endswith("push to r2; and 37 more")


def test_what_the_tool_does_not_know_of_is_due_sooner():
    said = plan(good(truth=[truth(works=True, claimed="open")]))[0]
    silent = plan(good(truth=[truth(works=True, claimed="silent")]))[0]
    assert (said["start"], said["due"]) == ("2027-01-15", "2027-03-01")
    assert (silent["start"], silent["due"]) == ("2027-01-15", "2027-01-29")


def test_the_same_gap_has_the_same_id_in_another_drill():
    first = {item["id"]: item["gap"] for item in plan(bad())}
    later = bad(id="other", seed=1, ended_at="2027-04-20T10:00:00+00:00")
    assert {item["id"]: item["gap"] for item in plan(later)} == first
    assert len(first) == len(plan(bad()))
    assert all(name.startswith("DRILL-") for name in first)


def test_another_gap_has_another_id():
    one = plan(good(missed=["jo: aws: a"]))[0]["id"]
    assert plan(good(missed=["jo: okta: a"]))[0]["id"] != one
    assert plan(good(collateral=["jo: aws: a"]))[0]["id"] != one


@pytest.mark.parametrize("field", ["missed", "collateral"])
def test_what_was_missed_or_hit_at_one_vendor_is_one_row(field):
    things = [f"jo: github: push to r{n}" for n in range(40)]
    first, second = plan(good(**{field: [*things, "jo: okta: use session 1"]}))
    assert first["gap"].startswith("jo: github: 40 things")
    assert first["evidence"].endswith("push to r0; push to r1; push to r2; and 37 more")
    assert second["gap"].startswith("jo: okta: 1 thing")


def test_what_is_missed_is_not_told_twice():
    silent = truth(works=True, claimed="silent")
    assert [i["kind"] for i in plan(good(truth=[silent]))] == ["still possible"]
    known = good(truth=[silent], missed=[f"{silent.suspect}: github: {silent.what}"])
    assert [i["kind"] for i in plan(known)] == ["missed"]
