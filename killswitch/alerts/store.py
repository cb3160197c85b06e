"""Alerts in the database: what waits, what is known of one, and what was decided.

A row is never deleted. A decision stands in the hash-chained journal as soon as it stands here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    func,
    or_,
    select,
    update,
)

from killswitch.alerts.alert import Alert, NoSuchAlert, named
from killswitch.alerts.keeping import Delivery, Keeping, Kept
from killswitch.alerts.outcome import Decided
from killswitch.audit.journal import Journal, stamp
from killswitch.audit.tables import alerts
from killswitch.model.event import Event, What

_MOST = 500  # rows of a listing
_AT_ONCE = 500  # decisions in one journal entry
WHAT_IT_IS = [c for c in alerts.c if c.name not in ("body", "confirmed")]


@dataclass(frozen=True)
class Wait:
    """An alert whose rule collects: it is judged with the others of the window."""

    alert: int
    rule: str
    until: datetime


class Alerts:
    """The table ``alerts`` of one database, and the journal beside it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.store = journal.store
        self._keeping = Keeping(self.store)

    def close(self) -> None:
        """Wait for what is being written."""
        self._keeping.close()

    async def keep(self, delivery: Delivery) -> Kept:
        """On the disk when it returns. Raises Broken."""
        return await self._keeping.keep(delivery)

    # -- what waits ----------------------------------------------------------------------------

    def undecided(self, limit: int, read_first: Collection[str] = ()) -> list[int]:
        """The numbers of alerts that can be judged now, in the order in which they came.

        ``read_first``: sources whose alerts are judged only after they were read at the vendor.
        """
        readable = or_(alerts.c.source.not_in(read_first), alerts.c.confirmed_by == "read")
        return self._numbers(limit, alerts.c.wait_until.is_(None), readable)

    def unread(self, source: str, now: datetime, limit: int) -> list[int]:
        """The numbers of a source's alerts that are to be read at the vendor now."""
        return self._numbers(
            limit,
            alerts.c.source == source,
            alerts.c.confirmed_by != "read",
            or_(alerts.c.next_try_at.is_(None), alerts.c.next_try_at <= stamp(now)),
        )

    def collected(self, now: datetime) -> dict[str, list[int]]:
        """The rules whose window is over, and the numbers of the alerts that waited in it."""
        query = (
            select(alerts.c.id, alerts.c.rule)
            .where(alerts.c.decided_at.is_(None), alerts.c.wait_until <= stamp(now))
            .order_by(alerts.c.id)
        )
        found: dict[str, list[int]] = {}
        with self.store.read() as tx:
            for row in tx.execute(query):
                found.setdefault(row.rule, []).append(int(row.id))
        return found

    def oldest_undecided(self, read_first: Collection[str] = ()) -> datetime | None:
        """When the first of those that can be judged now came."""
        numbers = self.undecided(1, read_first)
        return datetime.fromisoformat(self.row(numbers[0])["received_at"]) if numbers else None

    def waiting(self) -> int:
        """How many wait for a decision."""
        query = select(func.count()).select_from(alerts).where(alerts.c.decided_at.is_(None))
        with self.store.read() as tx:
            return tx.execute(query).scalar_one()

    def _numbers(self, limit: int, *which: ColumnElement[bool]) -> list[int]:
        query = select(alerts.c.id).where(alerts.c.decided_at.is_(None), *which)
        with self.store.read() as tx:
            found = tx.execute(query.order_by(alerts.c.id).limit(limit)).scalars()
            return [int(n) for n in found]

    # -- one alert -----------------------------------------------------------------------------

    def alert(self, number: int) -> Alert:
        """The alert with what it is judged by. Raises NoSuchAlert."""
        (found,) = self.alerts([number])
        return found

    def alerts(self, numbers: Sequence[int]) -> list[Alert]:
        """Several at once, in that order. Raises NoSuchAlert."""
        columns = ("id", "source", "received_at", "raised_at", "confirmed_by", "confirmed", "body")
        query = select(*(alerts.c[name] for name in columns)).where(alerts.c.id.in_(numbers))
        with self.store.read() as tx:
            found = {row["id"]: _alert(row) for row in tx.execute(query).mappings()}
        for number in numbers:
            if number not in found:
                raise _no_such(number)
        return [found[number] for number in numbers]

    def row(self, number: int, *, body: bool = False) -> RowMapping:
        """Everything that is known about it. Raises NoSuchAlert."""
        query = select(*(alerts.c if body else WHAT_IT_IS)).where(alerts.c.id == number)
        with self.store.read() as tx:
            row = tx.execute(query).mappings().first()
        if row is None:
            raise _no_such(number)
        return row

    def children(self, number: int) -> list[int]:
        """The alerts that a push stood for."""
        query = select(alerts.c.id).where(alerts.c.parent == number).order_by(alerts.c.id)
        with self.store.read() as tx:
            return [int(n) for n in tx.execute(query).scalars()]

    def newest(self, *, limit: int = 20, outcomes: Collection[str] = ()) -> list[RowMapping]:
        """The newest first, without their text."""
        query = select(*WHAT_IT_IS).order_by(alerts.c.id.desc()).limit(min(limit, _MOST))
        if outcomes:
            query = query.where(alerts.c.outcome.in_(outcomes))
        with self.store.read() as tx:
            return list(tx.execute(query).mappings())

    # -- deciding ------------------------------------------------------------------------------

    def wait(self, waits: Sequence[Wait]) -> None:
        """Let them wait for the end of their rule's window; the window that is open holds."""
        with self.store.begin() as tx:
            for wait in waits:
                window = select(func.min(alerts.c.wait_until)).where(
                    alerts.c.decided_at.is_(None), alerts.c.rule == wait.rule
                )
                until = stamp(wait.until)
                values = {
                    "wait_until": min(until, tx.execute(window).scalar() or until),
                    "rule": wait.rule,
                    "why": f"waits for others of rule {wait.rule}",
                }
                tx.execute(update(alerts).where(alerts.c.id == wait.alert).values(**values))

    def record(self, decided: Sequence[Decided], *, at: datetime, events: Sequence[Event]) -> None:
        """What became of these alerts, here and in the journal, with what else is to stand there.

        All of it or nothing. Raises Broken.
        """
        with self.store.begin() as tx:
            self.record_in(tx, decided, at=at, events=events)

    def record_in(
        self, tx: Connection, decided: Sequence[Decided], *, at: datetime, events: Sequence[Event]
    ) -> None:
        """The same in a transaction that does more."""
        entries = []
        for start in range(0, len(decided), _AT_ONCE):
            some = decided[start : start + _AT_ONCE]
            known = _known(tx, [d.alert for d in some])
            tx.execute(_DECIDE, [_row(d, known[d.alert].history, at) for d in some])
            entries.append(_entry([_told(d, known[d.alert].sha256) for d in some], at))
        self.journal.append(*events, *entries, tx=tx)

    def reopen(self, number: int, by: str, at: datetime) -> None:
        """Let it be decided again, and read again where it can be. Raises NoSuchAlert, Broken."""
        row = self.row(number)
        entry = {"at": stamp(at), "outcome": "replay", "by": by}
        told = {"alert": named(number), "sha256": row["sha256"], "outcome": "replay", "by": by}
        again = {"decided_at": None, "wait_until": None, "next_try_at": None, "tried_since": None}
        values = {**again, "outcome": "", "why": "", "tries": 0}
        with self.store.begin() as tx:
            history = [*row["history"], entry]
            changed = update(alerts).where(alerts.c.id == number)
            tx.execute(changed.values(**values, history=history))
            self.journal.append(_entry([told], at), tx=tx)


