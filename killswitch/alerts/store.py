"""Alerts in the database: kept before they are answered, decided later, never deleted.

The same bytes from the same source are one alert, however often they come.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from killswitch.alerts.alert import Alert, NoSuchAlert
from killswitch.alerts.decide import Decision, Outcome
from killswitch.alerts.storm import Start
from killswitch.audit.journal import stamp
from killswitch.audit.store import Store
from killswitch.audit.tables import alerts, cases, inbox

_MOST = 500  # rows of a listing
WHAT_IT_IS = [c for c in alerts.c if c.name != "body"]


@dataclass(frozen=True)
class Delivery:
    """What came in at the door."""

    source: str
    body: bytes
    media_type: str
    headers: Mapping[str, str]
    received_at: datetime

    @property
    def sha256(self) -> str:
        """Of the bytes as they came."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Kept:
    """The alert's number. ``again``: these bytes were here before."""

    id: int
    again: bool


@dataclass
class _Group:
    """Deliveries that will share one commit."""

    deliveries: list[Delivery] = field(default_factory=list)
    done: Future[list[Kept]] = field(default_factory=Future)


class Alerts:
    """The table ``alerts`` of one database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._forming: _Group | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alerts")

    def close(self) -> None:
        """Wait for what is being written."""
        self._writer.shutdown()

    # -- in ------------------------------------------------------------------------------------

    async def keep(self, delivery: Delivery) -> Kept:
        """On the disk when it returns; who comes at the same time shares one commit.

        Raises Broken.
        """
        with self._lock:
            if self._forming is None:
                self._forming = _Group()
                self._forming.done = self._writer.submit(self._commit, self._forming)
            group = self._forming
            place = len(group.deliveries)
            group.deliveries.append(delivery)
        kept = await asyncio.shield(asyncio.wrap_future(group.done))
        return kept[place]

    def _commit(self, group: _Group) -> list[Kept]:
        """In the writer's thread: whoever comes from now on joins the next group."""
        with self._lock:
            self._forming = None
        with self._store.begin() as tx:
            return [_keep(tx, delivery) for delivery in group.deliveries]

    # -- out -----------------------------------------------------------------------------------

    def undecided(self, limit: int) -> list[int]:
        """The numbers of alerts that wait for a decision, in the order in which they came."""
        query = select(alerts.c.id).where(alerts.c.decided_at.is_(None)).order_by(alerts.c.id)
        with self._store.read() as tx:
            return [int(n) for n in tx.execute(query.limit(limit)).scalars()]

    def waiting(self) -> int:
        """How many wait for a decision."""
        query = select(func.count()).select_from(alerts).where(alerts.c.decided_at.is_(None))
        with self._store.read() as tx:
            return tx.execute(query).scalar_one()

    def alert(self, number: int) -> Alert:
        """The alert with its bytes. Raises NoSuchAlert."""
        row = self.row(number, body=True)
        at = datetime.fromisoformat(row["received_at"])
        return Alert(row["id"], row["source"], row["body"], at)

    def row(self, number: int, *, body: bool = False) -> RowMapping:
        """Everything that is known about it. Raises NoSuchAlert."""
        query = select(*(alerts.c if body else WHAT_IT_IS)).where(alerts.c.id == number)
        with self._store.read() as tx:
            row = tx.execute(query).mappings().first()
        if row is None:
            raise NoSuchAlert(f"there is no alert A-{number}", hint="agent-kill alerts list")
        return row

    def newest(self, *, limit: int = 20, outcome: str = "") -> list[RowMapping]:
        """The newest first, without their bytes."""
        query = select(*WHAT_IT_IS).order_by(alerts.c.id.desc()).limit(min(limit, _MOST))
        if outcome:
            query = query.where(alerts.c.outcome == outcome)
        with self._store.read() as tx:
            return list(tx.execute(query).mappings())

    def earlier(self, alert: Alert, alert_id: str) -> tuple[int, str] | None:
        """The first alert that carried the source's own id, and the subject that it named."""
        query = (
            select(alerts.c.id, alerts.c.subject)
            .where(
                alerts.c.source == alert.source,
                alerts.c.alert_id == alert_id,
                alerts.c.id < alert.id,
                alerts.c.subject != "",
            )
            .order_by(alerts.c.id)
        )
        with self._store.read() as tx:
            row = tx.execute(query.limit(1)).first()
        return (row.id, row.subject) if row else None

    def open_case(self, subject: str, mode: str) -> str:
        """The open case of a subject; "" if there is none."""
        query = select(cases.c.id).where(
            cases.c.subject == subject, cases.c.mode == mode, cases.c.open
        )
        with self._store.read() as tx:
            return str(tx.execute(query).scalar() or "")

    def newest_case(self, subject: str, mode: str) -> str:
        """The subject's newest case, open or not; "" if there is none."""
        query = select(cases.c.id).where(cases.c.subject == subject, cases.c.mode == mode)
        with self._store.read() as tx:
            newest = query.order_by(cases.c.opened_at.desc()).limit(1)
            return str(tx.execute(newest).scalar() or "")

    def in_case(self, case: str) -> int:
        """How many alerts belong to the case."""
        query = select(func.count()).select_from(alerts).where(alerts.c.case_id == case)
        with self._store.read() as tx:
            return tx.execute(query).scalar_one()

    def began(self, alert: Alert) -> bool:
        """Whether this very alert opened a case before, and the decision was not written."""
        asked = inbox.c.payload["once"].as_string() == asking(alert)
        with self._store.read() as tx:
            return (
                tx.execute(select(inbox.c.id).where(asked, inbox.c.kind == "kill")).first()
                is not None
            )

    def starts(self, since: datetime) -> tuple[Start, ...]:
        """The cases that alerts started since then."""
        query = select(alerts.c.rule, alerts.c.source, alerts.c.subject, alerts.c.decided_at).where(
            alerts.c.outcome == Outcome.STARTED, alerts.c.decided_at > stamp(since)
        )
        with self._store.read() as tx:
            return tuple(
                Start(r.rule, r.source, r.subject, datetime.fromisoformat(r.decided_at))
                for r in tx.execute(query)
            )

    # -- decided -------------------------------------------------------------------------------

    def record(self, number: int, decision: Decision, *, case: str = "", at: datetime) -> None:
        """What became of it. Raises Broken."""
        entry = {
            "at": stamp(at),
            "outcome": decision.outcome.value,
            "why": decision.why,
            "rule": decision.rule,
            "rule_digest": decision.rule_digest,
            "case": case,
        }
        with self._store.begin() as tx:
            history = tx.execute(select(alerts.c.history).where(alerts.c.id == number)).scalar_one()
            tx.execute(
                update(alerts)
                .where(alerts.c.id == number)
                .values(
                    decided_at=stamp(at),
                    outcome=decision.outcome.value,
                    why=decision.why,
                    rule=decision.rule,
                    subject=decision.subject,
                    alert_id=decision.alert_id,
                    case_id=case,
                    history=[*history, entry],
                )
            )

    def reopen(self, number: int, by: str, at: datetime) -> None:
        """Let it be decided again. Raises NoSuchAlert, Broken."""
        row = self.row(number)
        entry = {"at": stamp(at), "outcome": "replay", "by": by}
        with self._store.begin() as tx:
            tx.execute(
                update(alerts)
                .where(alerts.c.id == number)
                .values(decided_at=None, outcome="", why="", history=[*row["history"], entry])
            )


def asking(alert: Alert) -> str:
    """The id of the asking, by which the API gives its first answer again."""
    return f"alert:{alert.id}"


def _keep(tx: Connection, delivery: Delivery) -> Kept:
    key = f"{delivery.source}:{delivery.sha256}"
    now = stamp(delivery.received_at)
    known = tx.execute(select(alerts.c.id).where(alerts.c.delivery == key)).scalar()
    if known:
        again = {"deliveries": alerts.c.deliveries + 1, "last_at": now}
        tx.execute(update(alerts).where(alerts.c.id == known).values(**again))
        return Kept(int(known), again=True)
    values: dict[str, Any] = {
        "source": delivery.source,
        "delivery": key,
        "sha256": delivery.sha256,
        "size": len(delivery.body),
        "media_type": delivery.media_type,
        "headers": dict(delivery.headers),
        "body": delivery.body,
        "received_at": now,
        "deliveries": 1,
        "last_at": now,
        "history": [],
    }
    made = tx.execute(insert(alerts).values(**values)).inserted_primary_key
    assert made is not None, "an insert gives its key"
    return Kept(int(made[0]), again=False)
