"""What comes in at the door, on the disk before it is answered.

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

from sqlalchemy import Connection, insert, select, update

from killswitch.audit.journal import stamp
from killswitch.audit.store import Store
from killswitch.audit.tables import alerts


@dataclass(frozen=True)
class Delivery:
    """What came in at the door. ``confirmed``: ``hmac`` where a signature was over it."""

    source: str
    body: bytes
    media_type: str
    headers: Mapping[str, str]
    received_at: datetime
    confirmed: str = ""

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


class Keeping:
    """Writes deliveries; whoever comes at the same time shares one commit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._forming: _Group | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alerts")

    def close(self) -> None:
        """Wait for what is being written."""
        self._writer.shutdown()

    async def keep(self, delivery: Delivery) -> Kept:
        """On the disk when it returns. Raises Broken."""
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
        "confirmed_by": delivery.confirmed,
        "history": [],
    }
    made = tx.execute(insert(alerts).values(**values)).inserted_primary_key
    assert made is not None, "an insert gives its key"
    return Kept(int(made[0]), again=False)
