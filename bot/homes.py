"""App Home for those who have opened it: who they are is kept, and their page stays current.

A page is published anew when a gate opens or shuts or a case settles and that shows on it. This
runs beside the notifier, in a task of its own: a page that takes long holds up no card of a case.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import delete, insert, select, update

from bot import homepage
from bot.blocks import Block
from bot.budget import Budget
from bot.outbox import digest
from bot.people import STANDS_IN, People
from bot.queue import Queue
from bot.tables import homes
from bot.web import Web
from killswitch.alerts.people import Waiting
from killswitch.api import Killswitch, Person
from killswitch.model.case import Case
from killswitch.model.errors import (
    Broken,
    KillswitchError,
    Missing,
    NotAllowed,
    Transient,
    VendorError,
)
from killswitch.model.event import Entry, What

log = structlog.get_logger()

TICK = 0.3  # seconds between looks whether a page is behind
EVERY = 5.0  # seconds between two pages of one person
A_MINUTE = 60.0  # pages of all people; Slack takes about a hundred
PAUSE = 10.0  # seconds before another try where Slack does not answer
CASES = 50  # that a page is made of
_SHOWS = {
    What.OPENED, What.ESCALATED, What.DECIDED, What.SHUT,
    What.SETTLED, What.REFUSED, What.RESTORED, What.CLOSED, What.ALERTS,
}  # fmt: skip


class Homes:
    """The pages, over Slack and the table of those who have one."""

    def __init__(
        self, web: Web, api: Killswitch, people: People, queue: Queue | None = None
    ) -> None:
        self.web, self.api, self.people, self.queue = web, api, people, queue
        self.store = api.house.store
        self.budget = Budget(A_MINUTE, EVERY, most=int(A_MINUTE))
        self._behind: set[str] = set()
        self._not_before = 0.0
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at every page once: much may have happened since the last process ended."""
        self._behind = set(self._known())
        self._task = asyncio.create_task(self._run(), name="slack homes")

    async def stop(self) -> None:
        """End it."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def changed(self, entry: Entry) -> None:
        """Pages may be behind since this was journalled; which, is seen when they are made."""
        if entry.what in _SHOWS:
            self._behind |= set(self._known())

    async def opened(self, user: str) -> None:
        """Somebody looks at their page: it is made now, and kept current from then on."""
        self._remember(user)
        try:
            async with self._turns[user]:
                view = await self._page(user, self.api.list(limit=CASES), max_age=0.0)
                await self._publish(user, view)
        except VendorError as error:
            log.warning("a home page could not be shown", why=error.why)
            self._behind.add(user)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            if not self._behind or time.monotonic() < self._not_before:
                continue
            try:
                await self._catch_up()
            except Transient as error:
                self._not_before = time.monotonic() + (error.retry_after or PAUSE)
                log.info("home pages wait", why=error.why)
            except Broken as broken:
                log.critical("home pages cannot be read or kept", why=broken.why)
                self._not_before = time.monotonic() + PAUSE
            except KillswitchError as error:
                log.exception("a home page could not be made", why=error.why)
                self._not_before = time.monotonic() + PAUSE

    async def _catch_up(self) -> None:
        """Make every page that is behind, and publish those that have changed."""
        cases = self.api.list(limit=CASES)
        for user in sorted(self._behind):
            if self.budget.soon(user):
                continue
            self._behind.discard(user)  # what happens from here on is another reason
            try:
                async with self._turns[user]:
                    view = await self._page(user, cases, max_age=STANDS_IN)
                    changed = digest(view) != self._known().get(user)
                    if changed and not self.budget.may(user):
                        self._behind.add(user)
                        return  # enough for all, for now
                    if changed:
                        await self._publish(user, view)
            except KillswitchError:
                self._behind.add(user)
                raise

    async def _publish(self, user: str, view: Block) -> None:
        """Show it. Raises Transient; another refusal is left until the next change."""
        try:
            await self.web.call("views.publish", user_id=user, view=view)
        except Missing:
            self._forget(user)
        except Transient:
            raise
        except VendorError as error:
            log.warning("a home page is refused", user=user, why=error.why)
        else:
            self._keep(user, digest(view))

    async def _page(self, user: str, cases: Sequence[Case], *, max_age: float) -> Block:
        """What that person sees; for somebody who is nobody to us, why."""
        try:
            person = await self.people.person(user, max_age=max_age)
        except NotAllowed as error:
            return homepage.stranger(error.why)
        seen = await self.api.seen(cases, person)
        waiting = [
            (case, gate)
            for case in seen
            for gate in case.gates.values()
            if not gate.outcome and person.email in self.api.may_answer(case.id, gate.name)
        ]
        operator = person.email in await self.api.operators()
        return homepage.home(waiting, seen, operator=operator, alerts=await self._alerts(person))

    async def _alerts(self, person: Person) -> list[Waiting] | None:
        """The alerts that wait for people; None for somebody whom that does not concern."""
        try:
            return await self.queue.of(person) if self.queue else None
        except NotAllowed:
            return None

    # -- who has a page ------------------------------------------------------------------------

    def _known(self) -> dict[str, str]:
        """User -> what their page shows, in short."""
        with self.store.read() as tx:
            return {row.user: row.shown for row in tx.execute(select(homes))}

    def _remember(self, user: str) -> None:
        if user not in self._known():
            with self.store.begin() as tx:
                at = datetime.now(UTC).isoformat()
                tx.execute(insert(homes).values(user=user, shown="", at=at))

    def _keep(self, user: str, shown: str) -> None:
        with self.store.begin() as tx:
            at = datetime.now(UTC).isoformat()
            tx.execute(update(homes).where(homes.c.user == user).values(shown=shown, at=at))

    def _forget(self, user: str) -> None:
        with self.store.begin() as tx:
            tx.execute(delete(homes).where(homes.c.user == user))
