"""One task that keeps Slack like the journal: it follows, posts, edits, reminds, reconciles.

It reads the journal from a durable cursor and never touches a case: while Slack is down or slow
the cases go on, and what is meant for Slack waits in the outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime

import structlog

from bot import story
from bot.board import Board
from bot.budget import Budget
from bot.delivery import Delivery
from bot.homes import Homes
from bot.outbox import CASE, INDEX, Intent, Outbox, Post
from killswitch.api import Killswitch
from killswitch.model.case import Case, CaseState, GateView
from killswitch.model.errors import Broken, KillswitchError, Transient
from killswitch.model.event import What
from killswitch.model.playbook import Assurance

log = structlog.get_logger()

TICK = 0.2  # seconds between looks at the journal
LOOK_EVERY = 30.0  # seconds between looks whether open gates' cards are there still
HEARTBEAT = 15.0  # seconds after which a running clock is shown anew
OUTAGE = 10.0  # seconds without an answer after which open gates are posted again
SLOWEST = 20.0  # seconds between tries while Slack is down
RECENT = 50  # cases that are looked at after a restart
_PERCENT = (25, 50, 75)


class Notifier:
    """The task. ``start`` and ``stop``; ``drained`` once nothing waits."""

    def __init__(
        self,
        api: Killswitch,
        outbox: Outbox,
        delivery: Delivery,
        homes: Homes,
        board: Board | None = None,
    ) -> None:
        self.api, self.outbox, self.delivery, self.homes = api, outbox, delivery, homes
        self.board = board  # where alerts and a channel for their list are configured
        self.budget = Budget()
        self.outage = OUTAGE
        self.degraded = ""  # why Slack is behind, or ""
        self._live: dict[str, Case] = {}  # cases whose messages are kept current
        self._stale: dict[bool, set[str]] = {True: set(), False: set()}  # by urgency: cases
        self._beats: dict[str, float] = {}
        self._paused: dict[str, float] = {}  # channel or "" -> not before
        self._down_since = 0.0
        self._tries = 0
        self._looked = 0.0
        self._reminded: set[str] = set()
        self._ended: set[str] = set()  # messages that show how their case ended
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin where the last one stopped; before the first, with what comes from now on."""
        if self.outbox.cursor() is None:
            last = self.api.house.journal.last()
            self.outbox.mean([], last.seq if last else 0)
        for case in self.api.list(limit=RECENT):
            if story.worth_keeping_current(case):
                self._follow(case)
        self._task = asyncio.create_task(self._run(), name="slack notifier")

    async def stop(self) -> None:
        """End it; what waits is sent after the next start."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look_now(self) -> None:
        """Look at once whether the cards of open gates are there still."""
        self._looked = 0.0

    @property
    def drained(self) -> bool:
        """Whether all that was meant for Slack is there."""
        last = self.api.house.journal.last()
        read = self.outbox.cursor() or 0
        return (last is None or read >= last.seq) and not self.outbox.waiting()

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Transient as error:
                self._slow_down(error)
            except Broken as broken:
                log.critical("the outbox cannot be read or written", why=broken.why)
                await asyncio.sleep(1.0)
            except KillswitchError as error:
                log.exception("a message could not be made", why=error.why)
                await asyncio.sleep(1.0)
            await asyncio.sleep(TICK)

    async def tick(self) -> None:
        """One look at everything. Raises Transient while Slack does not answer."""
        self._read()
        self._remind()
        if self.board:
            self.board.look()
        if self._waits(""):
            return
        await self._sync(urgent=True)
        for post in self.outbox.waiting():
            await self._send(post)
            self._read()
        await self._sync(urgent=False)
        await self._list_alerts()
        await self._look_after()
        self._recovered()

    # -- reading -------------------------------------------------------------------------------

    def _read(self) -> None:
        """What the journal says since; intents and cursor are written together."""
        entries = self.api.since(self.outbox.cursor() or 0)
        if not entries:
            return
        intents = self.board.due(entries) if self.board else []
        for entry in entries:
            if entry.what is What.ALERTS:
                self.homes.changed(entry)
            if not entry.case.startswith("K-"):
                continue
            case = self.api.show(entry.case)
            self._follow(case)
            self.homes.changed(entry)
            told = frozenset({case.request.requester.lower()}) - self.api.kept_out(case.id)
            intents += story.due(entry, case, self.api.may_answer, told)
        wanted = [i for i in intents if i.to != INDEX or self.delivery.index]
        self.outbox.mean(wanted, entries[-1].seq)

    def _follow(self, case: Case) -> None:
        """Keep what the case shows current."""
        self._live[case.id] = case
        for stale in self._stale.values():
            stale.add(case.id)

    def _remind(self) -> None:
        """At 25, 50 and 75 % of a gate's time, those who have not answered."""
        now = self.api.house.now()
        intents = []
        for case in self._live.values():
            for gate in case.gates.values():
                if not gate.outcome and (percent := _gone(gate, now)):
                    about = f"{gate.name}@{percent}"
                    again = gate.expires_at[11:19]
                    intents += [
                        Intent(case.id, "reminder", about, to=email, again=again)
                        for email in self.api.may_answer(case.id, gate.name)
                    ]
        fresh = [i for i in intents if i.key not in self._reminded]
        if fresh:
            self.outbox.mean(fresh)
            self._reminded |= {i.key for i in fresh}

    # -- writing -------------------------------------------------------------------------------

    async def _send(self, post: Post) -> None:
        place = _place(post)
        if self._waits(place):
            return
        try:
            if not post.case:
                await self._send_list(post)
                return
            sent = await self.delivery.send(post)
            self._follow(self.api.show(post.case))  # it may have moved on meanwhile
        except Transient as error:
            if error.retry_after is None:
                raise
            self._paused[place] = time.monotonic() + error.retry_after
            return
        if not sent and post.case in self.delivery.held:
            self._paused[place] = time.monotonic() + 2.0
            self._warn(post.case)

    async def _send_list(self, post: Post) -> None:
        """The list of alerts, which belongs to no case."""
        if self.board:
            await self.board.send(post)
        else:
            self.outbox.drop(post)  # alerts are configured no longer

    async def _list_alerts(self) -> None:
        """Keep the list of alerts current."""
        if self.board is None or self._waits("chat.update"):
            return
        try:
            await self.board.keep_current(self.budget)
        except Transient as error:
            if error.retry_after is None:
                raise
            self._paused["chat.update"] = time.monotonic() + error.retry_after

    def _warn(self, case: str) -> None:
        """Somebody who must not be is in the channel and could not be removed."""
        why = "somebody who must not read it is in its channel; details are held back"
        view = self.api.show(case)
        asked = {view.request.requester.lower()}
        if view.request.assurance is Assurance.SERVICE:  # nobody reads that address
            asked = {p.lower() for gate in view.gates.values() for p in gate.approvers}
        asked -= self.api.kept_out(case)
        self.outbox.mean(Intent(case, "alarm", why, to=email) for email in asked)

    async def _sync(self, *, urgent: bool) -> None:
        """Edit what shows an older state: gates at once, the rest as often as Slack allows."""
        kinds = story.WITH_BUTTONS if urgent else story.CURRENT
        ticking = [] if urgent else [c.id for c in self._live.values() if _running(c)]
        for case in [self._live[c] for c in {*self._stale[urgent], *ticking} if c in self._live]:
            self._stale[urgent].discard(case.id)
            for post in self.outbox.there(case.id, kinds):
                if not await self._edit(post, case, urgent=urgent):
                    self._stale[urgent].add(case.id)
            if case.id not in self._stale[urgent] and not urgent:
                self._forget_if_done(case)

    async def _edit(self, post: Post, case: Case, *, urgent: bool) -> bool:
        """Bring the message up to date. False: not now."""
        shown = self.delivery.digest(post, case)
        if shown == post.shown and not self._beat_due(post, case):
            return True
        if post.to == CASE and case.id in self.delivery.held:
            return False
        ends = bool(case.settled_at) and post.key not in self._ended
        if self._waits("chat.update") or not self.budget.may(case.id, urgent=urgent or ends):
            return False
        self._beats[post.key] = time.monotonic()
        try:
            await self.delivery.edit(post, case, shown)
        except Transient as error:
            self._stale[urgent].add(case.id)
            if error.retry_after is None:
                raise
            self._paused["chat.update"] = time.monotonic() + error.retry_after
            return False
        if ends:
            self._ended.add(post.key)
        return True

    def _beat_due(self, post: Post, case: Case) -> bool:
        """A running clock is shown anew now and then while changes are made."""
        late = time.monotonic() - self._beats.get(post.key, 0.0) > HEARTBEAT
        return post.kind == "progress" and _running(case) and late

    def _forget_if_done(self, case: Case) -> None:
        if not story.worth_keeping_current(case) and case.id not in self._stale[True]:
            self._live.pop(case.id, None)

    async def _look_after(self) -> None:
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked = time.monotonic()
        if self.board:
            self.board.look_again()
        for case in list(self._live.values()):
            await self.delivery.look_after(case)

    # -- outages -------------------------------------------------------------------------------

    def _waits(self, place: str) -> bool:
        return time.monotonic() < self._paused.get(place, 0.0)

    def _slow_down(self, error: Transient) -> None:
        self._tries += 1
        self._down_since = self._down_since or time.monotonic()
        pause = error.retry_after or min(SLOWEST, 0.5 * 2 ** min(self._tries, 8))
        self._paused[""] = time.monotonic() + pause
        if self._tries == 3:
            self.degraded = error.why
            log.warning("slack is behind", why=error.why)

    def _recovered(self) -> None:
        """Back after an outage: clicks made meanwhile never arrive, so open gates ask anew."""
        if not self._down_since:
            return
        away, self._down_since = time.monotonic() - self._down_since, 0.0
        self._tries, self.degraded = 0, ""
        log.info("slack answers again", after=round(away, 1))
        self.look_now()
        if away < self.outage:
            return
        again = f"back-{int(time.time())}"
        self.outbox.mean(
            Intent(case.id, "gate", gate.name, again=again)
            for case in self._live.values()
            for gate in case.gates.values()
            if not gate.outcome and self._asked_before(case, gate)
        )

    def _asked_before(self, case: Case, gate: GateView) -> bool:
        """Whether its card was there before Slack went away; else it was posted just now."""
        posts = self.outbox.there(case.id, ("gate",))
        return any(p.about == gate.name and float(p.ts) < time.time() - self.outage for p in posts)


def _place(post: Post) -> str:
    """What has to wait where Slack limits it: one channel, one person, or a method of its own."""
    if post.kind == "pin":
        return "pins.add"
    return post.to if post.to != CASE else post.case


def _gone(gate: GateView, now: datetime) -> int:
    """The last of 25, 50, 75 % of the gate's time that has gone by; 0 before the first."""
    opened = datetime.fromisoformat(gate.opened_at)
    life = (datetime.fromisoformat(gate.expires_at) - opened).total_seconds()
    gone = 100 * (now - opened).total_seconds() / life if life > 0 else 0.0
    return max((p for p in _PERCENT if p <= gone < 100), default=0)


def _running(case: Case) -> bool:
    return case.state is CaseState.CONTAINING
