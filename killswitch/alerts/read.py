"""What an alert says: the one rule that it matches, and the fields that the rule names.

Pure functions of bytes and rules. Whatever is missing or has two meanings is said, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from jmespath.exceptions import JMESPathError

from killswitch.alerts.alert import Alert, Unreadable, parse
from killswitch.alerts.outcome import Decision, Outcome
from killswitch.alerts.rules import Rule
from killswitch.model.errors import SubjectNotFound
from killswitch.model.subject import Subject
from killswitch.model.untrusted import clean

_TEMPLATE = re.compile(r"\$\{|\{\{|\}\}|%\{|<%|\$[A-Z_]{3,}|\$[a-z]+[.$]|[\"`|;()\[\]\\]")
_OURS = re.compile(r"killswitch(:.*)?", re.IGNORECASE)
_LINK = re.compile(r"https://[A-Za-z0-9._:-]+(/[!#-;=?-Z_a-z~%@&]*)?")
_SECONDS = re.compile(r"[0-9]{9,11}(\.[0-9]{1,9})?")
_MILLIS = re.compile(r"[0-9]{12,14}")


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

    def decide(
        self, outcome: Outcome, why: str, *, level: str = "", cap: str = "", case: str = ""
    ) -> Decision:
        """The decision with everything that was read."""
        return Decision(
            outcome,
            clean(why, 400),
            rule=self.rule.name if self.rule else "",
            rule_digest=self.rule.digest if self.rule else "",
            level=level or (self.rule.trigger.level if self.rule else ""),
            subject=self.subject,
            alert_id=self.alert_id,
            occurred=self.occurred.isoformat() if self.occurred else "",
            link=self.link,
            cap=cap,
            case=case,
        )


def read(alert: Alert, rules: Sequence[Rule]) -> Reading:
    """The one rule that the alert matches, and what its fields say."""
    try:
        data = parse(alert.body)
    except Unreadable as error:
        return Reading(alert, str(error))
    if from_us(data):
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
            occurred=_moment(found["occurred"], fields.occurred) or reading.alert.raised_at,
            link=_link(found["link"]),
        )
        return replace(reading, subject=subject_of(found["subject"], rule))
    except Unclear as error:
        return replace(reading, why=str(error))


class Unclear(ValueError):
    """A field that a person must look at."""


def subject_of(value: Any, rule: Rule) -> str:
    """The subject, of the playbook's kind. Raises Unclear."""
    path = rule.trigger.subject
    if value is None or value == "":
        raise Unclear(f"no subject stands at {path!r}")
    if isinstance(value, list | dict):
        raise Unclear(f"the subject at {path!r} is a {_kind(value)}, not one name")
    if not isinstance(value, str):
        raise Unclear(f"the subject at {path!r} is no text")
    if _TEMPLATE.search(value):
        raise Unclear(f"the subject looks like a template or a query: {clean(value, 80)!r}")
    kind = rule.playbook.subject
    try:
        return str(Subject.parse(f"{kind}:{value}"))
    except SubjectNotFound as error:
        raise Unclear(clean(error.why, 200)) from error


def _id(value: Any, path: str | None) -> str:
    if path is None:
        return ""
    if not isinstance(value, str) or not value.strip() or _TEMPLATE.search(value):
        raise Unclear(f"the alert's own id at {path!r} is missing or no plain text")
    return clean(value, 200)


def _moment(value: Any, path: str | None) -> datetime | None:
    """ISO 8601 with an offset, or seconds or milliseconds since 1970. Raises Unclear."""
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
        raise Unclear(f"the time at {path!r} cannot be read: {clean(text, 60)!r}") from None
    if found.tzinfo is None:
        raise Unclear(f"the time at {path!r} names no zone: {clean(text, 60)!r}")
    return found.astimezone(UTC)


def _link(value: Any) -> str:
    """The link if it is a plain https address; else none: it only helps people to look."""
    if not isinstance(value, str) or len(value) > 500 or not _LINK.fullmatch(value):
        return ""
    return value


def from_us(data: dict[str, Any]) -> bool:
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
