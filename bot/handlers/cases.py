"""A case from the outside: status, abort, restore, as buttons and forms."""

from __future__ import annotations

import json

from slack_bolt.async_app import AsyncApp

from bot import modals, plancard, progress
from bot.blocks import Block, header, modal, told
from bot.handlers.requests import Ack, values_of
from bot.naming import case_id, title
from bot.parts import Body, Parts
from killswitch.api import Person
from killswitch.model.case import SETTLED
from killswitch.model.errors import NotAllowed


def register(app: AsyncApp, parts: Parts) -> None:
    """Buttons and forms."""

    @app.action("case.status")
    async def status_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await status(parts, body, _case(body))

    @app.action("case.abort")
    async def abort_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await abort(parts, body, _case(body))

    @app.action("case.restore")
    async def restore_pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await restore(parts, body, _case(body))

    @app.view(modals.ABORT)
    async def abort_sent(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body, "abort")

    @app.view(modals.RESTORE)
    async def restore_sent(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body, "restore")


async def status(parts: Parts, body: Body, case: str) -> None:
    """How the case stands, for those who may see it."""

    async def fill(person: Person) -> Block:
        view = await parts.api.view(_known(case), person)
        now = parts.api.house.now().isoformat()
        ended = progress.settled(view)["blocks"] if view.state in SETTLED else []
        shown = [*ended, *progress.progress(view, now)["blocks"]]
        return modal("told", f"Status {case}", [b for b in shown if b["type"] != "actions"])

    await parts.open(body, f"Status {case}", fill)


async def plan(parts: Parts, body: Body, case: str) -> None:
    """The case's plan, for those who may see it."""

    async def fill(person: Person) -> Block:
        view = await parts.api.view(_known(case), person)
        if view.plan is None:
            return told(f"Plan {case}", f"{title(view)} has no plan yet.")
        return modal(
            "told",
            f"Plan {case}",
            [header(f"Plan · {title(view)}"), *plancard.plan_blocks(view.plan, 40)],
        )

    await parts.open(body, f"Plan {case}", fill)


async def abort(parts: Parts, body: Body, case: str, reason: str = "") -> None:
    """The form that stops a case."""

    async def fill(person: Person) -> Block:
        view = await parts.api.view(_known(case), person)
        return modals.abort(view, reason)

    await parts.open(body, f"Abort {case}", fill)


async def restore(parts: Parts, body: Body, case: str, reason: str = "") -> None:
    """The form that gives access back."""

    async def fill(person: Person) -> Block:
        view = await parts.api.view(_known(case), person)
        return modals.restore(view, reason)

    await parts.open(body, f"Restore {case}", fill)


async def submit(parts: Parts, ack: Ack, body: Body, kind: str) -> None:
    """The form was sent: noted, acknowledged, handed over."""
    view = body["view"]
    values = values_of(view)
    case = str(json.loads(view.get("private_metadata") or "{}").get("case", ""))
    if kind == "restore" and not values.get("cause"):
        await parts.look(body, misread="the cause is not fixed")
        await ack(response_action="errors", errors={"cause": "Find and fix the cause first."})
        return
    press = parts.press(
        body,
        kind,
        view=view["id"],
        case=case_id(case),
        reason=values.get("reason", ""),
        only=values.get("only", []),
    )
    fresh = await parts.presses.take(press)
    await ack(response_action="update", view=told("Taken", "Taken. One moment…"))
    if fresh:
        await parts.desk.carry_out(press)


def _known(case: str) -> str:
    if not case:
        raise NotAllowed("that button is about no case of ours")
    return case


def _case(body: Body) -> str:
    return case_id(str(((body.get("actions") or [{}])[0]).get("value", "")))
