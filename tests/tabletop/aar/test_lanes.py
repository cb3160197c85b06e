"""Where things land on the timeline."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from tabletop.aar.lanes import LANES, Lane, chart, clock, happened
from tabletop.record import Moment
from tests.tabletop.aar.records import ALL


def charted(*moments: Moment):
    return chart(happened([asdict(m) for m in moments]))


def lane(drawn, name: str) -> Lane:
    return next(lane for lane in drawn["lanes"] if lane["name"] == name)


def test_bars_and_marks_land_where_their_times_say():
    drawn = charted(
        Moment(0, "inject", "a", "alert"),
        Moment(50, "inject", "b", "press"),
        Moment(100, "identity", "c", "layer", until=150),
        Moment(200, "tool", "d", "settled"),
    )
    assert [m["x"] for m in lane(drawn, "inject")["marks"]] == [0, 25]
    [bar] = lane(drawn, "identity")["bars"]
    assert (bar["x"], bar["width"], bar["took"]) == (50, 25, "50 s")
    assert lane(drawn, "tool")["marks"][0]["x"] == 100


@pytest.mark.parametrize("name", sorted(ALL))
def test_nothing_leaves_the_picture_and_lanes_do_not_overlap(name):
    drawn = charted(*ALL[name]().moments)
    assert [one["name"] for one in drawn["lanes"]] == list(LANES)
    tops = [one["y"] for one in drawn["lanes"]]
    assert tops == sorted(set(tops))
    for one, below in zip(drawn["lanes"], [*tops[1:], drawn["height"]], strict=True):
        for placed in [*one["bars"], *one["marks"]]:
            assert one["y"] < placed["y"] < below
            assert 0 <= placed["x"] <= 100
            assert placed["x"] + placed["width"] <= 100.01
    assert len(drawn["ticks"]) <= 5


def test_numbers_of_injects_that_would_touch_stand_above_one_another():
    crowd = [Moment(n / 10, "inject", f"m{n}", "x") for n in range(4)]
    drawn = charted(*crowd, Moment(100, "tool", "end", "x"))
    marks = lane(drawn, "inject")["marks"]
    assert [mark["row"] for mark in marks] == [0, 1, 2, 3]
    assert lane(charted(*crowd[:1]), "inject")["y"] == 0


def test_a_moment_too_short_to_see_can_be_seen():
    drawn = charted(Moment(0, "identity", "a", "x", until=0.01), Moment(10_000, "tool", "b", "x"))
    assert lane(drawn, "identity")["bars"][0]["width"] == 0.5


def test_faults_that_last_are_shaded_and_those_that_do_not_are_marks():
    drawn = charted(
        Moment(0, "fault", "a", "outage", until=50),
        Moment(60, "fault", "b", "crash"),
        Moment(100, "tool", "c", "end"),
    )
    assert [(b["x"], b["width"]) for b in drawn["bands"]] == [(0, 50)]
    assert [m["x"] for m in lane(drawn, "fault")["marks"]] == [60]


def test_moments_are_numbered_in_order_of_time():
    told = happened([asdict(m) for m in (Moment(9, "tool", "b", "y"), Moment(1, "tool", "a", "x"))])
    assert [(m["number"], m["at"], m["says"]) for m in told] == [
        (1, "0:00:01", "x"),
        (2, "0:00:09", "y"),
    ]


def test_a_drill_in_which_nothing_happened_can_be_drawn():
    drawn = charted()
    assert drawn["ticks"] == []
    assert all(not one["bars"] and not one["marks"] for one in drawn["lanes"])


@pytest.mark.parametrize(
    ("t", "said"), [(0, "0:00:00"), (134.4, "0:02:14"), (7325, "2:02:05"), (-5, "-0:00:05")]
)
def test_the_drills_clock_is_shown_in_hours_minutes_and_seconds(t, said):
    assert clock(t) == said
