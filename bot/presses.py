"""Presses: what people did in Slack, on the disk before it is acknowledged.

So an acknowledged press survives a crash, and one that is delivered twice is carried out once.
Presses that arrive together share one commit. What identifies a press is hashed: triggers and
response addresses are never stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from bot.tables import presses
from killswitch.audit.store import Store
from killswitch.model.errors import Broken


@dataclass(frozen=True)
class Press:
    """One thing that somebody did. ``work`` is whoever carries it out needs to know, as JSON."""

    id: str
    kind: str
    user: str
    team: str
    sha256: str
    channel: str = ""
    via: str = "socket"
    retry: int = 0
    work: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any], kind: str, via: str, **work: Any) -> Press:
        """The press in a payload of Slack's."""
        user = body.get("user") or {}
        team = body.get("team") or {}
        raw = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        container = body.get("container") or {}
        channel = body.get("channel") or {}
        where = body.get("channel_id") or container.get("channel_id") or channel.get("id") or ""
        return cls(
            id=_identity(body, raw),
            kind=kind,
            user=str(body.get("user_id") or user.get("id") or ""),
            team=str(body.get("team_id") or team.get("id") or user.get("team_id") or ""),
            sha256=hashlib.sha256(raw).hexdigest(),
            channel=str(where),
            via=via,
            work={**work, "channel": str(where)},
        )


def _identity(body: dict[str, Any], raw: bytes) -> str:
    """The same for every delivery of one press: Slack gives each one its own trigger."""
    named = str(body.get("trigger_id") or body.get("event_id") or "")
    view = body.get("view") or {}
    parts = [str(body.get("type", "")), named, str(view.get("id", "")) if not named else ""]
    seed = "|".join(parts).encode() if named or view else raw
    return hashlib.sha256(seed).hexdigest()[:32]


class Presses:
    """The table of presses."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._forming: list[tuple[Press, str | None, asyncio.Future[bool]]] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="presses")
        self._flushing: asyncio.Task[None] | None = None

    async def take(self, press: Press, *, outcome: str | None = None) -> bool:
        """Keep it. True the first time; False for another delivery of the same press.

        On the disk when it returns. Raises Broken. ``outcome``: where there is nothing to do.
        """
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[bool] = loop.create_future()
        self._forming.append((press, outcome, mine))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await mine

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._forming:
            group, self._forming = self._forming, []
            try:
                fresh = await loop.run_in_executor(
                    self._writer, self._write, [(press, outcome) for press, outcome, _ in group]
                )
            except Broken as broken:
                for _, _, waiting in group:
                    if not waiting.done():
                        waiting.set_exception(broken)
                continue
            for (_, _, waiting), first in zip(group, fresh, strict=True):
                if not waiting.done():
                    waiting.set_result(first)

    def _write(self, group: list[tuple[Press, str | None]]) -> list[bool]:
        fresh = []
        with self.store.begin() as tx:
            for press, outcome in group:
                there = tx.execute(
                    select(presses.c.id).where(presses.c.id == press.id)
                ).scalar_one_or_none()
                fresh.append(there is None)
                if there is None:
                    tx.execute(
                        insert(presses).values(
                            id=press.id,
                            at=datetime.now(UTC).isoformat(),
                            kind=press.kind,
                            user=press.user,
                            team=press.team,
                            work=press.work,
                            sha256=press.sha256,
                            via=press.via,
                            retry=press.retry,
                            outcome=outcome,
                        )
                    )
                else:
                    tx.execute(
                        update(presses)
                        .where(presses.c.id == press.id)
                        .values(retry=presses.c.retry + 1)
                    )
        return fresh

    async def done(self, press: str, outcome: str) -> None:
        """It was carried out, or refused; ``outcome`` says which."""
        await asyncio.get_running_loop().run_in_executor(
            self._writer, self._done, press, outcome[:500]
        )

    def _done(self, press: str, outcome: str) -> None:
        with self.store.begin() as tx:
            tx.execute(update(presses).where(presses.c.id == press).values(outcome=outcome))

    def open(self) -> list[Press]:
        """Those that were acknowledged and not carried out: what a crash left."""
        with self.store.read() as tx:
            rows = tx.execute(
                select(presses).where(presses.c.outcome.is_(None)).order_by(presses.c.at)
            ).all()
        return [
            Press(
                row.id, row.kind, row.user, row.team, row.sha256,
                str(row.work.get("channel", "")), row.via, row.retry, row.work,
            )
            for row in rows
        ]  # fmt: skip

    def outcome(self, press: str) -> str | None:
        """What came of it; None while nothing did."""
        with self.store.read() as tx:
            found = tx.execute(select(presses.c.outcome).where(presses.c.id == press)).scalar()
        return None if found is None else str(found)
