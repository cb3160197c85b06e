"""What the database knows that an alert is judged by: cases, starts, the same alert before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from killswitch.alerts.alert import Alert
from killswitch.alerts.outcome import Outcome
from killswitch.alerts.storm import Start
from killswitch.audit.journal import stamp
from killswitch.audit.store import Store
from killswitch.audit.tables import alerts, cases, inbox
from killswitch.model.plan import Mode

BY_PERSON = "person"  # the level of what a person did about an alert
ONCE_IN = timedelta(minutes=15)  # a person's evidence is collected for alerts at most so often


@dataclass(frozen=True)
class Seen:
    """An alert that carried an id, as its rule reads it, and the subject that it named."""

    id: int
    source: str
    alert_id: str
    subject: str
    confirmed: str
    rule: str


@dataclass
class CasesOf:
    """A subject's cases: the open one, the newest, and the newest that only collects."""

    open: str = ""
    newest: str = ""
    collecting: str = ""
    collects: bool = False
    collected_at: datetime | None = None

    def collected(self, now: datetime) -> str:
        """The case that collects, or began to within ``ONCE_IN``; "" if none."""
        recent = self.collected_at is not None and self.collected_at > now - ONCE_IN
        return self.collecting if self.collects or recent else ""


class Facts:
    """Questions to one database. All of them read only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def seen(self, sources: Collection[str], ids: Collection[str]) -> list[Seen]:
        """The alerts of these sources with one of these ids and a subject, in their order."""
        columns = ("id", "source", "alert_id", "subject", "confirmed_by", "rule")
        query = (
            select(*(alerts.c[name] for name in columns))
            .where(alerts.c.source.in_(sources), alerts.c.alert_id.in_(ids), alerts.c.subject != "")
            .order_by(alerts.c.id)
        )
        with self._store.read() as tx:
            return [Seen(*row) for row in tx.execute(query)]

    def cases(self, subjects: Collection[str], mode: Mode) -> dict[str, CasesOf]:
        """The cases about each of these subjects, as far as alerts have to know of them."""
        query = (
            select(cases.c.id, cases.c.subject, cases.c.mode, cases.c.open, cases.c.opened_at)
            .where(cases.c.subject.in_(subjects), cases.c.mode.in_([mode, Mode.EVIDENCE]))
            .order_by(cases.c.opened_at)
        )
        found = {subject: CasesOf() for subject in subjects}
        with self._store.read() as tx:
            for row in tx.execute(query):
                of = found[row.subject]
                if row.mode == Mode.EVIDENCE:
                    of.collecting = row.id
                    of.collects = bool(row.open)
                    of.collected_at = datetime.fromisoformat(row.opened_at)
                else:
                    of.newest = row.id
                    of.open = row.id if row.open else of.open
        return found

    def in_case(self, case: str) -> int:
        """How many alerts belong to the case."""
        query = select(func.count()).select_from(alerts).where(alerts.c.case_id == case)
        with self._store.read() as tx:
            return tx.execute(query).scalar_one()

    def began(self, alert: Alert) -> bool:
        """Whether this very alert opened a case before, and the decision was not written."""
        asked = inbox.c.payload["once"].as_string() == alert.asking
        query = select(inbox.c.id).where(asked, inbox.c.kind == "kill")
        with self._store.read() as tx:
            return tx.execute(query).first() is not None

    def starts(self, since: datetime) -> tuple[Start, ...]:
        """The cases that alerts started since then; not those that people started for one."""
        columns = ("rule", "source", "subject", "decided_at", "level")
        query = select(*(alerts.c[name] for name in columns)).where(
            alerts.c.outcome == Outcome.STARTED,
            alerts.c.decided_at > stamp(since),
            alerts.c.level != BY_PERSON,
        )
        with self._store.read() as tx:
            return tuple(
                Start(r.rule, r.source, r.subject, datetime.fromisoformat(r.decided_at), r.level)
                for r in tx.execute(query)
            )