_DECIDE = (
    update(alerts)
    .where(alerts.c.id == bindparam("number"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "decided_at",
                "outcome",
                "why",
                "rule",
                "level",
                "subject",
                "alert_id",
                "occurred",
                "link",
                "case_id",
                "history",
            )
        }
    )
)


def _row(decided: Decided, history: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
    d = decided.decision
    entry = {
        "at": stamp(at),
        "outcome": d.outcome.value,
        "why": d.why,
        "rule": d.rule,
        "rule_digest": d.rule_digest,
        "case": decided.case,
        **({"by": decided.by} if decided.by else {}),
    }
    return {
        "number": decided.alert,
        "new_decided_at": stamp(at),
        "new_outcome": d.outcome.value,
        "new_why": d.why,
        "new_rule": d.rule,
        "new_level": d.level,
        "new_subject": d.subject,
        "new_alert_id": d.alert_id,
        "new_occurred": d.occurred,
        "new_link": d.link,
        "new_case_id": decided.case,
        "new_history": [*history, entry],
    }


def _told(decided: Decided, sha256: str) -> dict[str, Any]:
    """A decision as the journal has it."""
    return {
        "alert": named(decided.alert),
        "sha256": sha256,
        "outcome": decided.decision.outcome.value,
        "why": decided.decision.why,
        "rule": decided.decision.rule,
        "rule_digest": decided.decision.rule_digest,
        "case": decided.case,
        **({"by": decided.by} if decided.by else {}),
    }


def _entry(told: Sequence[dict[str, Any]], at: datetime) -> Event:
    """One entry for a batch; it belongs to no case."""
    key = f"alerts:{told[0]['alert']}:{told[-1]['alert']}:{stamp(at)}:{told[0]['outcome']}"
    return Event(What.ALERTS, "", key, {"alerts": list(told)})


def _known(tx: Connection, numbers: Sequence[int]) -> dict[int, Any]:
    query = select(alerts.c.id, alerts.c.sha256, alerts.c.history).where(alerts.c.id.in_(numbers))
    return {int(row.id): row for row in tx.execute(query)}


def _alert(row: RowMapping) -> Alert:
    read = row["confirmed_by"] == "read"
    body = row["confirmed"] if read and row["confirmed"] is not None else row["body"]
    at = datetime.fromisoformat(row["received_at"])
    raised = datetime.fromisoformat(row["raised_at"]) if read and row["raised_at"] else None
    return Alert(row["id"], row["source"], bytes(body), at, row["confirmed_by"], raised)


def _no_such(number: int) -> NoSuchAlert:
    return NoSuchAlert(f"there is no alert {named(number)}", hint="agent-kill alerts list")


__all__ = ["WHAT_IT_IS", "Alerts", "Delivery", "Kept", "Wait"]
