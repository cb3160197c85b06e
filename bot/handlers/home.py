"""App Home: the page is made anew each time that somebody opens it."""

from __future__ import annotations

import structlog
from slack_bolt.async_app import AsyncApp

from bot import homepage
from bot.blocks import Block
from bot.parts import Body, Parts
from killswitch.api import Person
from killswitch.model.errors import KillswitchError, VendorError

log = structlog.get_logger()


def register(app: AsyncApp, parts: Parts) -> None:
    """The one event."""

    @app.event("app_home_opened")
    async def opened(body: Body) -> None:
        event = body["event"]
        if event.get("tab", "home") != "home":
            return
        user = str(event["user"])
        try:
            view = await page(parts, await parts.people.person(user))
        except KillswitchError as error:
            view = homepage.stranger(error.why)
        try:
            await parts.web.call("views.publish", user_id=user, view=view)
        except VendorError as error:
            log.warning("a home page could not be shown", why=error.why)


async def page(parts: Parts, person: Person) -> Block:
    """What that person sees."""
    seen = [c for c in parts.api.list(limit=50) if await parts.api.sees(c, person)]
    waiting = [
        (case, gate)
        for case in seen
        for gate in case.gates.values()
        if not gate.outcome and person.email in parts.api.may_answer(case.id, gate.name)
    ]
    operator = person.email in await parts.api.operators()
    return homepage.home(waiting, seen, operator=operator)
