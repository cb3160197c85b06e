"""Drafts of messages: facts from the journal, blanks for people, and nobody named who need not."""

from __future__ import annotations

import stat
from typing import Any

import pytest
from markdown_it import MarkdownIt

from killswitch.model.plan import Mode
from killswitch.report import comms, files
from killswitch.report.data import containment
from tests.report import cases
from tests.report.journal import HEAD, NOW
from tests.report.page import Page

SHIPPED = ("eng-leadership", "affected-users", "legal-if-regulated")


def asking(case: Any, *audiences: str) -> Any:
    case.plan = case.plan.model_copy(update={"comms": audiences or SHIPPED})
    return case


def drafts(case: Any) -> dict[str, str]:
    return comms.drafts(case, containment(case, head=HEAD, now=NOW))


def test_one_draft_an_audience_with_facts_and_blanks():
    found = drafts(asking(cases.contained()))
    assert list(found) == [f"comms-{audience}.md" for audience in SHIPPED]
    for text in found.values():
        assert "[fill in" in text
        assert "Not sent to anybody" in text
        assert "K-1127" in text
        assert "2026-03-14 09:12:04 UTC" in text
    leaders = found["comms-eng-leadership.md"]
    assert "Contained: 6 of 6 required changes read back" in leaders
    assert "agent pushes secrets" in leaders
    assert "2 items, 1.3 MB" in found["comms-legal-if-regulated.md"]


def test_those_who_need_not_know_are_not_told_who_it_is():
    for name in ("comms-affected-users.md", "comms-board.md"):
        text = drafts(asking(cases.contained(), "affected-users", "board"))[name]
        assert "Nobody can push to any branch of acme/payments." in text
        assert "1 line left out" in text
        for tells in ("jo@corp", "Jo ", "Marsh", "jo-marsh", "00u4fz2kQx"):
            assert tells not in text


def test_only_the_lawyers_are_told_the_address():
    found = drafts(asking(cases.partial()))
    naming = [name for name, text in found.items() if "jo@corp.example" in text]
    assert naming == ["comms-legal-if-regulated.md"]


@pytest.mark.parametrize(
    ("name", "due"),
    [
        ("contained", True),
        ("partial", True),
        ("stopped", True),
        ("restored", True),
        ("denied", False),
        ("aborted", False),
    ],
)
def test_there_is_a_draft_only_where_something_was_changed(name, due):
    assert bool(comms.names(asking(cases.ALL[name]()))) is due
    assert bool(drafts(asking(cases.ALL[name]()))) is due


def test_a_case_without_a_plan_or_an_audience_has_none():
    assert comms.names(cases.refused()) == []
    assert comms.names(cases.contained()) == []


def test_a_restored_case_is_not_said_to_be_contained():
    text = drafts(asking(cases.restored()))["comms-eng-leadership.md"]
    assert "Access was given back" in text
    assert "read back" not in text


def test_an_audience_is_never_a_path():
    assert comms.names(asking(cases.contained(), "../../x", "a/b", "UP", "ok")) == ["comms-ok.md"]


def test_a_drill_says_so_at_the_top():
    for text in drafts(asking(cases.contained(Mode.DRILL))).values():
        assert text.startswith("# DRILL")


def test_hostile_text_makes_no_markup():
    reader = MarkdownIt("commonmark", {"html": True})
    reader.validateLink = lambda url: True
    for name, text in drafts(asking(cases.hostile(), *SHIPPED, "other")).items():
        page = Page(reader.render(text)).root
        allowed = {"h1", "p", "ul", "li", "strong", "hr", "code"}
        assert {e.tag for e in page.all()} <= allowed, name
        assert "\u202e" not in text


def test_they_lie_beside_the_report_and_are_on_it(tmp_path):
    case = asking(cases.contained())
    report = containment(case, head=HEAD, now=NOW)
    assert report["drafts"] == [*comms.names(case), "review.md"]
    written = files.write(case, tmp_path / "K-1127")
    for name in comms.names(case):
        path = tmp_path / "K-1127" / name
        assert written[name] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    mine = tmp_path / "K-1127" / "comms-affected-users.md"
    mine.write_text("what I want to say")
    files.write(case, tmp_path / "K-1127")
    assert mine.read_text() == "what I want to say"
