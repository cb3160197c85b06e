"""The rules of a case, each broken once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.audit.findings import Finding
from killswitch.audit.journal import Journal
from killswitch.audit.lifecycle import check_case
from killswitch.model.event import What
from killswitch.model.plan import Mode
from tests.audit.story import REVOKE, SUSPEND, Story, a_lawful_case, a_plan


def audited(journal: Journal, story: Story) -> list[Finding]:
    return check_case(journal.append(*story.events()))


def test_a_lawful_case_is_sound(journal: Journal) -> None:
    assert audited(journal, a_lawful_case()) == []


def _other_plan(s: Story) -> None:
    s.change(What.DECIDED, {"gate": "lead"}, digest="f" * 64)


def _gate_of_other_plan(s: Story) -> None:
    s.change(What.OPENED, {"gate": "lead"}, digest="f" * 64)
    s.change(What.DECIDED, {"gate": "lead"}, digest="f" * 64)


def _plan_changed_after_approval(s: Story) -> None:
    place = s.find(What.PLANNED)
    swapped = a_plan(subject="person:kim@corp.example")
    s.facts[place] = (
        What.PLANNED,
        {"plan": swapped.model_dump(mode="json", by_alias=True), "digest": s.plan.digest},
    )


def _denied_first(s: Story) -> None:
    s.decide("lead", "ria@corp.example", "deny")
    s.move(
        What.DECIDED, s.find(What.DECIDED, gate="lead"), person="ria@corp.example", decision="deny"
    )


def _late(s: Story) -> None:
    s.change(What.OPENED, {"gate": "lead"}, expires_at="2020-01-01T00:00:00+00:00")


def _same_person_twice(s: Story) -> None:
    s.change(What.DECIDED, {"person": "Ria@corp.example"}, person="LEE@corp.example")


BROKEN: list[tuple[str, Callable[[Story], None], str, str]] = [
    ("another plan's digest", _other_plan, "approval", "0 of 1 approvals of gate lead"),
    ("gate of another plan", _gate_of_other_plan, "approval", "asked about another plan"),
    ("plan not as digested", _plan_changed_after_approval, "plan", "not the one that its digest"),
    ("denied first", _denied_first, "approval", "though gate lead was denied"),
    ("after it expired", _late, "approval", "0 of 1 approvals"),
    ("one person twice", _same_person_twice, "approval", "1 of 2 approvals of gate dual"),
    (
        "no decision",
        lambda s: s.drop(What.DECIDED, gate="lead"),
        "approval",
        "0 of 1 approvals",
    ),
    (
        "gate still open",
        lambda s: s.drop(What.SHUT, gate="lead"),
        "approval",
        "approvals of gate lead",
    ),
    (
        "approved afterwards",
        lambda s: s.move(What.DECIDED, s.find(What.SETTLED), gate="lead"),
        "approval",
        "0 of 1 approvals",
    ),
    (
        "by the requester, though a lead",
        lambda s: s.change(What.DECIDED, {"gate": "lead"}, person="dana@corp.example"),
        "approval",
        "0 of 1 approvals",
    ),
    (
        "by the subject under another address",
        lambda s: s.change(
            What.DECIDED, {"person": "Ria@corp.example"}, person="jo.marsh@corp.example"
        ),
        "approval",
        "1 of 2 approvals",
    ),
    (
        "by a stranger",
        lambda s: s.change(What.DECIDED, {"gate": "lead"}, person="kim@corp.example"),
        "approval",
        "0 of 1 approvals",
    ),
    (
        "too unsure who it was",
        lambda s: s.change(What.DECIDED, {"person": "Ria@corp.example"}, assurance="os-login"),
        "approval",
        "1 of 2 approvals",
    ),
    (
        "gate never opened",
        lambda s: (s.drop(What.OPENED, gate="lead"), s.drop(What.SHUT, gate="lead"))[0],
        "approval",
        "gate lead never opened",
    ),
    (
        "denied, applied all the same",
        lambda s: s.change(What.SHUT, {"gate": "lead"}, outcome="denied"),
        "approval",
        "approvals of gate lead",
    ),
    (
        "reversible_only that nobody configured",
        lambda s: s.change(What.SHUT, {"gate": "lead"}, outcome="reversible_only"),
        "approval",
        "needs people and nobody approved",
    ),
    (
        "before the evidence was sealed",
        lambda s: s.move(What.SEALED, s.find(What.SETTLED)),
        "evidence",
        "before the volatile evidence was sealed",
    ),
    (
        "evidence never begun",
        lambda s: (
            s.drop(What.SEALED),
            s.drop(What.COLLECTING),
            s.drop(What.COLLECTED),
        )[0],
        "evidence",
        "before the volatile evidence was sealed",
    ),
    (
        "evidence under way, no gap",
        lambda s: (s.drop(What.SEALED), s.drop(What.COLLECTED))[0],
        "evidence",
        "or its gap recorded",
    ),
    (
        "before the before-state",
        lambda s: s.drop(What.HELD, change=SUSPEND),
        "before",
        "before its state was recorded",
    ),
    (
        "one read",
        lambda s: s.change(What.STATE, {"change": SUSPEND, "state": "contained"}, reads=["t1"]),
        "contained",
        "after 1 of 2 reads",
    ),
    (
        "the same read twice",
        lambda s: s.change(What.STATE, {"change": SUSPEND, "state": "contained"}, reads=["t", "t"]),
        "contained",
        "after 1 of 2 reads",
    ),
    (
        "a false contained",
        lambda s: s.change(What.STATE, {"change": REVOKE}, state="unverified"),
        "contained",
        f"the case is called contained and {REVOKE} is unverified",
    ),
    (
        "a change that no plan lists",
        lambda s: s.change(What.APPLYING, {"change": SUSPEND}, change="okta/okta.user.delete/1"),
        "approval",
        "no plan lists it",
    ),
    (
        "before there was a plan",
        lambda s: s.move(What.APPLYING, 1, change=SUSPEND),
        "approval",
        "before there was a plan",
    ),
    (
        "undone unasked",
        lambda s: s.drop(What.RESTORE_ASKED),
        "approval",
        "nobody asked for a restore",
    ),
    (
        "undone without a gate",
        lambda s: (
            s.drop(What.OPENED, purpose="restore-1"),
            s.drop(What.SHUT, gate="restore-1/lead"),
        )[0],
        "approval",
        "undone without a gate",
    ),
    (
        "undone on the requester's own word",
        lambda s: s.change(What.DECIDED, {"gate": "restore-1/lead"}, person="dana@corp.example"),
        "approval",
        "0 of 1 approvals",
    ),
    (
        "a move that is not legal",
        lambda s: s.tell(What.STATE, change=SUSPEND, state="contained", reads=["a", "b"]),
        "lifecycle",
        "restored -> contained",
    ),
    (
        "an entry without its data",
        lambda s: s.tell(What.STATE),
        "lifecycle",
        "cannot be read",
    ),
    ("no request", lambda s: s.drop(What.REQUESTED), "lifecycle", "before the request"),
]


@pytest.mark.parametrize(
    ("bend", "what", "says"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN]
)
def test_a_broken_rule_is_named(
    journal: Journal, bend: Callable[[Story], None], what: str, says: str
) -> None:
    story = a_lawful_case()
    bend(story)
    found = audited(journal, story)
    assert [f for f in found if f.what == what and says in f.says], found


def test_the_number_of_the_entry_is_named(journal: Journal) -> None:
    story = a_lawful_case()
    story.drop(What.DECIDED, gate="lead")
    (finding,) = audited(journal, story)
    assert finding.where == story.find(What.APPLYING, change=SUSPEND) + 1
    assert finding.says.startswith(f"K-1, entry {finding.where}: ")


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.EVIDENCE])
def test_in_a_case_that_only_looks_nothing_is_applied(journal: Journal, mode: Mode) -> None:
    found = audited(journal, a_lawful_case(mode=mode))
    assert {f.what for f in found} == {"approval"}
    assert "a case that changes nothing" in found[0].says


def test_a_gap_that_was_recorded_in_time_is_enough(journal: Journal) -> None:
    story = a_lawful_case()
    story.drop(What.SEALED)
    place = story.find(What.COLLECTED)
    story.facts[place] = (What.GAP, {**story.facts[place][1], "why": "not there within 60s"})
    assert audited(journal, story) == []


def test_a_plan_without_evidence_waits_for_none(journal: Journal) -> None:
    story = a_lawful_case(collect=())
    for what in (What.SEALED, What.COLLECTING, What.COLLECTED):
        story.drop(what)
    assert audited(journal, story) == []


def test_escalation_adds_approvers_and_time(journal: Journal) -> None:
    story = a_lawful_case()
    story.change(What.OPENED, {"gate": "lead"}, expires_at="2020-01-01T00:00:00+00:00")
    story.change(What.DECIDED, {"gate": "lead"}, person="max@corp.example")
    more = {"approvers": ["max@corp.example"], "expires_at": "2999-01-01T00:00:00+00:00"}
    place = story.find(What.DECIDED, gate="lead")
    story.facts.insert(place, (What.ESCALATED, {"gate": "lead", "role": "directors", **more}))
    assert audited(journal, story) == []


def test_break_glass_allows_what_can_be_undone_and_no_more(journal: Journal) -> None:
    story = a_lawful_case(break_glass=True)
    for gate in ("lead", "dual"):
        story.change(What.SHUT, {"gate": gate}, outcome="reversible_only")
    (finding,) = audited(journal, story)
    assert finding.says.endswith(f"{REVOKE} needs people and nobody approved it.")


def an_automatic_case(door: str = "alert:splunk", assurance: str = "service") -> Story:
    """What can be undone went ahead; the rest had its approvals."""
    story = a_lawful_case(automatic=True)
    asked = story.facts[story.find(What.REQUESTED)][1]["request"]
    asked.update(automatic=True, door=door, assurance=assurance)
    story.drop(What.DECIDED, gate="lead")
    story.change(What.SHUT, {"gate": "lead"}, outcome="reversible_only")
    return story


def test_a_trigger_may_go_ahead_with_what_can_be_undone(journal: Journal) -> None:
    assert audited(journal, an_automatic_case()) == []


@pytest.mark.parametrize(
    ("door", "assurance"), [("cli", "service"), ("alert:splunk", "os-login"), ("slack", "slack")]
)
def test_a_person_may_not_go_ahead(journal: Journal, door: str, assurance: str) -> None:
    (finding,) = audited(journal, an_automatic_case(door, assurance))
    assert finding.says.endswith(f"{SUSPEND} needs people and nobody approved it.")


def test_going_ahead_ends_at_what_cannot_be_undone(journal: Journal) -> None:
    story = an_automatic_case()
    story.drop(What.DECIDED, gate="dual")
    (finding,) = audited(journal, story)
    assert f"{REVOKE} was changed with 1 of 2 approvals of gate dual" in finding.says


def test_nothing_goes_ahead_long_after_a_denial(journal: Journal) -> None:
    story = an_automatic_case()
    story.change(What.SHUT, {"gate": "lead"}, outcome="denied")
    told = journal.append(*story.events())
    assert check_case(told) == [], "it was under way when somebody said no"
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    slow = [
        replace(e, at=(noon + i * timedelta(minutes=1)).isoformat()) for i, e in enumerate(told)
    ]
    (finding,) = check_case(slow)
    assert finding.says.endswith(f"{SUSPEND} was applied after its gate was denied.")


def test_what_the_sweep_found_needs_its_gate_too(journal: Journal) -> None:
    story = a_lawful_case()
    swept = story.plan.changes[0].model_copy(
        update={"id": "okta/okta.user.suspend/00u2", "swept": True, "gate": "dual"}
    )
    place = story.find(What.DECIDED, gate="dual")
    tail, story.facts = story.facts[place:], story.facts[:place]
    story.tell(What.FOUND, layer="identity", change=swept.model_dump(mode="json"))
    story.contain(swept.id)
    story.facts += tail
    (finding,) = audited(journal, story)
    assert f"{swept.id} was changed with 0 of 2 approvals of gate dual" in finding.says
