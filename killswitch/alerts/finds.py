"""What was read at a vendor, written down: pushes confirmed, alerts found, and how far was asked.

Each method is one transaction. The vendor's own id is unique within a source, so whatever is
found twice is one alert.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from killswitch.alerts.alert import named
from killswitch.alerts.outcome import Decided, Decision
from killswitch.alerts.reader import canonical
from killswitch.alerts.store import Alerts
from killswitch.audit.journal import stamp
from killswitch.audit.tables import alert_answers, alert_polls, alerts
from killswitch.model.alerts import Found
from killswitch.model.collector import Artifact


@dataclass(frozen=True)
class Confirmed:
    """One push, and the one alert that the vendor has for it."""

    alert: int
    found: Found


@dataclass(frozen=True)
class Split:
    """One push that stands for several; ``decision`` says what becomes of the push itself."""

    alert: int
    found: Sequence[Found]
    decision: Decision


@dataclass(frozen=True)
class Failed:
    """The vendor could not be asked about these; the next try is then."""

    alerts: Sequence[int]
    next_try_at: datetime
    why: str


@dataclass(frozen=True)
class Polled:
    """How far a source was asked for what is new."""

    since: datetime
    upto: datetime
    polled_at: str
    found: int


class Finds:
    """The tables behind reading at vendors."""

    def __init__(self, alerts_: Alerts) -> None:
        self._alerts = alerts_
        self._store = alerts_.store

    # -- pushes --------------------------------------------------------------------------------

    def known(self, source: str, ids: Sequence[str]) -> dict[str, RowMapping]:
        """Those of the vendor's ids that there is an alert of already."""
        columns = (alerts.c.id, alerts.c.vendor_id, alerts.c.subject)
        query = select(*columns).where(alerts.c.source == source, alerts.c.vendor_id.in_(ids))
        with self._store.read() as tx:
            return {row["vendor_id"]: row for row in tx.execute(query).mappings()}

    def confirm(self, confirmed: Confirmed, at: datetime) -> bool:
        """The push has the vendor's own word now; False where another alert is that one."""
        found = confirmed.found
        with self._store.begin() as tx:
            if _number_of(tx, self._row(tx, confirmed.alert)["source"], found.id):
                return False
            self._tell(tx, confirmed, at, {"vendor_id": found.id, "confirmed_by": "read"})
        return True

    def decide(self, decided: Decided, found: Found | None, at: datetime) -> None:
        """What became of a push that is not to be judged; with what the vendor has instead."""
        with self._store.begin() as tx:
            if found:
                self._tell(tx, Confirmed(decided.alert, found), at, {})
            self._alerts.record_in(tx, [decided], at=at, events=())

    def split(self, split: Split, at: datetime) -> None:
        """Each alert that the push stands for becomes one of its own, unless it is there."""
        with self._store.begin() as tx:
            push = self._row(tx, split.alert)
            numbers = [
                self._add(tx, push["source"], found, "read", push["received_at"], split.alert)
                for found in split.found
            ]
            those = ", ".join(named(n) for n in dict.fromkeys(n for n, _ in numbers))
            decision = replace(split.decision, why=split.decision.why.replace("{those}", those))
            self._alerts.record_in(tx, [Decided(split.alert, decision)], at=at, events=())

    def fail(self, failed: Failed, at: datetime) -> None:
        """They are tried again later; others go on meanwhile."""
        first_try = {"tried_since": stamp(at)}
        which = alerts.c.id.in_(failed.alerts)
        values: dict[str, Any] = {
            "next_try_at": stamp(failed.next_try_at),
            "why": failed.why,
            "tries": alerts.c.tries + 1,
        }
        with self._store.begin() as tx:
            unset = alerts.c.tried_since.is_(None)
            tx.execute(update(alerts).where(which, unset).values(**first_try))
            tx.execute(update(alerts).where(which).values(**values))

    def tries(self, numbers: Sequence[int]) -> dict[int, tuple[int, datetime | None]]:
        """How often each was tried, and since when."""
        columns = (alerts.c.id, alerts.c.tries, alerts.c.tried_since)
        with self._store.read() as tx:
            rows = tx.execute(select(*columns).where(alerts.c.id.in_(numbers))).all()
        return {
            int(r.id): (r.tries, datetime.fromisoformat(r.tried_since) if r.tried_since else None)
            for r in rows
        }

    # -- polling -------------------------------------------------------------------------------

    def polled(self, source: str, begin: datetime) -> Polled:
        """How far the source was asked; up to ``begin``, where it never was."""
        query = select(alert_polls).where(alert_polls.c.source == source)
        with self._store.read() as tx:
            row = tx.execute(query).mappings().first()
        if row is None:
            with self._store.begin() as tx:
                first = {"source": source, "since": stamp(begin), "upto": stamp(begin)}
                tx.execute(insert(alert_polls).values(**first))
            return Polled(begin, begin, "", 0)
        since, upto = (datetime.fromisoformat(row[name]) for name in ("since", "upto"))
        return Polled(since, upto, row["polled_at"], row["found"])

    def found(self, source: str, found: Sequence[Found], at: datetime) -> list[int]:
        """Keep what no push had brought; the numbers of the new alerts."""
        with self._store.begin() as tx:
            added = [self._add(tx, source, one, "poll", stamp(at), None) for one in found]
            new = [number for number, is_new in added if is_new]
            counted = {"found": alert_polls.c.found + len(new)}
            tx.execute(update(alert_polls).where(alert_polls.c.source == source).values(**counted))
        return new

    def asked(self, source: str, upto: datetime, at: datetime) -> None:
        """Everything raised before that moment is here; the mark never goes back."""
        mine = alert_polls.c.source == source
        with self._store.begin() as tx:
            tx.execute(update(alert_polls).where(mine).values(polled_at=stamp(at)))
            later = mine & (alert_polls.c.upto < stamp(upto))
            tx.execute(update(alert_polls).where(later).values(upto=stamp(upto)))

    # -- rows ----------------------------------------------------------------------------------

    def _row(self, tx: Connection, number: int) -> RowMapping:
        query = select(alerts.c.source, alerts.c.received_at).where(alerts.c.id == number)
        return tx.execute(query).mappings().one()

    def _tell(
        self, tx: Connection, confirmed: Confirmed, at: datetime, more: dict[str, Any]
    ) -> None:
        """What the vendor has, beside what was pushed."""
        values = {
            "confirmed": canonical(confirmed.found),
            "raised_at": stamp(confirmed.found.raised_at),
            "answer": _keep_answer(tx, confirmed.found.answer, at),
            "next_try_at": None,
            "why": "",
            **more,
        }
        tx.execute(update(alerts).where(alerts.c.id == confirmed.alert).values(**values))

    def _add(
        self,
        tx: Connection,
        source: str,
        found: Found,
        origin: str,
        received_at: str,
        parent: int | None,
    ) -> tuple[int, bool]:
        """The alert's number, and whether it is new."""
        if number := _number_of(tx, source, found.id):
            return number, False
        body = canonical(found)
        digest = hashlib.sha256(body).hexdigest()
        values: dict[str, Any] = {
            "source": source,
            "delivery": f"{source}:{origin}:{found.id}",
            "sha256": digest,
            "size": len(body),
            "media_type": "application/json",
            "headers": {},
            "body": body,
            "received_at": received_at,
            "deliveries": 1,
            "last_at": received_at,
            "origin": origin,
            "parent": parent,
            "vendor_id": found.id,
            "raised_at": stamp(found.raised_at),
            "confirmed_by": "read",
            "answer": _keep_answer(tx, found.answer, datetime.fromisoformat(received_at)),
            "history": [],
        }
        made = tx.execute(insert(alerts).values(**values)).inserted_primary_key
        assert made is not None, "an insert gives its key"
        return int(made[0]), True


