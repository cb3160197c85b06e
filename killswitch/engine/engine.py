"""The engine of one process: it takes what the API wrote down, and carries it out.

The API writes requests, presses, aborts and restores into the database, together with their
journal entries, and answers. The engine finds them there and starts or wakes the workflows. So
nothing that was answered can be lost, and the CLI needs no workflow code.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from killswitch.audit.tables import inbox
from killswitch.engine import people
from killswitch.engine.collect import Collecting
from killswitch.engine.connections import Connection
from killswitch.engine.contain import Contain
from killswitch.engine.durable import Durable
from killswitch.engine.gate import Gates, run_id
from killswitch.engine.house import House
from killswitch.engine.kill import Kill
from killswitch.engine.restore import Restore
from killswitch.engine.watch import Watch
from killswitch.model.errors import Broken, KillswitchError

log = structlog.get_logger()

POLL = 0.1  # seconds between looks into the inbox
REVIVE_EVERY = 5.0  # seconds between looks for runs that nobody is at
HEADS_EVERY = 60.0  # seconds between signed heads while something goes on


class Engine:
    """Workflows, and the pump that feeds them."""

    def __init__(self, house: House, database: str, *, worker: str = "local") -> None:
        self.house = house
        self.durable = Durable(database, worker)
        contain = Contain(house, self.durable)
        kill = Kill(house, self.durable, contain)
        self.durable.workflow("kill", kill.run)
        self.durable.workflow("contain", contain.run)
        self.durable.workflow("contain-later", kill.contain_later)
        self.durable.workflow("collect", Collecting(house, self.durable).run)
        self.durable.workflow("gate", Gates(house, self.durable).run)
        self.durable.workflow("watch", Watch(house, self.durable, contain).run)
        self.durable.workflow("restore", Restore(house, self.durable).run)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Go on with what an earlier process left, and take what comes."""
        await self.durable.launch()
        self._tasks = [
            asyncio.create_task(self._pump(), name="inbox"),
            asyncio.create_task(self._heads(), name="heads"),
            asyncio.create_task(self._revive(), name="revive"),
            *(asyncio.create_task(self._warm(c), name=f"warm {c.name}") for c in self._places()),
        ]

    async def stop(self) -> None:
        """Take no more. What is open goes on at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.durable.shut()
        await self.house.connections.aclose()

    async def idle(self) -> bool:
        """Whether nothing is open and nothing waits to be taken."""
        return not self.asked() and not await self.durable.unfinished()

    def asked(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._waiting())

    @property
    def health(self) -> dict[str, Any]:
        """What the health endpoint says."""
        dead = [t.get_name() for t in self._tasks[:3] if t.done()]
        why = self.durable.stuck or (f"stopped: {', '.join(dead)}" if dead else "")
        return {"ok": not why, "why": why}

    def _places(self) -> list[Connection]:
        return list(self.house.connections)

    async def _warm(self, connection: Connection) -> None:
        """Load the vendor's SDK, learn who we are and who holds roles, before anybody hurries."""
        try:
            await connection.call(connection.ourselves)
            for reference in self.house.rules.groups_at(connection.name):
                await people.group(self.house, reference)
        except KillswitchError as error:
            log.warning("connection does not answer", connection=connection.name, why=error.why)

    async def _pump(self) -> None:
        while True:
            try:
                for row in self._waiting():
                    await self._take(row)
            except Broken as broken:
                self.durable.trouble(self, broken.why)
                await asyncio.sleep(1.0)
            else:
                self.durable.trouble(self, "")
            await asyncio.sleep(POLL)

    def _waiting(self) -> list[Any]:
        with self.house.store.read() as tx:
            return list(
                tx.execute(select(inbox).where(inbox.c.taken_at.is_(None)).order_by(inbox.c.id))
            )

    async def _take(self, row: Any) -> None:
        case, payload = row.case_id, row.payload
        if row.kind == "kill":
            await self.durable.start("kill", case, case)
        elif row.kind == "restore":
            number = payload["number"]
            await self.durable.start("restore", f"{case}/restore/{number}", case, number)
        elif row.kind in ("press", "abort"):
            for gate in self.house.case(case).gates.values():
                if not gate.outcome and (row.kind == "abort" or gate.name == payload["gate"]):
                    name = gate.name.rpartition("/")[2]
                    run = run_id(case, name, gate.purpose)
                    await self.durable.send(run, {}, "press", f"{row.id}/{gate.name}")
        with self.house.store.begin() as tx:
            tx.execute(
                update(inbox)
                .where(inbox.c.id == row.id)
                .values(taken_at=self.house.now().isoformat())
            )

    async def _revive(self) -> None:
        """No case stands still because one hand-over inside the workflow library went wrong."""
        while True:
            await asyncio.sleep(REVIVE_EVERY)
            try:
                await self.durable.revive()
            except SQLAlchemyError as error:  # a full disk, a lock: the next look is soon
                log.warning("cannot look for runs that stand still", why=str(error))

    async def _heads(self) -> None:
        """Sign the journal's head now and then, so that a cut tail shows."""
        signed = 0
        while True:
            await asyncio.sleep(HEADS_EVERY)
            try:
                last = self.house.journal.last()
                if last and last.seq > signed + 1:
                    await self.house.sign_head()
                    signed = last.seq + 1
            except Broken as broken:
                log.critical("head cannot be signed", why=broken.why)
