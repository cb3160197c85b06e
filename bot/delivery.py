"""Sending one message, once: found again after a crash, edited in place, given up only knowingly.

Only the notifier's task comes here. Nothing waits for it: Slack can be down for hours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import structlog

from bot import story
from bot.blocks import Message
from bot.channels import Channels
from bot.outbox import CASE, INDEX, SENDING, Outbox, Post, digest
from bot.people import People
from bot.web import Web
from killswitch.api import Killswitch
from killswitch.model.case import Case
from killswitch.model.errors import Already, Denied, Missing, Unexpected
from killswitch.report import comms

log = structlog.get_logger()

TRIES = 5  # of a message that Slack refuses for another reason than being down
_REPORTS = {
    "containment.html": "the containment report",
    "containment.md": "the containment report",
    "review.md": "the review, a draft for people to complete",
}
_KEPT_CURRENT = ("headline", "pin", "plan", "gate", "progress", "attention")
_IN_THREAD = {"attention", "residual"}


class Delivery:
    """Renders posts and brings them to Slack."""

    def __init__(
        self,
        web: Web,
        api: Killswitch,
        outbox: Outbox,
        people: People,
        channels: Channels,
        *,
        index: str,
        reports: Path,
    ) -> None:
        self.web, self.api, self.outbox = web, api, outbox
        self.people, self.channels = people, channels
        self.index, self.reports = index, reports
        self._refused: Counter[str] = Counter()
        self._pins = True  # until Slack says that we may not
        self.held: set[str] = set()  # cases whose details are held back: somebody is in the channel

    async def send(self, post: Post) -> bool:
        """Send it. False: it has to wait. Raises Transient while Slack does not answer."""
        case = self.api.show(post.case)
        if post.kind == "drafts" and not self._drafted(case):
            return False
        try:
            where = await self._where(post, case)
            if where is None:
                return False
            if not where:
                self.outbox.drop(post)
                return True
            await self._send(post, case, where)
        except Missing:
            if post.to == CASE and self.channels.lose(post.case):
                self._move(post.case)
                return False
            self.outbox.drop(post)
        except (Denied, Unexpected) as error:
            self._refused[post.key] += 1
            log.warning("slack refuses a message", key=post.key, why=error.why)
            if self._refused[post.key] >= TRIES:
                self.outbox.drop(post)
        return True

    async def _where(self, post: Post, case: Case) -> str | None:
        """The channel; "" where there is nobody to send it to, None where it has to wait."""
        if post.to == INDEX:
            return self.index
        if post.to != CASE:
            if post.to in self.api.kept_out(case.id):
                return ""
            return await self.people.slack_id(post.to)
        channel = await self.channels.of(case)
        if await self.channels.safe(case, channel):
            self.held.discard(case.id)
            return channel
        self.held.add(case.id)
        return None

    async def _send(self, post: Post, case: Case, channel: str) -> None:
        if post.state == SENDING and post.to == CASE and await self._found(post, channel):
            return
        if post.kind == "report":
            await self._upload(post, case, channel)
            return
        if post.kind == "pin":
            await self._pin(post, channel)
            return
        message = self.render(post, case)
        if message is None:
            self.outbox.drop(post)
            return
        shown = self.digest(post, case)
        self.outbox.sending(post, channel)
        thread = self._thread(post)
        answer = await self._posted(channel, message, post, thread)
        where = str(answer.get("channel") or channel)
        self.outbox.stored(post, where, str(answer["ts"]), shown)

    async def _posted(
        self, channel: str, message: Message, post: Post, thread: str | None
    ) -> dict[str, object]:
        try:
            return await self.web.post(channel, message, metadata=post.metadata, thread_ts=thread)
        except Unexpected as error:
            if not self._refused[post.key]:
                raise
            log.warning("sent as text only", key=post.key, why=error.why)
            return await self.web.post(channel, {"text": message["text"]}, metadata=post.metadata)

    def _thread(self, post: Post) -> str | None:
        """Details stand below the message that they belong to."""
        if post.kind not in _IN_THREAD:
            return None
        parent = self.outbox.find(post.case, "settled" if post.kind == "residual" else "progress")
        return parent.ts if parent else None

    async def _found(self, post: Post, channel: str) -> bool:
        """Whether it was posted before a crash, by what it carries invisibly."""
        ts = await self.web.find(channel, post.key)
        if ts:
            self.outbox.stored(post, channel, ts, "")
        return bool(ts)

    async def _upload(self, post: Post, case: Case, channel: str) -> None:
        self.outbox.sending(post, channel)
        for name, about in _REPORTS.items():
            file = self.reports / case.id / name
            if file.is_file():
                content = await asyncio.to_thread(file.read_bytes)
                await self.web.upload(channel, f"{case.id}-{name}", content, f"{case.id}: {about}")
        self.outbox.stored(post, channel, "", "")

    def _drafted(self, case: Case) -> bool:
        """Whether the drafts that the case calls for are written, or never will be."""
        there = all((self.reports / case.id / name).is_file() for name in comms.names(case))
        return there or bool(case.closed_at)

    async def _pin(self, post: Post, channel: str) -> None:
        """Pin the headline. A convenience: a refusal is said once and changes nothing else."""
        headline = self.outbox.find(post.case, "headline")
        if headline is None and any(
            p.case == post.case and p.kind == "headline" for p in self.outbox.waiting()
        ):
            return
        if headline is None or not self._pins:
            self.outbox.drop(post)
            return
        try:
            await self.web.call("pins.add", channel=channel, timestamp=headline.ts)
        except Already:
            log.info("the headline is pinned already", case=post.case)
        except Denied as error:
            log.warning("headlines are not pinned", why=error.why, scope=error.scope)
            self._pins = False
            self.outbox.drop(post)
            return
        except (Missing, Unexpected) as error:
            log.info("a headline is not pinned", case=post.case, why=error.why)
            self.outbox.drop(post)
            return
        self.outbox.stored(post, channel, headline.ts, "")

    def render(self, post: Post, case: Case) -> Message | None:
        """The message as things stand."""
        return story.render(post, case, self.api.may_answer, self.api.house.now().isoformat())

    def digest(self, post: Post, case: Case) -> str:
        """What the message shows, without its running clock."""
        return digest(story.render(post, case, self.api.may_answer, case.requested_at))

    async def edit(self, post: Post, case: Case, shown: str) -> None:
        """Let the message show how things stand. One that was deleted is posted again.

        Raises Transient.
        """
        message = self.render(post, case)
        if message is None:
            return
        try:
            await self.web.call("chat.update", channel=post.channel, ts=post.ts, **message)
        except Missing as error:
            log.info("a message is gone", key=post.key, why=error.why)
            self._gone(post, case)
        except (Denied, Unexpected) as error:
            log.warning("slack refuses an edit", key=post.key, why=error.why)
            self.outbox.edited(post, shown)
        else:
            self.outbox.edited(post, shown)

    def _gone(self, post: Post, case: Case) -> None:
        gate = case.gates.get(post.about) if post.kind.startswith("gate") else None
        if gate is not None and gate.outcome:
            self.outbox.drop(post)
            return
        self.outbox.again(post)
        if post.kind == "headline":
            for pin in self.outbox.there(case.id, ("pin",)):
                self.outbox.again(pin)

    def _move(self, case: str) -> None:
        """The channel was lost: what is kept current is posted in the next one."""
        for post in self.outbox.there(case, _KEPT_CURRENT):
            if post.to == CASE:
                self.outbox.again(post)

    async def look_after(self, case: Case) -> None:
        """Open gates whose card was deleted, or whose channel was archived, are posted again.

        Raises Transient.
        """
        cards = [
            p
            for p in self.outbox.there(case.id, ("gate",))
            if p.about in case.gates and not case.gates[p.about].outcome
        ]
        channel = self.channels.known(case.id)[0]
        if not cards or not channel:
            return
        try:
            if (await self.web.read("conversations.info", channel=channel))["channel"].get(
                "is_archived"
            ):
                raise Missing("archived", operation="conversations.info")
            oldest = min(card.ts for card in cards)
            answer = await self.web.read(
                "conversations.history", channel=channel, oldest=oldest, inclusive="true", limit=200
            )
        except Missing:
            if self.channels.lose(case.id):
                self._move(case.id)
            return
        except (Denied, Unexpected) as error:
            log.warning("the channel cannot be looked at", case=case.id, why=error.why)
            return
        there = {str(m.get("ts")) for m in answer.get("messages", [])}
        for card in cards:
            if card.ts not in there:
                self.outbox.again(card)