def forget_answers(tx: Connection) -> int:
    """Delete the vendors' answers that no alert with its text stands in."""
    used = select(alerts.c.answer).where(alerts.c.shed_at.is_(None), alerts.c.answer != "")
    return tx.execute(delete(alert_answers).where(alert_answers.c.sha256.not_in(used))).rowcount


def _number_of(tx: Connection, source: str, vendor_id: str) -> int:
    query = select(alerts.c.id).where(
        alerts.c.source == source, alerts.c.vendor_id == vendor_id, alerts.c.vendor_id != ""
    )
    return int(tx.execute(query).scalar() or 0)


def _keep_answer(tx: Connection, answer: Artifact, at: datetime) -> str:
    """Its digest. Alerts of one response share it."""
    assert isinstance(answer.body, bytes), "checked when it was read"
    digest = hashlib.sha256(answer.body).hexdigest()
    there = select(alert_answers.c.sha256).where(alert_answers.c.sha256 == digest)
    if tx.execute(there).scalar() is None:
        what = {
            "name": answer.name,
            "media_type": answer.media_type,
            "source": answer.source,
            "query": answer.query,
            "request_id": answer.request_id,
            "truncated": answer.truncated,
        }
        values = {"sha256": digest, "what": what, "at": stamp(at), "body": answer.body}
        tx.execute(insert(alert_answers).values(**values))
    return digest
