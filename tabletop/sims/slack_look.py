"""Looking at the fake Slack: what is posted, who sees it, what the app called."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tabletop.sims.slack_press import Json, Press
from tabletop.sims.slack_state import Call, Channel, Uploaded, Workspace
from tabletop.sims.slack_text import text_of
from tabletop.sims.slack_views import shown

T = TypeVar("T")


class Look:
    """The part of FakeSlack that changes nothing. Everything returned is a copy."""

    space: Workspace

    def user(self, who: str) -> str:
        """The id of the person with that e-mail address, name or id."""
        return self.space.who(who).id

    def messages(self, channel: str, *, visible_to: str | None = None) -> list[Json]:
        """What is posted there, oldest first, with ``channel`` added; deleted messages are gone.

        With ``visible_to``: nothing, unless that person can read the channel.
        """
        with self.space.lock:
            found = self.space.channel(channel)
            if visible_to is not None and not self.space.sees(self.user(visible_to), found):
                return []
            return self._of(found)

    def _of(self, channel: Channel) -> list[Json]:
        return [{**copy.deepcopy(m), "channel": channel.id} for m in channel.messages]

    def thread(self, message: Json) -> list[Json]:
        """The replies to a message, oldest first."""
        found = self.messages(message["channel"])
        return [m for m in found if m.get("thread_ts") == message["ts"] != m["ts"]]

    def dm(self, user: str) -> list[Json]:
        """What the app sent that person directly."""
        with self.space.lock:
            mine = [c for c in self.space.channels.values() if c.im_user == self.user(user)]
            return [message for channel in mine for message in self._of(channel)]

    def channels(self, user: str) -> list[Json]:
        """The channels that person can read: id, name, is_private, is_archived, topic, members."""
        with self.space.lock:
            who = self.user(user)
            return [
                _channel(c)
                for c in self.space.channels.values()
                if not c.im_user and self.space.sees(who, c)
            ]

    def channel(self, channel: str) -> Json:
        """One channel, as ``channels`` shows it, whoever can read it."""
        with self.space.lock:
            return _channel(self.space.channel(channel))

    def ephemerals(self, user: str) -> list[Json]:
        """Every message that only that person saw, oldest first."""
        with self.space.lock:
            who = self.user(user)
            return [copy.deepcopy(e) for e in self.space.ephemerals if e["to"] == who]

    def view(self, user: str) -> Json | None:
        """The modal that is open in front of that person, with what is typed into it."""
        with self.space.lock:
            stack = self.space.modals.get(self.user(user))
            return copy.deepcopy(shown(self.space, stack[-1])) if stack else None

    def published(self, user: str) -> Json | None:
        """The Home tab that the app last published for that person."""
        with self.space.lock:
            id_ = self.space.homes.get(self.user(user))
            return copy.deepcopy(shown(self.space, id_)) if id_ else None

    def files(self) -> list[Uploaded]:
        """Every file whose content was uploaded."""
        with self.space.lock:
            return [copy.copy(f) for f in self.space.files.values() if f.content is not None]

    def calls(self, method: str | None = None) -> list[Call]:
        """The Web API calls so far, oldest first, of one method or of all; tokens left out."""
        with self.space.lock:
            return [c for c in self.space.calls if method in (None, c.method)]

    def presses(self) -> list[Press]:
        """Everything that was delivered to the app or should have been, oldest first."""
        with self.space.lock:
            return list(self.space.presses)

    def transcript(self, *, visible_to: str | None = None) -> str:
        """All that is on the screens now, in the order it was posted, as plain text."""
        with self.space.lock:
            who = self.user(visible_to) if visible_to else None
            lines: list[tuple[str, str]] = []
            for channel in self.space.channels.values():
                if who is None or self.space.sees(who, channel):
                    where = (
                        f"@{self._name(channel.im_user)}" if channel.im_user else f"#{channel.name}"
                    )
                    lines += [(m["ts"], self._shown(where, m)) for m in channel.messages]
            for said in self.space.ephemerals:
                if who in (None, said["to"]):
                    lines.append((said["ts"], self._shown(f"only @{self._name(said['to'])}", said)))
            return "\n".join(line for _, line in sorted(lines))

    def _shown(self, where: str, message: Json) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(float(message["ts"])))
        edited = " (edited)" if message.get("edited") else ""
        head = f"{at} {where} {self._name(message['user'])}{edited}:"
        if message.get("thread_ts", message["ts"]) != message["ts"]:
            head = "    in thread " + head
        body = "\n".join(f"    {line}" for line in text_of(message).splitlines())
        return f"{head}\n{body}"

    def _name(self, user: str) -> str:
        return self.space.users[user].name

    async def wait_for(self, predicate: Callable[[], T], seconds: float = 5.0) -> T:
        """What the predicate returns as soon as that is true; AssertionError if it never is."""
        until = time.monotonic() + seconds
        while not (found := predicate()):
            if time.monotonic() > until:
                raise AssertionError(f"not within {seconds} s; {self._last()}")
            await asyncio.sleep(0.01)
        return found

    def _last(self) -> str:
        calls = [f"{c.method} {c.status} {c.error}".strip() for c in self.calls()[-8:]]
        return f"last calls: {calls or 'none'}\n{self.transcript()[-3000:]}"


def _channel(channel: Channel) -> Json:
    found: dict[str, Any] = {
        "id": channel.id,
        "name": channel.name,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "topic": channel.topic,
        "purpose": channel.purpose,
        "members": list(channel.members),
        "pins": list(channel.pins),
        "bookmarks": copy.deepcopy(channel.bookmarks),
    }
    return found
