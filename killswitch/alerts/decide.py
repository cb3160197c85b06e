"""What becomes of an alert: pure functions of its bytes, the rules and what is known.

``read`` finds the rule and takes out its fields; ``judge`` decides. Whatever is missing, has two
meanings or looks odd is left to people (``triage``), with the reason; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jmespath.exceptions import JMESPathError

from killswitch.alerts.alert import Alert, Unreadable, named, parse
from killswitch.alerts.rules import Rule
from killswitch.alerts.storm import Caps, Start, reached
from killswitch.model.errors import SubjectNotFound
from killswitch.model.subject import Kind, Subject
from killswitch.model.untrusted import clean

AHEAD = timedelta(minutes=5)  # how far a sender's clock may be ahead of ours
_TEMPLATE = re.compile(r"\$\{|\{\{|\}\}|%\{|<%|\$[A-Z_]{3,}|\$[a-z]+[.$]|[\"`|;()\[\]\\]")
_OURS = re.compile(r"killswitch(:.*)?", re.IGNORECASE)
_LINK = re.compile(r"https://[A-Za-z0-9._:-]+(/[!#-;=?-Z_a-z~%@&]*)?")
_SECONDS = re.compile(r"[0-9]{9,11}(\.[0-9]{1,9})?")
_MILLIS = re.compile(r"[0-9]{12,14}")


class Outcome(StrEnum):
    """What became of an alert. The last two wait for people."""

    START = "start"  # as judged; recorded as one of the next two
    STARTED = "started"
    JOINED = "joined"  # its subject has a case already; the alert is evidence in it
    OBSERVED = "observed"  # the rule only watches
    DUPLICATE = "duplicate"  # the source told us this very alert before
    TRIAGE = "triage"  # not clear enough to act on
    HELD = "held"  # clear, and over a cap


@dataclass(frozen=True)
class Decision:
    """The outcome and its reason.

    ``cap``: the name of the cap that was reached. ``case``: the one that it belongs to already.
    """

    outcome: Outcome
    why: str
    rule: str = ""
    rule_digest: str = ""
    subject: str = ""
    alert_id: str = ""
    occurred: str = ""
    link: str = ""
    cap: str = ""
    case: str = ""


@dataclass(frozen=True)
class Reading:
    """What an alert says. ``rule`` is None, and ``why`` filled, where it says too little."""

    alert: Alert
    why: str = ""
    rule: Rule | None = None
    subject: str = ""
    alert_id: str = ""
    occurred: datetime | None = None
    link: str = ""

    def decide(self, outcome: Outcome, why: str, cap: str = "", case: str = "") -> Decision:
        """The decision with everything that was read."""
        return Decision(
            outcome,
            clean(why, 400),
            rule=self.rule.name if self.rule else "",
            rule_digest=self.rule.digest if self.rule else "",
            subject=self.subject,
            alert_id=self.alert_id,
            occurred=self.occurred.isoformat() if self.occurred else "",
            link=self.link,
            cap=cap,
            case=case,
        )


@dataclass(frozen=True)
class State:
    """What is known when an alert is judged.

    ``earlier``: the number and subject of another alert with the source's own id. ``open_case``:
    the subject's. ``settled``: the subject's newest settled case, and when it was settled.
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
    settled: tuple[str, datetime] | None = None
    warnings: tuple[str, ...] = field(default=())


def decide(alert: Alert, rules: Sequence[Rule], state: State) -> Decision:
    """What becomes of the alert."""
    return judge(read(alert, rules), state)


# -- reading -------------------------------------------------------------------------------------


def read(alert: Alert, rules: Sequence[Rule]) -> Reading:
    """The one rule that the alert matches, and what its fields say."""
    try:
        data = parse(alert.body)
    except Unreadable as error:
        return Reading(alert, str(error))
    if _from_us(data):
        return Reading(alert, "it is about what killswitch itself exported")
    matching = [r for r in rules if r.trigger.source == alert.source and r.matches(data)]
    if not matching:
        return Reading(alert, "no rule of this source matches")
    if len(matching) > 1:
        names = ", ".join(sorted(rule.name for rule in matching))
        return Reading(alert, f"several rules match: {names}")
    (rule,) = matching
    return _fields(Reading(alert, rule=rule), rule, data)


