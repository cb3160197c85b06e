"""Gates: Review and Deny open the same form; only its submission decides, and the API judges it."""

from __future__ import annotations

import json

from slack_bolt.async_app import AsyncApp

from bot import modals
from bot.blocks import Block, told
from bot.handlers.requests import Ack, values_of
from bot.naming import GateRef
from bot.parts import Body, Parts
from killswitch.api import Person
from killswitch.model.errors import NotAllowed


def register(app: AsyncApp, parts: Parts) -> None:
    """Buttons and form."""

    @app.action("gate.review")
    async def review(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await show(parts, body, GateRef.parse(_value(body)))

    @app.action("gate.deny")
    async def deny(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await show(parts, body, GateRef.parse(_value(body)), deny=True)

    @app.view(modals.REVIEW)
    async def decided(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body)


async def show(parts: Parts, body: Body, ref: GateRef | None, *, deny: bool = False) -> None:
    """The gate as it stands now, with its whole plan, or what became of it."""

    async def fill(person: Person) -> Block:
        if ref is None:
            raise NotAllowed("that button is about no gate of ours")
        case = await parts.api.view(ref.case, person)
        gate = case.gates.get(ref.gate)
        if gate is None:
            raise NotAllowed(f"{ref.case} asks nothing at a gate of that name")
        if ref.digest and not gate.digest.startswith(ref.digest):
            raise NotAllowed(
                "that button shows another plan than the one that is asked about now",
                hint=f"/agent-kill approve {case.id} {gate.name} shows the current one",
            )
        return modals.review(case, gate, deny=deny)

    await parts.open(body, f"Review {ref.case if ref else ''}".strip(), fill)


async def submit(parts: Parts, ack: Ack, body: Body) -> None:
    """The decision: noted, acknowledged, handed over."""
    view = body["view"]
    values = values_of(view)
    ref = str(json.loads(view.get("private_metadata") or "{}").get("gate", ""))
    decision = values.get("decision", "")
    press = parts.press(
        body,
        "answer",
        view=view["id"],
        gate=ref,
        decision=decision,
        reason=values.get("reason", ""),
    )
    fresh = await parts.presses.take(press)
    if fresh:
        text = "Taken; being checked against the plan and your role…"
        await ack(response_action="update", view=told("Taken", text))
        await parts.desk.carry_out(press)
        return
    await ack(response_action="update", view=_standing(parts, ref))


def _standing(parts: Parts, ref: str) -> Block:
    """A second delivery is answered with how the gate stands."""
    found = GateRef.parse(ref)
    gate = parts.api.show(found.case).gates.get(found.gate) if found else None
    if found is None or gate is None:
        return told("Taken", "Taken already.")
    return modals.decided(parts.api.show(found.case), gate)


def _value(body: Body) -> str:
    return str(((body.get("actions") or [{}])[0]).get("value", ""))
