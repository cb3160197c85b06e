"""A pushed alert beside what the vendor has: pure functions that say whether they agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from jmespath.exceptions import JMESPathError

from killswitch.alerts.alert import Alert, Unreadable, parse
from killswitch.alerts.read import Reading, from_us, subject_of
from killswitch.alerts.rules import Rule
from killswitch.model.untrusted import clean

_VARIABLE = re.compile(r"\$[A-Z_]+")  # of a webhook's template; it had nothing to fill in


def not_ours(alert: Alert, rules: Sequence[Rule]) -> str:
    """Why a push is not worth asking the vendor about; "" if it is.

    Wider than matching: a push may bring several alerts, or a part of one. What is wrongly left
    out here is found by polling.
    """
    try:
        data = parse(alert.body)
    except Unreadable as error:
        return str(error)
    if from_us(data):
        return "it is about what killswitch itself exported"
    scalars = frozenset(_scalars(data))
    if any(r.could_match(scalars) for r in rules if r.trigger.source == alert.source):
        return ""
    return "no rule of this source matches"


def altered(pushed: Alert, confirmed: Reading, at: str) -> str:
    """Where the push named another subject or id than the vendor has; "" if it did not.

    ``at``: the vendor's name. What a push leaves out is no lie: many cannot say everything.
    """
    rule = confirmed.rule
    if rule is None:
        return ""
    data = parse(pushed.body)
    said = _subject(data, rule)
    if said and said != confirmed.subject:
        return f"the push said {_short(said)}, {at} has {_short(confirmed.subject) or 'nobody'}"
    path = rule.trigger.fields.id
    other = _text(data, path, rule) if path else ""
    if other and other != confirmed.alert_id:
        return f"the push said id {other!r}, {at} has {clean(confirmed.alert_id, 100)!r}"
    return ""


def named_by(pushed: Alert, rules: Sequence[Rule]) -> str:
    """The subject that a push itself names, by the one rule that it matches; "" if none."""
    data = parse(pushed.body)
    matching = [r for r in rules if r.trigger.source == pushed.source and r.matches(data)]
    return _subject(data, matching[0]) if len(matching) == 1 else ""


def _subject(data: Any, rule: Rule) -> str:
    """The subject that a push names, as far as it can be read; "" if it names none."""
    try:
        value = rule.find(rule.trigger.subject, data)
    except JMESPathError:
        return ""
    unfilled = isinstance(value, str) and _VARIABLE.fullmatch(value)
    if value is None or value == "" or unfilled:
        return ""
    try:
        return subject_of(value, rule)
    except ValueError:
        return _text(data, rule.trigger.subject, rule)


def _text(data: Any, path: str, rule: Rule) -> str:
    try:
        value = rule.find(path, data)
    except JMESPathError:
        return ""
    return "" if value is None else clean(str(value), 100)


def _short(subject: str) -> str:
    return clean(subject.removeprefix("person:"), 100)


def _scalars(data: Any) -> Iterator[Any]:
    """Every text, number and truth value in it, however deep."""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str | int):
            yield value