def _fields(reading: Reading, rule: Rule, data: Any) -> Reading:
    fields, found = rule.trigger.fields, dict[str, Any]()
    asked = {"subject": rule.trigger.subject, "id": fields.id, "occurred": fields.occurred}
    for name, path in {**asked, "link": fields.link}.items():
        try:
            found[name] = rule.find(path, data) if path else None
        except JMESPathError:
            return replace(reading, why=f"the {name} at {path!r} does not fit this alert")
    try:
        reading = replace(
            reading,
            alert_id=_id(found["id"], fields.id),
            occurred=_moment(found["occurred"], fields.occurred),
            link=_link(found["link"]),
        )
        return replace(reading, subject=_subject(found["subject"], rule))
    except _Unclear as error:
        return replace(reading, why=str(error))


class _Unclear(ValueError):
    """A field that a person must look at."""


def _subject(value: Any, rule: Rule) -> str:
    """The subject, of the playbook's kind. Raises _Unclear."""
    path = rule.trigger.subject
    if value is None or value == "":
        raise _Unclear(f"no subject stands at {path!r}")
    if isinstance(value, list | dict):
        raise _Unclear(f"the subject at {path!r} is a {_kind(value)}, not one name")
    if not isinstance(value, str):
        raise _Unclear(f"the subject at {path!r} is no text")
    if _TEMPLATE.search(value):
        raise _Unclear(f"the subject looks like a template or a query: {clean(value, 80)!r}")
    kind = rule.playbook.subject
    try:
        return str(Subject.parse(f"{kind}:{value}"))
    except SubjectNotFound as error:
        raise _Unclear(clean(error.why, 200)) from error


def _id(value: Any, path: str | None) -> str:
    if path is None:
        return ""
    if not isinstance(value, str) or not value.strip() or _TEMPLATE.search(value):
        raise _Unclear(f"the alert's own id at {path!r} is missing or no plain text")
    return clean(value, 200)


def _moment(value: Any, path: str | None) -> datetime | None:
    """ISO 8601 with an offset, or seconds or milliseconds since 1970. Raises _Unclear."""
    if path is None or value is None:
        return None
    text = str(value) if isinstance(value, str | int | float) else ""
    try:
        if _MILLIS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise _Unclear(f"the time at {path!r} cannot be read: {clean(text, 60)!r}") from None
    if found.tzinfo is None:
        raise _Unclear(f"the time at {path!r} names no zone: {clean(text, 60)!r}")
    return found.astimezone(UTC)


def _link(value: Any) -> str:
    """The link if it is a plain https address; else none: it only helps people to look."""
    if not isinstance(value, str) or len(value) > 500 or not _LINK.fullmatch(value):
        return ""
    return value


def _from_us(data: dict[str, Any]) -> bool:
    """Whether the event behind it is one of our own export. A forger gains a look by people."""
    for part in (data, data.get("result"), data.get("attributes")):
        if isinstance(part, dict):
            names = [part.get("sourcetype"), part.get("product")]
            if any(isinstance(n, str) and _OURS.fullmatch(n) for n in names):
                return True
            if "killswitch.run_id" in part or "killswitch_run_id" in part:
                return True
    return False


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "mapping"


# -- judging -------------------------------------------------------------------------------------


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
    return _start(reading, trigger.trigger, state)


def _start(reading: Reading, trigger: str, state: State) -> Decision:
    """A case, if the storm guard lets it; an alert from before an answer belongs to that case."""
    if state.settled and reading.occurred and reading.occurred <= state.settled[1]:
        case = state.settled[0]
        why = f"it happened before {case} was settled"
        return reading.decide(Outcome.JOINED, why, case=case)
    cap, why = reached(
        trigger, reading.alert.source, reading.subject, state.starts, state.caps, state.now
    )
    if cap:
        return reading.decide(Outcome.HELD, why, cap)
    return reading.decide(Outcome.START, "; ".join((f"rule {trigger}", *state.warnings)))


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
