"""Quarters beside each other: only like with like, and every difference named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from killswitch.model.errors import Invalid
from tabletop.compare import as_json, as_text, compare, sparkline
from tabletop.record import Times, to_json
from tests.tabletop.aar.records import bad, good, objective


def quarter(number: int, record: Any = good, **more: Any) -> dict[str, Any]:
    start = f"2027-{number * 3:02d}-15T09:00:00+00:00"
    made = record(id=f"drill-q{number}", started_at=start, ended_at=start, **more)
    return json.loads(json.dumps(to_json(made)))


def test_drills_stand_in_order_of_their_start():
    found = compare([quarter(3), quarter(1, bad), quarter(2)])
    assert [run.id for run in found.runs] == ["drill-q1", "drill-q2", "drill-q3"]
    assert found.score.values == (19, 100, 100)
    assert (found.score.delta, found.score.better) == (0, None)


def test_a_start_in_another_time_zone_is_still_a_time():
    early = {**quarter(1), "id": "early", "started_at": "2027-03-15T10:30:00+02:00"}
    assert [run.id for run in compare([quarter(1), early]).runs] == ["early", "drill-q1"]


def test_deltas_say_what_got_better_and_what_worse():
    better = compare([quarter(1, bad), quarter(2)])
    assert (better.score.delta, better.score.better) == (81, True)
    human = better.times[0]
    assert (human.title, human.delta, human.better) == ("human time", 417 - 1800, True)
    worse = compare([quarter(1), quarter(2, bad)])
    assert (worse.score.delta, worse.score.better) == (-81, False)
    assert worse.times[0].better is False
    assert [run.false_claims for run in worse.runs] == [0, 1]


def test_objectives_are_matched_by_id_and_judged_by_their_rating():
    rated = [objective("O1", "S", value=1300.0), objective("O2", "P", value=1.0)]
    first = quarter(1, objectives=rated)
    second = quarter(2, objectives=[objective("O1", "P", value=900.5), objective("O3", "P")])
    lines = {line.name: line for line in compare([first, second]).objectives}
    assert list(lines) == ["O1", "O3", "O2"]
    assert lines["O1"].shown == ("21 min 40 s", "15 min")
    assert (lines["O1"].delta, lines["O1"].better) == (-399.5, True)
    assert (lines["O2"].delta, lines["O2"].better) == (None, None)
    assert lines["O3"].values == (None, 614.25)
    assert lines["O3"].shown == ("not asked", "10 min 14 s")


def test_rows_of_the_plan_are_closed_new_or_left():
    first, second = ["okta: a", "aws: b"], ["aws: b", "github: c"]
    found = compare([quarter(1, missed=first), quarter(2, missed=second)])
    for rows, vendor in ((found.closed, "okta"), (found.left, "aws"), (found.opened, "github")):
        [row] = rows
        assert row.gap.startswith(f"{vendor}: ")
        assert row.id.startswith("DRILL-")


def test_only_the_last_two_drills_close_and_open_rows():
    found = compare([quarter(1, missed=["x: a"]), *(quarter(n, missed=["y: b"]) for n in (2, 3))])
    assert (found.closed, found.opened) == ((), ())
    assert len(found.left) == 1


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("id", "mass-compromise", "the scenario differs: leaked-key in drill-q1, mass-compromise"),
        ("version", 4, "the version of the scenario differs: 3 in drill-q1, 4 in drill-q2"),
    ],
)
def test_another_scenario_or_version_is_refused_and_said(key, value, says):
    other = quarter(2)
    other["scenario"][key] = value
    with pytest.raises(Invalid, match=says):
        compare([quarter(1), other])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scenario": {"digest": "ff"}}, "the scenario's digest"),
        ({"playbooks": {"agent-kill": "ff"}}, "the digest of the playbook agent-kill"),
        ({"playbooks": {"other": "ff"}}, "the digest of the playbook other"),
        ({"tool": "0.2.0"}, "the tool (0.1.0, now 0.2.0)"),
        ({"mode": "drill"}, "the mode (sim, now drill)"),
    ],
)
def test_what_is_not_quite_alike_is_compared_and_labelled(change, says):
    other = quarter(2)
    for key, value in change.items():
        if isinstance(value, dict):
            other[key].update(value)
        else:
            other[key] = value
    found = compare([quarter(1), other, quarter(3)])
    assert found.runs[0].differs == ()
    assert found.runs[1].differs == (says,)
    assert says in as_text(found)
    assert compare([quarter(1), quarter(2)]).runs[1].differs == ()


@pytest.mark.parametrize("broken", [{}, {"schema": "x"}, {**quarter(1), "started_at": "soon"}])
def test_what_is_no_journal_is_refused(broken):
    with pytest.raises(Invalid):
        compare([quarter(2), broken])


def test_one_drill_has_nothing_to_be_compared_with():
    with pytest.raises(Invalid, match="nothing to be compared with"):
        compare([quarter(1)])


def test_the_text_says_it_all():
    made = Times(human=60.0, machine=30.0, by_people=0.0, by_tool=0.0)
    text = as_text(compare([quarter(1, bad), quarter(2), quarter(3, bad, times=made)]))
    assert text.startswith("DRILL  The Key in the Prompt (leaked-key, version 3), 3 drills\n")
    for said in (
        "2027-03-15 09:00:00 UTC   19  not ready, 1 false claim  (sim, seed 4711, drill-q1)",
        "2027-06-15 09:00:00 UTC  100  ready  (sim",
        "▁█▁  19 → 100 → 19  (worse)",
        "40 min M → 10 min 14 s P → 40 min M  (worse)",
        "human time",
        "30 min → 6 min 57 s → 1 min  (better)",
        "New: 9",
        "Closed: 0",
    ):
        assert said in text, said


def test_hostile_titles_do_not_leave_their_line():
    first, second = quarter(1), quarter(2)
    for journal in (first, second):
        journal["scenario"]["title"] = "a\nb\x1b[31m"
    assert "\x1b" not in as_text(compare([first, second]))
    assert "a\nb" not in as_text(compare([first, second]))


def test_the_json_is_plain_data_with_the_same_figures():
    found = compare([quarter(1, bad), quarter(2)])
    data = json.loads(json.dumps(as_json(found)))
    assert data["score"]["values"] == [19, 100]
    assert [run["verdict"] for run in data["runs"]] == ["not ready", "ready"]
    assert len(data["closed"]) == len(found.closed) == 9


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([0, 50, 100], "▁▅█"),
        ([3, 3], "▄▄"),
        ([None, 1, 2], "·▁█"),
        ([None], "·"),
        ([True, False], "█▁"),
        ([], ""),
    ],
)
def test_the_trend_is_drawn_in_blocks(values, drawn):
    assert sparkline(values) == drawn
