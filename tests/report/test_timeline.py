from __future__ import annotations

import pytest

from killswitch.model.action import Layer
from killswitch.model.event import What
from killswitch.report import html, timeline
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import NOW, SUSPEND, Story, at
from tests.report.page import Page


def told(case):
    return containment(case, head=None, now=NOW)["timeline"]


def placed(chart):
    return {
        (lane["name"], p["bar"]["label"]): (p["x"], p["width"])
        for lane in chart["lanes"]
        for p in lane["bars"]
    }


def test_bars_are_those_of_the_case():
    told_bars = [
        (b["lane"], b["label"], b["start"], b["end"], b["fill"])
        for b in told(cases.contained())["bars"]
    ]
    assert told_bars == [
        ("evidence", "okta", at(6.5), at(14.5), "done"),
        ("evidence", "claude", at(6.5), at(21.5), "done"),
        ("gates", "lead", at(6.5), at(38), "waiting"),
        ("identity", "okta", at(40), at(51), "done"),
        ("credentials", "claude", at(52), at(64), "done"),
        ("repositories", "github-acme", at(66), at(74), "done"),
    ]


def test_bars_land_where_their_times_say():
    line = told(cases.contained())
    assert (line["start"], line["end"]) == (at(0), at(74))
    where = placed(timeline.chart(line))
    assert where[("gates", "lead")] == pytest.approx((6.5 / 74 * 100, 31.5 / 74 * 100), abs=0.01)
    assert where[("repositories", "github-acme")] == pytest.approx(
        (66 / 74 * 100, 8 / 74 * 100), abs=0.01
    )


@pytest.mark.parametrize("name", sorted(cases.ALL))
def test_the_picture_and_the_table_show_every_bar_where_it_was_computed(name):
    report = containment(cases.ALL[name](), head=None, now=NOW)
    page = Page(html.render(report)).root
    chart = timeline.chart(report["timeline"])
    wanted = [p for lane in chart["lanes"] for p in lane["bars"]]
    bars = [e for e in page.all("rect") if "data-lane" in e.attrs]
    assert [(b.attrs["x"], b.attrs["width"]) for b in bars] == [
        (f"{p['x']}%", f"{p['width']}%") for p in wanted
    ]
    assert len(wanted) == len(report["timeline"]["bars"])
    rows = [row for t in page.all("table", id="timeline-table") for row in t.one("tbody").all("tr")]
    assert [row.all("td")[0].words for row in rows] == [p["bar"]["lane"] for p in wanted]
    titles = [e.one("title").words for e in page.all("g")]
    assert titles == [" ".join(p["title"].split()) for p in wanted]
    marks = [e.attrs["x"] for e in page.all("text") if "data-mark" in e.attrs]
    assert len(marks) == (len(report["timeline"]["marks"]) if wanted else 0)


@pytest.mark.parametrize("name", sorted(cases.ALL))
def test_nothing_leaves_the_picture_and_nothing_overlaps(name):
    chart = timeline.chart(told(cases.ALL[name]()))
    tops = [p["y"] for lane in chart["lanes"] for p in lane["bars"]]
    assert tops == sorted(set(tops))
    assert all(y + 28 < chart["height"] for y in tops)
    for x, width in placed(chart).values():
        assert 0 <= x <= 100
        assert width > 0
        assert x + width <= 100.01
    for first in chart["marks"]:
        for second in chart["marks"]:
            if first is not second and first["row"] == second["row"]:
                assert abs(first["x"] - second["x"]) >= 9
    assert len(chart["ticks"]) <= 5


def test_what_is_still_open_runs_to_the_edge_and_says_so():
    line = told(cases.partial())
    late = next(b for b in line["bars"] if b["lane"] == "identity")
    assert (late["fill"], late["end"]) == ("open", "")
    x, width = placed(timeline.chart(line))[("identity", "okta")]
    assert x + width == pytest.approx(100, abs=0.01)


def test_a_gap_and_a_failure_do_not_look_done():
    fills = {(b["lane"], b["label"]): b["fill"] for b in told(cases.partial())["bars"]}
    assert fills[("evidence", "claude")] == "failed"
    assert fills[("credentials", "claude")] == "failed"
    assert fills[("credentials", "cursor")] == "failed"
    assert fills[("repositories", "github-acme")] == "done"
    denied = {(b["lane"], b["label"]): b["fill"] for b in told(cases.denied())["bars"]}
    assert denied[("gates", "lead")] == "failed"


def test_a_pattern_or_a_glyph_always_stands_beside_the_colour():
    page = Page(html.render(containment(cases.partial(), head=None, now=NOW))).root
    for bar in (e for e in page.all("rect") if "data-lane" in e.attrs):
        fill = bar.attrs["class"].removeprefix("bar fill-")
        assert bar.attrs.get("fill", "") == ("" if fill == "done" else f"url(#weave-{fill})")
    glyphs = {b["fill"]: b["glyph"] for b in told(cases.partial())["bars"]}
    assert glyphs == {"done": "✓", "waiting": "✓", "open": "◔", "failed": "✗"}


def test_detection_long_before_the_request_does_not_squeeze_the_picture():
    story = Story(detected_at=at(-86_400)).planned([SUSPEND]).approved()
    story.layer(Layer.IDENTITY, 40, 50).contained(SUSPEND, 40, 45).done()
    line = told(story.settled("contained", 51).case())
    assert line["start"] == at(0)
    early = timeline.chart(line)["marks"][0]
    assert (early["name"], early["x"]) == ("◂ T0", 0)
    assert early["title"].endswith("before the request")


def test_a_way_back_weeks_later_does_not_squeeze_the_picture():
    line = told(cases.restored())
    assert line["end"] == at(75)
    assert "given back since" in line["bars"][-1]["detail"]


def test_the_watch_containing_again_does_not_squeeze_the_picture():
    story = Story().planned([SUSPEND], blanks=[]).approved().layer(Layer.IDENTITY, 40, 50)
    story.contained(SUSPEND, 40, 45).done().settled("contained", 51)
    story.state(SUSPEND, "reverted", 90_000).applying(SUSPEND, 90_001)
    story.state(SUSPEND, "contained", 90_005, reads=[at(90_003), at(90_005)])
    story.add(What.WATCHED, 90_006, round=300, ok=False, reverted=[SUSPEND.id])
    report = containment(story.case(), head=None, now=at(100_000))
    assert report["timeline"]["end"] == at(50)
    assert report["times"][4]["note"] == "with what the watch contained again"


def test_a_case_that_ended_at_once_has_no_picture():
    assert told(cases.refused())["bars"] == []
