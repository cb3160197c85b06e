"""What people do about alerts: see what waits for them, open a case for one, take one off.

The CLI and Slack call it alike. Nothing is deleted, and each decision stands in the journal with
the name of whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping

from killswitch import playbooks
from killswitch.alerts import asking, evidence
from killswitch.alerts.alert import named
from killswitch.alerts.facts import BY_PERSON
from killswitch.alerts.outcome import WAITING, Decided, Decision, Outcome
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.api import Killswitch, Person, Started
from killswitch.config import Config
from killswitch.engine import handover
from killswitch.model.errors import NotAllowed, Refused
from killswitch.model.subject import Subject
from killswitch.model.untrusted import clean


@dataclass(frozen=True)
class Waiting:
    """An alert that waits for people. Only ``subject``, ``link`` and ``why`` quote the alert."""

    id: int
    alert: str
    source: str
    received_at: str
    outcome: str  # triage or held
    why: str
    rule: str
    subject: str  # "" where the alert names nobody plainly
    occurred: str
    link: str  # only to a host that the configuration names
    confirmed: str  # read, hmac, or "": nobody vouches for what it says

    @classmethod
    def of(cls, row: RowMapping) -> Waiting:
        """As it stands in the database."""
        return cls(
            id=row["id"],
            alert=named(row["id"]),
            source=row["source"],
            received_at=row["received_at"],
            outcome=row["outcome"],
            why=row["why"],
            rule=row["rule"],
            subject=row["subject"],
            occurred=row["occurred"],
            link=row["link"],
            confirmed=row["confirmed_by"],
        )


def waiting(store: Alerts, *, limit: int = 50) -> list[Waiting]:
    """Alerts in triage or held that nobody has dealt with, newest first."""
    rows = store.newest(limit=limit, outcomes=[outcome.value for outcome in WAITING])
    return [Waiting.of(row) for row in rows]


async def start(
    config: Config,
    api: Killswitch,
    store: Alerts,
    number: int,
    person: Person,
    *,
    rules: Sequence[Rule] = (),
    subject: str = "",
    playbook: str = "",
    reason: str = "",
) -> Started:
    """Open a case for an alert in the person's own name, or join the subject's open one.

    ``subject``: instead of the alert's own. The playbook is the rule's, or the default for that
    kind of subject. Asked twice, the same case is answered. Raises NoSuchAlert, Refused for an
    alert that belongs to a case or names nobody, NotAllowed unless the person is an operator,
    SubjectNotFound, Invalid for a playbook that cannot be used.
    """
    row = store.row(number)
    before = await _can_be_started(api, store, row, person)
    if before:
        return before
    about = subject_of(store, number, subject)
    rule = next((r for r in rules if r.name == row["rule"]), None)
    fitting = rule.trigger.playbook if rule and rule.playbook.subject is about.kind else ""
    book = playbooks.load(playbook or fitting or playbooks.default(about.kind), policy=config)
    said = reason.strip() or (rule.trigger.summary if rule else "opened for an alert")
    request = playbooks.request(
        book,
        about,
        mode=config.mode,
        requester=person.email,
        door=person.door,
        assurance=person.assurance,
        severity=rule.trigger.severity if rule else "high",
        reason=f"{said} (alert {named(number)})",
        detected_at=row["occurred"],
        link=row["link"],
    )
    started = await api.start(request, person, once=f"alert:{number}:{person.email}")
    outcome = Outcome.JOINED if started.joined else Outcome.STARTED
    decision = Decision(
        outcome,
        clean(f"{person.email}: {reason or 'opened by hand'}", 400),
        rule=row["rule"],
        rule_digest=rule.digest if rule else "",
        level=BY_PERSON,
        subject=str(about),
        alert_id=row["alert_id"],
        occurred=row["occurred"],
        link=row["link"],
    )
    trigger = asking.trigger_of(book, decision)
    source = (config.written.alerts.sources if config.written.alerts else {}).get(row["source"])
    connection = source.connection if source else None
    events = await evidence.attached(
        api.house, store, started.case, number, trigger, connection or ""
    )
    decided = Decided(number, decision, started.case, person.email)
    store.record([decided], at=api.house.now(), events=events)
    await handover.seal_again(api.house, started.case)
    return started


def subject_of(store: Alerts, number: int, subject: str = "") -> Subject:
    """Whom a case for the alert would be about. Raises NoSuchAlert, Refused, SubjectNotFound."""
    named_there = store.row(number)["subject"]
    if not (subject or named_there):
        raise Refused(f"{named(number)} names nobody plainly", hint="name the subject")
    return Subject.parse(subject or named_there)


async def _can_be_started(
    api: Killswitch, store: Alerts, row: RowMapping, person: Person
) -> Started | None:
    """What this person's asking came to before, if it did. Raises Refused, NotAllowed."""
    await api.must_operate(person)
    name, last = named(row["id"]), (row["history"] or [{}])[-1]
    if row["case_id"] and last.get("by") == person.email:
        return Started(row["case_id"], joined=row["outcome"] == Outcome.JOINED)
    if row["case_id"]:
        raise Refused(f"{name} belongs to {row['case_id']} already")
    if row["decided_at"] is None:
        raise Refused(f"{name} is not decided yet", hint=f"agent-kill alerts show {name}")
    if row["outcome"] == Outcome.SPLIT:
        those = ", ".join(named(child) for child in store.children(row["id"]))
        raise Refused(f"{name} stands for several", hint=f"one of {those}")
    if row["shed_at"]:
        raise Refused(f"the text of {name} was deleted", hint="agent-kill SUBJECT opens a case")
    return None


async def dismiss(api: Killswitch, store: Alerts, number: int, person: Person, reason: str) -> None:
    """Take an alert off the queue: a person looked, and nothing is to be done.

    Raises NoSuchAlert, NotAllowed unless the person is an operator and not the alert's subject,
    Refused without a reason, or for an alert that does not wait for people.
    """
    await api.must_operate(person)
    row = store.row(number)
    if row["subject"] == f"person:{person.email.lower()}":
        raise NotAllowed("the subject of an alert does not dismiss it")
    if not reason.strip():
        raise Refused("why is nothing to be done?", hint="give a reason")
    if row["outcome"] not in WAITING:
        state = row["outcome"] or "not decided yet"
        raise Refused(f"{named(number)} does not wait for people: it is {state}")
    decision = Decision(
        Outcome.DISMISSED,
        clean(reason.strip(), 400),
        rule=row["rule"],
        level=BY_PERSON,
        subject=row["subject"],
        alert_id=row["alert_id"],
        occurred=row["occurred"],
        link=row["link"],
    )
    store.record([Decided(number, decision, by=person.email)], at=api.house.now(), events=())
