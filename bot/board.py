"""The live list: alerts that wait for people, as one message in the index channel.

It is edited as the queue changes. It is posted anew, where edits would wake nobody: when the queue
was empty before, and when a rule came over a cap, once an hour for each rule. Whatever happens in
between, also a restart, the outbox knows which message is the live one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

import structlog

from bot import alertcards
from bot.blocks import Message
from bot.budget import Budget
from bot.channels import Channels
from bot.outbox import DUE, INDEX, SENDING, Intent, Outbox, Post, digest
from bot.people import STANDS_IN
from bot.queue import Queue
from bot.web import Web
from killswitch.alerts.outcome import Outcome
from killswitch.api import Killswitch
from killswitch.model.errors import Denied, Missing, NotAllowed, Unexpected, VendorError
from killswitch.model.event import Entry, What

log = structlog.get_logger()

LIVE, OVER = "alerts", "alerts-over"  # kinds of posts: the one that is edited, and those before it
NO_CASE = ""
SAID_FOR = timedelta(hours=1)  # that a rule came over a cap
READERS_FOR = 10.0  # seconds for which a look at who reads the channel will do
_NAME = "alerts"  # in the budget


class Board:
    """The list in the channel ``index``. Only the notifier's task comes here."""

    def __init__(
        self,
        queue: Queue,
        outbox: Outbox,
        web: Web,
        channels: Channels,
        api: Killswitch,
        *,
        index: str,
    ) -> None:
        self.queue, self.outbox, self.web = queue, outbox, web
        self.channels, self.api, self.index = channels, api, index
        self._moved = True  # the queue, since it was looked at; who knows what was before the start
        self._stale = True  # what the messages show
        self._readers: frozenset[str] | None = None
        self._read_at = -READERS_FOR

    # -- what is to be there -------------------------------------------------------------------

    def due(self, entries: Sequence[Entry]) -> list[Intent]:
        """The posts that these journal entries call for: one for each rule newly over a cap."""
        told = [e for e in entries if e.what is What.ALERTS]
        self._moved = self._moved or bool(told)
        held = {rule: str(entry.seq) for entry in told for rule in _held(entry)}
        said = self._said() if held else []
        return [
            Intent(NO_CASE, LIVE, rule, to=INDEX, again=seq)
            for rule, seq in held.items()
            if rule not in said
        ]

    def look(self) -> None:
        """Have one live message where alerts wait, and none where the queue ran empty."""
        if not self._moved:
            return
        meant = self.outbox.meant(LIVE)
        live = meant.pop() if meant else None
        for post in meant:
            self._end(post)
        waits = bool(self.queue.waiting(limit=1))
        if waits and live is None:
            again = self.api.house.now().isoformat()
            self.outbox.mean([Intent(NO_CASE, LIVE, to=INDEX, again=again)])
        elif not waits and live is not None:
            self._end(live)
        self._moved, self._stale = False, True

    def look_again(self) -> None:
        """Somebody came into the channel: what may be shown there is seen anew."""
        self._read_at, self._stale = -READERS_FOR, True

    def _end(self, post: Post) -> None:
        """It is not the live one any more; one that was never there is not wanted any more."""
        if post.state == DUE:
            self.outbox.drop(post)
        else:
            self.outbox.turn(post, OVER)

    def _said(self) -> list[str]:
        """The rules of which it was said within the hour that they came over a cap."""
        since = (datetime.now(UTC) - SAID_FOR).isoformat()
        return list(dict.fromkeys(a for a in self.outbox.since((LIVE, OVER), since) if a))

    # -- in Slack ------------------------------------------------------------------------------

    async def send(self, post: Post) -> None:
        """Post it. Raises Transient; another refusal is tried again when the queue changes."""
        if post.state == SENDING and await self._found(post):
            return
        if post.kind == OVER:
            self.outbox.drop(post)
            return
        message = await self._message(post)
        self.outbox.sending(post, self.index)
        try:
            answer = await self.web.post(self.index, message, metadata=post.metadata)
        except (Missing, Denied, Unexpected) as error:
            log.warning("slack refuses the list of alerts", why=error.why)
            self.outbox.drop(post)
            return
        where = str(answer.get("channel") or self.index)
        self.outbox.stored(post, where, str(answer["ts"]), digest(message))
        self._moved = True

    async def _found(self, post: Post) -> bool:
        """Whether it was posted before a crash; not to be told in a public channel."""
        try:
            ts = await self.web.find(self.index, post.key)
        except (Missing, Denied, Unexpected):
            return False
        if ts:
            self.outbox.stored(post, self.index, ts, "")
        return bool(ts)

    async def keep_current(self, budget: Budget) -> None:
        """Edit what shows an older state, as often as Slack allows. Raises Transient."""
        if not self._stale or budget.soon(_NAME):
            return
        self._stale = False
        try:
            there = self.outbox.there(NO_CASE, (LIVE, OVER))
            if not there:
                return
            *before, last = there
            message = await self._message(last)
            if digest(message) != last.shown:
                self._stale = not budget.may(_NAME)
                if not self._stale:
                    await self._edit(last, message)
            for post in before:
                if self._stale or not budget.may(_NAME, urgent=True):
                    self._stale = True
                    return
                await self._edit(post, alertcards.over(last.ts))
                self.outbox.drop(post)
        except VendorError:
            self._stale = True
            raise

    async def _edit(self, post: Post, message: Message) -> None:
        try:
            await self.web.call("chat.update", channel=post.channel, ts=post.ts, **message)
        except Missing as error:
            log.info("the list of alerts is gone", why=error.why)
            self.outbox.drop(post)
            self._moved = True
        except (Denied, Unexpected) as error:
            log.warning("slack refuses an edit", key=post.key, why=error.why)
            self.outbox.edited(post, digest(message))
        else:
            self.outbox.edited(post, digest(message))

    async def _message(self, post: Post) -> Message:
        waiting = [] if post.kind == OVER else await asyncio.to_thread(self.queue.waiting)
        return alertcards.board(waiting, await self._who_reads(), self._said())

    async def _who_reads(self) -> frozenset[str] | None:
        """The addresses of everybody in the channel; None unless all of them are operators.

        Slack tells it of private channels only: a public one is read by anybody. Raises Transient.
        """
        if monotonic() - self._read_at < READERS_FOR:
            return self._readers
        self._readers = await self._readers_now()
        self._read_at = monotonic()
        return self._readers

    async def _readers_now(self) -> frozenset[str] | None:
        operators = {email.lower() for email in await self.api.operators()}
        try:
            users = set(await self.channels.members(self.index)) - {await self.channels.me()}
            if len(users) > len(operators):
                return None
            people = self.channels.people
            members = [await people.member(user, max_age=STANDS_IN) for user in sorted(users)]
        except (Denied, Missing, Unexpected, NotAllowed):
            return None
        if any(m.barred or m.email not in operators for m in members):
            return None
        return frozenset(m.email for m in members)


def _held(entry: Entry) -> Iterator[str]:
    """The rules that came over a cap, so that what they found is held."""
    for told in entry.data["alerts"]:
        if told["outcome"] == Outcome.HELD and told["rule"]:
            yield str(told["rule"])
