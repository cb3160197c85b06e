"""Asking a vendor what is new, again and again: finds what no push brought.

How far was asked stands in the database, and moves only when everything before it is kept. So a
crash between any two lines loses nothing, and the vendor's own ids let nothing be doubled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from killswitch.alerts import reader
from killswitch.alerts.finds import Finds, Polled
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.engine.connections import Connection
from killswitch.engine.house import House
from killswitch.model.alerts import Found
from killswitch.model.collector import Window
from killswitch.model.errors import Broken, Transient, Unexpected, VendorError
from killswitch.written import Source

log = structlog.get_logger()

OVERLAP = timedelta(minutes=15)  # asked again: vendors show an alert later than they date it
BEHIND = timedelta(seconds=30)  # so that a push comes first
SLICE = timedelta(hours=6)  # of one question, where much has to be caught up with
SMALLEST = timedelta(minutes=1)
QUESTIONS = 16  # more in one round, where an answer was not whole
KEPT = timedelta(hours=24)  # Splunk keeps an alert's rows so long; the others longer
WAITS = (5, 15, 30, 60, 120, 300)  # seconds between tries while a vendor does not answer


class Poller:
    """One source. ``rules``: those in force; alerts that none of them knows are not kept."""

    def __init__(
        self,
        name: str,
        source: Source,
        connection: Connection,
        house: House,
        store: Alerts,
        rules: Sequence[Rule],
    ) -> None:
        self._name = name
        self._every = source.poll.total_seconds()
        self._behind = timedelta(0) if source.auth == "none" else BEHIND
        self._connection = connection
        self._house = house
        self._finds = Finds(store)
        self._rules = [rule for rule in rules if rule.trigger.source == name]
        self._left = 0
        self._odd_since: datetime | None = None
        self._failed = 0
        self.trouble = ""
        self.gap = ""

    async def run(self) -> None:
        """Without end."""
        while True:
            wait = await self.round()
            await asyncio.sleep(wait)

    async def round(self) -> float:
        """Ask once, up to now; seconds until the next time. Raises nothing."""
        try:
            await self.once()
        except (VendorError, Broken) as error:
            return self._troubled(error.why, error)
        except Exception as error:
            log.exception("unforeseen while polling", source=self._name)
            return self._troubled(f"unforeseen {type(error).__name__}; the log has more", error)
        if self.trouble:
            log.info("a source answers again", source=self._name)
        self.trouble, self._failed = "", 0
        return self._every

    async def once(self) -> None:
        """Ask for everything since the last time, and keep what is new.

        Raises VendorError. Where a part of it is not answered whole, the rest is asked for all
        the same, and the mark stays before that part.
        """
        now = self._house.now()
        done = self._done(now)
        self._mind_the_gap(done.upto, now)
        since, end = max(done.since, done.upto - OVERLAP), now - self._behind
        odd: Unexpected | None = None
        self._left = QUESTIONS
        while since < end:
            until = min(end, since + SLICE)
            try:
                await self._whole(Window(since, until), mark=odd is None)
            except Unexpected as error:
                odd = odd or error
            since = until
        if odd:
            self._give_up_on_the_old(odd, now)
            raise odd
        self._odd_since = None

    @property
    def health(self) -> dict[str, Any]:
        """For ``/healthz``. Raises Broken."""
        done = self._done(self._house.now())
        return {"last": done.polled_at, "found": done.found, "why": self.trouble or self.gap}

    def _done(self, now: datetime) -> Polled:
        """How far was asked. The first question is short: it shows whether there is an answer."""
        return self._finds.polled(self._name, now - self._behind - timedelta(seconds=1))

    # -- asking --------------------------------------------------------------------------------

    async def _whole(self, window: Window, *, mark: bool) -> None:
        """Ask for the window; in halves, where the answer was not whole. Raises VendorError."""
        try:
            await self._ask(window)
        except Unexpected:
            half = (window.until - window.since) / 2
            if half < SMALLEST or self._left <= 0:
                raise
            self._left -= 2
            middle = window.since + half
            odd: Unexpected | None = None
            for part in (Window(window.since, middle), Window(middle, window.until)):
                try:
                    await self._whole(part, mark=mark and odd is None)
                except Unexpected as error:
                    odd = odd or error
            if odd:
                raise odd from None
        else:
            if mark:
                self._finds.asked(self._name, window.until, self._house.now())

    async def _ask(self, window: Window) -> None:
        """Keep what comes, also what came before an error."""
        found: list[Found] = []
        try:
            await reader.recent(self._connection, window, found)
        finally:
            ours = await asyncio.to_thread(lambda: [one for one in found if self._known(one)])
            if ours:
                now = self._house.now()
                new = await asyncio.to_thread(self._finds.found, self._name, ours, now)
                if new:
                    log.info("polling found alerts", source=self._name, count=len(new))

    def _known(self, found: Found) -> bool:
        """Whether a rule is about it. A SIEM has many alerts that are none of our business."""
        body = dict(found.body)
        return any(rule.matches(body) for rule in self._rules)

    def _troubled(self, why: str, error: Exception) -> float:
        """Say it once; seconds until the next try."""
        if not self.trouble:
            log.error("a source cannot be polled", source=self._name, why=why)
        self.trouble = why
        if isinstance(error, Unexpected):
            return self._every  # it does answer, and what it told is kept
        wait = float(WAITS[min(self._failed, len(WAITS) - 1)])
        if isinstance(error, Transient) and error.retry_after is not None:
            wait = max(wait, self._connection.wait_for(error, self._failed))
        self._failed += 1
        return wait

    def _give_up_on_the_old(self, odd: Unexpected, now: datetime) -> None:
        """A part that is not answered whole for a day is passed over, and that is said."""
        self._odd_since = self._odd_since or now
        if now - self._odd_since <= KEPT:
            return
        log.error("a part of what was raised is passed over", source=self._name, why=odd.why)
        self._finds.asked(self._name, now - OVERLAP, now)
        self._odd_since = None

    def _mind_the_gap(self, upto: datetime, now: datetime) -> None:
        if now - upto <= KEPT:
            self.gap = ""
            return
        gap = f"not asked since {upto:%Y-%m-%d %H:%M} UTC: what the vendor deleted since is lost"
        if not self.gap:
            log.error("a gap in polling", source=self._name, why=gap)
        self.gap = gap
