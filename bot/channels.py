"""The private channel of a case: its codename, who is let in, and who is kept out.

The subject and every bot but ours are kept out: never invited, removed when they join, and while
one of them is in, nothing detailed is posted there.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import insert, select, update

from bot.naming import channel_name
from bot.people import STANDS_IN, People
from bot.tables import channels
from bot.web import Web
from killswitch.api import Killswitch
from killswitch.model.case import Case
from killswitch.model.errors import Denied, Missing, Unexpected

log = structlog.get_logger()

TURNS = 5  # channels that one case may have: each one lost is followed by another


class Channels:
    """Case channels, over Slack and the table of channels."""

    def __init__(
        self, web: Web, people: People, api: Killswitch, prefix: str, *, team: str = ""
    ) -> None:
        self.web, self.people, self.api, self.prefix = web, people, api, prefix
        self.team = team or None  # an app of a whole organisation must say in which workspace
        self.store = api.house.store
        self.ourselves = ""  # our own user id in Slack
        self._let_in: dict[str, set[str]] = {}  # channel -> who was invited
        self._making: dict[str, asyncio.Lock] = {}

    async def of(self, case: Case) -> str:
        """The case's channel; made, and its people invited, where there is none yet.

        Raises Transient, Denied, Unexpected.
        """
        async with self._making.setdefault(case.id, asyncio.Lock()):
            channel, _ = self.known(case.id)
            if not channel:
                channel = await self._make(case)
        await self._invite(case, channel)
        return channel

    def known(self, case: str) -> tuple[str, int]:
        """The channel on record and its turn; "" where there is none."""
        with self.store.read() as tx:
            row = tx.execute(select(channels).where(channels.c.case_id == case)).first()
        return (row.channel, row.turn) if row else ("", 0)

    def case_of(self, channel: str) -> str:
        """The case whose channel that is; "" where it is none."""
        with self.store.read() as tx:
            found = tx.execute(select(channels.c.case_id).where(channels.c.channel == channel))
            return str(found.scalar() or "")

    def lose(self, case: str) -> bool:
        """The channel is archived or gone: the next post makes another. False: enough of that."""
        channel, turn = self.known(case)
        self._let_in.pop(channel, None)
        if turn + 1 >= TURNS:
            return False
        with self.store.begin() as tx:
            tx.execute(
                update(channels)
                .where(channels.c.case_id == case)
                .values(channel="", name="", turn=turn + 1)
            )
        return True

    async def safe(self, case: Case, channel: str) -> bool:
        """Whether nobody is in who must not be; such people are removed first."""
        strangers = await self._strangers(case, channel)
        for user in strangers:
            await self.remove(channel, user)
        return not strangers or not await self._strangers(case, channel)

    async def remove(self, channel: str, user: str) -> None:
        """Take somebody out. What Slack refuses is seen when the members are read again."""
        try:
            await self.web.call("conversations.kick", channel=channel, user=user)
        except (Denied, Missing, Unexpected) as error:
            log.warning("somebody cannot be removed", channel=channel, why=error.why)

    async def unwanted(self, case: Case, user: str) -> bool:
        """Whether that user must not be in the case's channel."""
        if not user or user == await self.me():
            return False
        member = await self.people.member(user, max_age=STANDS_IN)
        return bool(member.barred) or member.email in self.api.kept_out(case.id)

    async def me(self) -> str:
        """Our own user id."""
        if not self.ourselves:
            self.ourselves = str((await self.web.call("auth.test")).get("user_id", ""))
        return self.ourselves

    async def _strangers(self, case: Case, channel: str) -> list[str]:
        return [u for u in await self.members(channel) if await self.unwanted(case, u)]

    async def members(self, channel: str) -> list[str]:
        """Who is in the channel."""
        found: list[str] = []
        cursor = ""
        while True:
            answer = await self.web.read(
                "conversations.members", channel=channel, limit=200, cursor=cursor
            )
            found += answer.get("members", [])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return found

    async def _make(self, case: Case) -> str:
        turn = self.known(case.id)[1]
        name = channel_name(self.prefix, case.id, turn, drill=self.web.drill)
        try:
            made = await self.web.call(
                "conversations.create", name=name, is_private=True, team_id=self.team
            )
            channel = str(made["channel"]["id"])
        except Unexpected:
            channel = await self._of_a_crash(name)  # made before a crash, and not written down
        self._keep(case.id, channel, name, turn)
        return channel

    async def _of_a_crash(self, name: str) -> str:
        """Our own private channel of that name. Raises Unexpected when there is none."""
        cursor = ""
        while True:
            answer = await self.web.read(
                "conversations.list",
                types="private_channel",
                exclude_archived="true",
                limit=200,
                cursor=cursor,
                team_id=self.team,
            )
            for channel in answer.get("channels", []):
                if channel.get("name") == name and channel.get("creator") == await self.me():
                    return str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                raise Unexpected(f"the channel name {name} is taken", operation="conversations")

    def _keep(self, case: str, channel: str, name: str, turn: int) -> None:
        with self.store.begin() as tx:
            done = tx.execute(
                update(channels)
                .where(channels.c.case_id == case)
                .values(channel=channel, name=name, turn=turn)
            )
            if not done.rowcount:
                tx.execute(
                    insert(channels).values(case_id=case, channel=channel, name=name, turn=turn)
                )

    async def _invite(self, case: Case, channel: str) -> None:
        """Operators, the requester and those who are asked; never the subject."""
        wanted = {case.request.requester.lower(), *await self.api.operators()}
        for gate in case.gates.values():
            wanted |= {a.lower() for a in gate.approvers}
        wanted -= self.api.kept_out(case.id)
        known = self._let_in.setdefault(channel, set())
        if not wanted - known:
            return
        users = set((await self.people.slack_ids(sorted(wanted - known))).values())
        inside = set(await self.members(channel))
        for user in sorted(users - inside):
            await self._let(channel, user)
        known |= wanted

    async def _let(self, channel: str, user: str) -> None:
        try:
            await self.web.call("conversations.invite", channel=channel, users=user)
        except (Denied, Missing, Unexpected) as error:
            log.warning("somebody cannot be invited", channel=channel, why=error.why)
