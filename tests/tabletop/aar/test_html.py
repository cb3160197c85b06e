"""The page: whole, self-contained, marked as a drill, and its numbers those of the journal."""

from __future__ import annotations

import json
import re

from killswitch.report import words
from tabletop.aar import render
from tabletop.aar.data import after_action
from tabletop.aar.lanes import LANES
from tests.report.page import Element
from tests.tabletop.aar.conftest import drawn
from tests.tabletop.aar.records import bad, good, hostile

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SECTIONS = [
    "overview", "verdict", "timeline", "strengths", "areas", "truth", "approvals", "comms",
    "questions", "frameworks", "plan", "hot-wash",
]  # fmt: skip


def rows(page: Element, name: str) -> list[Element]:
    return [row for table in page.all("table", id=name) for row in table.one("tbody").all("tr")]


def test_it_has_its_twelve_sections_in_order(every):
    headings = [heading.attrs["id"] for heading in every.page.all("h2")]
    assert headings == [*SECTIONS, "check"]
    for number, heading in enumerate(every.page.all("h2")[:12], start=1):
        assert heading.words.startswith(f"{number}. ")


def test_every_number_is_that_of_the_journal(every):
    journal, page = every.journal, every.page
    assert json.loads(page.one(data_number="score").words) == journal["score"]
    assert json.loads(page.one(data_number="seed").words) == journal["seed"]
    assert json.loads(page.one(data_number="false-claims").words) == sum(
        row["false_claim"] for row in journal["truth"]
    )
    told = {e.attrs["data-objective"]: e for e in page.all("tr") if "data-objective" in e.attrs}
    assert list(told) == [row["id"] for row in journal["objectives"]]
    for row in journal["objectives"]:
        assert json.loads(told[row["id"]].attrs["data-value"]) == row["value"]
        assert told[row["id"]].attrs["data-rating"] == row["rating"]
        assert told[row["id"]].all("td")[-1].words == str(row["weight"])
    for name, seconds in journal["times"].items():
        shown = page.one("div", data_time=name)
        assert json.loads(shown.attrs["data-seconds"]) == seconds
        assert words.duration(seconds) in shown.words
    for claim in ("stopped", "open", "silent"):
        mine = [row for row in journal["truth"] if row["claimed"] == claim]
        counts = [cell.words for cell in page.one("tr", data_claimed=claim).all("td")[1:]]
        assert counts == [
            str(sum(row["works"] for row in mine)),
            str(sum(not row["works"] for row in mine)),
        ]


def test_everything_in_the_journal_has_its_row(every):
    journal, page = every.journal, every.page
    assert len(rows(page, "timeline-table")) == len(journal["moments"])
    assert len(rows(page, "truth-table")) == len(journal["truth"])
    assert len(rows(page, "approvals-table")) == len(journal["approvals"])
    assert len(rows(page, "faults-table")) == len(journal["faults"])
    assert len(rows(page, "players-table")) == len(journal["people"])
    assert len([e for e in page.all("tr") if "data-case" in e.attrs]) == len(journal["cases"])
    assert len(rows(page, "plan-table")) == len(every.report["plan"])
    areas = [e.attrs["data-area"] for e in page.all("li") if "data-area" in e.attrs]
    assert areas == [item["id"] for item in every.report["plan"]]


def test_every_lane_is_named_in_the_picture(every):
    lanes = [e for e in every.page.all("g") if "data-lane" in e.attrs]
    assert [lane.attrs["data-lane"] for lane in lanes] == list(LANES)
    for lane in lanes:
        assert lane.all("text")[0].words.startswith(LANES[lane.attrs["data-lane"]])


def test_the_picture_shows_every_moment_where_it_was(every):
    marks = [e for e in every.page.all() if "data-moment" in e.attrs]
    assert sorted(int(m.attrs["data-moment"]) for m in marks) == [
        m["number"] for m in every.report["moments"]
    ]
    bands = [e.attrs["data-band"] for e in every.page.all("rect") if "data-band" in e.attrs]
    lasting = [m for m in every.report["moments"] if m["lane"] == "fault" and m["end"] is not None]
    assert bands == [str(m["number"]) for m in lasting]


