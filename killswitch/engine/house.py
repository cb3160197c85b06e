"""What the engine works with, put together once by ``wiring.py`` and handed to every verb."""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import update

from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.audit.tables import cases
from killswitch.clock import Clock, utc_now
from killswitch.engine.connections import Connections
from killswitch.evidence.vault import Vault
from killswitch.model.case import Case, advance, fold
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, Event, What

log = structlog.get_logger()


@dataclass(frozen=True)
class Rules:
    """The part of killswitch.yaml that guards and gates read."""

    protected_people: tuple[str, ...] = ()
    protected_groups: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kills_per_hour: int = 5
    automatic: bool = False  # whether a trigger may go ahead with what can be undone
    min_admins: int = 2
    patience: float = 8.0  # seconds that planning waits for a connection that does not answer
    watch_for: timedelta | None = None  # drills only: shorter than the playbook's
    watch_every: timedelta | None = None
    gate_looks_every: float = 30.0  # seconds; a gate that waits for hours looks up this often

    def groups_at(self, connection: str) -> list[str]:
        """The groups of one connection that roles and the protected list name."""
        named = [*self.protected_groups, *(m for members in self.roles.values() for m in members)]
        return [m for m in dict.fromkeys(named) if m.partition(":")[0] == connection]


@dataclass
class House:
    """Store, journal, vault, connections, rules and clock."""

    store: Store
    journal: Journal
    vault: Vault
    connections: Connections
    rules: Rules
    readings: Path  # who held which role when the IdP was last asked
    seal: Callable[[Case, str], Awaitable[dict[str, Any]]]  # the manifest so far, signed
    sign_head: Callable[[], Awaitable[None]]  # the journal's head, signed and witnessed
    signed_by: Callable[[bytes, str], str]  # who signed these bytes; NotAllowed if nobody known
    write_report: Callable[[Case], Awaitable[dict[str, str]]]  # format -> path
    now: Clock = utc_now
    boot: str = field(default_factory=lambda: secrets.token_hex(4))  # this process
    locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _views: dict[str, Case] = field(default_factory=dict)

    def case(self, id: str) -> Case:  # noqa: A002  # it is the case's id
        """The case as the journal tells it now. Raises Broken when there is none.

        Only what is new is read: a case of a thousand changes is asked for thousands of times.
        """
        view = self._views.get(id)
        if view is None:
            view = self._views[id] = fold(self.journal.entries(case=id))
        for entry in self.journal.entries(case=id, after=view.last_seq):
            advance(view, entry)
        return view

    async def note(self, what: What, case: str, key: str, **data: Any) -> Entry:
        """Record one fact; the entry that the journal holds under that key is returned."""
        (entry,) = await self.journal.write(Event(what, case, f"{case}:{key}", data))
        return entry

    async def report(self, id: str) -> dict[str, str]:  # noqa: A002  # it is the case's id
        """Write the case's report as it stands now: format -> path.

        A report that cannot be written stops no case: it is said in the log, and is missing.
        """
        view = copy.deepcopy(self.case(id))  # written in a thread, while the case goes on
        try:
            return await self.write_report(view)
        except Broken:
            raise
        except Exception:  # see the docstring
            log.exception("no report could be written", case=id)
            return {}

    def shut(self, case: str, state: str) -> None:
        """The case is no longer the one that a press for its subject joins."""
        with self.store.begin() as tx:
            tx.execute(update(cases).where(cases.c.id == case).values(open=False, state=state))
