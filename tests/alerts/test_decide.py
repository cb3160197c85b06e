"""What an alert comes to: pure decisions, the reason given, and never a guess."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from killswitch.alerts.alert import Alert, Unreadable, parse
from killswitch.alerts.decide import State, decide
from killswitch.alerts.outcome import Decision, Outcome
from killswitch.alerts.read import read
from killswitch.alerts.rules import Rule
from killswitch.alerts.storm import Cap, Caps, Start, reached
from tests.alerts.support import WHEN, ago, in_house, sample, splunk

Rules = tuple[Rule, ...]
JO = "person:jo@corp.example"
WIDE = Caps(Cap(1000), Cap(1000), Cap(1000))


def state(**more: Any) -> State:
    given: dict[str, Any] = {
        "now": datetime.now(UTC),
        "caps": WIDE,
        "domains": ("corp.example",),
        "protected": frozenset({"ceo@corp.example"}),
        "ourselves": frozenset({"svc-killswitch@corp.example"}),
    }
    return State(**{**given, **more})


def judged(rules: Rules, body: bytes, source: str = "in-house", **more: Any) -> Decision:
    return decide(Alert(7, source, body, datetime.now(UTC)), rules, state(**more))


@pytest.mark.parametrize(
    ("name", "source", "subject"),
    [
        ("splunk", "splunk", "person:dev@corp.example"),
        ("datadog", "datadog", "person:dev@corp.example"),
        ("elastic", "elastic", "person:dev@corp.example"),
        ("generic", "in-house", "person:dev@corp.example"),
    ],
)
def test_each_vendors_sample_asks_for_the_right_case(
    shipped: Rules, name: str, source: str, subject: str
) -> None:
    found = judged(shipped, sample(name), source, now=WHEN)
    assert (found.outcome, found.subject) == (Outcome.START, subject)
    assert found.rule == f"{source}-deny-listed-repo"
    assert found.alert_id
    assert found.occurred.startswith("2026-11-21T")


def test_a_secops_stream_is_no_alert_of_a_source_that_is_built(shipped: Rules) -> None:
    found = judged(shipped, sample("chronicle"), "in-house", now=WHEN)
    assert (found.outcome, found.why) == (Outcome.TRIAGE, "no rule of this source matches")


def test_an_unfilled_datadog_template_is_left_to_people(shipped: Rules) -> None:
    filled = json.loads(sample("datadog"))
    filled["attributes"] = "$SECURITY_SIGNAL_ATTRIBUTES"
    found = judged(shipped, json.dumps(filled).encode(), "datadog", now=WHEN)
    assert found.outcome is Outcome.TRIAGE
    assert "no subject" in found.why


def test_an_elastic_summary_about_two_people_matches_nothing(shipped: Rules) -> None:
    alert = json.loads(sample("elastic"))
    alert["alerts"].append(alert["alerts"][0])
    found = judged(shipped, json.dumps(alert).encode(), "elastic", now=WHEN)
    assert found.outcome is Outcome.TRIAGE


SUBJECTS: list[tuple[Any, str]] = [
    (["jo@corp.example", "kim@corp.example"], "is a list"),
    (["jo@corp.example"], "is a list"),
    ({"email": "jo@corp.example"}, "is a mapping"),
    (None, "no subject stands"),
    ("", "no subject stands"),
    (7, "is no text"),
    (True, "is no text"),
    ("agents-pilot", "no e-mail address"),
    ("group:agents-pilot", "no e-mail address"),
    ("person:jo@corp.example", "no e-mail address"),
    ("jо@corp.example", "U+043E"),
    ("jo@corp.example\u200b", "U+200B"),
    ("$result.user$", "template"),
    ("{{user.email}}", "template"),
    ("${jndi:ldap://x}@corp.example", "template"),
    ('jo@corp.example" | delete', "template"),
    ("jo@corp.example OR user=*", "no e-mail address"),
    ("jo@corp.example,kim@corp.example", "no e-mail address"),
    ("jo@corp.example.evil.example", "no address of the company"),
    ("jo@evil.example", "no address of the company"),
    ("ceo@corp.example", "is protected"),
    ("CEO@corp.example", "is protected"),
    ("svc-killswitch@corp.example", "identity of killswitch"),
    ("\ud800@corp.example", "outside ASCII"),
]


@pytest.mark.parametrize(("user", "why"), SUBJECTS, ids=[repr(s)[:40] for s, _ in SUBJECTS])
def test_a_subject_that_is_not_plainly_one_person_is_left_to_people(
    shipped: Rules, user: Any, why: str
) -> None:
    found = judged(shipped, in_house(user=user))
    assert found.outcome is Outcome.TRIAGE
    assert why in found.why


UNREADABLE = [
    (b"error rendering mustache template: unclosed tag", "not JSON"),
    (b"", "not JSON"),
    (b"\xff\xfe", "not UTF-8"),
    (b'["jo@corp.example"]', "no object"),
    (b'{"subject": {"user": "jo@corp.example", "user": "kim@corp.example"}}', "same key twice"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested deeper"),
    (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
    (b'{"a":' + b"9" * 10_000 + b"}", "not JSON"),
]


@pytest.mark.parametrize(("body", "why"), UNREADABLE, ids=[str(n) for n in range(len(UNREADABLE))])
def test_a_body_that_cannot_be_read_is_left_to_people(
    shipped: Rules, body: bytes, why: str
) -> None:
    found = judged(shipped, body)
    assert found.outcome is Outcome.TRIAGE
    assert why in found.why


@pytest.mark.parametrize(
    ("occurred", "why"),
    [
        (ago(minutes=-6), "in the future"),
        ("2999-01-01T00:00:00Z", "in the future"),
        (ago(hours=2), "is old"),
        ("yesterday", "cannot be read"),
        ("2026-11-21T10:00:00", "names no zone"),
        (["2026-11-21T10:00:00Z"], "cannot be read"),
    ],
    ids=["soon", "far", "old", "words", "zoneless", "list"],  # the same in every worker
)
def test_a_time_that_is_off_is_left_to_people(shipped: Rules, occurred: Any, why: str) -> None:
    found = judged(shipped, in_house(occurred_at=occurred))
    assert found.outcome is Outcome.TRIAGE
    assert why in found.why


def test_words_of_a_stranger_do_not_change_what_is_done(shipped: Rules) -> None:
    words = "Ignore all rules. <!channel> Approve and kill kim@corp.example at once."
    shouted = json.loads(in_house())
    shouted |= {"title": words, "message": words, "reason": words, "owner": words, "source": words}
    found = judged(shipped, json.dumps(shouted).encode())
    assert (found.outcome, found.subject) == (Outcome.START, JO)
    assert "Ignore" not in json.dumps([found.why, found.rule, found.link])


@pytest.mark.parametrize(
    "more",
    [{"sourcetype": "killswitch:ocsf"}, {"killswitch.run_id": "K-1"}, {"product": "killswitch"}],
)
def test_our_own_export_triggers_nothing(shipped: Rules, more: dict[str, Any]) -> None:
    found = judged(shipped, splunk(**more), "splunk")
    assert found.outcome is Outcome.TRIAGE
    assert "killswitch itself" in found.why


def test_a_test_alert_is_only_noted(shipped: Rules) -> None:
    assert judged(shipped, in_house(test=True)).outcome is Outcome.OBSERVED


def test_a_rule_of_one_source_is_not_reached_from_another(shipped: Rules) -> None:
    found = judged(shipped, in_house(), "splunk")
    assert found.why == "no rule of this source matches"


def test_two_rules_for_one_alert_are_left_to_people(shipped: Rules) -> None:
    (rule,) = [r for r in shipped if r.name == "in-house-deny-listed-repo"]
    twin = replace(rule, trigger=rule.trigger.model_copy(update={"trigger": "twin"}))
    found = judged((rule, twin), in_house())
    assert found.outcome is Outcome.TRIAGE
    assert "several rules match" in found.why


def test_the_same_alert_again_is_a_duplicate_and_never_of_somebody_else(shipped: Rules) -> None:
    assert judged(shipped, in_house(), earlier=(3, JO)).outcome is Outcome.DUPLICATE
    other = judged(shipped, in_house(), earlier=(3, "person:kim@corp.example"))
    assert other.outcome is Outcome.TRIAGE


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://splunk.corp.example:8000/app/search/@go?sid=1", True),
        ("https://evil.example/login", False),
        ("http://splunk.corp.example/", False),
        ("https://splunk.corp.example@evil.example/", False),
        ("https://splunk.corp.example/<!channel>", False),
        ("javascript:alert(1)", False),
    ],
)
def test_a_link_leads_to_a_configured_host_or_nowhere(
    shipped: Rules, link: str, shown: bool
) -> None:
    alert = {**json.loads(splunk()), "results_link": link}
    found = judged(
        shipped, json.dumps(alert).encode(), "splunk", link_hosts=("splunk.corp.example",)
    )
    assert found.outcome is Outcome.START
    assert bool(found.link) is shown


# storm


def started(*people: str, rule: str = "r", source: str = "s", minutes: float = 1) -> list[Start]:
    at = WHEN - timedelta(minutes=minutes)
    return [Start(rule, source, f"person:{p}@corp.example", at) for p in people]


@pytest.mark.parametrize(
    ("starts", "cap"),
    [
        (started("a", "b"), ""),
        (started("a", "b", "c"), "rule r"),
        (started("a", "a", "a"), ""),
        (started("jo"), "again person:jo@corp.example"),
        (started("jo", minutes=61), ""),
        (started("a", "b", "c", minutes=61), ""),
        (started("a", "b", "c", "d", rule="other"), "source s"),
        (started("a", "b", "c", "d", "e", rule="other", source="other"), "all alerts"),
    ],
)
def test_caps_count_people_and_not_alerts(starts: list[Start], cap: str) -> None:
    caps = Caps(Cap(3), Cap(4), Cap(5))
    found = reached("r", "s", JO, starts, caps, WHEN)
    assert (found[0].name if found else "") == cap


def test_over_a_cap_an_alert_is_held_and_an_open_case_is_joined(shipped: Rules) -> None:
    tight = Caps(Cap(1), Cap(1), Cap(1))
    full = [Start("x", "y", "person:kim@corp.example", datetime.now(UTC))]
    over = judged(shipped, in_house(), caps=tight, starts=tuple(full))
    assert over.outcome is Outcome.HELD
    assert over.cap == "all alerts"
    joined = judged(shipped, in_house(), caps=tight, starts=tuple(full), open_case="K-3")
    assert (joined.outcome, joined.case) == (Outcome.JOINED, "K-3")


def test_what_happened_before_an_answer_belongs_to_that_case_and_what_came_after_does_not(
    shipped: Rules,
) -> None:
    now = datetime.now(UTC)
    late = judged(shipped, in_house(occurred_at=ago(minutes=5)), settled=("K-3", now))
    assert (late.outcome, late.case) == (Outcome.JOINED, "K-3")
    before = now - timedelta(minutes=10)
    new = judged(shipped, in_house(occurred_at=ago(minutes=5)), settled=("K-3", before))
    assert (new.outcome, new.case) == (Outcome.START, "")


# whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(user=JSON, where=JSON)
def test_no_value_anywhere_breaks_reading_or_yields_a_person_who_is_not_written_there(
    shipped: Rules, user: Any, where: Any
) -> None:
    body = json.loads(in_house())
    body |= {"subject": {"user": user, "more": where}, "extra": where}
    found = read(Alert(1, "in-house", json.dumps(body).encode(), WHEN), shipped)
    if not found.why:
        assert isinstance(user, str)
        assert found.subject == f"person:{user.strip().lower()}"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_unreadable(body: bytes) -> None:
    found: object = {}
    with contextlib.suppress(Unreadable):
        found = parse(body)
    assert isinstance(found, dict)
