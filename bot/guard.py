"""Who gets no further than the door: other apps, other companies, guests, bots, former people.

Bolt checks none of this: a press by somebody of another company in a shared channel reaches the
handlers. So everything is looked at here first, in this order, and what cannot be told is refused.
The refusal is private and says why. What a person may do is the API's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from slack_bolt import BoltResponse

from bot import drill
from bot.blocks import told
from bot.people import People
from bot.presses import Press, Presses
from bot.web import Web
from killswitch.model.errors import KillswitchError, NotAllowed, Transient, VendorError

log = structlog.get_logger()

FRESH = 300.0  # seconds for which a reading of somebody's account will do at the door
PATIENCE = 1.5  # seconds that Slack has to say who somebody is; triggers live for three
_EVENTS_OF_NOBODY = {"member_joined_channel", "app_uninstalled", "tokens_revoked"}


@dataclass
class Guard:
    """The global middleware."""

    app_id: str
    team: str
    enterprise: str
    people: People
    presses: Presses
    web: Web
    via: str = "socket"
    _telling: set[asyncio.Task[None]] = field(default_factory=set)

    async def check(
        self,
        body: dict[str, Any],
        next: Callable[[], Awaitable[Any]],  # noqa: A002  # Bolt's name
    ) -> BoltResponse | None:
        """Let it pass, or answer it here."""
        why = self.of_payload(body) or await self._of_person(body)
        if not why:
            await next()
            return None
        press = Press.of(body, "refused", self.via)
        log.warning("a press was refused at the door", user=press.user, team=press.team, why=why)
        await self.presses.take(press, outcome=f"refused: {why}")
        return self._answer(body, press, why)

    def of_payload(self, body: dict[str, Any]) -> str:
        """What the signed payload itself speaks against; "" if nothing."""
        if body.get("api_app_id") != self.app_id:
            return "this is not for this app"
        if not self._ours(body):
            return "this workspace is not the one that this app serves"
        user = body.get("user")
        if isinstance(user, dict):
            team, grid = user.get("team_id"), user.get("enterprise_id")
            if (team or grid) and team != self.team and not (grid and grid == self.enterprise):
                return "people of other companies cannot press anything here"
        event = body.get("event") or {}
        if event.get("user_team") and event["user_team"] not in (self.team, self.enterprise):
            return "people of other companies cannot press anything here"
        return ""

    def _ours(self, body: dict[str, Any]) -> bool:
        """The workspace, or any of our organisation where one is configured."""
        team = body.get("team_id") or (body.get("team") or {}).get("id")
        grid = body.get("enterprise_id") or (body.get("enterprise") or {}).get("id")
        return bool(team == self.team or (self.enterprise and grid == self.enterprise))

    async def _of_person(self, body: dict[str, Any]) -> str:
        event = body.get("event") or {}
        if event.get("type") in _EVENTS_OF_NOBODY:
            return ""
        user = body.get("user_id") or (body.get("user") or {}).get("id") or event.get("user")
        if not user:
            return "Slack does not say who pressed"
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self.people.member(str(user), max_age=FRESH)
        except NotAllowed as error:
            return error.why
        except (Transient, TimeoutError):
            return "Slack does not say who you are just now; `agent-kill` at a terminal works"
        return member.barred

    def _answer(self, body: dict[str, Any], press: Press, why: str) -> BoltResponse:
        """A private answer: in the acknowledgement where Slack shows that, else on its own."""
        text = f"Refused: {why}. Nothing was started."
        if self.web.drill:
            text = drill.text(text)
        if body.get("command"):
            return BoltResponse(status=200, body=text)
        if body.get("type") == "view_submission":
            view = {"response_action": "update", "view": told("Refused", text)}
            return BoltResponse(status=200, body=view)
        if body.get("api_app_id") == self.app_id and body.get("type") != "event_callback":
            task = asyncio.create_task(self._tell(press, text))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
        return BoltResponse(status=200, body="")

    async def _tell(self, press: Press, text: str) -> None:
        try:
            await self.web.tell(press.user, press.channel, text)
        except VendorError as error:
            log.info("the refusal could not be told", user=press.user, why=error.why)


async def failed(error: Exception, body: dict[str, Any]) -> BoltResponse:
    """What is said when a handler failed: that nothing was taken, and where else to go."""
    log.error("a press failed", kind=type(error).__name__, exc_info=error)
    why = error.why if isinstance(error, KillswitchError) else "a fault of ours"
    text = f"Not taken: {why}. `agent-kill` at a terminal works without Slack."
    if body.get("type") == "view_submission":
        update = {"response_action": "update", "view": told("Not taken", text)}
        return BoltResponse(status=200, body=update)
    return BoltResponse(status=200, body=text if body.get("command") else "")
