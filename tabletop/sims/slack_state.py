"""What the fake Slack knows: people, channels, messages, views, triggers. No network here.

Everything is read and written under ``Workspace.lock``: the server's thread answers requests while
a test or a drill looks on from another. Bodies are Slack's own JSON.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tabletop.sims.slack_press import Press
from tabletop.sims.world import World

Json = dict[str, Any]
KEPT = 20_000  # calls, presses and ephemeral messages that are remembered
MESSAGES_KEPT = 5_000  # in one channel

# What docs/slack.md asks an administrator to grant, and nothing else.
SCOPES = frozenset(
    {
        "bookmarks:write",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:write",
        "groups:history",
        "groups:read",
        "groups:write",
        "im:write",
        "pins:write",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)
EVENTS = frozenset(
    {"app_home_opened", "member_joined_channel", "app_uninstalled", "tokens_revoked"}
)


class SlackError(Exception):
    """Answered as ``{"ok": false, "error": error, **more}``."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


@dataclass
class User:
    """Somebody with an account, here or in another team that shares a channel with this one."""

    id: str
    team_id: str
    name: str
    real_name: str
    email: str = ""
    is_email_confirmed: bool = True
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False  # a guest
    is_ultra_restricted: bool = False  # a guest of one channel
    enterprise_id: str = ""
    bot_id: str = ""
    app_id: str = ""


@dataclass
class Channel:
    """A conversation; ``im_user`` is set when it is the app's direct messages with that person."""

    id: str
    name: str
    private: bool
    creator: str
    created: int
    members: list[str] = field(default_factory=list)
    messages: list[Json] = field(default_factory=list)
    archived: bool = False
    topic: str = ""
    purpose: str = ""
    im_user: str = ""
    pins: list[str] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)

    def message(self, ts: str) -> Json | None:
        """The message posted at that time, unless it was deleted."""
        return next((m for m in reversed(self.messages) if m["ts"] == ts), None)


@dataclass
class Trigger:
    """What a press gives the app: for a few seconds it may open one view, once."""

    user: str
    until: float
    press: Press
    exchanged: bool = False


@dataclass
class Reply:
    """A ``response_url``: answers to one press, five at most, for half an hour."""

    user: str
    channel: str
    until: float
    press: Press
    message_ts: str = ""
    ephemeral: bool = False
    uses: int = 0


Held = TypeVar("Held", Trigger, Reply)


@dataclass(frozen=True)
class Call:
    """One call of the Web API: when (epoch seconds), with what, and what was answered."""

    method: str
    args: Json
    at: float
    ok: bool
    error: str
    status: int
    answer: Json


@dataclass
class Uploaded:
    """A file; ``channel`` is empty until the upload is completed."""

    id: str
    name: str
    length: int
    content: bytes | None = None
    title: str = ""
    channel: str = ""
    thread_ts: str = ""
    ts: str = ""
    comment: str = ""