def test_false_claims_stand_first_and_are_marked():
    page = drawn(bad()).page
    first, *others = rows(page, "truth-table")
    assert first.attrs["data-false"] == "true"
    assert not any("data-false" in row.attrs for row in others)
    assert "wrong" in page.one("tr", data_claimed="stopped").all("td")[1].attrs["class"]
    assert not drawn(good()).page.all(data_false="true")


def test_human_and_machine_time_and_whose_delay_it_was_stand_apart():
    page = drawn(bad()).page
    said = {
        e.attrs["data-time"]: e.one("b").words for e in page.all("div") if "data-time" in e.attrs
    }
    assert said == {
        "human": "30 min",
        "machine": "10 min",
        "total": "40 min",
        "by_people": "15 min",
        "by_tool": "5 min",
    }


def test_it_says_what_kind_of_exercise_it_was_and_claims_no_compliance(every):
    overview = every.page.one("section", aria_labelledby="overview").words
    assert "functional exercise in the sense of NIST SP 800-84" in overview
    assert not re.search(r"\bcompl(ies|iant)\b", every.text)
    assert (
        "no statement of compliance"
        in every.page.one("section", aria_labelledby="frameworks").words
    )


def test_frameworks_have_their_edition_and_titles():
    section = drawn(good()).page.one("section", aria_labelledby="frameworks").words
    for said in ("ASI03 Identity and Privilege Abuse", "2026, published", "MANAGE 2.4 Mechanisms"):
        assert said in section
    assert "ATLAS" not in section, "the scenario names none of it"


def test_grades_stand_beside_the_score_with_their_meaning():
    row = drawn(good()).page.one("tr", data_graded="press")
    assert [cell.words for cell in row.all("td")] == [
        "Who speaks to the press?",
        "2 of 3",
        "the right person late",
        "an hour late",
    ]


def test_evidence_links_land(every):
    ids = [e.attrs["id"] for e in every.page.all() if "id" in e.attrs]
    assert len(ids) == len(set(ids))
    links = [e.attrs["href"] for e in every.page.all("a")]
    assert len(links) == len(every.report["plan"])
    for target in links:
        assert target.startswith("#")
        assert target[1:] in ids
    for element in every.page.all():
        for wanted in element.attrs.get("aria-labelledby", "").split():
            assert wanted in ids


def test_no_script_no_handler_and_nothing_from_elsewhere(every):
    metas = every.page.all("meta", http_equiv="Content-Security-Policy")
    assert [meta.attrs["content"] for meta in metas] == [POLICY]
    forbidden = {"script", "iframe", "object", "embed", "link", "base", "form", "img", "image"}
    for element in every.page.all():
        assert element.tag not in forbidden
        for name in element.attrs:
            assert not name.startswith("on"), name
            assert name not in {"src", "srcset", "action", "formaction", "xlink:href"}
    assert "@import" not in every.text
    assert set(re.findall(r"url\(([^)]*)\)", every.text)) <= {"#weave-fault"}


def test_a_drill_is_marked_everywhere(every):
    page = every.page
    assert every.text.startswith("<!doctype html>")
    assert page.one("head").one("title").words.startswith("DRILL")
    for heading in [*page.all("h1"), *page.all("h2")]:
        assert "DRILL" in heading.words
    assert "DRILL" in page.one("div", role="note").words
    assert "DRILL" in page.one("footer").words
    assert page.one("div", class_="watermark").words == "DRILL"
    assert '@top-center { content: "DRILL' in every.text
    on_paper = every.text.partition(".watermark { display: none; }")[2]
    assert re.search(r"@media print \{\s+\.watermark \{ display: block; position: fixed", on_paper)


def test_hostile_text_stays_text():
    made = drawn(hostile())
    assert "<script" not in made.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made.text
    assert "<script>alert(1)</script>" in made.page.one("h1").text
    assert not any("javascript:" in e.attrs.get("href", "") for e in made.page.all())
    assert "\u202e" not in made.text


def test_what_is_not_signed_says_so():
    assert "These files are not signed." in render.html(after_action(good()))
    assert "not signed" not in drawn(good()).page.one("section", aria_labelledby="check").words
