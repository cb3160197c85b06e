"""The review's draft: what happened, who decided, what took long, what to ask; and no secrets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from markdown_it import MarkdownIt

from killswitch.model.action import Layer
from killswitch.model.event import What
from killswitch.model.plan import Mode
from killswitch.report import files, html, markdown
from killswitch.report.data import containment
from killswitch.report.review import as_json, review, worth_reviewing
from killswitch.report.review import markdown as as_markdown
from tests.report import cases
from tests.report.journal import HEAD, NOW, SESSIONS, SUSPEND, Story
from tests.report.page import Page

SECRET = "ghp_" + "a1B2" * 9


def looked(case: Any) -> dict[str, Any]:
    return dict(review(case, containment(case, head=HEAD, now=NOW)))


def draft(case: Any) -> str:
    return as_markdown(review(case, containment(case, head=HEAD, now=NOW)))


@pytest.mark.parametrize("name", cases.ALL)
def test_it_is_plain_data_pure_and_in_order(name):
    case = cases.ALL[name]()
    found = looked(case)
    assert json.loads(as_json(found)) == found == looked(case)
    times = [moment["at"] for moment in found["timeline"]]
    assert times == sorted(times)
    assert found["timeline"][0]["at"] <= case.requested_at


def test_the_timeline_tells_people_from_machine():
    told = {m["what"]: m for m in looked(cases.contained())["timeline"]}
    assert told["the first sign"]["seconds"] is None, "it was before the request"
    asked = told["dana@corp.example asked for it, through cli"]
    assert (asked["of"], asked["seconds"]) == ("people", 0.0)
    approved = told["ria@corp.example approved gate lead"]
    assert (approved["of"], approved["seconds"]) == ("people", 38.0)
    assert told["identity: 2 of 2 changes contained"]["of"] == "machine"
    assert told["settled: Contained"]["seconds"] == 76.0


def test_who_decided_what_and_how_long_after_being_asked():
    decided = looked(cases.contained())["decided"]
    assert [(d["who"], d["what"]) for d in decided] == [
        ("dana@corp.example", "asked for it"),
        ("dana@corp.example", "pressed, and it did not count, at gate lead"),
        ("ria@corp.example", "approved gate lead"),
    ]
    assert decided[-1]["seconds"] == 31.5
    assert decided[-1]["through"] == "slack, a Slack account"
    assert decided[-1]["why"] == "seen the transcript"


def test_an_abort_a_restore_and_a_vouching_are_decisions_too():
    stopped = {d["what"] for d in looked(cases.stopped())["decided"]}
    assert "aborted it" in stopped
    restored = {d["what"] for d in looked(cases.restored())["decided"]}
    assert "asked to give access back" in restored
    by_hand = SUSPEND.model_copy(update={"manual": "ask an owner"})
    story = Story().planned([by_hand]).approved().layer(Layer.IDENTITY, 40, 50)
    story.state(by_hand, "manual", 41, detail="no API").done().settled("partial", 51, [by_hand.id])
    story.add(What.ATTESTED, 60, change=by_hand.id, by="ada@corp.example", reason="I saw it")
    vouched = looked(story.case())["decided"][-1]
    assert vouched["who"] == "ada@corp.example"
    assert "was done by hand" in vouched["what"]
    assert vouched["why"] == "I saw it"


def test_what_took_long_is_split_between_people_and_machine():
    took = looked(cases.contained())["took"]
    assert took["people"] == 95 + 32  # to notice and ask, and to approve
    assert took["machine"] == 6 + 36  # to plan, and to contain
    assert took["slowest"][0] == {
        "what": "to notice and to ask for it", "of": "people", "seconds": 95.0,
    }  # fmt: skip
    seconds = [s["seconds"] for s in took["slowest"]]
    assert seconds == sorted(seconds, reverse=True)


def test_what_has_not_ended_comes_first():
    took = looked(Story().planned([SUSPEND]).opened().settled("denied", 9).case())["took"]
    assert took["slowest"][0]["what"] == "gate lead to be answered"
    assert took["slowest"][0]["seconds"] is None


def test_only_what_is_proven_is_said_to_have_worked():
    worked = "\n".join(looked(cases.contained())["worked"])
    assert "6 of 6 required changes read back twice" in worked
    assert "tried and refused at 1 change" in worked
    assert "nothing came undone" in worked
    assert looked(cases.denied())["worked"] == [
        "2 items of evidence kept, none of it after the source was changed"
    ]
    partly = "\n".join(looked(cases.partial())["worked"])
    assert "identity layer" not in partly, "it was past its deadline"
    assert "none of it after" not in partly, "some was late"


def test_gaps_and_open_ends_are_those_of_the_report():
    case = cases.partial()
    found = looked(case)
    assert found["open"] == containment(case, head=HEAD, now=NOW)["todo"]
    gaps = "\n".join(found["gaps"])
    for gap in ("claude.transcripts", "late.jsonl", "entra.user.disable", "limit of 100"):
        assert gap in gaps
    unseen = looked(Story(detected_at="").planned([SUSPEND]).settled("partial", 5).case())
    assert "when it was first noticed: no alert said" in unseen["gaps"]


@pytest.mark.parametrize(
    ("case", "asks"),
    [
        (cases.denied, "Gate lead was denied"),
        (cases.partial, "Some steps were by hand"),
        (cases.contained, "What must be true before access is given back"),
        (lambda: Story().planned([SUSPEND]).opened().shut("expired", 900).settled("denied", 901)
         .case(), "Who could be reached"),
        (lambda: Story(break_glass=True).planned([SUSPEND]).settled("partial", 9).case(),
         "The glass was broken"),
    ],
)  # fmt: skip
def test_questions_come_from_what_happened(case, asks):
    questions = looked(case())["questions"]
    assert any(asks in question for question in questions)
    assert all(question.count("?") >= 1 for question in questions)


@pytest.mark.parametrize("name", cases.ALL)
def test_nobody_is_blamed(name):
    found = looked(cases.ALL[name]())
    asked = " ".join([*found["questions"], *found["worked"]])
    assert "@" not in asked, "questions are about conditions, not about persons"
    assert not re.search(r"\b(fault|blame|failed to|mistake|should have)\b", asked)


@pytest.mark.parametrize("name", cases.ALL)
def test_what_is_in_the_data_is_in_the_text(name):
    found = looked(cases.ALL[name]())
    page = Page(MarkdownIt("commonmark").enable("table").render(draft(cases.ALL[name]()))).root
    text = " ".join(page.words.split())
    for row in [m["what"] for m in found["timeline"]] + [d["what"] for d in found["decided"]]:
        assert " ".join(row.split()) in text
    for row in [*found["worked"], *found["gaps"], *found["questions"]]:
        assert " ".join(row.split()) in text
    assert "[fill in" in text


def test_hostile_text_makes_no_markup():
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.validateLink = lambda url: True
    page = Page(reader.render(draft(cases.hostile()))).root
    assert {e.tag for e in page.all()} <= {
        *("h1", "h2", "p", "ul", "ol", "li", "strong"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(page.all("h1")) == 1


def secretive() -> Any:
    """A case in which people and vendors wrote secrets wherever they can write."""
    story = Story(reason=f"{SECRET} was pushed").planned([SUSPEND, SESSIONS]).opened()
    story.add(
        What.DECIDED, 9, gate="lead", digest=story.digest, person="ria@corp.example",
        decision="approve", reason=f"revoke {SECRET}", door="slack", assurance="slack",
    )  # fmt: skip
    story.shut("approved", 9).layer(Layer.IDENTITY, 10, 20).held(SUSPEND, 10).applying(SUSPEND, 10)
    story.state(SUSPEND, "failed", 12, detail=f"401 for Authorization: Bearer {SECRET}").done()
    story.add(What.GAP, 13, connection="okta", collector="okta.user", why=SECRET, volatile=False)
    story.add(What.ABORTED, 14, by="sol@corp.example", reason=f"wrong: {SECRET}")
    return story.settled("partial", 15, [SUSPEND.id]).case()


def test_no_secret_that_somebody_wrote_is_in_report_or_review():
    case = secretive()
    report = containment(case, head=HEAD, now=NOW)
    for text in (draft(case), json.dumps(looked(case)), json.dumps(report), html.render(report),
                 markdown.render(report)):  # fmt: skip
        assert SECRET not in text
        assert "REDACTED:github-token" in text.replace("\\", "")


def test_the_id_of_an_access_key_stays_readable():
    """It is the name of what was stopped, and opens nothing."""
    named = {"target_id": "AKIAQWERTYUIOPASDFGH", "label": "key AKIAQWERTYUIOPASDFGH"}
    key = SUSPEND.model_copy(update=named)
    report = containment(Story().planned([key]).case(), head=HEAD, now=NOW)
    (change,) = report["layers"][0]["changes"]
    assert change["target"] == "AKIAQWERTYUIOPASDFGH"
    assert change["label"] == "key AKIAQWERTYUIOPASDFGH"


def test_a_drill_says_so_at_the_top():
    assert draft(cases.contained(Mode.DRILL)).startswith("# DRILL")
    assert not draft(cases.contained()).startswith("# DRILL")


@pytest.mark.parametrize(
    ("case", "worth"),
    [
        (cases.contained, True),
        (cases.denied, True),
        (cases.refused, True),
        (lambda: Story().planned([SUSPEND]).case(), False),
        (lambda: Story(Mode.PLAN).planned([SUSPEND]).settled("planned", 9).case(), False),
    ],
)
def test_there_is_a_review_of_every_case_that_was_more_than_a_plan(case, worth):
    assert worth_reviewing(case()) is worth


def test_a_draft_that_somebody_changed_is_left_alone(tmp_path):
    files.write(cases.partial(), tmp_path)
    path = tmp_path / "review.md"
    first = path.read_text()
    files.write(cases.contained(), tmp_path)
    second = path.read_text()
    assert second != first, "nobody had changed it"
    theirs = second.replace("[fill in]", "The retry worked.", 1)
    path.write_text(theirs)
    written = files.write(cases.restored(), tmp_path)
    assert path.read_text() == theirs
    assert written["review.md"] == str(path)
    data = json.loads((tmp_path / "review.json").read_text())
    assert data["verdict"] == looked(cases.restored())["verdict"], "facts are always current"


def test_the_report_names_its_drafts():
    report = containment(cases.contained(), head=HEAD, now=NOW)
    assert report["drafts"] == ["review.md"]
    assert Page(html.render(report)).root.one("p", id="drafts").all("code")[0].words == "review.md"
    assert "`review.md`" in markdown.render(report)
    early = containment(Story().planned([SUSPEND]).case(), head=HEAD, now=NOW)
    assert early["drafts"] == []
    assert 'id="drafts"' not in html.render(early)
