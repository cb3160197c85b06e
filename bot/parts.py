"""What the handlers work with, put together once by ``run.py``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from bot.blocks import Block, said, told
from bot.channels import Channels
from bot.desk import Desk
from bot.homes import Homes
from bot.notifier import Notifier
from bot.people import People
from bot.presses import Press, Presses
from bot.queue import Queue
from bot.web import Web
from killswitch import playbooks
from killswitch.api import Killswitch, Person
from killswitch.config import Config
from killswitch.model.errors import KillswitchError, VendorError
from killswitch.model.plan import Mode

log = structlog.get_logger()

Body = dict[str, Any]
Build = Callable[[Person], Awaitable[Block]]


@dataclass
class Parts:
    """Everything that a handler needs."""

    api: Killswitch
    config: Config
    web: Web
    people: People
    presses: Presses
    desk: Desk
    channels: Channels
    notifier: Notifier
    homes: Homes
    queue: Queue | None  # where alerts are configured
    via: str

    @property
    def domains(self) -> tuple[str, ...]:
        """The company's own."""
        return self.config.written.company.domains

    @property
    def live(self) -> bool:
        """Whether a kill is a real one."""
        return self.config.mode is Mode.LIVE

    def playbooks(self) -> tuple[str, ...]:
        """Those that can be chosen."""
        return tuple(playbooks.names(policy=self.config))

    def press(self, body: Body, kind: str, **work: Any) -> Press:
        """The press in a payload."""
        return Press.of(body, kind, self.via, **work)

    async def look(self, body: Body, **work: Any) -> bool:
        """Note a press that only looks; False for another delivery of it."""
        return await self.presses.take(self.press(body, "look", **work), outcome="shown")

    async def open(self, body: Body, name: str, build: Build, first: Block | None = None) -> None:
        """Open a modal at once, then fill it when it is known who asks and what they may see.

        ``first``: what it shows until then. Nothing goes over the network before ``views.open``.
        What is pressed in a modal is shown in that one.
        """
        view = first or told(name, "One moment…")
        try:
            shown = await self._opened(body, view)
        except VendorError as error:
            log.warning("a form could not be opened", name=name, why=error.why)
            await self._tell(body, "Slack could not open a form. `agent-kill` at a terminal works.")
            return
        user = str(body.get("user_id") or (body.get("user") or {}).get("id", ""))
        try:
            full = await build(await self.people.person(user))
        except KillswitchError as error:
            log.info("a look was refused", user=user, name=name, why=error.why)
            await self.presses.done(self.press(body, "look").id, f"refused: {error.why}")
            hint = f"\n_{said(error.hint, 300)}_" if error.hint else ""
            full = told("Refused", f"{said(error.why, 500)}.{hint}\nNothing was started.")
        try:  # by its hash: a form that was sent meanwhile stays as it is
            await self.web.call("views.update", view_id=shown["id"], hash=shown["hash"], view=full)
        except VendorError as error:
            log.info("a form was closed", name=name, why=error.why)

    async def _opened(self, body: Body, view: Block) -> Body:
        there: Body = body.get("view") or {}
        if there.get("type") == "modal":
            return there
        opened = await self.web.call("views.open", trigger_id=body["trigger_id"], view=view)
        found: Body = opened["view"]
        return found

    async def _tell(self, body: Body, text: str) -> None:
        press = self.press(body, "look")
        try:
            await self.web.tell(press.user, press.channel, text)
        except VendorError as error:
            log.info("nothing could be told", why=error.why)
