"""Old alerts lose their text: decided, without a case, and older than ``alerts: keep:``.

The row stays, with its digest, who sent it and every decision, and so does the journal. The text
of an alert that belongs to a case is evidence, and is not touched.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from killswitch.alerts.alert import named
from killswitch.alerts.finds import forget_answers
from killswitch.alerts.store import Alerts
from killswitch.audit.journal import stamp
from killswitch.audit.tables import alerts
from killswitch.engine.house import House
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What

log = structlog.get_logger()

EVERY = 3600.0  # seconds
AT_ONCE = 200  # alerts in one transaction


class Shedding:
    """For one database. ``keep``: how long a decided alert keeps its text."""

    def __init__(self, house: House, store: Alerts, keep: timedelta) -> None:
        self._house = house
        self._store = store
        self._keep = keep

    async def run(self) -> None:
        """Without end, once an hour."""
        while True:
            try:
                await self.once()
            except Broken as broken:
                log.warning("old alerts keep their text for now", why=broken.why)
            await asyncio.sleep(EVERY)

    async def once(self) -> int:
        """Empty everything that is due; how many alerts that were. Raises Broken."""
        shed = 0
        while some := await asyncio.to_thread(self._some):
            shed += some
            await asyncio.sleep(0)  # the engine's turn, and the next writer's
        return shed

    def _some(self) -> int:
        now = self._house.now()
        before = stamp(now - self._keep)
        due = (
            select(alerts.c.id)
            .where(
                alerts.c.shed_at.is_(None),
                alerts.c.case_id == "",
                alerts.c.decided_at < before,
            )
            .order_by(alerts.c.decided_at)
            .limit(AT_ONCE)
        )
        with self._store.store.begin() as tx:
            numbers = sorted(int(n) for n in tx.execute(due).scalars())
            if not numbers:
                return 0
            empty: dict[str, Any] = {
                "body": b"",
                "confirmed": None,
                "headers": {},
                "shed_at": stamp(now),
            }
            tx.execute(update(alerts).where(alerts.c.id.in_(numbers)).values(**empty))
            forget_answers(tx)
            told = {"upto": named(numbers[-1]), "count": len(numbers), "before": before}
            key = f"alerts:shed:{numbers[0]}-{numbers[-1]}:{stamp(now)}"
            self._store.journal.append(Event(What.ALERTS_SHED, "", key, told), tx=tx)
        return len(numbers)
