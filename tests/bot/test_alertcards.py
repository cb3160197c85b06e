"""The list of alerts and its forms: what they say, to whom; strangers' words stay words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot import alertcards, homepage
from bot.naming import alert_number
from bot.queue import Looked
from killswitch.alerts.people import Waiting
from tabletop.sims.slack_blocks import problems, view_problems
from tests.bot.office import buttons, of_view
from tests.drill import DANA, JO, SOL

EVIL = (
    "<!channel> <@U123|Dana> *bold* `code` <https://evil.example|sign in> https://evil.example/x "
    "&amp; \u202e right to left \n second line @channel ghp_" + "a1B2" * 9 + " " + "x" * 10_000
)
PLAIN = Waiting(
    id=12,
    alert="A-12",
    source="splunk",
    received_at="2026-11-21T10:01:00+00:00",
    outcome="held",
    why="rule mine: 3 people in 60 min, the cap is 3",
    rule="mine",
    subject=f"person:{JO}",
    occurred="2026-11-21T10:00:00+00:00",
    link="https://splunk.corp.example/alert?sid=1&x=2",
    confirmed="read",
)
HOSTILE = replace(PLAIN, why=EVIL, subject=EVIL, outcome="triage", confirmed="", link="")


def waiting(count: int, like: Waiting = PLAIN) -> list[Waiting]:
    return [replace(like, id=n, alert=f"A-{n}") for n in range(count, 0, -1)]


def messages(like: Waiting) -> list[dict[str, Any]]:
    found = [
        alertcards.board(waiting(count, like), readers, held)
        for count in (0, 1, 3, 11, 500)
        for readers in (None, frozenset({DANA}))
        for held in ((), ("mine", "yours"))
    ]
    return [*found, alertcards.over("1793613600.000100")]


def views(like: Waiting, says: tuple[str, ...] = ("user: jo",)) -> list[dict[str, Any]]:
    looked = Looked(like, "", "", dismissed=False)
    over = Looked(like, f"It was dismissed by {SOL}: {EVIL}", SOL, dismissed=True)
    return [
        alertcards.listing([]),
        alertcards.listing(waiting(60, like)),
        alertcards.review(looked, says),
        alertcards.review(over, says),
        alertcards.ended(over),
        alertcards.start(looked, live=True),
        alertcards.start(looked, live=False),
        alertcards.dismiss(looked),
        homepage.home([], [], operator=True, alerts=waiting(11, like)),
        homepage.home([], [], operator=True, alerts=[]),
    ]


@pytest.mark.parametrize("like", [PLAIN, HOSTILE], ids=["plain", "hostile"])
def test_slack_takes_every_message_and_form(like: Waiting) -> None:
    for message in messages(like):
        assert not problems(message["blocks"])
        assert message["text"].strip()
    for view in views(like, (EVIL,) * 60):
        assert not view_problems(view)


def texts(node: Any) -> Iterator[dict[str, Any]]:
    """Every text object."""
    if isinstance(node, dict):
        if node.get("type") in ("mrkdwn", "plain_text"):
            yield node
        for value in node.values():
            yield from texts(value)
    if isinstance(node, list):
        for value in node:
            yield from texts(value)


def test_what_an_alert_says_is_never_formatted_linked_or_a_mention() -> None:
    shown = [*messages(HOSTILE), *views(HOSTILE, (EVIL,))]
    for one in shown:
        for text in texts(one):
            assert "evil" not in text["text"] or text["type"] == "plain_text"
            for tag in re.findall(r"<[^>]*>", text["text"]):
                assert tag.startswith("<!date^"), tag
            assert "\u202e" not in text["text"]
            assert "ghp_" not in text["text"]
        assert "evil" not in str(one.get("text", "")), "of the notification"


def test_the_list_says_where_from_why_whom_and_how_sure_with_a_button_each() -> None:
    text = of_view(alertcards.board(waiting(3), frozenset({DANA}), ()))
    for word in ("3 alerts wait for people", "A-3", "splunk", "rule mine", "over a cap", JO,
                 "the cap is 3", "read again at its source"):  # fmt: skip
        assert word in text
    twelve = alertcards.board(waiting(12), None, ())
    assert buttons(twelve) == [f"Review A-{n}" for n in range(12, 2, -1)]
    assert "and 2 more" in of_view(twelve)
    assert "500 alerts or more" in of_view(alertcards.board(waiting(500), None, ()))
    assert "No alert waits" in of_view(alertcards.board([], None, ("mine",)))
    assert "1 alert waits" in of_view(alertcards.board(waiting(1), None, ()))


def test_nobody_is_named_where_others_than_operators_read_or_the_named_one_does() -> None:
    for readers in (None, frozenset({DANA, JO})):
        text = json.dumps(alertcards.board(waiting(3), readers, ("mine",)))
        assert "A-3" in text
        assert "jo@" not in text
        assert "the cap is" not in text, "why it waits quotes the alert"


def test_an_unconfirmed_alert_says_that_nobody_vouches_for_it() -> None:
    looked = Looked(HOSTILE, "", "", dismissed=False)
    for view in (alertcards.review(looked, ()), alertcards.start(looked, live=True)):
        assert "nobody vouches" in of_view(view)


def test_a_link_is_there_only_where_the_configuration_knows_its_host() -> None:
    looked = Looked(PLAIN, "", "", dismissed=False)
    link = "<https://splunk.corp.example/alert?sid=1&amp;x=2|Open it at its source>"
    assert link in of_view(alertcards.review(looked, ()))
    without = Looked(replace(PLAIN, link=""), "", "", dismissed=False)
    assert "Open it" not in of_view(alertcards.review(without, ()))


def test_the_form_brings_the_subject_along_and_a_live_case_is_typed_again() -> None:
    looked = Looked(PLAIN, "", "", dismissed=False)
    view = alertcards.start(looked, live=True)
    fields = {b["block_id"]: b["element"] for b in view["blocks"] if "block_id" in b}
    assert fields["subject"]["initial_value"] == JO
    assert set(fields) == {"subject", "reason", "typed"}
    drill = alertcards.start(looked, live=False)
    assert "typed" not in {b.get("block_id") for b in drill["blocks"]}


def test_what_was_dealt_with_has_no_button_and_says_by_whom() -> None:
    over = Looked(PLAIN, f"It was dismissed by {SOL}: a rehearsal", SOL, dismissed=True)
    view = alertcards.review(over, ("user: jo",))
    assert buttons(view) == []
    assert f"dismissed by {SOL}: a rehearsal" in of_view(view)


def test_a_page_without_alerts_says_nothing_of_them() -> None:
    assert "alert" not in of_view(homepage.home([], [], operator=True)).lower()


@pytest.mark.parametrize("value", ["", "A-", "A-0", "A-01", "a-1", "K-1", "A-1 ", "A-" + "9" * 19])
def test_a_forged_value_is_about_no_alert(value: str) -> None:
    assert alert_number(value) == 0
    assert alert_number("A-12") == 12
