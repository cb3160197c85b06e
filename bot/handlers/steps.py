"""Manual steps: ``Mark done…`` opens a form; its submission is a person's word, in their name."""

from __future__ import annotations

import json

from slack_bolt.async_app import AsyncApp

from bot import modals
from bot.blocks import Block, told
from bot.handlers.requests import Ack, values_of
from bot.naming import StepRef
from bot.parts import Body, Parts
from killswitch.api import Person
from killswitch.model.errors import NotAllowed


def register(app: AsyncApp, parts: Parts) -> None:
    """Button and form."""

    @app.action("step.done")
    async def pressed(ack: Ack, body: Body) -> None:
        fresh = await parts.look(body)
        await ack()
        if fresh:
            await show(parts, body, StepRef.parse(_value(body)))

    @app.view(modals.ATTEST)
    async def vouched(ack: Ack, body: Body) -> None:
        await submit(parts, ack, body)


async def show(parts: Parts, body: Body, ref: StepRef | None) -> None:
    """The step as it stands now, and what to say about it, for operators."""

    async def fill(person: Person) -> Block:
        if ref is None:
            raise NotAllowed("that button is about no step of ours")
        case = await parts.api.view(ref.case, person)
        await parts.api.must_operate(person)
        change = ref.find(case)
        if change is None:
            raise NotAllowed(f"{ref.case} has no such step")
        return modals.attest(case, change)

    await parts.open(body, f"Step {ref.case if ref else ''}".strip(), fill)


async def submit(parts: Parts, ack: Ack, body: Body) -> None:
    """The word was given: noted, acknowledged, handed over. The API reads the role again."""
    view = body["view"]
    press = parts.press(
        body,
        "attest",
        view=view["id"],
        step=str(json.loads(view.get("private_metadata") or "{}").get("step", "")),
        reason=values_of(view).get("reason", ""),
    )
    fresh = await parts.presses.take(press)
    await ack(response_action="update", view=told("Taken", "Taken. One moment…"))
    if fresh:
        await parts.desk.carry_out(press)


def _value(body: Body) -> str:
    return str(((body.get("actions") or [{}])[0]).get("value", ""))