class Workspace:
    """One Slack team with one app installed in it."""

    def __init__(self, world: World, *, enterprise_id: str = "", org_install: bool = False) -> None:
        self.world = world
        self.lock = threading.RLock()
        self.enterprise_id = enterprise_id
        self.org_install = org_install  # in the whole organisation, not in this workspace only
        self.user_prefix = "W" if org_install else "U"
        self.team_id = self.make_id("T", "team")
        self.team_domain = world.organization
        self.app_id = self.make_id("A", "app")
        self.bot_token = self.make_id("xoxb-fake-", "token")
        self.app_token = self.make_id("xapp-fake-", "token")
        self.signing_secret = self.make_id("fake", "signing-secret").lower()
        self.token_error = ""  # what every call answers once set: ``token_revoked``
        self.base_url = ""  # http://127.0.0.1:PORT, set by the server
        self.tickets: dict[str, float] = {}  # for a WebSocket, and until when
        self.scopes: set[str] = set(SCOPES)
        self.events: set[str] = set(EVENTS)
        self.users: dict[str, User] = {}
        self.groups: dict[str, tuple[str, list[str]]] = {}  # id -> handle, members
        self.channels: dict[str, Channel] = {}
        self.views: dict[str, Json] = {}
        self.owners: dict[str, str] = {}  # view -> who sees it
        self.modals: dict[str, list[str]] = {}  # person -> their stack of views
        self.homes: dict[str, str] = {}  # person -> their Home view
        self.typed: dict[str, dict[str, dict[str, Json]]] = {}  # view -> block -> action -> value
        self.triggers: dict[str, Trigger] = {}
        self.replies: dict[str, Reply] = {}
        self.files: dict[str, Uploaded] = {}
        self.ephemerals: deque[Json] = deque(maxlen=KEPT)
        self.calls: deque[Call] = deque(maxlen=KEPT)
        self.presses: deque[Press] = deque(maxlen=KEPT)
        self.emit: Callable[[Json], None] = lambda _event: None  # set by the server
        self._serial = itertools.count(1)
        self._last_ts = 0
        self._bot = self._seed()

    def _seed(self) -> User:
        bot = self.add_user(
            "agent-kill", "agent-kill", is_bot=True, bot_id=self.make_id("B", "app"),
            app_id=self.app_id,
        )  # fmt: skip
        for person in self.world.people:
            self.add_user(person.login, person.name, email=person.email)
        for agent in self.world.agents:
            owner = self.world.person(agent.owner)
            of = f" of {owner.name}" if owner else ""
            self.add_user(
                agent.id, agent.product + of, is_bot=True, bot_id=self.make_id("B", agent.id),
                app_id=self.make_id("A", agent.id),
            )  # fmt: skip
        for handle in sorted({g for p in self.world.people for g in p.groups}):
            members = [self.who(p.email).id for p in self.world.people if handle in p.groups]
            self.groups[self.make_id("S", handle)] = (handle, members)
        everyone = [u.id for u in self.users.values() if not u.is_bot]
        self.add_channel("general", members=everyone)
        return bot

    @property
    def bot(self) -> User:
        """The app's own bot user."""
        return self._bot

    def make_id(self, prefix: str, *names: str) -> str:
        """An id of Slack's shape, the same for the same names in every run."""
        return prefix + self.world.id("", "slack", prefix, *names, length=10).upper()

    def fresh_id(self, prefix: str) -> str:
        """An id that nothing else has."""
        return self.make_id(prefix, "fresh", str(next(self._serial)))

    def ts(self) -> str:
        """Now, as Slack names messages: never the same twice."""
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def add_user(self, name: str, real_name: str, **how: Any) -> User:
        """Give somebody an account; ``how`` are fields of ``User``."""
        user = User(
            **{
                "id": self.make_id(self.user_prefix, "user", name),
                "team_id": self.team_id,
                "name": name,
                "real_name": real_name,
                "enterprise_id": self.enterprise_id,
                **how,
            }
        )
        self.users[user.id] = user
        return user

    def who(self, user: str) -> User:
        """The person with that id, e-mail address or name; AssertionError if there is nobody."""
        found = self.users.get(user) or next(
            (u for u in self.users.values() if user.lower() in (u.email, u.name)), None
        )
        assert found is not None, f"nobody in this Slack is {user}"
        return found

    def add_channel(
        self, name: str, *, members: list[str], private: bool = False, creator: str = ""
    ) -> Channel:
        """Make a channel."""
        channel = Channel(
            self.fresh_id("C"), name, private, creator, int(time.time()), list(members)
        )
        self.channels[channel.id] = channel
        return channel

    def channel(self, channel: str) -> Channel:
        """The channel with that id or name; AssertionError if there is none."""
        name = channel.removeprefix("#")
        found = self.channels.get(channel) or next(
            (c for c in self.channels.values() if c.name == name and not c.im_user), None
        )
        assert found is not None, f"no channel here is {channel}"
        return found

    def direct(self, user: str) -> Channel:
        """The app's direct messages with that person, opened if they were not yet."""
        found = next((c for c in self.channels.values() if c.im_user == user), None)
        if found is None:
            found = Channel(
                self.fresh_id("D"), "directmessage", True, self.bot.id, int(time.time()),
                [self.bot.id, user], im_user=user,
            )  # fmt: skip
            self.channels[found.id] = found
        return found

    def sees(self, user: str, channel: Channel) -> bool:
        """Whether that person can read there: a member, or any colleague if it is public."""
        who = self.users[user]
        outsider = who.is_restricted or who.deleted or who.team_id != self.team_id
        return user in channel.members or not (channel.private or outsider)

    def need(self, *scopes: str) -> None:
        """Refuse the call unless one of these scopes was granted."""
        if not self.scopes & set(scopes):
            raise SlackError(
                "missing_scope", needed=scopes[0], provided=",".join(sorted(self.scopes))
            )

    def told_workspace(self, team: str) -> None:
        """Refuse a call of an app of the organisation that does not say which workspace it means.

        Other apps are in one workspace only; what they say is ignored, as Slack does.
        """
        if self.org_install and team != self.team_id:
            raise SlackError("invalid_team" if team else "missing_argument")

    def reachable(self, channel: str) -> Channel:
        """The channel as the app may name it: private ones exist for members only."""
        found = self.channels.get(channel)
        if found is None or not self.sees(self.bot.id, found):
            raise SlackError("channel_not_found")
        return found

    def add_message(self, channel: Channel, message: Json) -> Json:
        """Append a message, with a ``ts``, to a channel."""
        stored = {"type": "message", "ts": self.ts(), "team": self.team_id, **message}
        channel.messages.append(stored)
        del channel.messages[:-MESSAGES_KEPT]
        return stored

    def trigger(self, user: str, press: Press, seconds: float) -> str:
        """A new trigger for what that person just did."""
        now = time.monotonic()
        _forget(self.triggers, now)
        number = next(self._serial)
        name = f"{number}.{self.world.number('slack')}.{self.fresh_id('')[:16].lower()}"
        self.triggers[name] = Trigger(user, now + seconds, press)
        return name

    def reply(self, reply: Reply) -> str:
        """The name of a new ``response_url``."""
        _forget(self.replies, time.monotonic())
        name = self.fresh_id("")
        self.replies[name] = reply
        return name


def _forget(held: dict[str, Held], now: float) -> None:
    """Drop those that ran out a minute ago; the oldest come first."""
    while held and next(iter(held.values())).until < now - 60:
        del held[next(iter(held))]
