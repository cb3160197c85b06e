"""Alerts that wait for people: which, what one says, and how it stands, as somebody may see it.

What is done about one is ``killswitch.alerts.people``'s affair.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from bot.blocks import redacted
from killswitch.alerts import people, rules
from killswitch.alerts.alert import Unreadable, parse
from killswitch.alerts.outcome import WAITING, Outcome
from killswitch.alerts.people import Waiting
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.api import Killswitch, Person, Started
from killswitch.config import Config
from killswitch.evidence.redact import RedactionFailed
from killswitch.model.errors import NotAllowed
from killswitch.model.untrusted import clean
from killswitch.report import words

MOST = 500  # alerts that are counted; more are "500 or more"
_LINES, _LINE = 40, 300  # of one alert's text in a form


@dataclass(frozen=True)
class Looked:
    """One alert, looked at. ``ended``: what became of it, or ""; ``by``: whoever did that."""

    alert: Waiting
    ended: str
    by: str
    dismissed: bool


class Queue:
    """The alerts of one database, for the bot."""

    def __init__(self, config: Config, api: Killswitch) -> None:
        self._config, self._api = config, api
        self._store = Alerts(api.house.journal)
        self._rules: tuple[Rule, ...] = rules.lint(config).rules

    def waiting(self, limit: int = MOST) -> list[Waiting]:
        """What waits for people, newest first."""
        return people.waiting(self._store, limit=limit)

    async def of(self, person: Person) -> list[Waiting]:
        """What waits, without what is about themselves. Raises NotAllowed unless an operator."""
        await self._api.must_operate(person)
        return [alert for alert in self.waiting() if not about(alert, {person.email})]

    async def look(self, number: int, person: Person) -> Looked:
        """The alert as it stands now. Raises NoSuchAlert, NotAllowed unless it is theirs to see."""
        await self._api.must_operate(person)
        row = self._store.row(number)
        alert = Waiting.of(row)
        if about(alert, {person.email}):
            raise NotAllowed(
                f"{alert.alert} is not yours to see", hint="operators look at each other's"
            )
        by = str((row["history"] or [{}])[-1].get("by", ""))
        return Looked(alert, _ended(row), by, row["outcome"] == Outcome.DISMISSED)

    async def text(self, number: int) -> list[str]:
        """What the alert says, field by field, without secrets, each on a clean line of its own."""
        return await asyncio.to_thread(_text, self._store.alert(number).body)

    async def start(self, number: int, person: Person, subject: str, reason: str) -> Started:
        """Open a case for it in the person's name. Raises like ``people.start``."""
        return await people.start(
            self._config,
            self._api,
            self._store,
            number,
            person,
            rules=self._rules,
            subject=subject,
            reason=reason,
        )

    async def dismiss(self, number: int, person: Person, reason: str) -> None:
        """Take it off. Raises like ``people.dismiss``."""
        await people.dismiss(self._api, self._store, number, person, reason)


def about(alert: Waiting, emails: Iterable[str]) -> bool:
    """Whether one of these people is whom the alert names: they are told nothing of it."""
    return alert.subject.lower() in {f"person:{email.lower()}" for email in emails}


def _ended(row: RowMapping) -> str:
    """What became of an alert that waits for nobody; "" while it does."""
    if row["outcome"] in WAITING:
        return ""
    last = (row["history"] or [{}])[-1]
    who = f" by {last['by']}" if last.get("by") else ""
    when = f" at {words.utc(row['decided_at'])}" if row["decided_at"] else ""
    if row["case_id"]:
        return f"It belongs to {row['case_id']}{who}{when}."
    if row["outcome"] == Outcome.DISMISSED:
        return f"It was dismissed{who}{when}: {row['why']}"
    return f"It waits for nobody: {row['outcome'] or 'it is not decided yet'}{when}."


def _text(body: bytes) -> list[str]:
    if not body:
        return ["Its text is deleted: it was kept for as long as the configuration says."]
    try:
        text = redacted(body)
    except RedactionFailed as error:
        return [f"It cannot be shown: {error.why}."]
    try:
        lines = [f"{name}: {value}" for name, value in _fields(parse(text.encode()))]
    except Unreadable:
        lines = text.splitlines()
    shown = [clean(line, _LINE) for line in lines[:_LINES] if line.strip()]
    if len(lines) > _LINES:
        shown.append(f"and {len(lines) - _LINES} more fields")
    return shown


def _fields(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """``result.user`` and its value, for everything in the JSON; nothing is left out."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _fields(value, f"{name}.{key}" if name else str(key))
    elif isinstance(data, list) and data:
        for place, value in enumerate(data):
            yield from _fields(value, f"{name}[{place}]")
    else:
        yield name, data if isinstance(data, str) else json.dumps(data)
