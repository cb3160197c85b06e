"""What becomes of an alert that was read: a pure function of what it says and what is known.

Whatever looks odd is left to people (``triage``), with the reason; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from killswitch.alerts.alert import Alert, named
from killswitch.alerts.outcome import Decision, Outcome
from killswitch.alerts.read import Reading, read
from killswitch.alerts.rules import Rule
from killswitch.alerts.storm import EVIDENCE, Caps, Start, reached, rule_cap
from killswitch.model.subject import Kind

AHEAD = timedelta(minutes=5)  # how far a sender's clock may be ahead of ours


@dataclass(frozen=True)
class State:
    """What is known when an alert is judged.

    ``earlier``: the number and subject of another alert with the source's own id. ``open_case``:
    the subject's. ``collected``: the subject's case that only collects, open or of a few minutes
    ago. ``settled``: the subject's newest settled case, and when it was settled.
    ``link_hosts``: where a link of this source may lead.
    """

    now: datetime
    caps: Caps
    domains: tuple[str, ...] = ()
    protected: frozenset[str] = frozenset()
    ourselves: frozenset[str] = frozenset()
    link_hosts: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    earlier: tuple[int, str] | None = None
    open_case: str = ""
    collected: str = ""
    settled: tuple[str, datetime] | None = None
    warnings: tuple[str, ...] = field(default=())


def decide(alert: Alert, rules: Sequence[Rule], state: State) -> Decision:
    """What becomes of the alert."""
    return judge(read(alert, rules), state)


def judge(reading: Reading, state: State) -> Decision:
    """What becomes of an alert that was read."""
    reading = _with_safe_link(reading, state)
    if reading.why or reading.rule is None:
        return reading.decide(Outcome.TRIAGE, reading.why)
    if state.earlier:
        number, subject = state.earlier
        if subject == reading.subject:
            return reading.decide(Outcome.DUPLICATE, f"the same alert as {named(number)}")
        why = f"{named(number)} had the same id and another subject"
        return reading.decide(Outcome.TRIAGE, why)
    if why := _time(reading, reading.rule, state.now) or _person(reading, state):
        return reading.decide(Outcome.TRIAGE, why)
    trigger = reading.rule.trigger
    if trigger.level == "observe":
        return reading.decide(Outcome.OBSERVED, f"the rule only watches; {trigger.playbook} fits")
    if state.open_case:
        why = f"{state.open_case} is open about the subject"
        return reading.decide(Outcome.JOINED, why, case=state.open_case)
    if trigger.level == EVIDENCE and state.collected:
        why = f"{state.collected} collects, or did a moment ago"
        return reading.decide(Outcome.JOINED, why, case=state.collected)
    return _start(reading, reading.rule, state)


def _start(reading: Reading, rule: Rule, state: State) -> Decision:
    """A case, if the storm guard lets it; an alert from before an answer belongs to that case."""
    if state.settled and reading.occurred and reading.occurred <= state.settled[1]:
        case = state.settled[0]
        why = f"it happened before {case} was settled"
        return reading.decide(Outcome.JOINED, why, case=case)
    level = rule.trigger.level
    if level == "reversible" and not reading.alert.confirmed:
        level = "propose"
    caps = reached(
        rule.name,
        reading.alert.source,
        reading.subject,
        state.starts,
        state.caps,
        state.now,
        level=level,
    )
    says = [f"rule {rule.name}", *state.warnings]
    if not caps:
        return reading.decide(Outcome.START, "; ".join(says), level=level)
    only_its_own = [cap.name for cap in caps] == [rule_cap(rule.name)]
    if level == "reversible" and only_its_own:
        says.append(f"{caps[0].why}, so it asks people")
        why = "; ".join(says)
        return reading.decide(Outcome.START, why, level="propose", cap=caps[0].name)
    return reading.decide(Outcome.HELD, caps[0].why, level=level, cap=caps[0].name)


def _time(reading: Reading, rule: Rule, now: datetime) -> str:
    if reading.occurred is None:
        return ""
    if reading.occurred > now + AHEAD:
        return f"it happened in the future: {reading.occurred:%Y-%m-%d %H:%M:%S} UTC"
    if reading.occurred < now - rule.trigger.not_older:
        return f"it is old: {reading.occurred:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def _person(reading: Reading, state: State) -> str:
    """Why this subject is not to be killed by an alert; "" if it may be."""
    kind, _, name = reading.subject.partition(":")
    if kind != Kind.PERSON:
        return ""
    if name.partition("@")[2] not in state.domains:
        return f"{name} has no address of the company"
    if name in state.ourselves:
        return f"{name} is an identity of killswitch itself"
    if name in state.protected:
        return f"{name} is protected"
    return ""


def _with_safe_link(reading: Reading, state: State) -> Reading:
    """A link leads to a host that the configuration names, or nowhere."""
    if not reading.link:
        return reading
    try:
        host = urlsplit(reading.link).hostname
    except ValueError:
        host = None
    return reading if host in state.link_hosts else replace(reading, link="")
